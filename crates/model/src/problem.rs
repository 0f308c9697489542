use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ProviderKind;

/// What went wrong, as one stable word that programs may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// The request or command itself is wrong.
    InvalidInput,
    /// No valid sign-in or bearer token.
    Unauthenticated,
    /// Signed in, but not allowed.
    Forbidden,
    /// No such thing, or none that the caller may see.
    NotFound,
    /// It clashes with what exists, such as an alias already used.
    Conflict,
    /// The request body is too large.
    TooLarge,
    /// The token can't be one of this provider's, judged by its form; it was sent nowhere.
    TokenMalformed,
    /// The provider does not know the token.
    TokenInvalid,
    /// The token has expired.
    TokenExpired,
    /// The token was revoked at the provider.
    TokenRevoked,
    /// The token lacks a scope or permission.
    InsufficientScope,
    /// The organisation wants single sign-on for this token first.
    SsoRequired,
    /// The repository does not exist, or the account can't see it.
    RepositoryNotFound,
    /// The account can read the repository but not push to it.
    PushNotAllowed,
    /// The branch asked for does not exist.
    BranchNotFound,
    /// No application is registered with the provider, without which nobody can consent in the browser.
    OauthNotConfigured,
    /// The application registered with the provider is not accepted there.
    OauthAppRefused,
    /// The answer of an authorization is unknown, used, too old or somebody else's.
    OauthStateInvalid,
    /// The person, or the provider for them, declined.
    ConsentDenied,
    /// The provider's limit is reached.
    RateLimited,
    /// The provider did not answer, or answered with an error of its own.
    ProviderUnreachable,
    /// The provider's certificate is not trusted.
    TlsNotTrusted,
    /// Something answers there, but not this provider.
    NotTheProvider,
    /// The address is private or otherwise not allowed for outbound calls.
    AddressRefused,
    /// No integration serves this repository or provider.
    IntegrationMissing,
    /// Several integrations would do and nothing says which.
    IntegrationAmbiguous,
    /// The chosen integration can't serve this.
    IntegrationUnusable,
    /// The push was refused.
    PushRefused,
    /// Fetching or cloning failed.
    CheckoutFailed,
    /// The agent's command could not be started or ended with an error.
    AgentFailed,
    /// The session's time was up.
    TimedOut,
    /// Somebody stopped the session.
    Stopped,
    /// The server running the session ended before the session did.
    Interrupted,
    /// A stored credential does not open: the master key is missing, wrong or the record was changed.
    SealBroken,
    /// Our own fault; details are in the log.
    Internal,
}

/// An error's words as a sentence for a [`Problem`]: a capital first, a full stop last.
pub fn sentence(error: &impl ToString) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    let capital: String = chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect();
    if capital.ends_with('.') { capital } else { format!("{capital}.") }
}

