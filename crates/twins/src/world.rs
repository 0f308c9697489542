//! Everything a twin knows: who exists, which tokens work, which repositories there are.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use axum::http::header::HOST;
use tokio::sync::Semaphore;

use crate::access::{AccessLevel, Member, Through, Visibility};
use crate::auth;
use crate::faults::{Faults, Surface};
use crate::fixtures::{Account, Kind, Token, TokenState};
use crate::git::Bare;
use crate::journal::Log;
use crate::twin::Forge;

/// Git processes at work at the same time; more requests wait their turn.
const GIT_PROCESSES: usize = 64;

pub(crate) struct World {
    pub(crate) forge: Forge,
    pub(crate) url: String,
    pub(crate) folder: PathBuf,
    pub(crate) log: Log,
    pub(crate) faults: Faults,
    pub(crate) git_slots: Arc<Semaphore>,
    accounts: Mutex<Vec<Account>>,
    tokens: Mutex<HashMap<String, Caller>>,
    projects: Mutex<Vec<Arc<Project>>>,
    served: AtomicU64,
}

/// A known token and whose it is.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) id: u64,
    pub(crate) account: Account,
    pub(crate) token: Token,
}

impl Caller {
    pub(crate) fn works(&self) -> bool {
        !matches!(self.token.state, TokenState::Expired | TokenState::Revoked)
    }

    pub(crate) fn scopes(&self) -> &[String] {
        match &self.token.kind {
            Kind::Scoped(scopes) => scopes,
            Kind::FineGrained(_) => &[],
        }
    }

    pub(crate) fn has_scope(&self, any_of: &[&str]) -> bool {
        self.scopes().iter().any(|scope| any_of.contains(&scope.as_str()))
    }

    /// The level of a fine-grained token's permission; `None` where it was not given.
    pub(crate) fn permission(&self, name: &str) -> Option<&str> {
        let Kind::FineGrained(permissions) = &self.token.kind else { return None };
        permissions.iter().find(|(permission, _)| permission == name).map(|(_, level)| level.as_str())
    }

    pub(crate) fn is_fine_grained(&self) -> bool {
        matches!(self.token.kind, Kind::FineGrained(_))
    }
}

/// A pull request, or merge request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number in the repository, from 1.
    pub number: u64,
    /// As sent.
    pub title: String,
    /// As sent; empty if there was none.
    pub description: String,
    /// The branch to take.
    pub source_branch: String,
    /// The branch to put it on.
    pub target_branch: String,
    /// The user name of who opened it.
    pub author: String,
    /// GitHub's flag, or GitLab's title prefix.
    pub draft: bool,
}

pub(crate) struct Project {
    pub(crate) id: u64,
    pub(crate) path: String,
    pub(crate) visibility: Visibility,
    pub(crate) archived: bool,
    pub(crate) default_branch: String,
    pub(crate) members: Vec<Member>,
    pub(crate) protected: Vec<String>,
    pub(crate) bare: Bare,
    pub(crate) pull_requests: Mutex<Vec<PullRequest>>,
}

impl Project {
    /// The highest level that the account has, whatever the way.
    pub(crate) fn level(&self, account: Option<&Account>) -> Option<AccessLevel> {
        let user = account?.id;
        self.members.iter().filter(|member| member.user == user).map(|member| member.level).max()
    }

    pub(crate) fn level_through(&self, account: Option<&Account>, through: Through) -> Option<AccessLevel> {
        let user = account?.id;
        let given = self.members.iter().filter(|member| member.user == user && member.through == through);
        given.map(|member| member.level).max()
    }

    pub(crate) fn visible_to(&self, account: Option<&Account>) -> bool {
        match self.visibility {
            Visibility::Public => true,
            Visibility::Internal => account.is_some(),
            Visibility::Private => self.level(account).is_some(),
        }
    }

    pub(crate) fn readable_by(&self, account: Option<&Account>) -> bool {
        let member = self.level(account).is_some_and(|level| level >= AccessLevel::Reporter);
        member || (self.visibility != Visibility::Private && self.visible_to(account))
    }

