use valetkey_model::{Problem, ProblemCode, sentence};

use crate::{CallError, oauth::OAuthError};

/// What is wrong with a signed token. Holds nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It can't be read, or lacks what every such token has.
    #[error("it can't be read")]
    Malformed,
    /// It is not signed, or with a shared secret.
    #[error("it is not signed with a public key's algorithm")]
    Algorithm,
    /// The issuer has no such key.
    #[error("the issuer has no such key")]
    UnknownKey,
    /// Somebody else signed it, or it was changed.
    #[error("its signature is not the issuer's")]
    Signature,
    /// It is another issuer's.
    #[error("it is another issuer's")]
    Issuer,
    /// It is for another program.
    #[error("it is for another client")]
    Audience,
    /// It was given to another program.
    #[error("it was issued to another client")]
    AuthorizedParty,
    /// It belongs to another sign-in.
    #[error("it belongs to another sign-in")]
    Nonce,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not come; often a wrong clock.
    #[error("it is from the future; compare the clocks of both servers")]
    NotYet,
    /// It does not say whom it is about.
    #[error("it does not say whom it is about")]
    Subject,
    /// It is another kind of token, such as an ID token.
    #[error("it is no access token")]
    NoAccessToken,
}

/// Why nobody is signed in. Holds no secret, and of foreign answers at most one short, cleaned line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// At the issuer's address is no OpenID provider, or none that can be used.
    #[error("{issuer} answered with {saw}")]
    NotAProvider {
        /// The issuer as it is set.
        issuer: String,
        /// What came instead, in our words.
        saw: &'static str,
    },
    /// What is at the issuer's address calls itself otherwise.
    #[error("what answers at {issuer} states another issuer")]
    OtherIssuer {
        /// The issuer as it is set.
        issuer: String,
    },
    /// The answer is not to the question that this browser asked.
    #[error("the answer does not belong to a sign-in of this browser")]
    OtherAttempt,
    /// The answer to the code held no ID token.
    #[error("the identity provider gave no ID token; the scope openid must be allowed for this client")]
    NoIdToken,
    /// The ID token, or what was said beside it, does not count.
    #[error("the identity provider's token was refused: {0}")]
    Token(#[from] TokenFault),
    /// The identity provider refused.
    #[error(transparent)]
    OAuth(#[from] OAuthError),
    /// There was no answer.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl From<OidcError> for Problem {
    fn from(error: OidcError) -> Self {
        let (code, remedy) = match &error {
            OidcError::NotAProvider { .. } | OidcError::OtherIssuer { .. } => (
                ProblemCode::NotTheProvider,
                "An administrator must set `issuer` of [oidc] exactly as the identity provider states it.",
            ),
            OidcError::OtherAttempt => {
                (ProblemCode::OauthStateInvalid, "Sign in again, in one window and within ten minutes.")
            }
            OidcError::NoIdToken => (ProblemCode::OauthAppRefused, "An administrator must change the client there."),
            OidcError::Token(_) => (ProblemCode::Unauthenticated, "Sign in again."),
            OidcError::OAuth(error) => of_oauth(error),
            OidcError::Call(error) => of_call(error),
        };
        Problem::new(code, sentence(&error)).remedy(remedy)
    }
}

fn of_oauth(error: &OAuthError) -> (ProblemCode, &'static str) {
    const CLIENT: &str =
        "An administrator must compare client id, secret and redirect address of [oidc] with the identity provider's.";
    match error {
        OAuthError::Denied => (ProblemCode::ConsentDenied, "Sign in again if you did not mean to."),
        OAuthError::CodeRejected { .. } | OAuthError::WrongIssuer => (ProblemCode::OauthStateInvalid, "Sign in again."),
        OAuthError::Call(error) => of_call(error),
        error if error.may_pass() => (ProblemCode::ProviderUnreachable, "Try again in a moment."),
        _ => (ProblemCode::OauthAppRefused, CLIENT),
    }
}

fn of_call(error: &CallError) -> (ProblemCode, &'static str) {
    match error {
        CallError::AddressRefused { .. } | CallError::OtherTarget { .. } => {
            (ProblemCode::AddressRefused, "An administrator can allow the host with `outbound_allow`.")
        }
        CallError::TlsNotTrusted { .. } => {
            (ProblemCode::TlsNotTrusted, "An administrator can trust the certificate's authority with `extra_ca_file`.")
        }
        CallError::Unreachable { .. } | CallError::TooLarge { .. } => {
            (ProblemCode::ProviderUnreachable, "Try again in a moment. An API token works meanwhile.")
        }
    }
}
