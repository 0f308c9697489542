//! Jira Cloud: sites at their own addresses and behind the gateway, and Atlassian's authorization server.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::board::{Board, NewIssue};
use super::cloud_rest;
use super::refusal::Refusal;
use crate::auth;
use crate::faults::Voice;
use crate::fixtures::{Account, Token, TokenState, User};
use crate::limits;
use crate::oauth::{self, Authority, Dialect, Lifetimes, Paths, Place, Rotation, TokenLife};
use crate::people::People;
use crate::seed::{Seed, atlassian_checksum};
use crate::service::Provider;
use crate::world::locked;

/// A site of Jira Cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JiraSite {
    /// The number by which the gateway knows the site.
    pub cloud_id: String,
    /// The site's name.
    pub name: String,
    /// The site's path below the twin's origin; empty for the first one.
    pub path: String,
}

pub(super) struct Site {
    pub(super) face: JiraSite,
    pub(super) board: Board,
    public: AtomicBool,
}

impl Site {
    pub(super) fn is_public(&self) -> bool {
        self.public.load(Ordering::Relaxed)
    }

    pub(super) fn url(&self, origin: &str) -> String {
        format!("{origin}{}", self.face.path)
    }
}

/// Jira Cloud with the site `acme`, which everybody may enter.
pub struct JiraCloud {
    pub(super) people: People,
    sites: Mutex<Vec<Arc<Site>>>,
    shut_out: Mutex<BTreeSet<(u64, String)>>,
    authority: Arc<Authority>,
    dead_is_invalid_grant: Arc<AtomicBool>,
}

impl JiraCloud {
    /// Creates an account; its address is `<username>@example.test` unless given.
    pub fn user(&self, user: User) -> Account {
        let email = user.email.clone().unwrap_or_else(|| format!("{}@example.test", user.username));
        self.people.join(user.email(&email))
    }

    /// Creates an API token, scoped if it has scopes, and returns its value.
    pub fn api_token(&self, account: &Account, token: Token) -> String {
        self.people.add_key(account, token, || {
            let body = format!("ATATT3xFfGF0{}=", Seed::random().alphanumeric(171));
            format!("{body}{}", atlassian_checksum(&body))
        })
    }

    /// Changes what Atlassian thinks of an API token. One that is Expired or Revoked ends; every other state works.
    ///
    /// # Panics
    /// The twin does not know the token.
    pub fn set_token_state(&self, token: &str, state: TokenState) {
        assert!(self.people.set_state(token, state), "the twin does not know this token");
    }

    /// The first site, whose address is the twin's origin.
    pub fn first_site(&self) -> JiraSite {
        locked(&self.sites)[0].face.clone()
    }

    /// Adds a site.
    pub fn site(&self, name: &str) -> JiraSite {
        let mut sites = locked(&self.sites);
        let path = if sites.is_empty() { String::new() } else { format!("/sites/{name}") };
        let cloud_id = format!("11223344-a1b2-4c3d-8e9f-{:012}", sites.len() + 1);
        let face = JiraSite { cloud_id, name: name.to_owned(), path };
        sites.push(Arc::new(Site { face: face.clone(), board: Board::default(), public: AtomicBool::new(false) }));
        face
    }

    /// Takes an account's access to a site.
    pub fn shut_out(&self, account: &Account, site: &JiraSite) {
        locked(&self.shut_out).insert((account.id, site.cloud_id.clone()));
    }

    /// Lets everybody look at a site. Then a bad token is no error there: it looks as nobody does, with a 200.
    pub fn open_to_everybody(&self, site: &JiraSite) {
        self.known(site).public.store(true, Ordering::Relaxed);
    }

    /// Creates a project on a site.
    pub fn project(&self, site: &JiraSite, key: &str, name: &str) {
        self.known(site).board.add_project(key, name);
    }

    /// Creates an issue in a project of a site and returns its key.
    pub fn issue(&self, site: &JiraSite, project: &str, summary: &str) -> String {
        let (project, summary, kind) = (project.to_owned(), summary.to_owned(), "Task".to_owned());
        self.known(site).board.add_issue(NewIssue { project, summary, description: None, kind }).key()
    }

    /// The texts of an issue's comments, oldest first.
    pub fn comments(&self, site: &JiraSite, issue: &str) -> Vec<String> {
        let issue = self.known(site).board.issue(issue);
        issue.map(|issue| issue.comments.into_iter().map(|comment| comment.text).collect()).unwrap_or_default()
    }

    /// Whether a dead refresh token is answered by 400 `invalid_grant` instead of 403 `unauthorized_client`.
    pub fn call_dead_refresh_tokens_invalid_grant(&self, on: bool) {
        self.dead_is_invalid_grant.store(on, Ordering::Relaxed);
    }

    /// The authorization server: apps, consents, tokens.
    pub fn oauth(&self) -> &Authority {
        &self.authority
    }

    fn known(&self, site: &JiraSite) -> Arc<Site> {
        self.site_by_id(&site.cloud_id).expect("the twin's own site")
    }

