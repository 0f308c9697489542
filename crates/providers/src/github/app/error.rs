use valetkey_model::ProblemCode;

/// What is refused to a GitHub App. Says nothing of any person's credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppError {
    /// The stored private key is none.
    #[error("the GitHub App's private key can't be read")]
    KeyUnreadable,
    /// GitHub does not accept what the key signed.
    #[error("GitHub does not accept the GitHub App's key or id: \"{said}\"")]
    KeyRejected {
        /// GitHub's own words, shortened.
        said: String,
    },
    /// The code that came back from registering an app is used, too old, or was never one.
    #[error("the registration's code is not known to GitHub (any more)")]
    CodeUnknown,
    /// An owner, or GitHub, has suspended the installation.
    #[error("the GitHub App's installation is suspended")]
    Suspended {
        /// Where an owner can lift that.
        page: String,
    },
    /// The installation was there, perhaps, and is no more.
    #[error("the GitHub App is no longer installed there")]
    Removed {
        /// Where the app is installed.
        page: String,
    },
    /// The installation does not cover a repository.
    #[error("the GitHub App's installation does not cover {}", .repositories.join(", "))]
    NotCovered {
        /// Which ones.
        repositories: Vec<String>,
        /// Where they can be added.
        page: String,
    },
    /// The installation was not granted what is asked for.
    #[error("the GitHub App's installation was not granted {}", .permissions.join(", "))]
    NotGranted {
        /// What was asked for: `contents=write`.
        permissions: Vec<String>,
        /// Where an owner can grant it.
        page: String,
    },
    /// One token is for one owner's repositories, of which there must be one to five hundred.
    #[error("a token of a GitHub App is for 1 to 500 repositories of one owner")]
    OneOwner,
    /// GitHub makes no such token, such as for too many repositories with too many different permissions.
    #[error("GitHub makes no token for these repositories and permissions: \"{said}\"")]
    TooComplex {
        /// GitHub's own words, shortened.
        said: String,
    },
}

impl AppError {
    /// The stable word for programs.
    pub fn code(&self) -> ProblemCode {
        match self {
            Self::KeyUnreadable | Self::KeyRejected { .. } => ProblemCode::OauthAppRefused,
            Self::CodeUnknown => ProblemCode::OauthStateInvalid,
            Self::Suspended { .. } | Self::Removed { .. } | Self::NotCovered { .. } => ProblemCode::IntegrationUnusable,
            Self::NotGranted { .. } => ProblemCode::InsufficientScope,
            Self::OneOwner | Self::TooComplex { .. } => ProblemCode::InvalidInput,
        }
    }

    /// What to do, in sentences.
    pub fn remedy(&self) -> String {
        match self {
            Self::KeyUnreadable => {
                "The administrator stores the app's private key again: the whole PEM file that GitHub \
                                    gave, from BEGIN to END."
                    .to_owned()
            }
            Self::KeyRejected { .. } => {
                "The administrator checks that client id and private key are of the same app, that \
                                         the key was not deleted there, and that this machine's clock is right."
                    .to_owned()
            }
            Self::CodeUnknown => "Register the app again; it has to be finished within an hour.".to_owned(),
            Self::Suspended { page } => format!("An owner of the account lifts the suspension at {page}."),
            Self::Removed { page } => format!("Install the app again at {page}."),
            Self::NotCovered { page, .. } => format!("An owner of the account adds the repository at {page}."),
            Self::NotGranted { page, .. } => format!("An owner of the account grants it at {page}."),
            Self::OneOwner => "Start a session for each owner's repositories.".to_owned(),
            Self::TooComplex { .. } => "Ask for fewer repositories or permissions at once.".to_owned(),
        }
    }
}
