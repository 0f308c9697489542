use valetkey_model::{
    Actor, AuditAction, Integration, IntegrationRef, Problem, ProblemCode, ProjectName, Role, SessionId,
};
use valetkey_providers::{
    Credential,
    oauth::{OAuthClient, Revoked},
    provider,
};
use valetkey_store::{Everybodys, Removal, RemovalMode};

use crate::{
    Integrations,
    consent::oauth_problem,
    events::{AtProvider, Happening},
};

/// What became of a disconnected integration's credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disconnected {
    /// It is erased here.
    Erased(RevokedAtProvider),
    /// These sessions still use it; it is erased when the last of them ends. Nothing new can use it.
    UntilSessionsEnd(Vec<SessionId>),
}

/// What became of a credential at its provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevokedAtProvider {
    /// The provider says that it works no more.
    Yes,
    /// The provider did not know it any more.
    NotKnown,
    /// The provider has no way to revoke such a credential: its owner deletes it on this page.
    NotOffered {
        /// The page.
        page: String,
    },
    /// It may still work there: the provider could not be asked, or refused.
    Failed {
        /// Why.
        problem: Problem,
        /// Where its owner deletes it.
        page: String,
    },
}

impl RevokedAtProvider {
    fn in_a_word(&self) -> AtProvider {
        match self {
            Self::Yes => AtProvider::Revoked,
            Self::NotKnown => AtProvider::NotKnown,
            Self::NotOffered { .. } => AtProvider::NotOffered,
            Self::Failed { .. } => AtProvider::Failed,
        }
    }
}

impl Integrations {
    /// Removes an integration and its credential, and has the provider revoke it where it can.
    ///
    /// With `now` the sessions that use it lose it at once; otherwise they keep it until they end.
    ///
    /// # Errors
    /// `not_found`. A provider that does not revoke is no error: the credential is gone from here all the same.
    pub async fn disconnect(&self, by: &Actor, which: &IntegrationRef, now: bool) -> Result<Disconnected, Problem> {
        let integration = self.managed(by, which).await?;
        // One that does not open can't be revoked, but must not be in the way either.
        let opened = self.open(&integration).await.ok().map(|(credential, _)| credential);
        let mode = if now { RemovalMode::Now } else { RemovalMode::WhenFree };
        self.record_change(by, AuditAction::IntegrationDisconnect, &integration).await?;
        let removal = self.store.begin_removal(&integration.id, mode, self.clock.now()).await?;
        if now || removal == Removal::Erased {
            self.end_installation_tokens(&integration).await;
        }
        tracing::info!(integration = %integration.id, now, "disconnected");
        let (disconnected, at_provider) = match removal {
            Removal::Erased => {
                let revoked = self.revoke(&integration, opened.as_ref()).await;
                let at_provider = revoked.in_a_word();
                (Disconnected::Erased(revoked), at_provider)
            }
            Removal::HeldBy(sessions) => (Disconnected::UntilSessionsEnd(sessions), AtProvider::InUse),
        };
        self.note(&integration, Happening::Disconnected { at_provider }).await;
        Ok(disconnected)
    }

    /// Erases every integration of a project, also those that people connected for themselves in it, with their
    /// credentials; the providers revoke them in the background where they can. Whoever owned one is told by its events.
    /// For a project that is going to be deleted, in which nothing runs any more.
    ///
    /// # Errors
    /// `forbidden` for whoever is no admin of the project; when the store fails.
    pub async fn disconnect_project(&self, by: &Actor, project: &ProjectName) -> Result<(), Problem> {
        by.require(Role::Admin, project)?;
        let mut erased = Vec::new();
        for integration in self.store.integrations_in(project).await? {
            let opened = self.open(&integration).await.ok().map(|(credential, _)| credential);
            self.store.begin_removal(&integration.id, RemovalMode::Now, self.clock.now()).await?;
            tracing::info!(integration = %integration.id, %project, "disconnected with its project");
            erased.push((integration, opened));
        }
        if !erased.is_empty() {
            tokio::spawn(self.clone().revoke_erased(erased));
        }
        Ok(())
    }

    /// Has the providers revoke what was erased when the last session that used it ended.
    pub(crate) async fn revoke_erased(self, erased: Vec<(Integration, Option<Credential>)>) {
        for (integration, credential) in erased {
            self.note_by_system(AuditAction::IntegrationDisconnect, &integration, None).await;
            self.end_installation_tokens(&integration).await;
            let at_provider = self.revoke(&integration, credential.as_ref()).await.in_a_word();
            self.note(&integration, Happening::Disconnected { at_provider }).await;
        }
    }

    async fn revoke(&self, of: &Integration, credential: Option<&Credential>) -> RevokedAtProvider {
        let page = provider(of.provider).token_page(&of.instance_url, of.auth_method);
        let Some(credential) = credential else { return RevokedAtProvider::NotOffered { page } };
        self.http.forget(&credential.token);
        match self.revoked(of, credential).await {
            Ok(Revoked::Done) => RevokedAtProvider::Yes,
            Ok(Revoked::NotKnown) => RevokedAtProvider::NotKnown,
            Ok(Revoked::NotOffered) => RevokedAtProvider::NotOffered { page },
            Err(problem) => {
                tracing::warn!(integration = %of.id, %problem, "the credential could not be revoked at the provider");
                RevokedAtProvider::Failed { problem, page }
            }
        }
    }

    /// Whether the same account consented for another integration too: a provider would end both.
    async fn is_shared(&self, of: &Integration) -> Result<bool, Problem> {
        let filter = Everybodys { provider: Some(of.provider), include_removing: true };
        let same = |other: &Integration| {
            other.id != of.id
                && other.instance_url == of.instance_url
                && other.account.id == of.account.id
                && other.auth_method.is_by_consent()
        };
        Ok(self.store.integrations(filter).await?.iter().any(same))
    }

    async fn revoked(&self, of: &Integration, credential: &Credential) -> Result<Revoked, Problem> {
        let by_consent = of.auth_method.is_by_consent();
        if by_consent && self.is_shared(of).await? {
            let detail = "Another integration here stands on the same consent, which was therefore not revoked.";
            return Err(Problem::new(ProblemCode::Conflict, detail).by(of.provider));
        }
        let profile = provider(of.provider).oauth(&of.instance_url).filter(|profile| profile.revocation.is_some());
        if let (true, Some(profile)) = (by_consent, profile) {
            let app = self.app(of.provider, &of.instance_url).await?;
            let redirect_uri = credential.consent.as_ref().map_or("", |consent| &consent.redirect_uri);
            let (app, now) = (app.oauth(redirect_uri), self.clock.now());
            let client = OAuthClient { http: &self.http, profile: &profile, app, now };
            let answer = client.revoke(&credential.token, credential.refresh.as_ref()).await;
            return answer.map_err(|e| oauth_problem(e, of.provider, &of.instance_url));
        }
        let answer = provider(of.provider).revoke(self.access(of, credential)).await;
        answer.map_err(|e| e.into_problem(of.provider, &of.instance_url))
    }
}
