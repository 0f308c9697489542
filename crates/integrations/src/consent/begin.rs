use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use url::Url;
use valetkey_model::{AuthMethod, InstanceUrl, OAuthAttemptId, Problem, ProblemCode, ProviderKind};
use valetkey_providers::{
    ConnectMethod,
    oauth::{OAuthProfile, Pkce, State},
    provider,
};
use valetkey_seal::{Sealed, Secret, TokenHash};
use valetkey_store::{AttemptWay, OAuthAttempt};

use super::{Asked, Begun, ConsentRequest, bound_by, identity, invalid_state};
use crate::{Integrations, apps::App, connect::instance_of};

/// How long a person may take.
const LIFE: SignedDuration = SignedDuration::from_mins(10);

/// What is sealed of an attempt in a browser.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) verifier: String,
    /// With the state in it.
    authorize_url: Url,
}

/// Everything that is needed to ask for consent.
pub(super) struct Prepared {
    pub(super) instance: InstanceUrl,
    pub(super) profile: OAuthProfile,
    pub(super) app: App,
    pub(super) asked: Vec<String>,
}

impl Integrations {
    /// Starts an attempt for the browser of `browser`: only that one may bring the answer.
    ///
    /// # Errors
    /// `oauth_not_configured` where no app is registered; `invalid_input`.
    pub async fn begin_consent(&self, request: ConsentRequest, browser: &TokenHash) -> Result<Begun, Problem> {
        let prepared = self.prepare(&request).await?;
        let Prepared { instance, profile, app, asked } = &prepared;
        let (state, pkce, now) = (State::new(&*self.entropy), Pkce::new(&*self.entropy), self.clock.now());
        let scopes: Vec<&str> = asked.iter().map(String::as_str).collect();
        let authorize_url =
            profile.authorization_url(app.oauth(&request.redirect_uri), &scopes, &state, pkce.challenge());
        let attempt = OAuthAttemptId::new(now, &*self.entropy);
        let sealed = self.sealer.seal(&identity(&attempt), &kept(&pkce, &authorize_url));
        let expires_at = now + LIFE;
        let record = OAuthAttempt {
            id: attempt.clone(),
            way: AttemptWay::Web { state_hash: state.hash().as_str().to_owned() },
            browser_hash: browser.as_str().to_owned(),
            owner: request.by.user.clone(),
            provider: request.provider,
            instance_url: instance.clone(),
            body: asked_body(request, asked.clone()),
            sealed: sealed.as_bytes().to_vec(),
            created_at: now,
            expires_at,
            outcome: None,
        };
        self.store.insert_oauth_attempt(&record).await?;
        Ok(Begun { attempt, authorize_url, expires_at })
    }

    /// Where a browser that proves to be the one of an attempt is to go.
    ///
    /// # Errors
    /// `oauth_state_invalid` when it is not, or the attempt has ended.
    pub async fn authorize_page(&self, attempt: &OAuthAttemptId, proofs: &[TokenHash]) -> Result<Url, Problem> {
        let gone = || invalid_state("This link is not valid, or no longer.");
        let record = self.store.oauth_attempt(attempt).await?.ok_or_else(gone)?;
        let open = record.expires_at > self.clock.now() && record.outcome.is_none();
        if !open || bound_by(&record.browser_hash, proofs).is_none() {
            return Err(gone());
        }
        Ok(self.kept(&record)?.authorize_url)
    }

    /// Binds an attempt to the browser that brings its ticket first; the ticket is good for nothing then.
    ///
    /// # Errors
    /// As [`authorize_page`](Self::authorize_page).
    pub async fn board(
        &self,
        attempt: &OAuthAttemptId,
        ticket: &TokenHash,
        browser: &TokenHash,
    ) -> Result<Url, Problem> {
        let page = self.authorize_page(attempt, std::slice::from_ref(ticket)).await?;
        if self.store.rebind_oauth_attempt(attempt, ticket.as_str(), browser.as_str()).await? {
            return Ok(page);
        }
        Err(invalid_state("This link was opened in another browser already."))
    }

    /// Opens what was sealed of an attempt. One from before a rotation of the master key has simply ended.
    pub(super) fn kept(&self, record: &OAuthAttempt) -> Result<Kept, Problem> {
        let opened = self.sealer.open(&identity(&record.id), &Sealed::from_bytes(record.sealed.clone()));
        let text = opened.map_err(|_| invalid_state("This attempt has ended."))?;
        read_kept(&text).ok_or_else(|| invalid_state("This attempt has ended."))
    }

    /// Finds out what is to be asked of whom.
    pub(super) async fn prepare(&self, request: &ConsentRequest) -> Result<Prepared, Problem> {
        let kind = request.provider;
        request.by.require_to_connect(&request.scope)?;
        let instance = instance_of(kind, request.instance_url.clone())?;
        let catalogue = provider(kind).catalogue();
        let offered = catalogue.method(request.method);
        let Some((method, profile)) = offered.zip(provider(kind).oauth(&instance)) else {
            let detail = format!("{kind} can't be connected by consent in the browser.");
            return Err(Problem::new(ProblemCode::InvalidInput, detail).remedy("Connect it with a token."));
        };
        let app = self.app(kind, &instance).await?;
        if request.method == AuthMethod::App && app.facts.slug.is_none() {
            let detail = format!("The app registered for {instance} is an OAuth app, not a {kind} App.");
            return Err(Problem::new(ProblemCode::OauthNotConfigured, detail)
                .remedy(format!("An administrator creates a {kind} App under Settings."))
                .by(kind));
        }
        let asked = scopes_to_ask(method, request.choices.as_deref(), kind)?;
        Ok(Prepared { instance, profile, app, asked })
    }
}

/// The scopes that are always asked for, and those that were chosen.
fn scopes_to_ask(
    method: &ConnectMethod,
    chosen: Option<&[String]>,
    kind: ProviderKind,
) -> Result<Vec<String>, Problem> {
    let offered = |name: &str| method.choices.iter().any(|choice| choice.name == name);
    if let Some(unknown) = chosen.into_iter().flatten().find(|name| !offered(name)) {
        let detail = format!("{kind} has no scope '{unknown}' to choose.");
        return Err(Problem::new(ProblemCode::InvalidInput, detail));
    }
    let always = method.required_scopes.first().into_iter().flat_map(|set| &set.scopes).map(|scope| scope.name.clone());
    let picked = method.choices.iter().filter(|choice| match chosen {
        Some(names) => names.contains(&choice.name),
        None => choice.preselected,
    });
    Ok(always.chain(picked.map(|choice| choice.name.clone())).collect())
}

pub(super) fn asked_body(request: ConsentRequest, asked: Vec<String>) -> serde_json::Value {
    let ConsentRequest { method, scope, alias, reconnect, redirect_uri, .. } = request;
    let body = Asked { method, scope, alias, asked, reconnect, redirect_uri };
    serde_json::to_value(body).expect("plain data is JSON")
}

#[expect(clippy::disallowed_methods, reason = "the verifier is written out to be sealed")]
fn kept(pkce: &Pkce, authorize_url: &Url) -> Secret<String> {
    let kept = Kept { verifier: pkce.verifier().expose().clone(), authorize_url: authorize_url.clone() };
    Secret::new(serde_json::to_string(&kept).expect("plain strings are JSON"))
}

#[expect(clippy::disallowed_methods, reason = "what was opened is read")]
fn read_kept(text: &Secret<String>) -> Option<Kept> {
    serde_json::from_str(text.expose()).ok()
}
