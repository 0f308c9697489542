use std::{borrow::Cow, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{BranchName, InstanceUrl, InstanceUrlError, ProviderKind, instance_url::split_scheme};

/// A repository on some forge, always in one normalised form: an instance and a path without `.git`.
///
/// Parsed from `https://host/path`, `git@host:path` and `ssh://git@host[:port]/path`, with or without `.git` and a
/// trailing slash, groups nested to any depth. It never holds user names or passwords.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoUrl {
    instance: InstanceUrl,
    path: String,
}

/// Why a text is no repository URL. Never repeats the text: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RepoUrlError {
    /// Not one of the accepted forms.
    #[error("a repository URL looks like https://host/owner/repo, git@host:owner/repo or ssh://git@host/owner/repo")]
    Form,
    /// Credentials in the URL.
    #[error("a repository URL must not hold a user name, password or token; connect an integration instead")]
    UserInfo,
    /// The host is no host, or plain http to another machine.
    #[error(transparent)]
    Instance(InstanceUrlError),
    /// Too few path segments.
    #[error("a repository URL needs an owner (or group) and a repository name")]
    TooShort,
    /// A path segment that no forge allows, or that git or a file system could misread.
    #[error(
        "a repository path holds letters, digits, '.', '_', '-', '~' and '+'; no segment starts with '-' or is '.' or '..'"
    )]
    Segment,
    /// A page inside of a repository.
    #[error(
        "this is the address of a page inside a repository; give the repository's own URL, as its Clone button shows it"
    )]
    Page,
    /// A path form the provider does not have.
    #[error("{}", depth(*.0))]
    Depth(ProviderKind),
}

const MAX_PATH: usize = 1024;

fn depth(provider: ProviderKind) -> String {
    let form = match provider {
        ProviderKind::Bitbucket => "workspace/name, with no further groups",
        ProviderKind::BitbucketDataCenter => "scm/KEY/name, as its Clone button shows it",
        ProviderKind::AzureDevOps => "organisation/project/_git/name, as its Clone button shows it",
        _ => "owner/name, with no further groups",
    };
    format!("a {provider} repository is {form}")
}

impl RepoUrl {
    /// The forge.
    pub fn instance(&self) -> &InstanceUrl {
        &self.instance
    }

    /// `group/subgroup/project`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The last path segment, the folder's name when checked out.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// What git is given: `https://host/path.git`. Azure DevOps has no such ending: there it would be part of the name.
    pub fn clone_url(&self) -> String {
        let ending = if self.path.split('/').any(|segment| segment == "_git") { "" } else { ".git" };
        format!("{}/{}{ending}", self.instance, self.path)
    }

    /// What a browser is given: `https://host/path`.
    pub fn browse_url(&self) -> String {
        format!("{}/{}", self.instance, self.path)
    }

    /// The page of a branch, in the provider's own form.
    pub fn branch_url(&self, provider: ProviderKind, branch: &BranchName) -> String {
        let (page, name) = (self.browse_url(), branch.url_path());
        match provider {
            ProviderKind::GitLab => format!("{page}/-/tree/{name}"),
            ProviderKind::Bitbucket => format!("{page}/branch/{name}"),
            ProviderKind::BitbucketDataCenter => match self.project_and_slug() {
                Some((owner, slug)) => {
                    format!("{}/{owner}/repos/{slug}/browse?at=refs/heads/{name}", self.instance)
                }
                None => page,
            },
            ProviderKind::Gitea => format!("{page}/src/branch/{name}"),
            ProviderKind::AzureDevOps => format!("{page}?version=GB{name}"),
            ProviderKind::GitHub
            | ProviderKind::Jira
            | ProviderKind::Google
            | ProviderKind::Slack
            | ProviderKind::Http => format!("{page}/tree/{name}"),
        }
    }

