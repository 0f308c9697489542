use std::collections::HashSet;

use futures_util::future::{join_all, try_join_all};
use jiff::SignedDuration;
use valetkey_gateway::Gateway;
use valetkey_git::ConfigEntries;
use valetkey_integrations::{Lease, SessionToken, Wanted};
use valetkey_model::{
    Grant, GrantedRepository, Integration, Problem, PushPolicy, RepoUrl, RepositoryRun, RepositorySpec,
};
use valetkey_providers::RepositoryAccess;

use crate::{checkout::push_branch, environment, resolve::Resolved, run::Run};

/// What the providers agreed to: the session may begin.
pub(crate) struct Ready {
    /// Per repository, its integration.
    pub(crate) integrations: Vec<Integration>,
    /// Per repository, what the provider says of it.
    pub(crate) access: Vec<RepositoryAccess>,
    /// The credentials of the grant, for the agent's environment.
    pub(crate) tokens: Vec<SessionToken>,
    /// The git configuration that leads to the gateway.
    pub(crate) git_config: ConfigEntries,
}

/// How much longer than the agent's time the grant lasts: cloning before, pushing after.
const AROUND_THE_AGENT: SignedDuration = SignedDuration::from_hours(2);

/// Asks every provider, in parallel, whether the session will work, and writes the grant if all agree.
pub(crate) async fn ask_providers(run: &mut Run, resolved: Resolved) -> Result<Ready, Problem> {
    let specs = &run.session.spec.repositories;
    let questions = specs.iter().zip(&resolved.repositories).map(|(spec, it)| may_push(run, it, spec));
    let (alive, access) = tokio::join!(tokens_work(run, &resolved.repositories), try_join_all(questions));
    // A dead token explains everything else that failed with it.
    alive?;
    let access = access?;
    let others = usable(run, resolved.others).await?;

    let (grant, lease) = run
        .parts
        .integrations
        .grant(Wanted {
            session: run.session.id.clone(),
            integrations: resolved.repositories.iter().chain(&others).cloned().collect(),
            repositories: specs.iter().zip(&resolved.repositories).map(|(s, it)| granted(s, it)).collect(),
            ends_at: grant_end(run),
        })
        .await?;
    let tokens = run.parts.integrations.session_tokens(&grant).await?;
    for name in environment::redact(run, &tokens, &lease) {
        run.log(format!("{name} is too short to be hidden in the log; whatever looks like it is shown")).await?;
    }
    report(run, &access, &tokens).await?;
    note(&mut run.session.repositories, &access);
    let git_config = git_config(&run.parts.gateway, &lease, &grant);
    Ok(Ready { integrations: resolved.repositories, access, tokens, git_config })
}

/// Each distinct integration is asked once.
async fn tokens_work(run: &Run, integrations: &[Integration]) -> Result<(), Problem> {
    let mut seen = HashSet::new();
    let distinct = integrations.iter().filter(|it| seen.insert(it.id.clone()));
    for answer in join_all(distinct.map(|it| run.parts.integrations.check(it))).await {
        answer??;
    }
    Ok(())
}

async fn may_push(run: &Run, integration: &Integration, spec: &RepositorySpec) -> Result<RepositoryAccess, Problem> {
    let access = run.parts.integrations.repository(integration, &spec.url).await?;
    access.require_push().map_err(|e| e.into_problem(integration.provider, &integration.instance_url))
}

/// Of the integrations that only the environment would get, those that work: a dead one must not stop the session.
async fn usable(run: &Run, others: Vec<Integration>) -> Result<Vec<Integration>, Problem> {
    let mut usable = Vec::new();
    let answers = join_all(others.iter().map(|it| run.parts.integrations.check(it))).await;
    for (integration, answer) in others.into_iter().zip(answers) {
        match answer? {
            Ok(()) => usable.push(integration),
            Err(problem) => {
                let line = format!("'{}' is left out of the environment: {problem}", integration.alias);
                run.log_at(integration.provider, line).await?;
            }
        }
    }
    Ok(usable)
}

fn granted(spec: &RepositorySpec, integration: &Integration) -> GrantedRepository {
    let push = PushPolicy { branch: push_branch(spec).clone(), allow_force: spec.allow_force };
    GrantedRepository { url: spec.url.clone(), integration: integration.id.clone(), push }
}

fn grant_end(run: &Run) -> jiff::Timestamp {
    let seconds = i64::try_from(run.session.spec.timeout_seconds).unwrap_or(i64::MAX / 2);
    run.parts.clock.now() + SignedDuration::from_secs(seconds) + AROUND_THE_AGENT
}

async fn report(run: &Run, access: &[RepositoryAccess], tokens: &[SessionToken]) -> Result<(), Problem> {
    for SessionToken { integration, token } in tokens {
        let line = format!("Using token {} for user {}", token.family(), integration.account.username);
        run.log_at(integration.provider, line).await?;
        if let Some(end) = integration.expires_at.filter(|end| *end < grant_end(run)) {
            run.log_at(integration.provider, format!("The token expires at {end}, perhaps before the session ends"))
                .await?;
        }
    }
    for (record, access) in run.session.repositories.iter().zip(access) {
        let branch = access.default_branch.as_deref().unwrap_or("none yet");
        let line = format!("{}: can read and push, default branch {branch}", record.url.path());
        match record.provider {
            Some(provider) => run.log_at(provider, line).await?,
            None => run.log(line).await?,
        }
    }
    Ok(())
}

fn note(records: &mut [RepositoryRun], access: &[RepositoryAccess]) {
    for (record, access) in records.iter_mut().zip(access) {
        if record.branch.is_none() {
            record.branch = access.default_branch.as_deref().and_then(|name| name.parse().ok());
        }
    }
}

fn git_config(gateway: &Gateway, lease: &Lease, grant: &Grant) -> ConfigEntries {
    let urls: Vec<RepoUrl> = grant.repositories.iter().map(|r| r.url.clone()).collect();
    gateway.git_config(lease, &urls)
}
