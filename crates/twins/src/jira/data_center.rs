//! Jira Data Center: personal access tokens as bearer tokens, and a puzzle after too many failed logins.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Extension, Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::board::{Board, NewIssue};
use super::jql::Query;
use super::refusal::Refusal;
use super::rest::{self, Answer, Fields, Search, View};
use crate::auth;
use crate::faults::Voice;
use crate::fixtures::{Account, TokenState, User};
use crate::limits;
use crate::people::People;
use crate::seed::Seed;
use crate::service::{Origin, Provider};
use crate::world::locked;

/// Failed logins after which a puzzle must be solved.
const FAILURES: u32 = 3;

/// A personal access token of Jira Data Center.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataCenterToken {
    /// Its number, which revoking takes.
    pub id: u64,
    /// The name that its owner gave it.
    pub name: String,
    /// The value, shown to the owner once.
    pub value: String,
    /// When it ends, as Jira writes dates; `None` for never.
    pub expiring_at: Option<String>,
    /// What Jira thinks of it. Only Expired and Revoked end it.
    pub state: TokenState,
    owner: Account,
}

/// A Jira that its users run themselves.
pub struct JiraDataCenter {
    people: People,
    board: Board,
    passwords: Mutex<HashMap<String, Password>>,
    tokens: Mutex<Vec<DataCenterToken>>,
}

struct Password {
    owner: Account,
    value: String,
    failures: u32,
}

impl JiraDataCenter {
    /// Creates an account with a password.
    pub fn user(&self, user: User, password: &str) -> Account {
        let owner = self.people.join(user);
        let password = Password { owner: owner.clone(), value: password.to_owned(), failures: 0 };
        locked(&self.passwords).insert(owner.username.clone(), password);
        owner
    }

    /// Creates a token of the account's; the end is a date as Jira writes it.
    pub fn token(&self, account: &Account, name: &str, expiring_at: Option<&str>) -> DataCenterToken {
        let mut tokens = locked(&self.tokens);
        let id = tokens.len() as u64 + 1;
        let token = DataCenterToken {
            id,
            name: name.to_owned(),
            value: STANDARD.encode(format!("{:012}:{}", 100_000_000_000 + id, Seed::random().alphanumeric(20))),
            expiring_at: expiring_at.map(str::to_owned),
            state: TokenState::Active,
            owner: account.clone(),
        };
        tokens.push(token.clone());
        token
    }

    /// Changes what Jira thinks of a token.
    ///
    /// # Panics
    /// Jira does not know the token.
    pub fn set_token_state(&self, value: &str, state: TokenState) {
        let mut tokens = locked(&self.tokens);
        tokens.iter_mut().find(|token| token.value == value).expect("the twin knows this token").state = state;
    }

    /// Every token that was ever made, oldest first.
    pub fn tokens(&self) -> Vec<DataCenterToken> {
        locked(&self.tokens).clone()
    }

    /// Creates a project.
    pub fn project(&self, key: &str, name: &str) {
        self.board.add_project(key, name);
    }

    /// Creates an issue in a project and returns its key.
    pub fn issue(&self, project: &str, summary: &str) -> String {
        let (project, summary, kind) = (project.to_owned(), summary.to_owned(), "Task".to_owned());
        self.board.add_issue(NewIssue { project, summary, description: None, kind }).key()
    }

    fn by_token(&self, value: &str) -> Option<Account> {
        let tokens = locked(&self.tokens);
        let works = |state: TokenState| !matches!(state, TokenState::Expired | TokenState::Revoked);
        tokens.iter().find(|token| token.value == value && works(token.state)).map(|token| token.owner.clone())
    }

    fn sign_in(&self, headers: &HeaderMap) -> Result<Account, Refusal> {
        if let Some(token) = auth::bearer(headers) {
            return self.by_token(token).ok_or(Refusal::LoginFailed);
        }
        let (user, password) = auth::basic(headers).ok_or(Refusal::Anonymous)?;
        let mut passwords = locked(&self.passwords);
        let known = passwords.get_mut(&user).ok_or(Refusal::LoginFailed)?;
        if known.failures >= FAILURES {
            return Err(Refusal::Captcha);
        }
        if known.value != password {
            known.failures += 1;
            return Err(Refusal::LoginFailed);
        }
        known.failures = 0;
        Ok(known.owner.clone())
    }
}

impl Provider for JiraDataCenter {
    fn at(_origin: &str) -> Self {
        Self {
            people: People::default(),
            board: Board::default(),
            passwords: Mutex::default(),
            tokens: Mutex::default(),
        }
    }

    fn router(self: Arc<Self>) -> Router {
        let mut router = Router::new()
            .route("/rest/pat/latest/tokens", get(tokens).post(new_token))
            .route("/rest/pat/latest/tokens/{id}", delete(revoke));
        for base in ["/rest/api/2", "/rest/api/latest"] {
            let at = |path: &str| format!("{base}/{path}");
            router = router
                .route(&at("serverInfo"), get(server_info))
                .route(&at("myself"), get(myself))
                .route(&at("field"), get(fields))
                .route(&at("search"), get(search))
                .route(&at("issue/{key}"), get(issue));
        }
        router.with_state(self)
    }

