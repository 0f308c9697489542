//! A running twin: how it starts, what it is given, what can be asked of it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::azure_devops::AzureDevOps;
use crate::bitbucket::Bitbucket;
use crate::bitbucket_data_center::BitbucketDataCenter;
use crate::door;
use crate::faults::{Faults, Surface, Switch};
use crate::fixtures::{Account, Entry, Origin, Repository, Token, TokenState, User};
use crate::git::{self, Bare, Commit, NewCommit};
use crate::gitea::Gitea;
use crate::github::GitHub;
use crate::github::GitHubApps;
use crate::gitlab::GitLab;
use crate::host::{Host, Plan};
use crate::journal::Journal;
use crate::mishap::Mishap;
use crate::oauth::Authority;
use crate::rules::ForgeRules;
use crate::seed::Seed;
use crate::smart_http::PRE_RECEIVE;
use crate::world::{Project, PullRequest, World, locked};

/// Whose behaviour a twin has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forge {
    /// A self-managed GitLab; its API is under `/api/v4`.
    GitLab,
    /// A GitHub Enterprise Server; its API is under `/api/v3`.
    GitHub,
    /// Bitbucket Cloud; its API is under `/2.0` of the same host. Repositories are `workspace/slug`.
    Bitbucket,
    /// Bitbucket Data Center; its API is under `/rest/api/latest`. Repositories are `scm/KEY/slug`.
    BitbucketDataCenter,
    /// Gitea; its API is under `/api/v1`. Repositories are `owner/name`.
    Gitea,
    /// Forgejo, which adds to Gitea's API what it has of its own.
    Forgejo,
    /// Azure DevOps; its API is under `/{organization}/_apis`. Repositories are `organization/project/_git/name`.
    AzureDevOps,
}

impl Forge {
    /// One line for each forge: everything else is in its module.
    pub(crate) fn rules(self) -> &'static dyn ForgeRules {
        match self {
            Self::GitLab => &GitLab,
            Self::GitHub => &GitHub,
            Self::Bitbucket => &Bitbucket,
            Self::BitbucketDataCenter => &BitbucketDataCenter,
            Self::Gitea => &Gitea::GITEA,
            Self::Forgejo => &Gitea::FORGEJO,
            Self::AzureDevOps => &AzureDevOps,
        }
    }
}

/// How a twin is to start.
#[derive(Debug, Clone)]
pub struct Builder {
    forge: Forge,
    plan: Plan,
}

impl Builder {
    /// Serves HTTPS with a certificate from a private authority; plain HTTP otherwise.
    #[must_use]
    pub fn tls(mut self, on: bool) -> Self {
        self.plan.tls = on;
        self
    }

    /// The address to listen on; `127.0.0.1:0` otherwise.
    #[must_use]
    pub fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.plan.listen);
        self
    }

    /// One more host name for the certificate, besides `127.0.0.1`, `::1` and `localhost`.
    #[must_use]
    pub fn name(mut self, host: &str) -> Self {
        self.plan.names.push(host.to_owned());
        self
    }

    /// Starts the twin on the current runtime.
    ///
    /// # Errors
    /// The address is taken, there is no room for files, or git or its `http-backend` is not installed.
    pub async fn start(self) -> io::Result<Twin> {
        git::http_backend()?;
        let folder = tempfile::Builder::new().prefix("valetkey-twin-").tempdir()?;
        write_hook(&folder)?;
        let opened = self.plan.open().await?;
        let faults = Faults::new(opened.lines.clone());
        let world = Arc::new(World::new(self.forge, opened.url.clone(), folder.path().to_owned(), faults));
        let host = opened.serve(door::router(&world))?;
        Ok(Twin { world, host, _folder: folder })
    }
}

fn write_hook(folder: &TempDir) -> io::Result<()> {
    let hooks = folder.path().join("hooks");
    fs::create_dir(&hooks)?;
    let hook = hooks.join("pre-receive");
    fs::write(&hook, PRE_RECEIVE)?;
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755))
}

/// A running forge. It stops, and its repositories are removed, when it is dropped.
pub struct Twin {
    world: Arc<World>,
    host: Host,
    _folder: TempDir,
}

impl Twin {
    /// A twin that is not yet started.
    pub fn builder(forge: Forge) -> Builder {
        Builder { forge, plan: Plan::default() }
    }

    /// Serves for as long as the returned future is polled.
    pub async fn serve_until_dropped(self) {
        std::future::pending::<()>().await;
    }

    /// Whose behaviour this is.
    pub fn forge(&self) -> Forge {
        self.world.forge
    }

    /// The base URL, such as `https://127.0.0.1:40123`.
    pub fn url(&self) -> &str {
        &self.world.url
    }

    /// The address that the twin listens on.
    pub fn address(&self) -> SocketAddr {
        self.host.address
    }

    /// The certificate of the private authority; empty without TLS.
    pub fn ca_pem(&self) -> &str {
        &self.host.ca_pem
    }

    /// The URL to clone a repository from, without a credential.
    pub fn clone_url(&self, repository: &str) -> String {
        format!("{}/{}", self.url(), self.world.rules().clone_path(repository))
    }

    /// Creates a user.
    pub fn user(&self, user: User) -> Account {
        let User { username, name, email } = user;
        self.world.add_account(|id| Account { id, username, name, email })
    }

