//! Why a request of the OAuth protocol is turned down.

use axum::http::StatusCode;
use serde_json::{Value, json};

/// A refusal; a dialect words it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    Malformed(&'static str),
    UnknownClient,
    /// The app may not use this grant.
    NotAllowed,
    /// Unknown, used, expired, or of another app.
    BadCode,
    RedirectMismatch,
    BadVerifier,
    /// Unknown, used, revoked, expired, or of another app.
    BadRefreshToken,
    BadScope,
    UnsupportedGrant,
    UnsupportedResponse,
    Pending,
    SlowDown {
        interval: u64,
    },
    Denied,
    DeviceExpired,
    UnknownDevice,
    DeviceFlowDisabled,
}

impl Refusal {
    /// The code of RFC 6749 or 8628.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "invalid_request",
            Self::UnknownClient => "invalid_client",
            Self::NotAllowed | Self::DeviceFlowDisabled => "unauthorized_client",
            Self::BadCode
            | Self::RedirectMismatch
            | Self::BadVerifier
            | Self::BadRefreshToken
            | Self::UnknownDevice => "invalid_grant",
            Self::BadScope => "invalid_scope",
            Self::UnsupportedGrant => "unsupported_grant_type",
            Self::UnsupportedResponse => "unsupported_response_type",
            Self::Pending => "authorization_pending",
            Self::SlowDown { .. } => "slow_down",
            Self::Denied => "access_denied",
            Self::DeviceExpired => "expired_token",
        }
    }

    pub(crate) fn description(&self) -> &'static str {
        match self {
            Self::Malformed(what) => what,
            Self::UnknownClient => {
                "Client authentication failed due to unknown client, no client authentication included, or unsupported \
                 authentication method."
            }
            Self::NotAllowed | Self::DeviceFlowDisabled => "The client is not authorized to use this method.",
            Self::BadCode
            | Self::RedirectMismatch
            | Self::BadVerifier
            | Self::BadRefreshToken
            | Self::UnknownDevice => {
                "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used \
                 in the authorization request, or was issued to another client."
            }
            Self::BadScope => "The requested scope is invalid, unknown, or malformed.",
            Self::UnsupportedGrant => "The authorization grant type is not supported by the authorization server.",
            Self::UnsupportedResponse => "The authorization server does not support this response type.",
            Self::Pending => "The authorization request is still pending.",
            Self::SlowDown { .. } => "Polling too fast: wait longer between requests.",
            Self::Denied => "The resource owner or authorization server denied the request.",
            Self::DeviceExpired => "The device code has expired: start again.",
        }
    }

    /// RFC 6749: 401 for a client that did not authenticate, 400 for the rest.
    pub(crate) fn standard(&self) -> (StatusCode, Value) {
        let status = if *self == Self::UnknownClient { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        (status, json!({"error": self.code(), "error_description": self.description()}))
    }
}
