use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::OnceCell;

use crate::{ConfigEntries, GitError, own_dir::OwnGitDir, process::Call};

/// The git program, run so that nothing but this crate and the caller decides what it does.
///
/// Its environment is built from nothing: no user's or system's configuration, no prompts, no helpers, no hooks, only
/// `http` and `https`. An operation that is dropped before its end kills git and what git started.
#[derive(Clone)]
pub struct Git {
    inner: Arc<Inner>,
    config: ConfigEntries,
}

struct Inner {
    program: PathBuf,
    scratch: PathBuf,
    version: OnceCell<Version>,
}

impl Git {
    /// The `git` on the `PATH`. `scratch` is a folder that only Valetkey writes to; it is made if missing and will hold
    /// git's (empty) home and short-lived git directories.
    ///
    /// # Errors
    /// When `scratch` can't be made.
    pub fn new(scratch: impl AsRef<Path>) -> io::Result<Self> {
        Self::with_program("git", scratch)
    }

    /// A certain git program: a name on the `PATH`, or an absolute path.
    ///
    /// # Errors
    /// When `scratch` can't be made.
    pub fn with_program(program: impl Into<PathBuf>, scratch: impl AsRef<Path>) -> io::Result<Self> {
        let scratch = std::path::absolute(scratch)?;
        std::fs::create_dir_all(scratch.join("home"))?;
        let inner = Inner { program: program.into(), scratch, version: OnceCell::new() };
        Ok(Self { inner: Arc::new(inner), config: ConfigEntries::new() })
    }

    /// The same program with `config` on top of the hardening, as in `url.<gateway>.insteadOf`.
    #[must_use]
    pub fn with_config(&self, config: &ConfigEntries) -> Self {
        let mut all = self.config.clone();
        all.extend(config);
        Self { inner: Arc::clone(&self.inner), config: all }
    }

    /// Its version, asked once.
    ///
    /// # Errors
    /// [`GitError::NotInstalled`], or [`GitError::TooOld`] before [`Version::OLDEST`].
    pub async fn version(&self) -> Result<Version, GitError> {
        let ask = async || {
            let what = "say its version";
            let output = self.call(what).args(["version"]).run().await?;
            let text = String::from_utf8_lossy(&output.stdout);
            let found = Version::parse(&text).ok_or(GitError::Unexpected { what })?;
            if found < Version::OLDEST { Err(GitError::TooOld { found }) } else { Ok(found) }
        };
        self.inner.version.get_or_try_init(ask).await.copied()
    }

    pub(crate) fn scratch(&self) -> &Path {
        &self.inner.scratch
    }

    pub(crate) fn call(&self, what: &'static str) -> Call {
        let mut config = ConfigEntries::hardened();
        config.extend(&self.config);
        let mut env = config.to_env();
        env.push(("PATH".to_owned(), search_path(&std::env::var("PATH").unwrap_or_default())));
        env.extend(ENVIRONMENT.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        Call::new(what, &self.inner.program, env, self.config.clone())
            .env("HOME", self.inner.scratch.join("home"))
            .current_dir(&self.inner.scratch)
    }

    /// A command on the objects of a checkout, with a git directory of our own instead of the checkout's.
    pub(crate) fn call_in(&self, what: &'static str, own: &OwnGitDir) -> Call {
        self.call(what).env("GIT_DIR", own.path()).env("GIT_OBJECT_DIRECTORY", own.objects()).current_dir(own.path())
    }
}

impl fmt::Debug for Git {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Git")
            .field("program", &self.inner.program)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

const ENVIRONMENT: [(&str, &str); 16] = [
    ("LC_ALL", "C"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_SYSTEM", "/dev/null"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", ""),
    ("SSH_ASKPASS", ""),
    ("GIT_PAGER", "cat"),
    ("GIT_EDITOR", "false"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    // Refs are read as files; later versions of git have another format too.
    ("GIT_DEFAULT_REF_FORMAT", "files"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_GRAFT_FILE", "/dev/null"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_ALLOW_PROTOCOL", "http:https"),
];

/// Our own `PATH` without its relative entries: git is started inside of checkouts.
fn search_path(path: &str) -> String {
    let absolute: Vec<&str> = path.split(':').filter(|entry| entry.starts_with('/')).collect();
    if absolute.is_empty() { "/usr/local/bin:/usr/bin:/bin".to_owned() } else { absolute.join(":") }
}

/// A git version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// As in **2**.39.5.
    pub major: u16,
    /// As in 2.**39**.5.
    pub minor: u16,
    /// As in 2.39.**5**.
    pub patch: u16,
}

impl Version {
    /// The first that reads configuration from the environment.
    pub const OLDEST: Self = Self { major: 2, minor: 31, patch: 0 };

    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.strip_prefix("git version ")?.split_whitespace().next()?.split('.');
        let mut next = || numbers.next()?.parse().ok();
        Some(Self { major: next()?, minor: next()?, patch: next().unwrap_or(0) })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_not_looked_for_in_the_checkout() {
        assert_eq!(search_path("/a/b:.:bin::/c"), "/a/b:/c");
        assert_eq!(search_path("."), "/usr/local/bin:/usr/bin:/bin");
    }

    #[test]
    fn versions_as_the_builds_print_them() {
        for (text, wanted) in [
            ("git version 2.39.5\n", "2.39.5"),
            ("git version 2.39.5 (Apple Git-154)\n", "2.39.5"),
            ("git version 2.51.0.windows.1\n", "2.51.0"),
            ("git version 2.55.0-rc1\n", "2.55.0"),
            ("git version 2.50\n", "2.50.0"),
        ] {
            assert_eq!(Version::parse(text).unwrap().to_string(), wanted);
        }
        assert_eq!(Version::parse("hub 2.1"), None);
    }
}