    fn whose(&self, headers: &HeaderMap) -> Option<String> {
        let by_password = || {
            let (user, password) = auth::basic(headers)?;
            let passwords = locked(&self.passwords);
            passwords.get(&user).filter(|known| known.value == password).map(|known| known.owner.clone())
        };
        let by_token = auth::bearer(headers).and_then(|token| self.by_token(token));
        by_token.or_else(by_password).map(|account| account.username)
    }
}

impl Voice for JiraDataCenter {
    fn limited(&self, retry_after: Option<u64>) -> Response {
        let retry_after = retry_after.map(|seconds| [("retry-after", seconds.to_string())]);
        let headers = [("x-ratelimit-limit", "10"), ("x-ratelimit-remaining", "0")];
        (StatusCode::TOO_MANY_REQUESTS, headers, retry_after, "Rate limit exceeded.").into_response()
    }

    fn limited_otherwise(&self, retry_after: Option<u64>) -> Response {
        self.limited(retry_after)
    }

    fn lacks_scope(&self) -> Response {
        Refusal::Message(StatusCode::FORBIDDEN, "You do not have the permission to do this.".to_owned()).into_response()
    }
}

type Twin = State<Arc<JiraDataCenter>>;

async fn server_info(Extension(origin): Extension<Origin>) -> Json<Value> {
    Json(json!({
        "baseUrl": origin.0,
        "version": "10.3.1",
        "versionNumbers": [10, 3, 1],
        "deploymentType": "Server",
        "serverTitle": "Jira",
    }))
}

async fn myself(State(jira): Twin, Extension(origin): Extension<Origin>, headers: HeaderMap) -> Answer {
    let account = jira.sign_in(&headers)?;
    Ok(Json(json!({
        "self": format!("{}/rest/api/2/user?username={}", origin.0, account.username),
        "key": format!("JIRAUSER{}", 10_000 + account.id),
        "name": account.username,
        "emailAddress": account.email,
        "displayName": account.name,
        "active": true,
    })))
}

async fn fields(State(jira): Twin, headers: HeaderMap) -> Answer {
    jira.sign_in(&headers)?;
    Ok(Json(rest::known_fields()))
}

async fn search(State(jira): Twin, Extension(origin): Extension<Origin>, headers: HeaderMap, uri: Uri) -> Answer {
    jira.sign_in(&headers)?;
    let asked = Search::from_query(&uri);
    let query = Query::parse(asked.get("jql").unwrap_or_default())?;
    let mut issues = jira.board.issues();
    issues.retain(|issue| query.matches(issue));
    let (start, size) = (asked.number("startAt", 0), asked.number("maxResults", 50).min(1000));
    let (view, fields) = (View { base: &origin.0, version: "2" }, asked.fields(Fields::all()));
    let shown: Vec<_> = issues.iter().skip(start).take(size).map(|issue| view.issue(issue, &fields)).collect();
    Ok(Json(json!({"startAt": start, "maxResults": size, "total": issues.len(), "issues": shown})))
}

async fn issue(
    State(jira): Twin,
    Extension(origin): Extension<Origin>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Answer {
    jira.sign_in(&headers)?;
    let issue = jira.board.issue(&key).ok_or_else(rest::no_issue)?;
    Ok(Json(View { base: &origin.0, version: "2" }.issue(&issue, &Fields::all())))
}

fn shown(token: &DataCenterToken) -> Value {
    json!({"id": token.id, "name": token.name, "createdAt": CREATED, "expiringAt": token.expiring_at})
}

const CREATED: &str = "2026-01-01T00:00:00.000+0000";

async fn tokens(State(jira): Twin, headers: HeaderMap) -> Answer {
    let account = jira.sign_in(&headers)?;
    let own = |token: &&DataCenterToken| token.owner == account && token.state != TokenState::Revoked;
    Ok(Json(jira.tokens().iter().filter(own).map(shown).collect()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewToken {
    name: Option<String>,
    /// In days; a token without it never ends.
    expiration_duration: Option<u64>,
}

async fn new_token(State(jira): Twin, headers: HeaderMap, Json(new): Json<NewToken>) -> Result<Response, Refusal> {
    let account = jira.sign_in(&headers)?;
    let name = new.name.filter(|name| !name.is_empty()).ok_or(Refusal::Field("name", "Token name is required"))?;
    let end = new
        .expiration_duration
        .map(|days| limits::in_seconds(days.saturating_mul(86_400)).strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string());
    let token = jira.token(&account, &name, end.as_deref());
    let mut body = shown(&token);
    body["rawToken"] = json!(token.value);
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

async fn revoke(State(jira): Twin, Path(id): Path<u64>, headers: HeaderMap) -> Result<StatusCode, Refusal> {
    let account = jira.sign_in(&headers)?;
    let mut tokens = locked(&jira.tokens);
    let mine =
        |token: &&mut DataCenterToken| token.id == id && token.owner == account && token.state != TokenState::Revoked;
    let token = tokens.iter_mut().find(mine).ok_or_else(|| Refusal::not_found("There is no such token."))?;
    token.state = TokenState::Revoked;
    Ok(StatusCode::NO_CONTENT)
}
