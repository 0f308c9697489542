use std::{fmt, net::IpAddr};

use jiff::{SignedDuration, Timestamp};
use valetkey_model::{
    Actor, AuthMethod, Grant, GrantId, GrantedAccess, GrantedIntegration, GrantedRepository, Integration,
    IntegrationId, Problem, ProblemCode, ProjectName, ProviderKind, PushPolicy, RefUpdate, RepoUrl, Role, SessionId,
    Verdict,
};
use valetkey_providers::{Credential, GitAuth};
use valetkey_seal::{Secret, TokenHash, mint};

use crate::{Integrations, credential::git_auth, refresh::Current};

/// How far `last_used_at` may lag behind: a busy clone must not write to the store with every request.
const USED_RESOLUTION: SignedDuration = SignedDuration::from_secs(60);

/// The key to a grant: whoever shows it to the gateway may do what the grant says.
#[derive(Clone)]
pub struct Lease(Secret<String>);

impl Lease {
    /// The text: in the gateway's address, and as the bearer token of the session itself.
    #[expect(clippy::disallowed_methods, reason = "the lease is what the session's git is told in place of a token")]
    pub fn as_path_segment(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease(vkl_***)")
    }
}

/// What a session asks a grant for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The session.
    pub session: SessionId,
    /// The integrations of its repositories and of its environment.
    pub integrations: Vec<Integration>,
    /// Of these, those in place of whose tokens the agent gets a secret.
    pub overridden: Vec<IntegrationId>,
    /// The repositories with what may be pushed to each.
    pub repositories: Vec<GrantedRepository>,
    /// When the grant ends by itself.
    pub ends_at: Timestamp,
}

/// What one request may carry and do.
#[derive(Debug)]
pub struct Authorized {
    /// The session.
    pub session: SessionId,
    /// The repository.
    pub repository: RepoUrl,
    /// What goes with the request. Without it the repository may be read as anybody may read it.
    pub lent: Option<Lent>,
}

impl Authorized {
    /// What may become of a ref. Without a credential, nothing.
    pub fn judge(&self, update: &RefUpdate) -> Verdict {
        match &self.lent {
            Some(lent) => lent.push.judge(update),
            None => Verdict::Refused("this session uses no integration here".to_owned()),
        }
    }
}

/// A credential for one request.
#[derive(Debug)]
pub struct Lent {
    /// The credential.
    pub credential: Credential,
    /// How git presents it.
    pub auth: GitAuth,
    /// Whose it is.
    pub provider: ProviderKind,
    /// The integration that it comes from.
    pub integration: IntegrationId,
    /// What may be pushed with it.
    pub push: PushPolicy,
}

/// What git wants to do with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitAccess {
    /// Clone or fetch.
    Read,
    /// Push.
    Push,
}

/// A token for a session's environment.
#[derive(Debug)]
pub struct SessionToken {
    /// The integration.
    pub integration: Integration,
    /// Its credential.
    pub credential: Credential,
}

/// What a session's own processes are given for a provider when they ask.
#[derive(Debug)]
pub struct SessionCredential {
    /// The integration, and its credential or what stands in for that.
    pub given: SessionToken,
    /// Whether the token is a secret that stands in for the integration's: of it nothing is known but the value.
    pub overridden: bool,
}

fn refused(repo: &RepoUrl, why: &str) -> Problem {
    tracing::warn!(repository = %repo, why, "refused by the gateway");
    Problem::new(ProblemCode::Forbidden, why.to_owned())
}

/// The repositories of a grant that an integration serves.
fn served_by<'a>(grant: &'a Grant, integration: &IntegrationId) -> impl Iterator<Item = &'a RepoUrl> {
    let serves = |it: &&GrantedRepository| it.with.as_ref().is_some_and(|with| with.integration == *integration);
    grant.repositories.iter().filter(serves).map(|it| &it.url)
}

/// Of these, those that one installation token can be for: of the same owner as `repo`.
fn together(grant: &Grant, integration: &IntegrationId, repo: &RepoUrl) -> Vec<RepoUrl> {
    let owner = |url: &RepoUrl| url.path().split('/').next().unwrap_or_default().to_ascii_lowercase();
    served_by(grant, integration).filter(|url| owner(url) == owner(repo)).cloned().collect()
}

/// Who started a session, with their roles as they are now, and in which project.
struct Starter {
    person: Actor,
    project: ProjectName,
}

impl Starter {
    fn gone() -> Problem {
        Problem::new(ProblemCode::Forbidden, "Whoever started this session may not use its integration now.")
    }

    fn require_use_of(&self, integration: &Integration) -> Result<(), Problem> {
        if self.person.uses(integration, &self.project) { Ok(()) } else { Err(Self::gone()) }
    }
}

fn no_push(repo: &RepoUrl) -> Problem {
    let why = format!("This session uses no integration for {repo}, so nothing is pushed there.");
    Problem::new(ProblemCode::Forbidden, why).remedy("Start one with an integration that may push.")
}

