use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use valetkey_seal::Secret;

use super::{
    OAuthError, TokenAnswer,
    refusal::{self, Step},
    reply::{self, Reply},
    sent::Secrets,
};
use crate::api::one_line;

/// What an authorization gives.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// For the API.
    pub access: Secret<String>,
    /// For new tokens, if these end.
    pub refresh: Option<Secret<String>>,
    /// When the access token ends; not said by providers whose tokens stay.
    pub expires_at: Option<Timestamp>,
    /// When the refresh token ends, if the provider says so.
    pub refresh_expires_at: Option<Timestamp>,
    /// The scopes granted; `None` where the provider does not say, which means those asked for. GitHub says that there are none
    /// for a GitHub App, which has permissions in their place.
    pub scopes: Option<Vec<String>>,
}

impl Tokens {
    /// Reads the answer to an exchange of a code.
    ///
    /// # Errors
    /// What the provider refuses, or that the answer is none of an OAuth server.
    pub fn read(form: TokenAnswer, status: StatusCode, body: &str, now: Timestamp) -> Result<Self, OAuthError> {
        Self::of(&Reply::read(status, body, Secrets::default()), form, Step::Code, &[], now)
    }

    pub(super) fn of(
        reply: &Reply,
        form: TokenAnswer,
        step: Step,
        dead_grant_words: &[&str],
        now: Timestamp,
    ) -> Result<Self, OAuthError> {
        if let Some(refused) = refusal::of_reply(reply, step, dead_grant_words) {
            return Err(refused);
        }
        if !reply.is_understood() {
            return Err(reply.unreadable());
        }
        match form {
            TokenAnswer::Standard => standard(reply, now),
            TokenAnswer::Slack => slack(reply, now),
        }
    }
}

fn standard(reply: &Reply, now: Timestamp) -> Result<Tokens, OAuthError> {
    if reply.text("token_type").is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(reply.not_oauth("a token of another type than Bearer"));
    }
    Ok(Tokens {
        access: token(reply, reply.get("access_token"))?.ok_or_else(|| reply.not_oauth("no access token"))?,
        refresh: token(reply, reply.get("refresh_token"))?,
        expires_at: after(now, reply.seconds("expires_in")),
        refresh_expires_at: after(now, reply.seconds("refresh_token_expires_in")),
        scopes: reply.get("scope").or_else(|| reply.get("scopes")).and_then(scopes),
    })
}

/// The bot's token; the installer's where only that was asked for.
fn slack(reply: &Reply, now: Timestamp) -> Result<Tokens, OAuthError> {
    if reply.get("ok").is_some_and(|ok| ok != &Value::Bool(true)) {
        return Err(reply.not_oauth("a failure without a reason"));
    }
    let installer = reply.get("authed_user").filter(|user| user.get("access_token").is_some());
    let of = |name: &str| match (reply.get("access_token"), installer) {
        (None, Some(installer)) => installer.get(name),
        _ => reply.get(name),
    };
    Ok(Tokens {
        access: token(reply, of("access_token"))?.ok_or_else(|| reply.not_oauth("no access token"))?,
        refresh: token(reply, of("refresh_token"))?,
        expires_at: after(now, of("expires_in").and_then(reply::seconds)),
        refresh_expires_at: None,
        scopes: of("scope").and_then(scopes),
    })
}

/// A token as it can be put on a request.
fn token(reply: &Reply, value: Option<&Value>) -> Result<Option<Secret<String>>, OAuthError> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    match value.as_str() {
        Some("") => Ok(None),
        Some(token) if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Some(token.into())),
        _ => Err(reply.not_oauth("a token that is none")),
    }
}

/// Scopes between spaces or commas, or as a list.
fn scopes(value: &Value) -> Option<Vec<String>> {
    let split = |text: &str| -> Vec<String> {
        text.split(|c: char| c == ',' || c.is_whitespace()).map(one_line).filter(|scope| !scope.is_empty()).collect()
    };
    match value {
        Value::String(text) => Some(split(text)),
        Value::Array(list) => Some(list.iter().filter_map(Value::as_str).flat_map(split).collect()),
        _ => None,
    }
}

fn after(now: Timestamp, seconds: Option<u64>) -> Option<Timestamp> {
    let seconds = i64::try_from(seconds?).ok()?;
    now.checked_add(SignedDuration::from_secs(seconds)).ok()
}
