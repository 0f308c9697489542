use std::{fmt, str::FromStr};

use crate::RepoUrl;

/// Something in a repository, at a point of its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The repository.
    pub repo: RepoUrl,
    /// The branch, tag or commit.
    pub revision: Revision,
    /// The file or folder.
    pub path: FilePath,
}

/// A file or folder of a repository, from its root, in git's form (`src/main.rs`); the root itself is empty.
///
/// It never leads out of the repository, wherever it is put behind: no part is `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath(String);

/// A branch, a tag or a commit, as a provider's API takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision(String);

/// Why a text names nothing in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ContentsError(&'static str);

const LONGEST_PATH: usize = 4096;
const LONGEST_REVISION: usize = 255;

impl FilePath {
    /// The path, without slashes at its ends.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its parts; none of the root.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }
}

impl FromStr for FilePath {
    type Err = ContentsError;

    fn from_str(text: &str) -> Result<Self, ContentsError> {
        let path = text.trim_matches('/');
        if path.len() > LONGEST_PATH {
            return Err(ContentsError("the path is longer than 4096 bytes"));
        }
        if path.chars().any(char::is_control) {
            return Err(ContentsError("the path holds control characters"));
        }
        if !path.is_empty() && path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(ContentsError("the path has an empty part, '.' or '..'"));
        }
        Ok(Self(path.to_owned()))
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

impl Revision {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Revision {
    type Err = ContentsError;

    fn from_str(name: &str) -> Result<Self, ContentsError> {
        if name.is_empty() || name.len() > LONGEST_REVISION {
            return Err(ContentsError("a branch, tag or commit has 1 to 255 bytes"));
        }
        if name.chars().any(|c| c.is_control() || c == ' ') {
            return Err(ContentsError("a branch, tag or commit holds no spaces or control characters"));
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_loses_its_outer_slashes() {
        for (text, path) in
            [("", ""), ("/", ""), ("/src/", "src"), ("src/main.rs", "src/main.rs"), ("..a/b..", "..a/b..")]
        {
            assert_eq!(text.parse::<FilePath>().unwrap().as_str(), path, "{text:?}");
        }
        assert_eq!("".parse::<FilePath>().unwrap().segments().count(), 0);
    }

    #[test]
    fn what_git_can_not_hold_is_no_path() {
        for text in ["..", "a/../../b", "./a", "a//b", "a/.", "a\0b", "a\nb"] {
            assert!(text.parse::<FilePath>().is_err(), "{text:?}");
        }
        assert!("a/".repeat(2100).parse::<FilePath>().is_err());
    }

    #[test]
    fn a_revision_is_one_word() {
        for name in ["main", "feature/x", "v1.0", "HEAD", "0123abcd"] {
            assert_eq!(name.parse::<Revision>().unwrap().as_str(), name);
        }
        for name in ["", "a b", "a\nb", &"x".repeat(256)] {
            assert!(name.parse::<Revision>().is_err(), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn no_path_leads_out(text in "[./a\\\\%]{0,12}") {
            if let Ok(path) = text.parse::<FilePath>() {
                prop_assert!(path.segments().all(|segment| segment != "." && segment != ".."));
                prop_assert_eq!(path.segments().collect::<Vec<_>>().join("/"), path.as_str());
            }
        }
    }
}
