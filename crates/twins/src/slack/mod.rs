//! A Slack workspace: the Web API, where a failure is a 200 that says `"ok": false`.

mod methods;
mod oauth;
mod workspace;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::auth;
use crate::faults::Voice;
use crate::fixtures::{Account, Token, TokenState, User};
use crate::oauth::{Authority, TokenLife};
use crate::people::People;
use crate::seed::Seed;
use crate::service::{Origin, Provider};
use methods::{Arguments, Refusal};
use workspace::Workspace;

pub use workspace::SlackMessage;

/// A Slack with one workspace, `acme`, in which an app's bot is a member.
pub struct Slack {
    pub(crate) people: People,
    workspace: Workspace,
    bot: Account,
    authority: Arc<Authority>,
}

/// A token as Slack sees it.
struct Caller {
    token: String,
    account: Account,
    scopes: Vec<String>,
    is_bot: bool,
}

impl Slack {
    /// Creates a member of the workspace.
    pub fn user(&self, user: User) -> Account {
        self.people.join(user)
    }

    /// Creates a long-lived bot token, `xoxb-…`, and returns its value.
    pub fn bot_token(&self, token: Token) -> String {
        self.people.add_key(&self.bot, token, || made_up("xoxb"))
    }

    /// Creates a long-lived token of a user's, `xoxp-…`, and returns its value.
    pub fn user_token(&self, account: &Account, token: Token) -> String {
        self.people.add_key(account, token, || made_up("xoxp"))
    }

    /// Changes what Slack thinks of a token. A state that is Expired or Revoked ends it; every other one lets it work.
    ///
    /// # Panics
    /// Slack does not know the token.
    pub fn set_token_state(&self, token: &str, state: TokenState) {
        assert!(self.people.set_state(token, state), "the twin does not know this token");
    }

    /// Deactivates an account: its tokens, and those of what it installed, answer `account_inactive`.
    pub fn deactivate(&self, account: &Account) {
        self.people.leave(account);
    }

    /// Creates a public channel and returns its id.
    pub fn channel(&self, name: &str) -> String {
        self.workspace.add_channel(name)
    }

    /// What was said in a channel, oldest first.
    pub fn messages(&self, channel: &str) -> Vec<SlackMessage> {
        self.workspace.messages(channel)
    }

    /// The authorization server: apps, consents, tokens. An app's tokens rotate unless it is registered with
    /// [`OAuthApp::without_expiry`](crate::OAuthApp::without_expiry).
    pub fn oauth(&self) -> &Authority {
        &self.authority
    }

    fn bot_with(&self, token: &str, scopes: Vec<String>) -> Caller {
        Caller { token: token.to_owned(), account: self.bot.clone(), scopes, is_bot: true }
    }

    fn caller(&self, token: Option<&str>) -> Result<Caller, Refusal> {
        let token = token.ok_or(Refusal::Plain("not_authed"))?;
        if let Some((granted, life)) = self.authority.lookup(token) {
            return match life {
                TokenLife::Live if self.people.has_left(&granted.account) => Err(Refusal::Plain("account_inactive")),
                TokenLife::Live => Ok(self.bot_with(token, granted.scopes)),
                TokenLife::Expired => Err(Refusal::Plain("token_expired")),
                TokenLife::Revoked => Err(Refusal::Plain("token_revoked")),
            };
        }
        let key = self.people.key(token).ok_or(Refusal::Plain("invalid_auth"))?;
        match key.state {
            TokenState::Expired => return Err(Refusal::Plain("token_expired")),
            TokenState::Revoked => return Err(Refusal::Plain("token_revoked")),
            TokenState::Active | TokenState::RateLimited { .. } | TokenState::SsoRequired => {}
        }
        if self.people.has_left(&key.account) {
            return Err(Refusal::Plain("account_inactive"));
        }
        Ok(Caller {
            token: token.to_owned(),
            is_bot: key.account == self.bot,
            account: key.account,
            scopes: key.scopes,
        })
    }
}

/// The bot is the first account there is.
const BOT_NUMBER: u64 = 1;

fn made_up(prefix: &str) -> String {
    format!("{prefix}-10000000001-10000000002-{}", Seed::random().alphanumeric(24))
}

impl Provider for Slack {
    fn at(origin: &str) -> Self {
        let people = People::default();
        let authority = Arc::new(Authority::new(origin, oauth::dialect()));
        let bot = people.join(User::new("valetkey").name("Valetkey"));
        Self { people, workspace: Workspace::default(), bot, authority }
    }

    fn router(self: Arc<Self>) -> Router {
        Router::new().route("/api/{method}", any(call)).merge(oauth::routes(&self)).with_state(self)
    }

    fn whose(&self, headers: &HeaderMap) -> Option<String> {
        self.caller(auth::bearer(headers)).ok().map(|caller| caller.account.username)
    }
}

impl Voice for Slack {
    fn limited(&self, retry_after: Option<u64>) -> Response {
        let retry_after = retry_after.map(|seconds| [("retry-after", seconds.to_string())]);
        (StatusCode::TOO_MANY_REQUESTS, retry_after, Refusal::Plain("ratelimited").body()).into_response()
    }

    fn limited_otherwise(&self, retry_after: Option<u64>) -> Response {
        self.limited(retry_after)
    }

    fn lacks_scope(&self) -> Response {
        Refusal::MissingScope { needed: "chat:write", provided: "identify".to_owned() }.body().into_response()
    }
}

async fn call(
    State(slack): State<Arc<Slack>>,
    Path(method): Path<String>,
    origin: axum::Extension<Origin>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let arguments = Arguments::read(&uri, &headers, &body);
    let caller = slack.caller(auth::bearer(&headers).or_else(|| arguments.get("token")));
    let scopes = caller.as_ref().map(|caller| caller.scopes.join(",")).unwrap_or_default();
    let answered = caller.and_then(|caller| slack.answer(&caller, &method, &arguments, &origin.0));
    let needed = methods::needed(&method).join(",");
    let headers = [("x-oauth-scopes", scopes), ("x-accepted-oauth-scopes", needed)];
    (headers, answered.map_or_else(|refusal| refusal.body(), ok)).into_response()
}

fn ok(mut fields: Value) -> Json<Value> {
    fields["ok"] = json!(true);
    Json(fields)
}
