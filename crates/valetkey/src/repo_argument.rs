//! `--repo URL[@BRANCH]`.

use std::str::FromStr;

use valetkey_model::{BranchName, RepoUrl};

/// A repository and the branch to start from, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RepoArgument {
    pub(crate) url: RepoUrl,
    pub(crate) branch: Option<BranchName>,
}

impl FromStr for RepoArgument {
    type Err = String;

    /// A branch follows the first `@` behind the repository's path: one in `git@host:path` or in the place of a user name
    /// comes before the path and is none. No path holds an `@`; a branch may, and may hold `/`.
    fn from_str(text: &str) -> Result<Self, String> {
        let path = path_start(text);
        let (url, branch) = match text[path..].split_once('@') {
            Some((rest, branch)) => (&text[..path + rest.len()], Some(branch)),
            None => (text, None),
        };
        Ok(Self {
            url: url.parse().map_err(|e: valetkey_model::RepoUrlError| e.to_string())?,
            branch: branch.map(BranchName::from_str).transpose().map_err(|e| e.to_string())?,
        })
    }
}

/// Where the repository's path begins: behind the host of a URL, or behind the colon of `git@host:path`.
fn path_start(text: &str) -> usize {
    let host = text.find("://").map(|at| at + 3);
    let end_of_host = match host {
        Some(host) => text[host..].find('/').map(|at| host + at),
        None => text.find(':'),
    };
    end_of_host.unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<(String, Option<String>)> {
        let parsed: RepoArgument = text.parse().ok()?;
        Some((parsed.url.to_string(), parsed.branch.map(|b| b.to_string())))
    }

    #[test]
    fn a_branch_follows_the_path() {
        for (text, branch) in [
            ("https://gitlab.com/team/sub/app.git", None),
            ("https://gitlab.com/team/sub/app.git@main", Some("main")),
            ("https://gitlab.com/team/sub/app@feature/x@2", Some("feature/x@2")),
            ("git@gitlab.com:team/sub/app.git", None),
            ("git@gitlab.com:team/sub/app.git@release/1.2", Some("release/1.2")),
            ("ssh://git@gitlab.com:2222/team/sub/app@main", Some("main")),
        ] {
            let wanted = Some(("https://gitlab.com/team/sub/app".to_owned(), branch.map(str::to_owned)));
            assert_eq!(parse(text), wanted, "{text}");
        }
    }

    #[test]
    fn credentials_and_bad_branches_are_refused_and_not_repeated() {
        for bad in [
            "https://user:glpat-secret@gitlab.com/team/app",
            "https://gitlab.com@evil.test",
            "https://gitlab.com/team/app@",
            "https://gitlab.com/team/app@--upload-pack=x",
            "ext::sh -c x@y",
            "team/app",
        ] {
            let error = bad.parse::<RepoArgument>().unwrap_err();
            assert!(!error.contains("secret") && !error.is_empty(), "{bad}: {error}");
        }
    }
}
