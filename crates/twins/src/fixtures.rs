//! What a twin is filled with: users, tokens, repositories.

use std::path::PathBuf;

use crate::access::{AccessLevel, Member, Through, Visibility};

/// A user to create.
#[derive(Debug, Clone)]
pub struct User {
    pub(crate) username: String,
    pub(crate) name: String,
    pub(crate) email: Option<String>,
}

impl User {
    /// A user whose display name is the user name and whose e-mail is not public.
    pub fn new(username: &str) -> Self {
        Self { username: username.to_owned(), name: username.to_owned(), email: None }
    }

    /// The display name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The public e-mail address.
    #[must_use]
    pub fn email(mut self, email: &str) -> Self {
        self.email = Some(email.to_owned());
        self
    }
}

/// A user that a twin knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The provider's number for the user.
    pub id: u64,
    /// The name used to sign in.
    pub username: String,
    pub(crate) name: String,
    pub(crate) email: Option<String>,
}

/// What the forge thinks of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// It works.
    Active,
    /// Its date has passed.
    Expired,
    /// Somebody revoked it.
    Revoked,
    /// It works, and its limit is used up.
    RateLimited {
        /// Seconds until it may be used again, where the forge says so.
        retry_after: Option<u64>,
    },
    /// GitHub: the organization wants single sign-on first. GitLab treats it as active.
    SsoRequired,
}

/// How GitHub writes the date in `GitHub-Authentication-Token-Expiration`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpirationFormat {
    /// `2027-01-31 00:00:00 UTC`
    Utc,
    /// `2027-01-31 00:00:00 +0200`
    Offset,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// GitLab's personal token, GitHub's classic one.
    Scoped(Vec<String>),
    /// GitHub's fine-grained token: permission name and level.
    FineGrained(Vec<(String, String)>),
    /// A GitHub App's: an installation's, or a user's.
    App {
        permissions: Vec<(String, String)>,
        /// The numbers of the repositories that it reaches.
        repositories: Vec<u64>,
        /// `None` for a user's.
        installation: Option<u64>,
    },
}

/// What sort of credential a token is, where a forge has several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    Personal,
    /// Of a repository, a project or a workspace, and good for nothing else.
    Limited(String),
    AppPassword,
    OAuth,
}

/// A personal access token to create.
#[derive(Debug, Clone)]
pub struct Token {
    pub(crate) form: Form,
    pub(crate) value: Option<String>,
    pub(crate) kind: Kind,
    pub(crate) expires: Option<String>,
    pub(crate) expiration_format: ExpirationFormat,
    pub(crate) state: TokenState,
}

impl Token {
    /// A token of this value, active, without scopes and without an end.
    pub fn new(value: &str) -> Self {
        Self { value: Some(value.to_owned()), ..Self::generated() }
    }

    /// A token whose value the twin makes up, in the forge's format.
    pub fn generated() -> Self {
        Self {
            value: None,
            form: Form::Personal,
            kind: Kind::Scoped(Vec::new()),
            expires: None,
            expiration_format: ExpirationFormat::Utc,
            state: TokenState::Active,
        }
    }

    /// The access token of a repository, a project or a workspace, named by its path or the beginning of it.
    #[must_use]
    pub fn limited_to(mut self, path: &str) -> Self {
        self.form = Form::Limited(path.to_owned());
        self
    }

    /// A Bitbucket Cloud app password, which works no more.
    #[must_use]
    pub fn app_password(mut self) -> Self {
        self.form = Form::AppPassword;
        self
    }

    /// An OAuth access token. Bitbucket Cloud and Azure DevOps take it as a bearer token only.
    #[must_use]
    pub fn oauth(mut self) -> Self {
        self.form = Form::OAuth;
        self
    }

    /// The forge's scopes; GitHub: those of a classic token.
    #[must_use]
    pub fn scopes<'a>(mut self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        self.kind = Kind::Scoped(scopes.into_iter().map(str::to_owned).collect());
        self
    }

    /// A fine-grained GitHub token with these permissions, such as `("contents", "write")`.
    #[must_use]
    pub fn fine_grained<'a>(mut self, permissions: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = permissions.into_iter().map(|(name, level)| (name.to_owned(), level.to_owned()));
        self.kind = Kind::FineGrained(owned.collect());
        self
    }

    /// The date that the forge reports as the token's end, as `2027-01-31`.
    #[must_use]
    pub fn expires(mut self, date: &str) -> Self {
        self.expires = Some(date.to_owned());
        self
    }

    /// How GitHub writes that date.
    #[must_use]
    pub fn expiration_format(mut self, format: ExpirationFormat) -> Self {
        self.expiration_format = format;
        self
    }

    /// The state to start in; [`Twin::set_token_state`](crate::Twin::set_token_state) changes it later.
    #[must_use]
    pub fn state(mut self, state: TokenState) -> Self {
        self.state = state;
        self
    }
}

