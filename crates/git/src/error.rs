use std::{fmt, io};

use crate::{CheckoutError, Version, process::LOCAL_LIMIT};

/// What can go wrong with the git program.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no such program.
    #[error("git is not installed, or not on the PATH; install git {} or later", Version::OLDEST)]
    NotInstalled,
    /// It is there but too old.
    #[error("git {found} is too old; install git {} or later", Version::OLDEST)]
    TooOld {
        /// The version that answered.
        found: Version,
    },
    /// The operating system refused to run it.
    #[error("git could not be run")]
    Run(#[source] io::Error),
    /// It did not come to an end.
    #[error("git took longer than {} minutes to {what}", LOCAL_LIMIT.as_secs() / 60)]
    TimedOut {
        /// What it was to do.
        what: &'static str,
    },
    /// It ran and failed.
    #[error(transparent)]
    Failed(Failure),
    /// It said something that it should not, or too much.
    #[error("git gave an unexpected answer when asked to {what}")]
    Unexpected {
        /// What it was to do, as in "push".
        what: &'static str,
    },
    /// The repository's folder is not one that can be worked with.
    #[error(transparent)]
    Checkout(#[from] CheckoutError),
}

/// A git command that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What it was to do, as in "push".
    pub what: &'static str,
    /// Its exit code, if it was not killed.
    pub code: Option<i32>,
    /// The end of what it wrote to standard error: visible characters and line feeds only, addresses as the person
    /// knows them.
    pub stderr: String,
}

impl Failure {
    /// The status with which the server refused the request, if that is why the command failed.
    pub fn http_status(&self) -> Option<u16> {
        self.stderr.lines().find_map(|line| {
            if let Some((_, status)) = line.split_once("The requested URL returned error: ") {
                return status.get(..3)?.parse().ok();
            }
            let fatal = line.strip_prefix("fatal: ")?;
            let asked = fatal.starts_with("could not read Username") || fatal.starts_with("could not read Password");
            if asked || fatal.starts_with("Authentication failed for") {
                Some(401)
            } else if fatal.starts_with("repository '") && fatal.ends_with("' not found") {
                Some(404)
            } else {
                None
            }
        })
    }

    /// What the server said, without git's `remote: ` in front of each line.
    pub fn remote_message(&self) -> String {
        remote_message(&self.stderr)
    }
}

pub(crate) fn remote_message(stderr: &str) -> String {
    let lines = stderr.lines().filter_map(|line| line.strip_prefix("remote:"));
    lines.map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "git failed to {}", self.what)?;
        let telling = |line: &&str| line.starts_with("fatal: ") || line.starts_with("error: ");
        let mut lines = self.stderr.lines().filter(|line| !line.trim().is_empty());
        let last = lines.clone().next_back();
        match (lines.find(telling).or(last), self.code) {
            (Some(line), _) => write!(f, ": {line}"),
            (None, Some(code)) => write!(f, " (exit code {code})"),
            (None, None) => f.write_str(": it was killed"),
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(stderr: &str) -> Failure {
        Failure { what: "push", code: Some(128), stderr: stderr.to_owned() }
    }

    #[test]
    fn statuses_are_read_from_gits_words() {
        for (stderr, status) in [
            (
                "remote: no\nfatal: unable to access 'https://h/a/b.git/': The requested URL returned error: 403\n",
                Some(403),
            ),
            ("fatal: could not read Username for 'https://h': terminal prompts disabled\n", Some(401)),
            ("fatal: Authentication failed for 'https://h/a/b.git/'\n", Some(401)),
            ("remote: gone\nfatal: repository 'https://h/a/b.git/' not found\n", Some(404)),
            ("fatal: the remote end hung up unexpectedly\n", None),
            ("", None),
        ] {
            assert_eq!(failure(stderr).http_status(), status, "{stderr}");
        }
    }

    #[test]
    fn the_telling_line_is_shown() {
        let failed = failure("remote: GitLab: no.  \nremote: \nfatal: unable\nmore\n");
        assert_eq!(failed.to_string(), "git failed to push: fatal: unable");
        assert_eq!(failed.remote_message(), "GitLab: no.");
        assert_eq!(failure("").to_string(), "git failed to push (exit code 128)");
    }
}
