//! Where a provider departs from the standards.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::app::OAuthApp;
use super::ledger::{DeviceStart, Issued};
use super::refusal::Refusal;
use crate::seed::Seed;

/// Where the endpoints are; `None` for one that the provider lacks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paths {
    pub(crate) authorize: &'static str,
    pub(crate) token: &'static str,
    pub(crate) device: Option<&'static str>,
    /// The page that a person opens to type the user code.
    pub(crate) verification: &'static str,
    pub(crate) revoke: Option<&'static str>,
}

/// A way for an app's credentials to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Basic,
    Body,
}

/// What a refresh does to the tokens before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rotation {
    /// A new access token; the refresh token stays and is not repeated.
    Never,
    /// A new refresh token comes too, and the old one stays good.
    Adds,
    /// The old refresh token dies; access tokens live out their time.
    RefreshOnly,
    /// The old refresh token and the old access token die.
    KillsAccess,
}

/// The form of an answer's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    Json,
    FormUnlessJsonIsAsked,
}

/// In seconds, as told in answers. Nothing ends by itself: tests end things.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetimes {
    pub(crate) access: Option<u64>,
    pub(crate) refresh: Option<u64>,
    pub(crate) device: u64,
}

/// A thing whose text is made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Minted {
    ClientId,
    ClientSecret,
    Code,
    Access,
    Refresh,
    DeviceCode,
    UserCode,
}

/// The parameters of an authorization request.
pub(crate) type Asked = BTreeMap<String, String>;

type Wording = Box<dyn Fn(&Refusal) -> (StatusCode, Value) + Send + Sync>;
type Mint = Box<dyn Fn(Minted, &OAuthApp) -> String + Send + Sync>;

/// A provider's way of speaking OAuth.
pub(crate) struct Dialect {
    pub(crate) paths: Paths,
    pub(crate) credentials: &'static [Place],
    /// Token requests may be JSON; form-encoded ones always may.
    pub(crate) json_requests: bool,
    pub(crate) answers: Answers,
    /// `response_type=code` must be there.
    pub(crate) response_type: bool,
    pub(crate) refusal: Wording,
    pub(crate) success: fn(&Issued) -> Value,
    pub(crate) device_success: fn(&DeviceStart) -> Value,
    pub(crate) rotation: Rotation,
    /// A refresh token that comes again ends every token of its family.
    pub(crate) reuse_ends_family: bool,
    pub(crate) refresh_needs_redirect: bool,
    /// Whether a consent given to this request comes with a refresh token; the scopes are those given, and the last
    /// argument says that the account has no refresh token of the app's yet.
    pub(crate) refreshable: fn(&Asked, &[String], bool) -> bool,
    pub(crate) client_credentials: bool,
    /// A confidential app needs no secret for the device flow, nor to refresh what came of it.
    pub(crate) secretless_device: bool,
    pub(crate) revocation_needs_client: bool,
    /// RFC 7009 answers 200; some answer 400 `invalid_token`.
    pub(crate) unknown_revocation_is_error: bool,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) mint: Mint,
}

impl Dialect {
    /// RFC 6749 and its companions as they are, with rotating refresh tokens.
    pub(crate) fn standard(paths: Paths) -> Self {
        Self {
            paths,
            credentials: &[Place::Basic, Place::Body],
            json_requests: false,
            answers: Answers::Json,
            response_type: true,
            refusal: Box::new(Refusal::standard),
            success: bearer,
            device_success: |start| {
                json!({
                    "device_code": start.device_code, "user_code": start.user_code,
                    "verification_uri": start.verification_uri,
                    "verification_uri_complete": format!("{}?user_code={}", start.verification_uri, start.user_code),
                    "expires_in": start.expires_in, "interval": start.interval,
                })
            },
            rotation: Rotation::KillsAccess,
            reuse_ends_family: true,
            refresh_needs_redirect: false,
            refreshable: |_, _, _| true,
            client_credentials: false,
            secretless_device: false,
            revocation_needs_client: true,
            unknown_revocation_is_error: false,
            lifetimes: Lifetimes { access: Some(3_600), refresh: None, device: 300 },
            mint: Box::new(|what, _| plain(what)),
        }
    }
}

/// The body of RFC 6749, section 5.1.
pub(crate) fn bearer(issued: &Issued) -> Value {
    let mut body = json!({"access_token": issued.access, "token_type": "Bearer"});
    if let Some(seconds) = issued.expires_in {
        body["expires_in"] = json!(seconds);
    }
    if let Some(refresh) = &issued.refresh {
        body["refresh_token"] = json!(refresh);
    }
    if !issued.scopes.is_empty() {
        body["scope"] = json!(issued.scopes.join(" "));
    }
    body
}

/// A text of no provider's format.
pub(crate) fn plain(what: Minted) -> String {
    let mut seed = Seed::random();
    match what {
        Minted::UserCode => {
            let text = seed.hex(8).to_uppercase();
            format!("{}-{}", &text[..4], &text[4..])
        }
        Minted::ClientId => seed.hex(20),
        Minted::Code | Minted::DeviceCode => seed.hex(40),
        Minted::ClientSecret | Minted::Access | Minted::Refresh => seed.hex(64),
    }
}
