use crate::{CallError, Delivery};

/// Why there are no tokens.
///
/// Holds no secret. Of a foreign answer it holds at most one short line, cleaned of everything that is not plain text and of
/// everything secret that was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OAuthError {
    /// The person said no.
    #[error("the request for access was declined")]
    Denied,
    /// The code is of no use (any more), or was asked for by somebody else.
    #[error("the authorization code was not accepted{}", words(.said))]
    CodeRejected {
        /// The provider's own words; may be empty.
        said: String,
    },
    /// The refresh token is expired, revoked, used up or unknown: the account has to be connected again.
    #[error("the authorization has ended{}; connect the account again", words(.said))]
    GrantDead {
        /// The provider's own words; may be empty.
        said: String,
    },
    /// The app's id, secret or redirect address is wrong: a matter for the administrator.
    #[error("the provider does not accept the app's id, secret or redirect address{}", words(.said))]
    ClientRejected {
        /// The provider's own words; may be empty.
        said: String,
    },
    /// The app may not ask for these scopes, or there are none of that name.
    #[error("the provider does not give the scopes that were asked for{}", words(.said))]
    ScopeRejected {
        /// The provider's own words; may be empty.
        said: String,
    },
    /// The provider, or the app's settings there, do not allow the device flow.
    #[error("the device flow is not enabled for the app at the provider")]
    DeviceFlowOff,
    /// Nobody typed the code in in time.
    #[error("the code has expired; start again")]
    DeviceExpired,
    /// Too many requests.
    #[error("the rate limit is exceeded")]
    RateLimited {
        /// When to come back, if the provider said so.
        retry_after_seconds: Option<u64>,
    },
    /// The provider has no time for it at the moment.
    #[error("the provider is not available at the moment")]
    Unavailable {
        /// When to come back, if the provider said so.
        retry_after_seconds: Option<u64>,
    },
    /// The provider failed; what it did before that is unknown.
    #[error("the provider answered {status}{}", words(.said))]
    Failed {
        /// The HTTP status.
        status: u16,
        /// The provider's own words; may be empty.
        said: String,
    },
    /// Refused for another reason.
    #[error("the provider refused{}{}", number(.status), words(.said))]
    Refused {
        /// The HTTP status; a callback has none.
        status: Option<u16>,
        /// The provider's own words; may be empty.
        said: String,
    },
    /// The answer is none of an OAuth server.
    #[error("this is no answer of an OAuth server: {saw} ({status})")]
    NotOAuth {
        /// The HTTP status.
        status: u16,
        /// What came instead, in our words.
        saw: &'static str,
    },
    /// The answer came from another authorization server than the one that was asked.
    #[error("the answer is from another authorization server than the one that was asked")]
    WrongIssuer,
    /// There was no answer.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl OAuthError {
    /// Whether the same question may be answered another time, so that nothing is decided yet.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Call(_) | Self::RateLimited { .. } | Self::Unavailable { .. } | Self::Failed { .. })
    }

    /// How far the request came: after a refresh, whether the refresh token may have been used up.
    pub fn outcome(&self) -> Delivery {
        match self {
            Self::Call(error) => error.delivery(),
            Self::Failed { .. } => Delivery::Unknown,
            // Tokens may have been in what could not be read.
            Self::NotOAuth { status, .. } if (200..300).contains(status) => Delivery::Unknown,
            // Whoever answers another status so, a proxy or a sign-in page, did not pass it on.
            Self::RateLimited { .. } | Self::Unavailable { .. } | Self::NotOAuth { .. } => Delivery::NotProcessed,
            Self::Denied
            | Self::CodeRejected { .. }
            | Self::GrantDead { .. }
            | Self::ClientRejected { .. }
            | Self::ScopeRejected { .. }
            | Self::DeviceFlowOff
            | Self::DeviceExpired
            | Self::Refused { .. }
            | Self::WrongIssuer => Delivery::Answered,
        }
    }
}

fn number(status: &Option<u16>) -> String {
    status.map_or_else(String::new, |status| format!(" ({status})"))
}

fn words(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": \"{said}\"") }
}