    /// Creates a token of the user's and returns its value.
    pub fn token(&self, account: &Account, token: Token) -> String {
        let value = token.value.clone().unwrap_or_else(|| self.world.rules().new_token(&token, &mut Seed::random()));
        self.world.add_token(&value, account, token);
        value
    }

    /// Changes what the forge thinks of a token, as when it is revoked during a session.
    ///
    /// # Panics
    /// The twin does not know the token.
    pub fn set_token_state(&self, token: &str, state: TokenState) {
        assert!(self.world.set_token_state(token, state), "the twin does not know this token");
    }

    /// Creates a repository at a path such as `group/subgroup/project`, in the form that its [`Forge`] wants.
    ///
    /// # Panics
    /// The path is not one of the forge's, or git or the disk fails.
    pub fn repository(&self, path: &str, repository: Repository) {
        let fits = path.split('/').all(|part| !part.is_empty()) && self.world.rules().is_repository(path);
        assert!(fits, "{path:?} is no repository path of {:?}", self.forge());
        self.world.add_project(|id| {
            let bare = lay_out(&self.world, id, &repository).expect("the twin's repository can be created");
            Project {
                id,
                path: path.to_owned(),
                visibility: repository.visibility,
                archived: repository.archived,
                default_branch: repository.default_branch,
                members: repository.members,
                protected: repository.protected,
                bare,
                pull_requests: Mutex::default(),
            }
        });
    }

    /// Adds a commit with this file to a branch, as somebody else's push would, and returns its object name.
    ///
    /// # Panics
    /// There is no such repository or branch, or git fails.
    pub fn commit(&self, repository: &str, branch: &str, path: &str, content: &str) -> String {
        let project = self.project(repository);
        let entry = Entry { mode: "100644", path: path.to_owned(), content: content.as_bytes().to_vec() };
        let commit = NewCommit {
            branch,
            amends: true,
            message: &format!("Change {path}"),
            entries: &[entry],
            generated: 0,
            also_branches: &[],
        };
        project.bare.commit(&commit).expect("git can commit to the twin's repository");
        project.bare.head(branch).expect("the branch has the new commit")
    }

    /// Every request so far, oldest first.
    pub fn journal(&self) -> Journal {
        self.world.log.snapshot()
    }

    /// Turns a fault on where it usually strikes.
    pub fn switch(&self, fault: Switch) {
        self.world.faults.turn_on(None, fault);
    }

    /// Turns a fault on for a part of the forge.
    pub fn switch_at(&self, surface: Surface, fault: Switch) {
        self.world.faults.turn_on(Some(surface), fault);
    }

    /// Has something go wrong with the next request of this method and path, such as `POST` and `/oauth/token`.
    ///
    /// # Panics
    /// The method is none of HTTP's.
    pub fn mishap(&self, method: &str, path: &str, mishap: Mishap) {
        let method = method.parse().expect("a method of HTTP");
        self.world.mishaps.plan(method, path, mishap);
    }

    /// The authorization server: apps, consents, tokens.
    ///
    /// # Panics
    /// The forge has none.
    pub fn oauth(&self) -> &Authority {
        self.world.oauth.as_ref().expect("the forge has an authorization server")
    }

    /// The GitHub Apps of a GitHub twin.
    pub fn github_apps(&self) -> GitHubApps<'_> {
        GitHubApps { world: &self.world }
    }

    /// Turns every fault off.
    pub fn heal(&self) {
        self.world.faults.turn_all_off();
    }

    /// The commit that a branch is at.
    pub fn head(&self, repository: &str, branch: &str) -> Option<String> {
        self.project(repository).bare.head(branch)
    }

    /// A file's content at a branch.
    pub fn file_at(&self, repository: &str, branch: &str, path: &str) -> Option<String> {
        self.project(repository).bare.file_at(branch, path)
    }

    /// A branch's commits, newest first.
    pub fn commits(&self, repository: &str, branch: &str) -> Vec<Commit> {
        self.project(repository).bare.commits(branch)
    }

    /// Every ref and the object it points to.
    pub fn refs(&self, repository: &str) -> BTreeMap<String, String> {
        self.project(repository).bare.refs()
    }

    /// The pull requests, or merge requests, in the order they were opened.
    pub fn pull_requests(&self, repository: &str) -> Vec<PullRequest> {
        locked(&self.project(repository).pull_requests).clone()
    }

    fn project(&self, path: &str) -> Arc<Project> {
        self.world.project(path).unwrap_or_else(|| panic!("the twin has no repository {path:?}"))
    }
}

fn lay_out(world: &World, id: u64, repository: &Repository) -> io::Result<Bare> {
    if let Origin::Existing(path) = &repository.origin {
        return Ok(Bare { path: fs::canonicalize(path)? });
    }
    let bare = Bare::create(world.folder.join(format!("{id}.git")), &repository.default_branch)?;
    if matches!(repository.origin, Origin::Commit) {
        bare.commit(&NewCommit {
            branch: &repository.default_branch,
            amends: false,
            message: "Initial commit",
            entries: &repository.entries,
            generated: repository.generated,
            also_branches: &repository.branches,
        })?;
    }
    Ok(bare)
}