    pub(super) fn site_by_id(&self, cloud_id: &str) -> Option<Arc<Site>> {
        locked(&self.sites).iter().find(|site| site.face.cloud_id == cloud_id).cloned()
    }

    /// The first site without a name.
    pub(super) fn site_by_name(&self, name: Option<&str>) -> Option<Arc<Site>> {
        locked(&self.sites).iter().find(|site| name.is_none_or(|name| site.face.name == name)).cloned()
    }

    pub(super) fn sites_of(&self, account: &Account) -> Vec<Arc<Site>> {
        let sites = locked(&self.sites).clone();
        sites.into_iter().filter(|site| self.may_enter(account, site)).collect()
    }

    pub(super) fn may_enter(&self, account: &Account, site: &Site) -> bool {
        !locked(&self.shut_out).contains(&(account.id, site.face.cloud_id.clone()))
    }

    /// Whose access an app's token is, and to what.
    pub(super) fn app_access(&self, token: &str) -> Option<(Account, Vec<String>)> {
        let (granted, life) = self.authority.lookup(token)?;
        (life == TokenLife::Live).then_some((granted.account, granted.scopes))
    }
}

/// Docs: "OAuth 2.0 (3LO) apps" and "Implementing OAuth 2.0 (3LO): refresh tokens".
fn dialect(dead_is_invalid_grant: Arc<AtomicBool>) -> Dialect {
    Dialect {
        credentials: &[Place::Body],
        json_requests: true,
        rotation: Rotation::RefreshOnly,
        reuse_ends_family: false,
        refreshable: |_, scopes, _| scopes.iter().any(|scope| scope == "offline_access"),
        lifetimes: Lifetimes { access: Some(3_600), refresh: None, device: 0 },
        refusal: Box::new(move |refusal| word(refusal, dead_is_invalid_grant.load(Ordering::Relaxed))),
        ..Dialect::standard(Paths {
            authorize: "/authorize",
            token: "/oauth/token",
            device: None,
            verification: "",
            revoke: None,
        })
    }
}

fn word(refusal: &oauth::Refusal, dead_is_invalid_grant: bool) -> (StatusCode, Value) {
    let (status, error, description) = match refusal {
        oauth::Refusal::BadRefreshToken if dead_is_invalid_grant => {
            (StatusCode::BAD_REQUEST, "invalid_grant", "Unknown or invalid refresh token.")
        }
        oauth::Refusal::BadRefreshToken => (StatusCode::FORBIDDEN, "unauthorized_client", "refresh_token is invalid"),
        oauth::Refusal::BadCode | oauth::Refusal::BadVerifier => {
            (StatusCode::FORBIDDEN, "invalid_grant", "Invalid authorization code")
        }
        oauth::Refusal::UnknownClient => (StatusCode::UNAUTHORIZED, "access_denied", "Unauthorized"),
        other => return other.standard(),
    };
    (status, json!({"error": error, "error_description": description}))
}

impl Provider for JiraCloud {
    fn at(origin: &str) -> Self {
        let dead_is_invalid_grant = Arc::<AtomicBool>::default();
        let jira = Self {
            people: People::default(),
            sites: Mutex::default(),
            shut_out: Mutex::default(),
            authority: Arc::new(Authority::new(origin, dialect(Arc::clone(&dead_is_invalid_grant)))),
            dead_is_invalid_grant,
        };
        jira.site("acme");
        jira
    }

    fn router(self: Arc<Self>) -> Router {
        cloud_rest::routes().merge(oauth::routes(&self.authority)).with_state(self)
    }

    fn whose(&self, headers: &HeaderMap) -> Option<String> {
        let by_app = auth::bearer(headers).and_then(|token| self.app_access(token)).map(|(account, _)| account);
        let by_hand = || {
            let (email, token) = auth::basic(headers)?;
            let key = self.people.key(&token).filter(|key| key.works() && key.account.email == Some(email))?;
            Some(key.account)
        };
        by_app.or_else(by_hand).map(|account| account.username)
    }
}

impl Voice for JiraCloud {
    fn limited(&self, retry_after: Option<u64>) -> Response {
        rate_limited("jira-burst-based", retry_after)
    }

    fn limited_otherwise(&self, retry_after: Option<u64>) -> Response {
        rate_limited("jira-quota-tenant-based", retry_after)
    }

    fn lacks_scope(&self) -> Response {
        Refusal::scope_does_not_match().into_response()
    }
}

fn rate_limited(reason: &'static str, retry_after: Option<u64>) -> Response {
    let reset = limits::in_seconds(retry_after.unwrap_or(60)).strftime("%Y-%m-%dT%H:%MZ").to_string();
    let headers = [
        ("x-ratelimit-limit", "100".to_owned()),
        ("x-ratelimit-remaining", "0".to_owned()),
        ("x-ratelimit-reset", reset),
        ("x-ratelimit-nearlimit", "true".to_owned()),
        ("ratelimit-reason", reason.to_owned()),
    ];
    let retry_after = retry_after.map(|seconds| [("retry-after", seconds.to_string())]);
    (StatusCode::TOO_MANY_REQUESTS, headers, retry_after, "Rate limit exceeded").into_response()
}
