use std::collections::BTreeMap;

/// How far a permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// To see.
    Read,
    /// To see and change.
    Write,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// What a token of an installation may do with its repositories; less than the installation may, never more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    /// Clone and fetch; push.
    pub contents: Level,
    /// See pull requests; open and change them.
    pub pull_requests: Option<Level>,
    /// See issues; comment on issues and pull requests.
    pub issues: Option<Level>,
    /// Push commits that change `.github/workflows`, which GitHub refuses otherwise.
    pub workflows: bool,
}

impl Permissions {
    /// To clone and fetch.
    pub const READ: Self = Self { contents: Level::Read, pull_requests: None, issues: None, workflows: false };

    /// To push too.
    pub const PUSH: Self = Self { contents: Level::Write, ..Self::READ };

    /// The most that a session is for: to push, workflows too, open pull requests and comment.
    pub const SESSION: Self =
        Self { contents: Level::Write, pull_requests: Some(Level::Write), issues: Some(Level::Write), workflows: true };

    /// Without what an installation was not granted, save for contents: GitHub refuses a token that asks for anything more.
    #[must_use]
    pub fn within(self, granted: &BTreeMap<String, String>) -> Self {
        let least = |name: &str, wanted: Level| match granted.get(name).map(String::as_str) {
            Some("write" | "admin") => Some(wanted),
            Some("read") => Some(Level::Read),
            _ => None,
        };
        Self {
            contents: self.contents,
            pull_requests: self.pull_requests.and_then(|wanted| least("pull_requests", wanted)),
            issues: self.issues.and_then(|wanted| least("issues", wanted)),
            workflows: self.workflows && least("workflows", Level::Write) == Some(Level::Write),
        }
    }

    /// As GitHub spells them. Without `metadata` nothing can be seen.
    pub(super) fn named(self) -> BTreeMap<&'static str, &'static str> {
        let more = [
            ("pull_requests", self.pull_requests),
            ("issues", self.issues),
            ("workflows", self.workflows.then_some(Level::Write)),
        ];
        let more = more.into_iter().filter_map(|(name, level)| Some((name, level?)));
        let all = [("metadata", Level::Read), ("contents", self.contents)].into_iter().chain(more);
        all.map(|(name, level)| (name, level.as_str())).collect()
    }
}
