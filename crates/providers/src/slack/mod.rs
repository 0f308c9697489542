//! Slack, by installing an app in a workspace or by a pasted token.

mod catalogue;
mod refusal;
#[cfg(test)]
mod tests;
mod wire;

use async_trait::async_trait;
use http::header;
use jiff::Timestamp;
use url::Url;
use valetkey_model::{AuthMethod, Details, InstanceUrl, ProviderKind};

use crate::{
    Access, CatalogueEntry, Checked, Credential, Provider, ProviderError, Words,
    api::{Answer, Api},
    oauth::{
        ClientAuth, OAuthApp, OAuthClient, OAuthError, OAuthProfile, PkceUse, Revocation, Revoked, Rotation,
        TokenAnswer, Tokens,
    },
    token,
};
use catalogue::NEEDED;
use refusal::{is_gone, refusal};
use wire::{Revocation as Answered, Test};

/// Slack.
pub(crate) struct Slack;

/// Everything of Slack's is at one host.
fn profile(instance: &InstanceUrl) -> Option<OAuthProfile> {
    let url = |path: &str| Url::parse(&format!("{instance}{path}")).ok();
    Some(OAuthProfile {
        client_auth: ClientAuth::Basic,
        scope_separator: ',',
        pkce: PkceUse::Unsupported,
        rotation: Rotation::RefreshOnly,
        dead_grant_words: &["invalid_token", "token_already_exchanged"],
        token_answer: TokenAnswer::Slack,
        revocation: Some(Revocation::SlackAuth { url: url("/api/auth.revoke")? }),
        ..OAuthProfile::new(url("/oauth/v2/authorize")?, url("/api/oauth.v2.access")?)
    })
}

#[async_trait]
impl Provider for Slack {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Slack
    }

    fn catalogue(&self) -> CatalogueEntry {
        catalogue::entry()
    }

    fn words(&self) -> Words {
        Words {
            limits: "Slack limits each method by itself; posting is limited to about one message per second and channel.",
            widen: "the scope 'chat:write'",
            seek_access: "",
            token_form: "a Slack token starts with xoxb- (an app's) or xoxp- (a person's).",
            why_invalid: "",
            push_scope: "",
            request: "pull",
        }
    }

    async fn exchange(&self, at: Access<'_>, app: OAuthApp<'_>) -> Result<Option<Tokens>, OAuthError> {
        let exchange = |profile: &OAuthProfile| profile.token_url.join("oauth.v2.exchange").ok();
        let known = profile(at.instance).and_then(|profile| Some((exchange(&profile)?, profile)));
        let Some((url, profile)) = known.filter(|_| at.credential.method == AuthMethod::Pat) else { return Ok(None) };
        let client = OAuthClient { http: at.http, profile: &profile, app, now: at.now };
        client.exchange_token(&url, &at.credential.token).await.map(Some)
    }

    fn check_form(&self, _: &InstanceUrl, credential: &Credential) -> Result<(), ProviderError> {
        let starts = |prefixes: &[&str]| {
            token::has_form(&credential.token, |text| prefixes.iter().any(|prefix| text.starts_with(prefix)))
        };
        let fits = |text: &str| {
            (20..=1024).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
        };
        if starts(&["xoxc-", "xoxd-"]) {
            return Err(ProviderError::Unsuitable {
                why: "This is a token of a browser's session, which Slack binds to that browser and forbids to programs.",
                instead: "Create an app at https://api.slack.com/apps and take its bot token (xoxb-…).",
            });
        }
        if starts(&["xapp-"]) {
            return Err(ProviderError::Unsuitable {
                why: "This is an app-level token, which opens sockets and manages the app but can't act in a workspace.",
                instead: "Take the app's bot token (xoxb-…) under 'OAuth & Permissions'.",
            });
        }
        if starts(&["xoxe-"]) {
            return Err(ProviderError::Unsuitable {
                why: "This is a refresh token, which is of use only together with the app's secret.",
                instead: "Connect through the browser, or take the access token that came with it.",
            });
        }
        let is_token = starts(&["xoxb-", "xoxp-", "xoxe.xoxb-", "xoxe.xoxp-"]);
        if is_token && token::has_form(&credential.token, fits) { Ok(()) } else { Err(ProviderError::TokenMalformed) }
    }

    async fn check(&self, at: Access<'_>) -> Result<Checked, ProviderError> {
        let answer = api(at)?.post_nothing("/auth.test").await?;
        let test: Test = understood(&answer, at.now)?;
        let scopes = answer.header("x-oauth-scopes").map(wire::scope_list);
        let granted = scopes.clone().unwrap_or_default();
        let lacks = |scope: &str| scopes.as_ref().is_some_and(|all| !all.iter().any(|granted| granted == scope));
        let needed = NEEDED.iter().map(|(name, _)| *name);
        let missing_scopes = needed.clone().filter(|name| lacks(name)).map(str::to_owned).collect();
        let asked = at.credential.consent.iter().flat_map(|consent| &consent.asked);
        let withheld_scopes = asked.filter(|name| lacks(name)).cloned().collect();
        let details = Details {
            notes: notes(at.credential, &test, scopes.is_some()),
            team: test.team(),
            withheld_scopes,
            ..Details::default()
        };
        let account = test.account().ok_or_else(|| answer.not_the_provider())?;
        Ok(Checked { account, granted_scopes: granted, expires_at: None, missing_scopes, details })
    }

    fn oauth(&self, instance: &InstanceUrl) -> Option<OAuthProfile> {
        profile(instance)
    }

    async fn revoke(&self, at: Access<'_>) -> Result<Revoked, ProviderError> {
        let answer = api(at)?.post_nothing("/auth.revoke").await?;
        match understood::<Answered>(&answer, at.now) {
            Ok(Answered { revoked: true }) => Ok(Revoked::Done),
            Ok(Answered { revoked: false }) => Ok(Revoked::NotKnown),
            Err(error) if is_gone(&error) => Ok(Revoked::NotKnown),
            Err(error) => Err(error),
        }
    }
}

fn api(at: Access<'_>) -> Result<Api<'_>, ProviderError> {
    let auth = (header::AUTHORIZATION, at.credential.after("Bearer ")?);
    Api::new(at, &format!("{}/api", at.instance), auth, &[(header::ACCEPT, "application/json")])
}

/// The answer of a method: a refusal, too, comes with the status of a success.
fn understood<T: serde::de::DeserializeOwned>(answer: &Answer, now: Timestamp) -> Result<T, ProviderError> {
    match refusal(answer, now) {
        Some(refusal) => Err(refusal),
        None => answer.json(),
    }
}

fn notes(credential: &Credential, test: &Test, scopes_known: bool) -> Vec<String> {
    let rotates = || token::has_form(&credential.token, |text| text.starts_with("xoxe."));
    let mut notes = Vec::new();
    if !test.is_bot() {
        notes.push("This is a person's token: what agents write with it appears as written by that person.");
    }
    if credential.method == AuthMethod::Pat && rotates() {
        notes.push("This token rotates and ends within 12 hours; connect through the browser to have it renewed.");
    }
    if !scopes_known {
        notes.push("Slack does not say which scopes this token has; a lack shows when it is used.");
    }
    notes.into_iter().map(str::to_owned).collect()
}