/// One entry of a repository's first commit.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) mode: &'static str,
    pub(crate) path: String,
    pub(crate) content: Vec<u8>,
}

/// Where a repository's objects come from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// One commit with the entries and as many generated bytes as asked for.
    Commit,
    /// No commit at all.
    Empty,
    /// A bare repository that exists already; it is served in place.
    Existing(PathBuf),
}

/// A repository to create. Private, with one commit on `main`, unless said otherwise.
#[derive(Debug, Clone)]
pub struct Repository {
    pub(crate) visibility: Visibility,
    pub(crate) archived: bool,
    pub(crate) default_branch: String,
    pub(crate) members: Vec<Member>,
    pub(crate) branches: Vec<String>,
    pub(crate) protected: Vec<String>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) generated: u64,
    pub(crate) origin: Origin,
}

impl Default for Repository {
    fn default() -> Self {
        Self::new()
    }
}

impl Repository {
    /// A private repository with one commit.
    pub fn new() -> Self {
        Self {
            visibility: Visibility::Private,
            archived: false,
            default_branch: "main".to_owned(),
            members: Vec::new(),
            branches: Vec::new(),
            protected: Vec::new(),
            entries: Vec::new(),
            generated: 0,
            origin: Origin::Commit,
        }
    }

    /// Seen by members only (the default).
    #[must_use]
    pub fn private(self) -> Self {
        self.visibility(Visibility::Private)
    }

    /// Read by everybody.
    #[must_use]
    pub fn public(self) -> Self {
        self.visibility(Visibility::Public)
    }

    /// Who may see it.
    #[must_use]
    pub fn visibility(mut self, visibility: Visibility) -> Self {
        self.visibility = visibility;
        self
    }

    /// Read-only, put away.
    #[must_use]
    pub fn archived(mut self) -> Self {
        self.archived = true;
        self
    }

    /// The default branch; `main` otherwise.
    #[must_use]
    pub fn default_branch(mut self, name: &str) -> Self {
        name.clone_into(&mut self.default_branch);
        self
    }

    /// A member of the repository itself.
    #[must_use]
    pub fn member(self, account: &Account, level: AccessLevel) -> Self {
        self.joined(account, level, Through::Project)
    }

    /// A member through the repository's group (GitLab: `group_access`).
    #[must_use]
    pub fn group_member(self, account: &Account, level: AccessLevel) -> Self {
        self.joined(account, level, Through::Group)
    }

    /// A member through an ancestor or a shared group, whom GitLab leaves out of `permissions`.
    #[must_use]
    pub fn inherited_member(self, account: &Account, level: AccessLevel) -> Self {
        self.joined(account, level, Through::Ancestor)
    }

    fn joined(mut self, account: &Account, level: AccessLevel, through: Through) -> Self {
        self.members.push(Member { user: account.id, level, through });
        self
    }

    /// A file of the first commit.
    #[must_use]
    pub fn file(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.entry("100644", path, content.into())
    }

    /// An executable file of the first commit.
    #[must_use]
    pub fn executable(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.entry("100755", path, content.into())
    }

    /// A symbolic link in the first commit, wherever it may point.
    #[must_use]
    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.entry("120000", path, target.as_bytes().to_vec())
    }

    fn entry(mut self, mode: &'static str, path: &str, content: Vec<u8>) -> Self {
        self.entries.push(Entry { mode, path: path.to_owned(), content });
        self
    }

    /// Files of about this many bytes in all that do not compress.
    #[must_use]
    pub fn files_generated(mut self, bytes: u64) -> Self {
        self.generated = bytes;
        self
    }

    /// Another branch at the first commit.
    #[must_use]
    pub fn branch(mut self, name: &str) -> Self {
        self.branches.push(name.to_owned());
        self
    }

    /// A branch that only maintainers may push to. It need not exist.
    #[must_use]
    pub fn protected_branch(mut self, name: &str) -> Self {
        self.protected.push(name.to_owned());
        self
    }

    /// No commit, no branch; files are left out.
    #[must_use]
    pub fn empty(mut self) -> Self {
        self.origin = Origin::Empty;
        self
    }

    /// Serves this bare repository where it lies; pushes go into it.
    #[must_use]
    pub fn from_path(mut self, bare: impl Into<PathBuf>) -> Self {
        self.origin = Origin::Existing(bare.into());
        self
    }
}