impl Integrations {
    /// Writes a grant and mints the lease for it.
    ///
    /// # Errors
    /// `conflict` when one of the integrations was disconnected or replaced since it was resolved.
    pub async fn grant(&self, wanted: Wanted) -> Result<(Grant, Lease), Problem> {
        let mut integrations: Vec<GrantedIntegration> = Vec::new();
        for it in &wanted.integrations {
            if !integrations.iter().any(|known| known.id == it.id) {
                integrations.push(GrantedIntegration {
                    id: it.id.clone(),
                    provider: it.provider,
                    generation: it.generation,
                    overridden: wanted.overridden.contains(&it.id),
                });
            }
        }
        let grant = Grant {
            id: GrantId::new(self.clock.now(), &*self.entropy),
            session: wanted.session,
            integrations,
            repositories: wanted.repositories,
            ends_at: wanted.ends_at,
        };
        let lease = mint("vkl_", &*self.entropy);
        self.store.insert_grant(&grant, TokenHash::of_secret(&lease).as_str()).await?;
        Ok((grant, Lease(lease)))
    }

    /// Ends a session's grant; credentials that waited for its end are erased, and revoked at their provider in the
    /// background.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_grant(&self, session: &SessionId) -> Result<(), Problem> {
        let mut waiting = Vec::new();
        for id in self.store.removals_held_by(session).await? {
            let Some(integration) = self.store.integration(&id).await? else { continue };
            let credential = self.open(&integration).await.ok().map(|(credential, _)| credential);
            waiting.push((integration, credential));
        }
        let erased = self.store.end_grant(session).await?;
        waiting.retain(|(integration, _)| erased.contains(&integration.id));
        if !waiting.is_empty() {
            tokio::spawn(self.clone().revoke_erased(waiting));
        }
        Ok(())
    }

    /// Decides whether the bearer of `lease` may reach `repo`, and with what. It is recorded before it is given.
    ///
    /// # Errors
    /// `forbidden` for an unknown, ended or foreign lease, for a repository that the grant does not name, and for a push
    /// to one for which it names no integration.
    pub async fn authorize(&self, lease: &str, repo: &RepoUrl, access: GitAccess) -> Result<Authorized, Problem> {
        let Some(grant) = self.live_grant(lease).await? else {
            let problem = refused(repo, "This session has ended, or never was: its lease is not known.");
            self.note_refused_use(None, repo, problem.code).await?;
            return Err(problem);
        };
        let refused = match self.lend(&grant, repo).await {
            Ok(None) if access == GitAccess::Push => no_push(repo),
            Ok(lent) => {
                if let Some((starter, integration, _)) = &lent {
                    let event = self.event_of(&grant.session, &starter.person.user, &starter.project);
                    self.record_git_use(event, integration, repo, access).await?;
                }
                let (session, lent) = (grant.session, lent.map(|(.., lent)| lent));
                return Ok(Authorized { session, repository: repo.clone(), lent });
            }
            Err(problem) => problem,
        };
        self.note_refused_use(Some(&grant.session), repo, refused.code).await?;
        Err(refused)
    }

    /// Whether the bearer of `lease` may still do what [`authorize`](Self::authorize) allowed. Gives nothing out.
    pub async fn still_authorized(&self, lease: &str, repo: &RepoUrl) -> bool {
        match self.live_grant(lease).await {
            Ok(Some(grant)) => self.lend(&grant, repo).await.is_ok(),
            Ok(None) | Err(_) => false,
        }
    }

    async fn live_grant(&self, lease: &str) -> Result<Option<Grant>, Problem> {
        let (grant, now) = (self.store.grant_by_lease(TokenHash::of(lease).as_str()).await?, self.clock.now());
        Ok(grant.filter(|grant| grant.ends_at > now))
    }

    /// What a request for one repository of a grant may carry; none where it is read without an integration.
    async fn lend(&self, grant: &Grant, repo: &RepoUrl) -> Result<Option<(Starter, Integration, Lent)>, Problem> {
        let Some(repository) = grant.repositories.iter().find(|granted| granted.url == *repo) else {
            return Err(refused(repo, "This session may not reach this repository."));
        };
        let starter = self.starter(&grant.session).await?;
        let Some(GrantedAccess { integration, push }) = &repository.with else { return Ok(None) };
        let integration = self.store.integration(integration).await?;
        let Some(integration) = integration.filter(|i| i.instance_url == *repo.instance()) else {
            return Err(refused(repo, "The integration of this repository was disconnected."));
        };
        starter.require_use_of(&integration)?;
        let credential = match integration.auth_method {
            AuthMethod::App => self.installation_token(&integration, &together(grant, &integration.id, repo)).await?,
            _ => self.usable(&integration).await?.0,
        };
        let now = self.clock.now();
        if integration.last_used_at.is_none_or(|at| now.duration_since(at) > USED_RESOLUTION) {
            self.store.touch_used(&integration.id, now).await?;
        }
        let (provider, id, push) = (integration.provider, integration.id.clone(), push.clone());
        let auth = git_auth(provider, &credential)?;
        Ok(Some((starter, integration, Lent { credential, auth, provider, integration: id, push })))
    }

    /// Whoever started a session, if they may start one in its project now: a role may be taken away, a person disabled.
    async fn starter(&self, session: &SessionId) -> Result<Starter, Problem> {
        let (owner, project) = self.store.session_of(session).await?.ok_or_else(Starter::gone)?;
        let person = self.store.actor(&owner).await?.filter(|person| person.is(Role::Member, &project));
        Ok(Starter { person: person.ok_or_else(Starter::gone)?, project })
    }

    /// The credentials of a grant, for the session's environment and its redaction. Each is recorded before it is given.
    ///
    /// # Errors
    /// When one of them was disconnected or does not open.
    pub async fn session_tokens(&self, grant: &Grant) -> Result<Vec<SessionToken>, Problem> {
        let mut tokens = Vec::with_capacity(grant.integrations.len());
        for granted in &grant.integrations {
            let integration = self.by_id(&granted.id).await?;
            let Some(token) = self.session_token(grant, &integration).await? else { continue };
            self.record_handed_over(&grant.session, &token.integration, "environment", None).await?;
            tokens.push(token);
        }
        Ok(tokens)
    }

    /// The token of one integration of a grant; none where it would be good for nothing.
    async fn session_token(&self, grant: &Grant, granted: &Integration) -> Result<Option<SessionToken>, Problem> {
        self.starter(&grant.session).await?.require_use_of(granted)?;
        let Current { integration, credential } = self.fresh(granted).await?;
        let first = served_by(grant, &integration.id).next();
        let credential = match (integration.auth_method, first) {
            (AuthMethod::App, Some(first)) => {
                self.installation_token(&integration, &together(grant, &integration.id, first)).await?
            }
            // Its tokens are for repositories, and the session has none of its.
            (AuthMethod::App, None) => return Ok(None),
            _ => credential,
        };
        Ok(Some(SessionToken { integration, credential }))
    }

    /// The present credential of `kind` for the bearer of a session's lease: of the integration whose token is in the
    /// session's environment too, or the secret that stands in for it there. None where the session was granted none. It is
    /// recorded, with where it was asked for `from`, before it is given.
    ///
    /// # Errors
    /// `forbidden` for a lease that is unknown, ended or another session's; what keeps a token from being refreshed;
    /// `not_found` where the secret that stood in when the session began is gone. The integration's own token never
    /// comes in its place.
    pub async fn session_credential(
        &self,
        lease: &str,
        session: &SessionId,
        kind: ProviderKind,
        from: Option<IpAddr>,
    ) -> Result<Option<SessionCredential>, Problem> {
        let grant = self.live_grant(lease).await?;
        let Some(grant) = grant.filter(|grant| grant.session == *session) else {
            tracing::warn!(%session, provider = kind.slug(), "a credential was asked for without the session's lease");
            return Err(Problem::new(ProblemCode::Forbidden, "Access denied"));
        };
        for granted in grant.integrations.iter().filter(|granted| granted.provider == kind) {
            let Some(integration) = self.store.integration(&granted.id).await? else { continue };
            if granted.overridden {
                let given = self.stand_in(&grant, integration, from).await?;
                return Ok(Some(SessionCredential { given, overridden: true }));
            }
            let Some(given) = self.session_token(&grant, &integration).await? else { continue };
            self.record_handed_over(session, &integration, "session", from).await?;
            self.store.touch_used(&integration.id, self.clock.now()).await?;
            tracing::info!(%session, integration = %integration.id, "gave a session its credential");
            return Ok(Some(SessionCredential { given, overridden: false }));
        }
        Ok(None)
    }

    /// The present value of the secret that a session has in place of an integration's token, which is not given and so
    /// not refreshed either.
    async fn stand_in(
        &self,
        grant: &Grant,
        integration: Integration,
        from: Option<IpAddr>,
    ) -> Result<SessionToken, Problem> {
        let session = &grant.session;
        self.starter(session).await?.require_use_of(&integration)?;
        self.record_handed_over(session, &integration, "session, a secret in its place", from).await?;
        let secret = match self.store.session(session).await? {
            Some(session) => self.standing_in(&session, &integration).await?,
            None => None,
        };
        let gone = || {
            let detail = format!("The secret that stood in for the {} token is gone.", integration.provider);
            Problem::new(ProblemCode::NotFound, detail).remedy("Start the session again.")
        };
        let token = secret.map(|secret| secret.value).ok_or_else(gone)?;
        let (known, _) = self.open(&integration).await?;
        tracing::info!(%session, integration = %integration.id, "gave a session the secret that stands in for a token");
        Ok(SessionToken { credential: Credential { token, ..known }, integration })
    }
}