    pub(crate) fn pushable_by(&self, account: Option<&Account>) -> bool {
        !self.archived && self.level(account).is_some_and(|level| level >= AccessLevel::Developer)
    }

    /// The path's first and last part: a group or owner, and a name.
    pub(crate) fn owner_and_name(&self) -> (&str, &str) {
        self.path.rsplit_once('/').unwrap_or(("", &self.path))
    }

    /// Adds a pull request unless its branches have one already, whose number is then the error.
    pub(crate) fn open_pull_request(
        &self,
        (source, target): (&str, &str),
        make: impl FnOnce(u64) -> PullRequest,
    ) -> Result<PullRequest, u64> {
        let mut all = locked(&self.pull_requests);
        let same = |open: &&PullRequest| open.source_branch == source && open.target_branch == target;
        if let Some(open) = all.iter().find(same) {
            return Err(open.number);
        }
        let opened = make(all.len() as u64 + 1);
        all.push(opened.clone());
        Ok(opened)
    }
}

impl World {
    pub(crate) fn new(forge: Forge, url: String, folder: PathBuf, faults: Faults) -> Self {
        Self {
            forge,
            url,
            folder,
            faults,
            log: Log::default(),
            git_slots: Arc::new(Semaphore::new(GIT_PROCESSES)),
            accounts: Mutex::default(),
            tokens: Mutex::default(),
            projects: Mutex::default(),
            served: AtomicU64::new(0),
        }
    }

    /// Whether the address is served over TLS comes from the twin, the host from the request, as behind a proxy.
    pub(crate) fn base_url(&self, headers: &HeaderMap) -> String {
        let scheme = self.url.split_once("://").map_or("http", |(scheme, _)| scheme);
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        host.map_or_else(|| self.url.clone(), |host| format!("{scheme}://{host}"))
    }

    /// How many requests were served, this one included.
    pub(crate) fn count_request(&self) -> u64 {
        self.served.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    pub(crate) fn add_account(&self, make: impl FnOnce(u64) -> Account) -> Account {
        let mut accounts = locked(&self.accounts);
        let account = make(accounts.len() as u64 + 1);
        accounts.push(account.clone());
        account
    }

    pub(crate) fn account(&self, id: u64) -> Option<Account> {
        locked(&self.accounts).iter().find(|account| account.id == id).cloned()
    }

    pub(crate) fn add_token(&self, value: &str, account: &Account, token: Token) {
        let mut tokens = locked(&self.tokens);
        let caller = Caller { id: tokens.len() as u64 + 1, account: account.clone(), token };
        tokens.insert(value.to_owned(), caller);
    }

    pub(crate) fn set_token_state(&self, value: &str, state: TokenState) -> bool {
        let mut tokens = locked(&self.tokens);
        tokens.get_mut(value).map(|caller| caller.token.state = state).is_some()
    }

    pub(crate) fn caller(&self, token: &str) -> Option<Caller> {
        locked(&self.tokens).get(token).cloned()
    }

    /// The token in the headers that this surface reads, known or not.
    pub(crate) fn presented(&self, surface: Option<Surface>, headers: &HeaderMap) -> Option<String> {
        match (surface?, self.forge) {
            (Surface::Git, _) => auth::for_git(headers),
            (_, Forge::GitLab) => auth::for_gitlab(headers),
            (_, Forge::GitHub) => auth::for_github(headers),
        }
    }

    pub(crate) fn add_project(&self, make: impl FnOnce(u64) -> Project) {
        let mut projects = locked(&self.projects);
        let id = projects.len() as u64 + 101;
        projects.push(Arc::new(make(id)));
    }

    pub(crate) fn project(&self, path: &str) -> Option<Arc<Project>> {
        locked(&self.projects).iter().find(|project| project.path.eq_ignore_ascii_case(path)).cloned()
    }

    pub(crate) fn project_by_id(&self, id: u64) -> Option<Arc<Project>> {
        locked(&self.projects).iter().find(|project| project.id == id).cloned()
    }

    pub(crate) fn projects(&self) -> Vec<Arc<Project>> {
        locked(&self.projects).clone()
    }
}

/// A panic elsewhere leaves the data usable.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
