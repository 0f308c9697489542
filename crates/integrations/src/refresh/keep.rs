use std::time::Duration;

use jiff::Timestamp;
use valetkey_model::{CheckOutcome, Problem, ProblemCode};
use valetkey_providers::{Credential, oauth::Tokens, provider};
use valetkey_seal::Sealed;
use valetkey_store::{CheckRecord, Finding, Reconnection, Refreshed, StoreError};

use super::attempt::{Attempt, NotRenewed};
use crate::{connect::identity, record::Renewal};

/// The pauses between tries to store a new token, which nobody else has.
const NAPS: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(1), Duration::from_secs(3)];

/// New tokens, ready to be stored.
struct Fresh {
    tokens: Tokens,
    credential: Credential,
    sealed: Sealed,
}

impl Attempt<'_> {
    /// Stores new tokens, before anybody uses them.
    pub(super) async fn keep(&self, tokens: Tokens) -> Result<(), NotRenewed> {
        let (access, refresh) = (tokens.access.clone(), tokens.refresh.clone());
        let credential = Credential { token: access, refresh, ..self.current.credential.clone() };
        let sealed =
            self.with.sealer.seal(&identity(&self.lease.integration, self.lease.generation + 1), &credential.to_text());
        let fresh = Fresh { tokens, credential, sealed };
        let mut naps = NAPS.into_iter();
        loop {
            match self.complete(&fresh).await {
                Ok(_) => return self.kept(&fresh).await,
                Err(StoreError::Stale("refresh")) => return self.insist(&fresh).await,
                Err(StoreError::Stale(_)) => return self.overtaken(&fresh).await,
                // Whether it is stored is unknown, and trying again tells: it replaces only the old one.
                Err(error) => match naps.next() {
                    Some(nap) => {
                        tracing::warn!(integration = %self.lease.integration, %error, "a new token is not stored yet");
                        self.with.turns.pause.pause(nap).await;
                    }
                    None => {
                        tracing::error!(integration = %self.lease.integration, "a new token could not be stored and is lost");
                        return Err(error.into());
                    }
                },
            }
        }
    }

    async fn complete(&self, fresh: &Fresh) -> Result<i64, StoreError> {
        let new = Refreshed {
            sealed: fresh.sealed.as_bytes(),
            expires_at: fresh.tokens.expires_at,
            refresh_expires_at: self.refresh_end(fresh),
            granted_scopes: fresh.tokens.scopes.as_deref(),
        };
        self.store().complete_refresh(&self.lease, &new, self.clock().now()).await
    }

    /// Where the answer does not say when the consent ends, the provider's rule for that counts, else what was known.
    fn refresh_end(&self, fresh: &Fresh) -> Option<Timestamp> {
        let known = &self.current.integration;
        let consented_at = fresh.credential.consent.as_ref().and_then(|consent| consent.at);
        let by_rule = || provider(known.provider).consent_end(consented_at?, self.clock().now());
        fresh.tokens.refresh_expires_at.or_else(by_rule).or(known.refresh_expires_at)
    }

    async fn kept(&self, fresh: &Fresh) -> Result<(), NotRenewed> {
        let generation = self.lease.generation + 1;
        tracing::info!(integration = %self.lease.integration, generation, "access token renewed");
        self.with.http.forget(&self.current.credential.token);
        self.with.settle_seal(&self.lease.integration, generation, &fresh.credential, &fresh.sealed).await?;
        self.with.refreshed(&self.current.integration, Renewal::Done).await;
        Ok(())
    }

    /// We were so slow that somebody else took the lease. But of a refresh token that works once the answer is here, so
    /// nobody else can have one: it is stored all the same, unless the credential was replaced.
    async fn insist(&self, fresh: &Fresh) -> Result<(), NotRenewed> {
        let now = self.clock().now();
        let id = &self.lease.integration;
        let new = Reconnection {
            sealed: fresh.sealed.as_bytes(),
            auth_method: self.current.integration.auth_method,
            expires_at: fresh.tokens.expires_at,
            refresh_expires_at: self.refresh_end(fresh),
        };
        let generation = match self.store().reconnect(id, self.lease.generation, &new, now).await {
            Err(StoreError::Stale(_)) => return self.overtaken(fresh).await,
            other => other?,
        };
        let connected = Finding::Judged(CheckOutcome::Connected);
        self.store().record_check(id, &CheckRecord { generation, checked_at: now, finding: connected }).await?;
        self.kept(fresh).await
    }

    /// Another credential is in the place of the old one: ours after a lost commit, or one that somebody connected
    /// meanwhile. The latter stands. What we got is not revoked: at some providers that would end the new connection too.
    async fn overtaken(&self, fresh: &Fresh) -> Result<(), NotRenewed> {
        if self.store().sealed(&self.lease.integration).await?.is_some() {
            return self.kept(fresh).await;
        }
        self.server.revoke(&fresh.tokens, &fresh.credential).await;
        Err(NotRenewed::Ended(Problem::new(ProblemCode::NotFound, "The integration was disconnected meanwhile.")))
    }
}
