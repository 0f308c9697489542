//! Everything a twin knows: who exists, which tokens work, which repositories there are.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use axum::http::header::HOST;
use tokio::sync::Semaphore;

use crate::access::{AccessLevel, Member, Through, Visibility};
use crate::admission::Presented;
use crate::faults::{Faults, Surface};
use crate::fixtures::{Account, Form, Kind, Token, TokenState};
use crate::git::Bare;
use crate::github::Registry;
use crate::journal::Log;
use crate::mishap::Mishaps;
use crate::oauth::{Authority, TokenLife};
use crate::rules::ForgeRules;
use crate::twin::Forge;

/// Git processes at work at the same time; more requests wait their turn.
const GIT_PROCESSES: usize = 64;

pub(crate) struct World {
    pub(crate) forge: Forge,
    pub(crate) url: String,
    pub(crate) folder: PathBuf,
    pub(crate) log: Log,
    pub(crate) faults: Faults,
    pub(crate) mishaps: Mishaps,
    pub(crate) oauth: Option<Arc<Authority>>,
    /// GitHub Apps.
    pub(crate) apps: Mutex<Registry>,
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
    /// The number of the token that this one came of by rotation; its own otherwise.
    pub(crate) family: u64,
}

impl Caller {
    pub(crate) fn works(&self) -> bool {
        !matches!(self.token.state, TokenState::Expired | TokenState::Revoked)
    }

    pub(crate) fn scopes(&self) -> &[String] {
        match &self.token.kind {
            Kind::Scoped(scopes) => scopes,
            Kind::FineGrained(_) | Kind::App { .. } => &[],
        }
    }

    pub(crate) fn has_scope(&self, any_of: &[&str]) -> bool {
        self.scopes().iter().any(|scope| any_of.contains(&scope.as_str()))
    }

    /// Whether the authorization server gave the token out.
    pub(crate) fn is_from_oauth(&self) -> bool {
        self.id == 0
    }

    /// Whether the token is good for the repository at a path.
    pub(crate) fn reaches(&self, path: &str) -> bool {
        let Form::Limited(limit) = &self.token.form else { return true };
        path.strip_prefix(limit.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The level of a fine-grained token's permission; `None` where it was not given.
    pub(crate) fn permission(&self, name: &str) -> Option<&str> {
        let (Kind::FineGrained(permissions) | Kind::App { permissions, .. }) = &self.token.kind else { return None };
        permissions.iter().find(|(permission, _)| permission == name).map(|(_, level)| level.as_str())
    }

    pub(crate) fn is_fine_grained(&self) -> bool {
        !matches!(self.token.kind, Kind::Scoped(_))
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
    /// How often its title or description was changed.
    pub version: u64,
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

    pub(crate) fn pull_request(&self, number: u64) -> Option<PullRequest> {
        locked(&self.pull_requests).iter().find(|request| request.number == number).cloned()
    }

    /// Changes what is given of a pull request.
    pub(crate) fn change_pull_request(
        &self,
        number: u64,
        title: Option<String>,
        description: Option<String>,
    ) -> Option<PullRequest> {
        let mut all = locked(&self.pull_requests);
        let request = all.iter_mut().find(|request| request.number == number)?;
        request.title = title.unwrap_or(std::mem::take(&mut request.title));
        request.description = description.unwrap_or(std::mem::take(&mut request.description));
        request.version += 1;
        Some(request.clone())
    }
}

impl World {
    pub(crate) fn new(forge: Forge, url: String, folder: PathBuf, faults: Faults) -> Self {
        Self {
            forge,
            mishaps: Mishaps::default(),
            apps: Mutex::default(),
            oauth: forge.rules().oauth().map(|dialect| Arc::new(Authority::new(&url, dialect))),
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

    pub(crate) fn account_named(&self, username: &str) -> Option<Account> {
        locked(&self.accounts).iter().find(|account| account.username == username).cloned()
    }

    /// The accounts whose user name or display name contains a text, whatever its case.
    pub(crate) fn accounts_like(&self, text: &str) -> Vec<Account> {
        let wanted = text.to_lowercase();
        let contains = |name: &str| name.to_lowercase().contains(&wanted);
        let mut found = locked(&self.accounts).clone();
        found.retain(|account| contains(&account.username) || contains(&account.name));
        found
    }

    /// The account's tokens.
    pub(crate) fn tokens_of(&self, account: &Account) -> Vec<Caller> {
        let mut found: Vec<_> =
            locked(&self.tokens).values().filter(|caller| caller.account.id == account.id).cloned().collect();
        found.sort_by_key(|caller| caller.id);
        found
    }

    pub(crate) fn add_token(&self, value: &str, account: &Account, token: Token) {
        let mut tokens = locked(&self.tokens);
        let id = tokens.len() as u64 + 1;
        let caller = Caller { id, account: account.clone(), token, family: id };
        tokens.insert(value.to_owned(), caller);
    }

    pub(crate) fn set_token_state(&self, value: &str, state: TokenState) -> bool {
        let mut tokens = locked(&self.tokens);
        tokens.get_mut(value).map(|caller| caller.token.state = state).is_some()
    }

    /// Puts a new token in the place of an old one, which is revoked.
    pub(crate) fn rotate_token(&self, old: &str, new: &str, expires: &str) -> Option<Caller> {
        let mut tokens = locked(&self.tokens);
        let id = tokens.len() as u64 + 1;
        let caller = tokens.get_mut(old)?;
        let mut rotated = Caller { id, ..caller.clone() };
        rotated.token.expires = Some(expires.to_owned());
        caller.token.state = TokenState::Revoked;
        tokens.insert(new.to_owned(), rotated.clone());
        Some(rotated)
    }

    /// Revokes a token and all that came of it by rotation.
    pub(crate) fn revoke_tokens_of_family(&self, family: u64) {
        for caller in locked(&self.tokens).values_mut().filter(|caller| caller.family == family) {
            caller.token.state = TokenState::Revoked;
        }
    }

    pub(crate) fn caller(&self, token: &str) -> Option<Caller> {
        locked(&self.tokens).get(token).cloned().or_else(|| self.oauth_caller(token))
    }

    /// The access tokens of the authorization server are tokens like the others.
    fn oauth_caller(&self, token: &str) -> Option<Caller> {
        let (granted, life) = self.oauth.as_ref()?.lookup(token)?;
        let state = match life {
            TokenLife::Live => TokenState::Active,
            TokenLife::Expired => TokenState::Expired,
            TokenLife::Revoked => TokenState::Revoked,
        };
        Some(Caller {
            id: 0,
            family: 0,
            token: self.rules().oauth_token(self, &granted).state(state),
            account: granted.account,
        })
    }

    pub(crate) fn rules(&self) -> &'static dyn ForgeRules {
        self.forge.rules()
    }

    /// The token in the headers that this surface reads, known or not.
    pub(crate) fn presented(&self, surface: Option<Surface>, headers: &HeaderMap) -> Option<String> {
        match surface? {
            Surface::Git => self.rules().git_token(headers),
            Surface::Api | Surface::Everywhere => self.rules().api_token(headers),
        }
    }

    /// Whose token the headers present.
    pub(crate) fn identify(&self, surface: Option<Surface>, headers: &HeaderMap) -> Presented {
        let Some((surface, token)) = surface.zip(self.presented(surface, headers)) else { return Presented::Nothing };
        let caller = self.caller(&token).filter(Caller::works);
        let accepted = caller.filter(|caller| self.rules().accepts(surface, headers, caller));
        accepted.map_or(Presented::Useless, |caller| Presented::Token(Box::new(caller)))
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
