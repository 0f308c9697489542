use std::fmt;

use jiff::{SignedDuration, Timestamp};
use valetkey_model::{
    Grant, GrantId, GrantedIntegration, GrantedRepository, Integration, Problem, ProblemCode, ProviderKind, RepoUrl,
    SessionId,
};
use valetkey_providers::provider;
use valetkey_seal::{Secret, TokenHash, mint};

use crate::Integrations;

/// How far `last_used_at` may lag behind: a busy clone must not write to the store with every request.
const USED_RESOLUTION: SignedDuration = SignedDuration::from_secs(60);

/// The key to a grant: whoever shows it to the gateway may do what the grant says.
#[derive(Clone)]
pub struct Lease(Secret<String>);

impl Lease {
    /// The text that goes into the gateway's address.
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
    /// The repositories with what may be pushed to each.
    pub repositories: Vec<GrantedRepository>,
    /// When the grant ends by itself.
    pub ends_at: Timestamp,
}

/// What one request may carry and do.
#[derive(Debug)]
pub struct Authorized {
    /// The credential.
    pub token: Secret<String>,
    /// The user name that goes with it over git.
    pub git_user: &'static str,
    /// Whose it is.
    pub provider: ProviderKind,
    /// The repository, and what may be pushed to it.
    pub repository: GrantedRepository,
    /// The session.
    pub session: SessionId,
}

/// A token for a session's environment.
#[derive(Debug)]
pub struct SessionToken {
    /// The integration.
    pub integration: Integration,
    /// Its credential.
    pub token: Secret<String>,
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
                let granted =
                    GrantedIntegration { id: it.id.clone(), provider: it.provider, generation: it.generation };
                integrations.push(granted);
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

    /// Ends a session's grant; credentials that waited for its end are erased.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_grant(&self, session: &SessionId) -> Result<(), Problem> {
        self.store.end_grant(session).await?;
        Ok(())
    }

    /// Decides whether the bearer of `lease` may reach `repo`, and with what.
    ///
    /// # Errors
    /// `forbidden` for an unknown, ended or foreign lease and for a repository that the grant does not name.
    pub async fn authorize(&self, lease: &str, repo: &RepoUrl) -> Result<Authorized, Problem> {
        let now = self.clock.now();
        let refuse = |why: &str| {
            tracing::warn!(repository = %repo, why, "refused by the gateway");
            Problem::new(ProblemCode::Forbidden, why.to_owned())
        };
        let grant = self
            .store
            .grant_by_lease(TokenHash::of(lease).as_str())
            .await?
            .filter(|grant| grant.ends_at > now)
            .ok_or_else(|| refuse("This session has ended, or never was: its lease is not known."))?;
        let Some(repository) = grant.repositories.into_iter().find(|granted| granted.url == *repo) else {
            return Err(refuse("This session may not reach this repository."));
        };
        let integration = self.store.integration(&repository.integration).await?;
        let Some(integration) = integration.filter(|i| i.instance_url == *repo.instance()) else {
            return Err(refuse("The integration of this repository was disconnected."));
        };
        let (token, _) = self.open(&integration.id).await?;
        if integration.last_used_at.is_none_or(|at| now.duration_since(at) > USED_RESOLUTION) {
            self.store.touch_used(&integration.id, now).await?;
        }
        let kind = integration.provider;
        let git_user = provider(kind).git_user();
        Ok(Authorized { token, git_user, provider: kind, repository, session: grant.session })
    }

    /// The credentials of a grant, for the session's environment and its redaction.
    ///
    /// # Errors
    /// When one of them was disconnected or does not open.
    pub async fn session_tokens(&self, grant: &Grant) -> Result<Vec<SessionToken>, Problem> {
        let mut tokens = Vec::with_capacity(grant.integrations.len());
        for granted in &grant.integrations {
            let integration = self.by_id(&granted.id).await?;
            let (token, _) = self.open(&granted.id).await?;
            tokens.push(SessionToken { integration, token });
        }
        Ok(tokens)
    }
}
