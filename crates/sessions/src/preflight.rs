use std::collections::HashSet;

use futures_util::future::{join_all, try_join_all};
use jiff::SignedDuration;
use valetkey_gateway::Gateway;
use valetkey_git::{Author, ConfigEntries};
use valetkey_integrations::{Integrations, Lease, SessionSecrets, SessionToken, TokenCheck, Wanted};
use valetkey_model::{
    Grant, GrantedAccess, GrantedRepository, Integration, IntegrationId, Problem, ProviderKind, PushPolicy, RepoUrl,
    RepositorySpec, SecretOwner,
};
use valetkey_providers::{GitAuth, RepositoryAccess, forge};

use crate::{
    environment,
    resolve::{Resolved, Served},
    run::Run,
};

/// What the providers agreed to: the session may begin.
pub(crate) struct Ready {
    /// The repositories of the session, in its order; at least one.
    pub(crate) targets: Vec<Target>,
    /// The credentials of the grant, for the agent's environment.
    pub(crate) tokens: Vec<SessionToken>,
    /// What the person and the project keep for the agent's environment.
    pub(crate) secrets: SessionSecrets,
    /// The git configuration that leads to the gateway.
    pub(crate) git_config: ConfigEntries,
    /// What stands for the session at the gateway and at the server's credential routes.
    pub(crate) lease: Lease,
}

impl Ready {
    /// How git presents the credential of a target.
    pub(crate) fn git_auth(&self, target: &Target) -> Option<GitAuth> {
        let integration = target.integration.as_ref()?;
        let own = self.tokens.iter().find(|token| token.integration.id == integration.id)?;
        Some(forge(integration.provider)?.git_auth(&own.credential))
    }

    /// Whose the agent's commits are: of the first account that the session acts with, else of who started it.
    pub(crate) fn author(&self) -> &Author {
        let first = self.targets.iter().find(|target| target.integration.is_some());
        &first.unwrap_or(&self.targets[0]).author
    }
}

/// A repository that the session may read, and push to if it has an integration for it.
pub(crate) struct Target {
    /// Which of the session's repositories it is.
    pub(crate) index: usize,
    /// What was asked.
    pub(crate) spec: RepositorySpec,
    /// What the session acts with there.
    pub(crate) integration: Option<Integration>,
    /// Its provider, as far as that is known.
    pub(crate) provider: Option<ProviderKind>,
    /// The default branch, where the provider said it; none while the repository is empty.
    pub(crate) default_branch: Option<String>,
    /// Whose commits are made there.
    pub(crate) author: Author,
}

/// How much longer than the agent's time the grant lasts: cloning before, pushing after.
const AROUND_THE_AGENT: SignedDuration = SignedDuration::from_hours(2);

/// Asks every provider, in parallel, whether the session will work, and writes the grant if all agree.
pub(crate) async fn ask_providers(run: &mut Run, resolved: Resolved) -> Result<Ready, Problem> {
    let Resolved { repositories, others } = resolved;
    let questions = repositories.iter().map(|served| may_work(run, served));
    let (alive, targets) = tokio::join!(tokens_work(run, &repositories), try_join_all(questions));
    // A dead token explains everything else that failed with it.
    alive?;
    let targets = targets?;
    let others = usable(run, others).await?;
    let secrets = run.parts.integrations.give_secrets(&run.session).await?;

    let integrations = targets.iter().filter_map(|target| target.integration.as_ref()).chain(&others);
    let overridden = integrations.clone().filter(|it| secrets.standing_in_for(it).is_some());
    let (grant, lease) = run
        .parts
        .integrations
        .grant(Wanted {
            session: run.session.id.clone(),
            overridden: overridden.map(|it| it.id.clone()).collect(),
            integrations: integrations.cloned().collect(),
            repositories: targets.iter().map(granted).collect(),
            ends_at: grant_end(run),
        })
        .await?;
    let tokens = run.parts.integrations.session_tokens(&grant).await?;
    for name in environment::redact(run, &tokens, &secrets, &lease) {
        run.log(format!("{name} is too short to be hidden in the log; whatever looks like it is shown")).await?;
    }
    report(run, &targets, &tokens, &secrets).await?;
    note_default_branches(run, &targets);
    let git_config = git_config(&run.parts.gateway, &lease, &grant);
    Ok(Ready { targets, tokens, secrets, git_config, lease })
}

async fn tokens_work(run: &Run, repositories: &[Served]) -> Result<(), Problem> {
    let integrations = repositories.iter().filter_map(|served| served.integration.as_ref());
    let failed = failed_tokens(&run.parts.integrations, integrations).await?;
    failed.into_iter().next().map_or(Ok(()), |(_, problem)| Err(problem))
}

/// The integrations whose providers don't accept them, in their order. Each distinct one is asked once.
pub(crate) async fn failed_tokens<'a>(
    with: &Integrations,
    integrations: impl Iterator<Item = &'a Integration>,
) -> Result<Vec<(IntegrationId, Problem)>, Problem> {
    let mut seen = HashSet::new();
    let distinct = integrations.filter(|it| seen.insert(it.id.clone()));
    let mut failed = Vec::new();
    for (id, check) in join_all(distinct.map(async |it| (it.id.clone(), with.check(it).await))).await {
        if let TokenCheck::Failed(problem) = check? {
            failed.push((id, problem));
        }
    }
    Ok(failed)
}

