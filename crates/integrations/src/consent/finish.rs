use jiff::Timestamp;
use valetkey_model::{Actor, AuthMethod, Integration, OAuthAttemptId, Problem, ProviderKind};
use valetkey_providers::{
    Consent, Credential,
    oauth::{Callback, OAuthClient, Tokens},
    provider,
};
use valetkey_seal::{Secret, TokenHash};
use valetkey_store::{OAuthAttempt, Taken};

use super::{Asked, Outcome, bound_by, invalid_state, oauth_problem};
use crate::{
    Integrations,
    connect::{Connect, Ends},
};

/// What came of a browser's return.
#[derive(Debug)]
pub struct Finished {
    /// The attempt.
    pub attempt: OAuthAttemptId,
    /// The account, or why there is none.
    pub result: Result<Integration, Problem>,
    /// Which of its proofs bound the browser to the attempt.
    pub proof: TokenHash,
}

impl Integrations {
    /// Takes the answer that a browser brings back from a provider. `proofs` are what the browser can prove to be.
    ///
    /// # Errors
    /// `oauth_state_invalid` for an answer that belongs to no attempt, to one that has ended, or to another browser. What
    /// the person or the provider refused is in [`Finished`].
    pub async fn finish_consent(&self, query: &str, proofs: &[TokenHash]) -> Result<Finished, Problem> {
        let callback = Callback::parse(query);
        let state = match &callback {
            Callback::Code { state, .. } => Some(state),
            Callback::Refused { state, .. } => state.as_ref(),
            Callback::Malformed => None,
        };
        let state = state.ok_or_else(|| invalid_state("This is not the answer of a provider."))?;
        let (attempt, proof) = self.take(state, proofs).await?;
        let result = self.concluded(&attempt, callback).await;
        self.note_outcome(&attempt.id, &result).await?;
        Ok(Finished { attempt: attempt.id, result, proof })
    }

    /// How an attempt of this person stands.
    ///
    /// # Errors
    /// `oauth_state_invalid` when there is no such attempt, or no longer.
    pub async fn consent_outcome(&self, by: &Actor, attempt: &OAuthAttemptId) -> Result<Outcome, Problem> {
        let record = self.own_attempt(by, attempt).await?;
        match record.outcome {
            Some(outcome) => serde_json::from_value(outcome).map_err(|_| invalid_state("This attempt is damaged.")),
            None if record.expires_at <= self.clock.now() => {
                Ok(Outcome::Failed { problem: invalid_state("Nobody consented in time.") })
            }
            None => Ok(Outcome::Pending),
        }
    }

    pub(super) async fn own_attempt(&self, by: &Actor, id: &OAuthAttemptId) -> Result<OAuthAttempt, Problem> {
        let record = self.store.oauth_attempt(id).await?.filter(|record| record.owner == by.user);
        record.ok_or_else(|| invalid_state("There is no such attempt, or no longer."))
    }

    pub(crate) async fn take(&self, state: &str, proofs: &[TokenHash]) -> Result<(OAuthAttempt, TokenHash), Problem> {
        let attempt = match self.store.take_oauth_attempt(TokenHash::of(state).as_str(), self.clock.now()).await? {
            Taken::Attempt(attempt) => *attempt,
            Taken::Unknown => return Err(invalid_state("This answer belongs to nothing that was started here.")),
            Taken::AlreadyUsed => return Err(invalid_state("This answer was used already.")),
            Taken::Expired => return Err(invalid_state("This answer came too late; an attempt lasts ten minutes.")),
        };
        if let Some(proof) = bound_by(&attempt.browser_hash, proofs) {
            return Ok((attempt, proof.clone()));
        }
        tracing::warn!(attempt = %attempt.id, "an answer came from another browser than the one that asked");
        let problem = invalid_state("This answer was started in another browser.");
        self.note_outcome(&attempt.id, &Err(problem.clone())).await?;
        Err(problem)
    }

    /// Exchanges a code for tokens and connects the account that they are for.
    async fn concluded(&self, attempt: &OAuthAttempt, callback: Callback) -> Result<Integration, Problem> {
        let (kind, instance) = (attempt.provider, &attempt.instance_url);
        let problem = |error| oauth_problem(error, kind, instance);
        let asked = read_asked(attempt)?;
        let (code, iss) = match callback {
            Callback::Code { code, iss, .. } => (code, iss),
            Callback::Refused { error, description, .. } => {
                return Err(problem(Callback::refusal(&error, &description)));
            }
            Callback::Malformed => return Err(invalid_state("This is not the answer of a provider.")),
        };
        let profile = provider(kind).oauth(instance).ok_or_else(|| invalid_state("This attempt is damaged."))?;
        profile.check_issuer(iss.as_deref()).map_err(problem)?;
        let app = self.app(kind, instance).await?;
        let verifier = Secret::new(self.kept(attempt)?.verifier);
        let now = self.clock.now();
        let client = OAuthClient { http: &self.http, profile: &profile, app: app.oauth(&asked.redirect_uri), now };
        let tokens = client.exchange(&code, &verifier).await.map_err(problem)?;
        self.connect_consented(attempt, asked, tokens).await
    }

    /// Connects the account of fresh tokens.
    pub(super) async fn connect_consented(
        &self,
        attempt: &OAuthAttempt,
        asked: Asked,
        tokens: Tokens,
    ) -> Result<Integration, Problem> {
        let now = self.clock.now();
        let ends =
            Ends { expires_at: tokens.expires_at, refresh_expires_at: end_of_consent(&tokens, attempt.provider, now) };
        let credential = Credential {
            method: asked.method,
            login: self.app_slug(attempt, asked.method).await?,
            token: tokens.access,
            refresh: tokens.refresh,
            consent: Some(Consent { redirect_uri: asked.redirect_uri, asked: asked.asked, at: Some(now) }),
        };
        let wanted = Connect {
            provider: attempt.provider,
            scope: asked.scope,
            by: self.actor(&attempt.owner).await?,
            alias: asked.alias,
            instance_url: Some(attempt.instance_url.clone()),
            credential,
        };
        match asked.reconnect {
            Some(known) => self.reconnect(&known, wanted, ends).await,
            None => self.connect_until(wanted, ends).await,
        }
    }

    /// The app's name in addresses, for the page on which it is installed; of an app that people install.
    async fn app_slug(&self, attempt: &OAuthAttempt, method: AuthMethod) -> Result<Option<String>, Problem> {
        if method != AuthMethod::App {
            return Ok(None);
        }
        Ok(self.app(attempt.provider, &attempt.instance_url).await?.facts.slug)
    }

    pub(super) async fn note_outcome(
        &self,
        attempt: &OAuthAttemptId,
        result: &Result<Integration, Problem>,
    ) -> Result<(), Problem> {
        let outcome = serde_json::to_value(Outcome::of(result)).expect("plain data is JSON");
        self.store.finish_oauth_attempt(attempt, &outcome).await?;
        Ok(())
    }
}

pub(super) fn read_asked(attempt: &OAuthAttempt) -> Result<Asked, Problem> {
    serde_json::from_value(attempt.body.clone()).map_err(|_| invalid_state("This attempt is damaged."))
}

/// When a person has to consent again: tokens that can't be refreshed end by themselves.
fn end_of_consent(tokens: &Tokens, kind: ProviderKind, now: Timestamp) -> Option<Timestamp> {
    if tokens.refresh.is_none() {
        return tokens.expires_at;
    }
    tokens.refresh_expires_at.or_else(|| provider(kind).consent_end(now, now))
}
