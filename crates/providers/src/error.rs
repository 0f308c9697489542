use valetkey_model::{FilePath, InstanceUrl, ProblemCode, RepoUrlError, Revision};

use crate::{CallError, github_app::AppError};

/// A provider's refusal, or the reason why it could not be asked.
///
/// Never holds a token. Of a foreign answer it holds at most one short line, cleaned of everything that is not plain text.
/// [`into_problem`](Self::into_problem) gives the words for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The token can't be one of this provider's; it was sent nowhere.
    #[error("the token does not have the provider's form")]
    TokenMalformed,
    /// The credential is of a kind that can't do; it was sent nowhere.
    #[error("the credential can't be used: {}", .why.trim_end_matches('.'))]
    Unsuitable {
        /// Why, as a sentence.
        why: &'static str,
        /// What to do instead, as a sentence.
        instead: &'static str,
    },
    /// The provider does not know the token.
    #[error("the token is not known")]
    TokenInvalid,
    /// The token's time is over.
    #[error("the token has expired")]
    TokenExpired,
    /// Somebody revoked the token.
    #[error("the token was revoked")]
    TokenRevoked,
    /// The account accepts tokens only together with a proof of possession (DPoP).
    #[error("the account wants DPoP proofs with its tokens")]
    DpopRequired,
    /// The account or token is refused for a reason of the provider's own, such as a blocked account.
    #[error("the provider refuses the account: {said}")]
    Forbidden {
        /// The provider's own words, shortened.
        said: String,
    },
    /// The token is alive but may not do this.
    #[error("the token lacks permissions: {}", .missing.join(", "))]
    InsufficientScope {
        /// What is missing, by the provider's names; empty where the provider does not say.
        missing: Vec<String>,
    },
    /// The person consented, but to nothing that could be used.
    #[error("nothing was granted: {}", .why.trim_end_matches('.'))]
    NothingGranted {
        /// Why that is so, as a sentence.
        why: &'static str,
        /// What to do about it, as a sentence.
        instead: &'static str,
    },
    /// An organisation wants this token to be authorised by single sign-on first.
    #[error("the organisation wants single sign-on for this token")]
    SsoRequired {
        /// Where the person does that.
        url: String,
    },
    /// Not there, or not visible to the account; providers answer both the same way.
    #[error("no repository '{path}' that the account can see")]
    RepositoryNotFound {
        /// Its path.
        path: String,
    },
    /// The repository is there, but holds no such thing.
    #[error("no '{path}' at '{revision}'")]
    NothingThere {
        /// What was asked for.
        path: FilePath,
        /// Where in its history.
        revision: Revision,
    },
    /// It can't be shown as a file.
    #[error("'{path}' can't be shown: {why}")]
    NotAFile {
        /// What was asked for.
        path: FilePath,
        /// Why, as half a sentence.
        why: &'static str,
    },
    /// The repository has another address now.
    #[error("the repository '{path}' has moved")]
    RepositoryMoved {
        /// Its old path.
        path: String,
    },
    /// The repository's address can't be one of this provider's.
    #[error(transparent)]
    RepositoryMalformed(#[from] RepoUrlError),
    /// The repository is at another instance than the credential.
    #[error("the repository is at {repository}, the credential is for another instance")]
    OtherInstance {
        /// Where the repository is.
        repository: InstanceUrl,
    },
    /// The account may read the repository but not push to it.
    #[error("no push to '{path}': {why}")]
    PushNotAllowed {
        /// The repository's path.
        path: String,
        /// Why, as half a sentence.
        why: String,
    },
    /// The pull (merge) request was refused for what it is.
    #[error("the pull request was refused: {said}")]
    PullRequestRefused {
        /// The provider's own words, shortened.
        said: String,
    },
    /// Too many requests. Nothing is tried again by itself.
    #[error("the rate limit is exceeded")]
    RateLimited {
        /// When to come back, if the provider said so.
        retry_after_seconds: Option<u64>,
    },
    /// The provider refuses every sign-in of the account for a while, after several with bad credentials.
    #[error("sign-ins are locked for a while")]
    LockedOut,
    /// Something answers there, but not this provider.
    #[error("not this provider: {saw}")]
    NotTheProvider {
        /// What came instead, in our words.
        saw: String,
    },
    /// A listing goes on and on; what was read of it was dropped.
    #[error("the listing has more than {most}")]
    ListingTooLong {
        /// The limit it passed, in words.
        most: &'static str,
    },
    /// A GitHub App is refused something.
    #[error(transparent)]
    App(#[from] AppError),
    /// The provider answered with an error of its own.
    #[error("the provider answered {status}")]
    Failed {
        /// The HTTP status.
        status: u16,
        /// The provider's own words, shortened; may be empty.
        said: String,
    },
    /// There was no answer.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// What an error says of the credential with which a provider was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is not accepted: the integration is disconnected.
    Credential,
    /// It is accepted but may not do enough.
    Scope,
    /// Nothing: the provider could not be asked, had no time, or spoke of something else. What was known still stands.
    Reachability,
}

impl ProviderError {
    /// The stable word for programs.
    pub fn code(&self) -> ProblemCode {
        match self {
            Self::TokenMalformed | Self::Unsuitable { .. } => ProblemCode::TokenMalformed,
            Self::TokenInvalid | Self::DpopRequired => ProblemCode::TokenInvalid,
            Self::TokenExpired => ProblemCode::TokenExpired,
            Self::TokenRevoked => ProblemCode::TokenRevoked,
            Self::InsufficientScope { .. } | Self::NothingGranted { .. } => ProblemCode::InsufficientScope,
            Self::SsoRequired { .. } => ProblemCode::SsoRequired,
            Self::RepositoryNotFound { .. } | Self::RepositoryMoved { .. } => ProblemCode::RepositoryNotFound,
            Self::NothingThere { .. } => ProblemCode::NotFound,
            Self::RepositoryMalformed(_) | Self::NotAFile { .. } => ProblemCode::InvalidInput,
            Self::Forbidden { .. } | Self::OtherInstance { .. } => ProblemCode::IntegrationUnusable,
            Self::PushNotAllowed { .. } => ProblemCode::PushNotAllowed,
            Self::PullRequestRefused { .. } => ProblemCode::Conflict,
            Self::RateLimited { .. } | Self::LockedOut => ProblemCode::RateLimited,
            Self::NotTheProvider { .. } => ProblemCode::NotTheProvider,
            Self::App(refused) => refused.code(),
            Self::Failed { .. }
            | Self::ListingTooLong { .. }
            | Self::Call(CallError::Unreachable { .. } | CallError::TooLarge { .. }) => {
                ProblemCode::ProviderUnreachable
            }
            Self::Call(CallError::AddressRefused { .. }) => ProblemCode::AddressRefused,
            Self::Call(CallError::TlsNotTrusted { .. }) => ProblemCode::TlsNotTrusted,
            Self::Call(CallError::OtherTarget { .. }) => ProblemCode::Internal,
        }
    }

    /// What it says of the credential.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::TokenMalformed
            | Self::Unsuitable { .. }
            | Self::TokenInvalid
            | Self::TokenExpired
            | Self::TokenRevoked
            | Self::DpopRequired
            | Self::Forbidden { .. } => Verdict::Credential,
            Self::InsufficientScope { .. } | Self::NothingGranted { .. } | Self::SsoRequired { .. } => Verdict::Scope,
            // What is said of the app says nothing of the person's credential.
            Self::App(_)
            | Self::RepositoryNotFound { .. }
            | Self::RepositoryMoved { .. }
            | Self::RepositoryMalformed(_)
            | Self::NothingThere { .. }
            | Self::NotAFile { .. }
            | Self::OtherInstance { .. }
            | Self::PushNotAllowed { .. }
            | Self::PullRequestRefused { .. }
            | Self::RateLimited { .. }
            | Self::LockedOut
            | Self::NotTheProvider { .. }
            | Self::ListingTooLong { .. }
            | Self::Failed { .. }
            | Self::Call(_) => Verdict::Reachability,
        }
    }
}
