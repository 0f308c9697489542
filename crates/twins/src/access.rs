//! How much an account may do in a repository.

/// GitLab's access levels. GitHub's `pull`, `push` and `admin` have names of their own here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessLevel {
    /// Sees the project, not the code of a private one.
    Guest = 10,
    /// Reads the code.
    Reporter = 20,
    /// Pushes to branches that are not protected.
    Developer = 30,
    /// Pushes to protected branches too.
    Maintainer = 40,
    /// Administers the repository.
    Owner = 50,
}

impl AccessLevel {
    /// GitHub's `pull`.
    pub const PULL: Self = Self::Reporter;
    /// GitHub's `push`.
    pub const PUSH: Self = Self::Developer;
    /// GitHub's `admin`.
    pub const ADMIN: Self = Self::Owner;

    pub(crate) fn number(self) -> u8 {
        self as u8
    }
}

/// Who may see a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Its members.
    Private,
    /// Everybody who is signed in (GitLab).
    Internal,
    /// Everybody.
    Public,
}

impl Visibility {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Internal => "internal",
            Self::Public => "public",
        }
    }
}

/// How an account came by its access level; GitLab reports the three differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Through {
    Project,
    Group,
    /// An ancestor or a shared group: the project's own `permissions` do not mention it.
    Ancestor,
}

#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) user: u64,
    pub(crate) level: AccessLevel,
    pub(crate) through: Through,
}