    /// At Bitbucket Data Center, whose clone URLs are `scm/KEY/slug`: where its pages have the repository's owner
    /// (`projects/KEY`, or `users/john` for `scm/~john/slug`), and the repository's slug.
    fn project_and_slug(&self) -> Option<(String, &str)> {
        let (key, slug) = self.path.strip_prefix("scm/")?.split_once('/')?;
        let owner = key.strip_prefix('~').map_or_else(|| format!("projects/{key}"), |user| format!("users/{user}"));
        Some((owner, slug))
    }

    /// How the provider's API names the repository in a path: `owner/repo` at GitHub, `group%2Fproject` at GitLab,
    /// `projects/KEY/repos/slug` at Bitbucket Data Center, `org/project/_apis/git/repositories/repo` at Azure DevOps.
    ///
    /// # Errors
    /// [`RepoUrlError::Depth`] for a path that can be none of this provider's.
    pub fn api_id(&self, provider: ProviderKind) -> Result<String, RepoUrlError> {
        let segments: Vec<&str> = self.path.split('/').collect();
        match (provider, segments.as_slice()) {
            (ProviderKind::GitHub | ProviderKind::Bitbucket | ProviderKind::Gitea, [_, _]) => Ok(self.path.clone()),
            (ProviderKind::GitLab, _) => Ok(self.path.replace('/', "%2F")),
            (ProviderKind::BitbucketDataCenter, ["scm", key, slug]) => Ok(format!("projects/{key}/repos/{slug}")),
            (ProviderKind::AzureDevOps, [organisation, project, "_git", name]) => {
                Ok(format!("{organisation}/{project}/_apis/git/repositories/{name}"))
            }
            // The short form of a project's own repository.
            (ProviderKind::AzureDevOps, [organisation, "_git", name]) => {
                Ok(format!("{organisation}/{name}/_apis/git/repositories/{name}"))
            }
            _ => Err(RepoUrlError::Depth(provider)),
        }
    }

    /// Which provider serves this repository: that of a connected instance first, else a guess from the host's name.
    pub fn provider<'a>(
        &self,
        connected: impl IntoIterator<Item = (&'a InstanceUrl, ProviderKind)>,
    ) -> Option<ProviderKind> {
        connected
            .into_iter()
            .find_map(|(instance, kind)| (*instance == self.instance).then_some(kind))
            .or_else(|| ProviderKind::guess(self.instance.host()))
    }

    fn build(tls: bool, authority: &str, path: &str) -> Result<Self, RepoUrlError> {
        let instance = InstanceUrl::from_parts(tls, authority).map_err(|e| match e {
            InstanceUrlError::UserInfo => RepoUrlError::UserInfo,
            other => RepoUrlError::Instance(other),
        })?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let path = path.strip_suffix(".git").unwrap_or(path);
        check_path(path, ProviderKind::guess(instance.host()))?;
        Ok(Self { instance, path: path.to_owned() })
    }
}

fn check_path(path: &str, looks_like: Option<ProviderKind>) -> Result<(), RepoUrlError> {
    let segments: Vec<&str> = path.split('/').collect();
    let github_page = looks_like == Some(ProviderKind::GitHub) && segments.len() > 3;
    if segments.len() > 2 && (github_page || segments.contains(&"-")) {
        return Err(RepoUrlError::Page);
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'~' | b'+');
    let fits = |s: &&str| {
        !s.is_empty()
            && !matches!(*s, "." | "..")
            && !s.starts_with('-')
            && !s.ends_with(".git")
            && s.bytes().all(plain)
    };
    if path.len() > MAX_PATH {
        return Err(RepoUrlError::Segment);
    }
    if segments.len() < 2 {
        return Err(if path.is_empty() || fits(&path) { RepoUrlError::TooShort } else { RepoUrlError::Segment });
    }
    if segments.iter().all(fits) { Ok(()) } else { Err(RepoUrlError::Segment) }
}

