//! The parts of Google's answers that are used.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use valetkey_model::Account;

use crate::{account::Described, api::one_line};

/// What every scope of an API begins with.
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/";

/// What an access token is.
#[derive(Deserialize)]
pub(super) struct TokenInfo {
    scope: String,
    expires_in: Option<Value>,
}

impl TokenInfo {
    pub(super) fn scopes(&self) -> Vec<String> {
        self.scope.split(' ').map(one_line).filter(|scope| !scope.is_empty()).collect()
    }

    /// What was asked for and is not granted.
    pub(super) fn withheld(&self, asked: &[String]) -> Vec<String> {
        let granted = self.scopes();
        let is_granted = |asked: &str| granted.iter().any(|granted| written(granted) == written(asked));
        asked.iter().filter(|scope| !is_granted(scope)).cloned().collect()
    }

    /// Given as a number or as the text of one.
    pub(super) fn ends_at(&self, now: Timestamp) -> Option<Timestamp> {
        let seconds = self.expires_in.as_ref()?;
        let seconds = seconds.as_i64().or_else(|| seconds.as_str()?.parse().ok())?;
        now.checked_add(SignedDuration::from_secs(seconds)).ok()
    }
}

/// Two scopes are asked for by short names and granted by long ones.
fn written(scope: &str) -> &str {
    match scope.strip_prefix(SCOPE) {
        Some("userinfo.email") => "email",
        Some("userinfo.profile") => "profile",
        _ => scope,
    }
}

/// Whether a scope is for more than to know the account.
pub(super) fn is_of_an_api(scope: &str) -> bool {
    !matches!(written(scope), "openid" | "email" | "profile")
}

/// Whose token it is.
#[derive(Deserialize)]
pub(super) struct UserInfo {
    sub: String,
    email: Option<String>,
    name: Option<String>,
}

impl UserInfo {
    /// None where nothing tells it from others.
    pub(super) fn account(&self) -> Option<Account> {
        let plain = !self.sub.is_empty() && self.sub.bytes().all(|b| b.is_ascii_alphanumeric());
        plain.then(|| {
            Account::from(Described {
                id: &self.sub,
                username: self.email.as_deref().unwrap_or_default(),
                name: self.name.as_deref(),
                emails: &[self.email.as_deref()],
            })
        })
    }
}
