//! A GitHub App of one's own: registered in one click, linked to people by what GitHub says to their own tokens.

use jiff::SignedDuration;
use serde_json::json;
use url::Url;
use valetkey_model::{Actor, InstanceUrl, Integration, OAuthAttemptId, Problem, ProviderKind};
use valetkey_providers::{
    github_app::{Manifest, ManifestForm, convert_manifest, manifest},
    oauth::Callback,
};
use valetkey_seal::{TokenHash, mint};
use valetkey_store::{AppOrigin, AttemptWay, OAuthAttempt};

use crate::{
    AppFacts, AppSecrets, Integrations, NewApp, RegisteredApp, connect::instance_of, consent::invalid_state,
    installations::not_owned,
};

/// GitHub takes the three steps within an hour.
const LIFE: SignedDuration = SignedDuration::from_hours(1);

const KIND: ProviderKind = ProviderKind::GitHub;

/// What an administrator wants registered.
#[derive(Debug)]
pub struct AppWish<'a> {
    /// The GitHub; github.com if none.
    pub instance_url: Option<InstanceUrl>,
    /// The organisation that will own the app; the person themselves if none.
    pub organisation: Option<&'a str>,
    /// Where this server is.
    pub public_url: &'a Url,
}

impl Integrations {
    /// Makes the form whose posting registers a GitHub App; its answer comes back to `browser`.
    ///
    /// # Errors
    /// When the store fails.
    #[expect(clippy::disallowed_methods, reason = "the state is part of the address that the browser posts to")]
    pub async fn begin_app(&self, by: &Actor, wish: AppWish<'_>, browser: &TokenHash) -> Result<ManifestForm, Problem> {
        let instance_url = instance_of(KIND, wish.instance_url)?;
        let (state, now) = (mint("", &*self.entropy), self.clock.now());
        let name = format!("Valetkey {}", wish.public_url.host_str().unwrap_or_default());
        let form = manifest(Manifest {
            instance: &instance_url,
            organisation: wish.organisation,
            public_url: wish.public_url,
            name: name.trim_end(),
            state: state.expose(),
        });
        let attempt = OAuthAttempt {
            id: OAuthAttemptId::new(now, &*self.entropy),
            way: AttemptWay::Web { state_hash: TokenHash::of_secret(&state).as_str().to_owned() },
            browser_hash: browser.as_str().to_owned(),
            owner: by.user.clone(),
            provider: KIND,
            instance_url,
            body: json!({ "registers": "github app" }),
            sealed: Vec::new(),
            created_at: now,
            expires_at: now + LIFE,
            outcome: None,
        };
        self.store.insert_oauth_attempt(&attempt).await?;
        Ok(form)
    }

    /// Takes the answer with which the browser comes back from registering a GitHub App.
    ///
    /// # Errors
    /// `oauth_state_invalid` as with a consent; GitHub's refusal. Nothing is registered here then.
    pub async fn finish_app(&self, query: &str, proofs: &[TokenHash]) -> Result<RegisteredApp, Problem> {
        let Callback::Code { code, state, .. } = Callback::parse(query) else {
            return Err(invalid_state("This is not the answer of a GitHub."));
        };
        let (attempt, _) = self.take(&state, proofs).await?;
        if attempt.body.get("registers").is_none() {
            return Err(invalid_state("This answer was started for something else."));
        }
        let instance = attempt.instance_url;
        let made = convert_manifest(&self.http, &instance, self.clock.now(), &code).await;
        let made = made.map_err(|e| e.into_problem(KIND, &instance))?;
        let secrets = AppSecrets {
            client_secret: Some(made.client_secret),
            private_key: Some(made.private_key),
            webhook_secret: made.webhook_secret,
        };
        let facts = AppFacts { name: Some(made.name), app_id: Some(made.app_id), slug: Some(made.slug) };
        let new = NewApp { provider: KIND, instance_url: Some(instance), client_id: made.client_id, secrets, facts };
        self.register_app(new, AppOrigin::Ui).await
    }

    /// Links an installation to a person, by the account that they have connected by the app: GitHub is asked with their own
    /// token whether it is theirs.
    ///
    /// # Errors
    /// `forbidden` for an installation that is not theirs, or where that can't be verified.
    pub async fn link_installation(&self, by: &Actor, installation: u64) -> Result<Integration, Problem> {
        let known = self.app_integration(by).await?.ok_or_else(not_owned)?;
        self.verify_installation(&known, installation).await
    }
}