impl FromStr for RepoUrl {
    type Err = RepoUrlError;
    fn from_str(text: &str) -> Result<Self, RepoUrlError> {
        let text = text.trim_matches(' ');
        if let Some((tls, rest)) = split_scheme(text) {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            return Self::build(tls, authority, path);
        }
        if let Some(rest) = text.strip_prefix("ssh://") {
            let (authority, path) = rest.split_once('/').ok_or(RepoUrlError::TooShort)?;
            let host_port = authority.strip_prefix("git@").ok_or(RepoUrlError::Form)?;
            // The port is the SSH daemon's; over HTTPS the forge is at its usual one.
            let host = host_port.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
            return Self::build(true, host.map_or(host_port, |(host, _)| host), path);
        }
        if text.contains("://") || text.contains("::") {
            return Err(RepoUrlError::Form);
        }
        let rest = text.strip_prefix("git@").ok_or(RepoUrlError::Form)?;
        let (host, path) = rest.split_once(':').ok_or(RepoUrlError::Form)?;
        Self::build(true, host, path)
    }
}

impl TryFrom<String> for RepoUrl {
    type Error = RepoUrlError;
    fn try_from(text: String) -> Result<Self, RepoUrlError> {
        text.parse()
    }
}

impl From<RepoUrl> for String {
    fn from(url: RepoUrl) -> String {
        url.browse_url()
    }
}

impl fmt::Display for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.browse_url())
    }
}

impl fmt::Debug for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RepoUrl({self})")
    }
}

