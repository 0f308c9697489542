use std::sync::Arc;

use async_trait::async_trait;
use valetkey_model::{Clock, Integration, Problem};
use valetkey_providers::{
    Access, Credential, Http, Verdict,
    oauth::{OAuthClient, OAuthError, OAuthProfile, Rotation, Tokens},
    provider,
};

use crate::{Integrations, apps::App, apps::not_configured};

/// What a refresh wants from the provider that issued a credential.
#[async_trait]
pub(crate) trait AuthorizationServer: Send + Sync {
    /// What a refresh does to the tokens there were before it.
    fn rotation(&self) -> Rotation;

    /// Sends the refresh token, once.
    async fn refresh(&self, old: &Credential) -> Result<Tokens, OAuthError>;

    /// Asks what it thinks of an access token.
    async fn ask(&self, about: &Credential) -> Vitals;

    /// Asks it to forget tokens that nobody will use.
    async fn revoke(&self, tokens: &Tokens, of: &Credential);
}

/// Whether an access token works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vitals {
    /// It is accepted.
    Alive,
    /// It is not.
    Dead,
    /// The provider could not be asked.
    Unknown,
}

/// The provider of an integration, reached through the application that is registered there.
pub(super) struct AtProvider {
    pub(super) http: Http,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) integration: Integration,
    pub(super) profile: OAuthProfile,
    pub(super) app: App,
}

impl AtProvider {
    /// # Errors
    /// `oauth_not_configured` without an application, `seal_broken` if its secrets do not open.
    pub(super) async fn of(with: &Integrations, integration: &Integration) -> Result<Self, Problem> {
        let (kind, instance) = (integration.provider, &integration.instance_url);
        let profile = provider(kind).oauth(instance).ok_or_else(|| not_configured(kind, instance))?;
        let app = with.app(kind, instance).await?;
        let (http, clock) = (with.http.clone(), Arc::clone(&with.clock));
        Ok(Self { http, clock, integration: integration.clone(), profile, app })
    }

    fn client<'a>(&'a self, of: &'a Credential) -> OAuthClient<'a> {
        let redirect_uri = of.consent.as_ref().map_or("", |consent| &consent.redirect_uri);
        OAuthClient {
            http: &self.http,
            profile: &self.profile,
            app: self.app.oauth(redirect_uri),
            now: self.clock.now(),
        }
    }
}

#[async_trait]
impl AuthorizationServer for AtProvider {
    fn rotation(&self) -> Rotation {
        self.profile.rotation
    }

    async fn refresh(&self, old: &Credential) -> Result<Tokens, OAuthError> {
        let Some(refresh) = &old.refresh else {
            return Err(OAuthError::GrantDead { said: "there is no refresh token".to_owned() });
        };
        self.client(old).refresh(refresh).await
    }

    async fn ask(&self, about: &Credential) -> Vitals {
        let Integration { provider: kind, instance_url: instance, .. } = &self.integration;
        let access = Access { http: &self.http, instance, credential: about, now: self.clock.now() };
        match provider(*kind).check(access).await.map_err(|error| error.verdict()) {
            Ok(_) | Err(Verdict::Scope) => Vitals::Alive,
            Err(Verdict::Credential) => Vitals::Dead,
            Err(Verdict::Reachability) => Vitals::Unknown,
        }
    }

    async fn revoke(&self, tokens: &Tokens, of: &Credential) {
        if let Err(error) = self.client(of).revoke(&tokens.access, tokens.refresh.as_ref()).await {
            tracing::warn!(integration = %self.integration.id, %error, "a token that nobody uses could not be revoked");
        }
    }
}