impl ProblemCode {
    /// The word itself, `insufficient_scope`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::TokenMalformed => "token_malformed",
            Self::TokenInvalid => "token_invalid",
            Self::TokenExpired => "token_expired",
            Self::TokenRevoked => "token_revoked",
            Self::InsufficientScope => "insufficient_scope",
            Self::SsoRequired => "sso_required",
            Self::RepositoryNotFound => "repository_not_found",
            Self::PushNotAllowed => "push_not_allowed",
            Self::BranchNotFound => "branch_not_found",
            Self::OauthNotConfigured => "oauth_not_configured",
            Self::OauthAppRefused => "oauth_app_refused",
            Self::OauthStateInvalid => "oauth_state_invalid",
            Self::ConsentDenied => "consent_denied",
            Self::RateLimited => "rate_limited",
            Self::ProviderUnreachable => "provider_unreachable",
            Self::TlsNotTrusted => "tls_not_trusted",
            Self::NotTheProvider => "not_the_provider",
            Self::AddressRefused => "address_refused",
            Self::IntegrationMissing => "integration_missing",
            Self::IntegrationAmbiguous => "integration_ambiguous",
            Self::IntegrationUnusable => "integration_unusable",
            Self::PushRefused => "push_refused",
            Self::CheckoutFailed => "checkout_failed",
            Self::AgentFailed => "agent_failed",
            Self::TimedOut => "timed_out",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
            Self::SealBroken => "seal_broken",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status under which the API answers it.
    pub fn http_status(self) -> u16 {
        match self {
            Self::InvalidInput | Self::TokenMalformed | Self::OauthStateInvalid => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden | Self::ConsentDenied => 403,
            Self::NotFound => 404,
            Self::Conflict | Self::IntegrationAmbiguous | Self::IntegrationUnusable => 409,
            Self::TooLarge => 413,
            Self::TokenInvalid
            | Self::TokenExpired
            | Self::TokenRevoked
            | Self::InsufficientScope
            | Self::SsoRequired
            | Self::OauthAppRefused
            | Self::RepositoryNotFound
            | Self::PushNotAllowed
            | Self::BranchNotFound
            | Self::TlsNotTrusted
            | Self::NotTheProvider
            | Self::AddressRefused
            | Self::IntegrationMissing
            | Self::PushRefused
            | Self::CheckoutFailed
            | Self::AgentFailed
            | Self::TimedOut
            | Self::Stopped
            | Self::Interrupted => 422,
            Self::RateLimited => 429,
            Self::ProviderUnreachable => 502,
            Self::OauthNotConfigured => 503,
            Self::SealBroken | Self::Internal => 500,
        }
    }

    /// The exit code of a command that ends with it: 1 the agent, or anything not named here, failed, 2 bad usage,
    /// 3 credentials or pre-flight refused, 4 push refused, 5 timed out or stopped.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::InvalidInput => 2,
            Self::TokenMalformed
            | Self::TokenInvalid
            | Self::TokenExpired
            | Self::TokenRevoked
            | Self::InsufficientScope
            | Self::SsoRequired
            | Self::RepositoryNotFound
            | Self::PushNotAllowed
            | Self::BranchNotFound
            | Self::OauthNotConfigured
            | Self::OauthAppRefused
            | Self::OauthStateInvalid
            | Self::ConsentDenied
            | Self::RateLimited
            | Self::ProviderUnreachable
            | Self::TlsNotTrusted
            | Self::NotTheProvider
            | Self::AddressRefused
            | Self::IntegrationMissing
            | Self::IntegrationAmbiguous
            | Self::IntegrationUnusable
            | Self::SealBroken
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::CheckoutFailed => 3,
            Self::PushRefused => 4,
            Self::TimedOut | Self::Stopped | Self::Interrupted => 5,
            Self::AgentFailed | Self::NotFound | Self::Conflict | Self::TooLarge | Self::Internal => 1,
        }
    }
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal that a person can read and a program can act on. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// What kind.
    pub code: ProblemCode,
    /// What happened.
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation: Option<String>,
    /// Whose refusal it was, when a provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderKind>,
    /// When to come back, for a limit, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
}

impl Problem {
    /// A problem of ours with nothing but its words.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), remediation: None, provider: None, retry_after_seconds: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn remedy(mut self, remediation: impl Into<String>) -> Self {
        self.remediation = Some(remediation.into());
        self
    }

    /// Adds whose refusal it is.
    #[must_use]
    pub fn by(mut self, provider: impl Into<Option<ProviderKind>>) -> Self {
        self.provider = provider.into();
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_the_same_everywhere() {
        let schema = schemars::schema_for!(ProblemCode).to_value();
        let words: Vec<_> = schema["oneOf"].as_array().unwrap().iter().map(|variant| &variant["const"]).collect();
        assert!(words.len() > 30, "{schema:#}");
        for word in words {
            let code: ProblemCode = serde_json::from_value(word.clone()).unwrap();
            assert_eq!(code.as_str(), word.as_str().unwrap());
        }
    }
}