impl JsonSchema for RepoUrl {
    fn schema_name() -> Cow<'static, str> {
        "RepoUrl".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "examples": ["https://gitlab.com/group/subgroup/project"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<RepoUrl, RepoUrlError> {
        text.parse()
    }

    #[test]
    fn every_form_normalises_to_one() {
        let wanted = parse("https://gitlab.com/team/sub/repo").unwrap();
        for given in [
            "https://gitlab.com/team/sub/repo.git",
            "https://gitlab.com/team/sub/repo/",
            "https://gitlab.com/team/sub/repo.git/",
            "https://GitLab.com:443/team/sub/repo",
            "git@gitlab.com:team/sub/repo.git",
            "ssh://git@gitlab.com/team/sub/repo.git",
            "ssh://git@gitlab.com:2222/team/sub/repo",
        ] {
            assert_eq!(parse(given).as_ref(), Ok(&wanted), "{given}");
        }
        assert_eq!(wanted.clone_url(), "https://gitlab.com/team/sub/repo.git");
        assert_eq!(wanted.api_id(ProviderKind::GitLab).unwrap(), "team%2Fsub%2Frepo");
        assert_eq!(wanted.api_id(ProviderKind::GitHub), Err(RepoUrlError::Depth(ProviderKind::GitHub)));
        assert_eq!(wanted.name(), "repo");
    }

    #[test]
    fn provider_of_a_url_by_its_host() {
        use ProviderKind::{GitHub, GitLab};
        for (url, kind) in [
            ("https://github.com/owner/repo", Some(GitHub)),
            ("https://github.com/owner/repo.git", Some(GitHub)),
            ("git@github.com:owner/repo.git", Some(GitHub)),
            ("https://github.company.com/owner/repo.git", Some(GitHub)),
            ("https://github.com/gitlab/repo.git", Some(GitHub)),
            ("https://github.com/user/gitlab-cli.git", Some(GitHub)),
            ("git@github.com:company/gitlab-docs.git", Some(GitHub)),
            ("https://gitlab.com/owner/repo", Some(GitLab)),
            ("git@gitlab.com:owner/repo", Some(GitLab)),
            ("https://gitlab.company.com/group/project", Some(GitLab)),
            ("https://self-hosted.gitlab.com/team/app", Some(GitLab)),
            ("https://sourceforge.net/p/project/code", None),
        ] {
            assert_eq!(parse(url).unwrap().provider([]), kind, "{url}");
        }
        assert!(parse("invalid-url").is_err());
        assert!(parse("").is_err());
    }

    #[test]
    fn a_connected_instance_decides_before_the_name() {
        let instance: InstanceUrl = "https://code.example.org".parse().unwrap();
        let repo = parse("https://code.example.org/a/b").unwrap();
        assert_eq!(repo.provider([]), None);
        assert_eq!(repo.provider([(&instance, ProviderKind::GitLab)]), Some(ProviderKind::GitLab));
    }

    #[test]
    fn branch_pages() {
        let branch = "feature/new-feature".parse().unwrap();
        assert_eq!(
            parse("https://github.com/user/repo").unwrap().branch_url(ProviderKind::GitHub, &branch),
            "https://github.com/user/repo/tree/feature/new-feature"
        );
        assert_eq!(
            parse("https://gitlab.com/user/repo").unwrap().branch_url(ProviderKind::GitLab, &branch),
            "https://gitlab.com/user/repo/-/tree/feature/new-feature"
        );
    }

    #[test]
    fn hostile_urls_are_refused_without_echo() {
        for bad in [
            "--upload-pack=touch x",
            "-oProxyCommand=x",
            "ext::sh -c x",
            "file:///etc",
            "/etc/passwd",
            "../../x",
            "https://github.com/../../x",
            "https://github.com/a/..",
            "https://github.com/a/-x",
            "https://github.com/a",
            "https://github.com",
            "https://user:hunter2@github.com/a/b",
            "https://hunter2@github.com/a/b",
            "https://github.com@evil.test/a/b",
            "https://github.com%2f@evil.test/a/b",
            "https://github.com./a/b",
            "https://github.com/a/b?hunter2",
            "https://github.com/a/b#hunter2",
            "https://github.com/a%2fb/c",
            "https://github.com/a/b\nhost=evil",
            "https://github.com/a/b\0",
            "https://gıthub.com/a/b",
            "http://github.com/a/b",
            "ssh://root@github.com/a/b",
            "ssh://-oProxyCommand=x/a/b",
            "git@-oX:a/b",
            "git@github.com:/a/b",
            "https://github.com//a/b",
            "https://github.com/a\\b/c",
            "git://github.com/a/b",
            "https://github.com/a/b.git/c",
            "https://github.com/a/.git",
            "https://gitlab.com/a/b/-/tree/main",
            "https://github.com/a/b/tree/main",
        ] {
            let error = parse(bad).expect_err(bad).to_string();
            assert!(!error.contains("hunter2") && !error.contains("evil"), "{error}");
        }
    }

    fn segment() -> impl Strategy<Value = String> {
        "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,12}[a-zA-Z0-9_]".prop_filter("reserved", |s| !s.ends_with(".git"))
    }

    proptest! {
        #[test]
        fn all_spellings_of_a_repository_are_one(
            host in "[a-f][a-z0-9]{0,8}\\.(com|test|org)",
            path in prop::collection::vec(segment(), 2..6),
        ) {
            let path = path.join("/");
            let wanted = parse(&format!("https://{host}/{path}")).unwrap();
            for spelling in [
                format!("https://{host}/{path}.git"), format!("https://{host}/{path}/"), format!("git@{host}:{path}"),
                format!("git@{host}:{path}.git"), format!("ssh://git@{host}:22/{path}.git"), wanted.clone_url(), wanted.browse_url(),
            ] {
                prop_assert_eq!(&parse(&spelling).unwrap(), &wanted);
            }
        }

        #[test]
        fn never_panics_and_prints_to_itself(text in "(https?://|ssh://|git@|)\\PC{0,60}") {
            if let Ok(url) = parse(&text) {
                prop_assert_eq!(&parse(&url.clone_url()).unwrap(), &url);
                prop_assert_eq!(&parse(&url.browse_url()).unwrap(), &url);
                prop_assert!(!url.clone_url().contains('@'));
            }
        }
    }
}