/// Asks for a repository's host whether the session may push there, or read without an integration.
async fn may_work(run: &Run, served: &Served) -> Result<Target, Problem> {
    let Served { index, spec, integration } = served.clone();
    let (default_branch, author) = match &integration {
        Some(integration) => {
            let access = run.parts.integrations.repository(integration, &spec.url).await?;
            (require_push(access, integration)?.default_branch, environment::author(integration))
        }
        None => {
            run.parts.integrations.readable_by_anybody(&spec.url).await?;
            (None, starter(run).await?)
        }
    };
    let provider = run.session.repositories[index].provider;
    Ok(Target { index, spec, integration, provider, default_branch, author })
}

/// The person who started the session, as an author: not of any provider.
async fn starter(run: &Run) -> Result<Author, Problem> {
    let owner = &run.session.owner;
    let known = run.parts.store.user(owner).await?;
    let (name, email) = known.map_or((None, None), |user| (Some(user.name), user.email));
    let email = email.unwrap_or_else(|| format!("{owner}@valetkey.invalid"));
    Ok(Author::new(name.as_deref().unwrap_or(owner.as_str()), &email))
}

/// The access, if it suffices to push.
pub(crate) fn require_push(access: RepositoryAccess, with: &Integration) -> Result<RepositoryAccess, Problem> {
    access.require_push().map_err(|error| error.into_problem(with.provider, &with.instance_url))
}

/// Of the integrations that only the environment would get, those that work: a dead one must not stop the session, unless
/// the assistant is pinned to it.
async fn usable(run: &Run, others: Vec<Integration>) -> Result<Vec<Integration>, Problem> {
    let mut usable = Vec::new();
    let checks = join_all(others.iter().map(|it| run.parts.integrations.check(it))).await;
    for (integration, check) in others.into_iter().zip(checks) {
        match check? {
            TokenCheck::Passed => usable.push(integration),
            TokenCheck::Failed(problem) if run.session.spec.tools().pin(&integration.id) => return Err(problem),
            TokenCheck::Failed(problem) => {
                let line =
                    format!("the account {} is left out of the environment: {problem}", integration.account.username);
                run.log_at(integration.provider, line).await?;
            }
        }
    }
    Ok(usable)
}

fn granted(target: &Target) -> GrantedRepository {
    let Target { spec, integration, .. } = target;
    let with = integration.as_ref().map(|integration| GrantedAccess {
        integration: integration.id.clone(),
        push: PushPolicy { branch: spec.push_branch.clone(), allow_force: spec.allow_force },
    });
    GrantedRepository { url: spec.url.clone(), with }
}

fn grant_end(run: &Run) -> jiff::Timestamp {
    let seconds = i64::try_from(run.session.spec.timeout_seconds).unwrap_or(i64::MAX / 2);
    run.parts.clock.now() + SignedDuration::from_secs(seconds) + AROUND_THE_AGENT
}

async fn report(
    run: &Run,
    targets: &[Target],
    tokens: &[SessionToken],
    secrets: &SessionSecrets,
) -> Result<(), Problem> {
    for SessionToken { integration, credential } in tokens {
        let line = format!("Using token {} for user {}", credential.token.family(), integration.account.username);
        run.log_at(integration.provider, line).await?;
        if let Some(secret) = secrets.standing_in_for(integration) {
            let whose = match secret.owner {
                SecretOwner::Person(_) => "of yours",
                SecretOwner::Project(_) => "of the project",
            };
            let name = &secret.name;
            let line =
                format!("{name} is a secret {whose}: the agent gets that value, Valetkey keeps using the integration");
            run.log_at(integration.provider, line).await?;
        }
        if let Some(end) = integration.expires_at.filter(|end| *end < grant_end(run)) {
            run.log_at(integration.provider, format!("The token expires at {end}, perhaps before the session ends"))
                .await?;
        }
    }
    for target in targets {
        let path = target.spec.url.path();
        let line = if target.integration.is_some() {
            let branch = target.default_branch.as_deref().unwrap_or("none yet");
            format!("{path}: can read and push, default branch {branch}")
        } else {
            format!("{path}: can be read without an integration; nothing is pushed")
        };
        run.log_at(target.provider, line).await?;
    }
    Ok(())
}

fn note_default_branches(run: &mut Run, targets: &[Target]) {
    for target in targets {
        let record = &mut run.session.repositories[target.index];
        if record.branch.is_none() {
            record.branch = target.default_branch.as_deref().and_then(|name| name.parse().ok());
        }
    }
}

fn git_config(gateway: &Gateway, lease: &Lease, grant: &Grant) -> ConfigEntries {
    let urls: Vec<RepoUrl> = grant.repositories.iter().map(|r| r.url.clone()).collect();
    gateway.git_config(lease, &urls)
}
