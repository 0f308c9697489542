//! API tokens: bearer tokens of ours for programs. Their value is shown once, when they are made.

use axum::{Extension, Json, extract::State};
use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{AuditObject, Limits, ProblemCode, ProjectName, Role, TokenId};
use valetkey_seal::{TokenHash, mint};
use valetkey_store::TokenRecord;

use crate::{
    App,
    api::paging::{Page, Paging},
    auth::Caller,
    extract::{Body, Id, Params},
    problem::{Answer, Failure},
    route::Row,
};

pub(crate) fn rows() -> Vec<Row> {
    const TAG: &str = "Tokens";
    vec![
        Row::get("/api/v1/tokens", list)
            .operation(TAG, "listTokens", "The caller's API tokens, without their values")
            .parameters::<Paging>()
            .answers::<Page<TokenView>>(),
        Row::post("/api/v1/tokens", create)
            .operation(TAG, "createToken", "Makes an API token; its value is in this answer and never again")
            .body::<NewToken>()
            .success(StatusCode::CREATED)
            .answers::<CreatedToken>(),
        Row::delete("/api/v1/tokens/{id}", delete)
            .owner()
            .operation(TAG, "deleteToken", "Ends an API token at once")
            .success(StatusCode::NO_CONTENT)
            .fails(&[ProblemCode::NotFound]),
    ]
}

/// What to make.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewToken {
    /// What it is for; at most 100 visible characters.
    pub(crate) name: valetkey_model::Alias,
    /// When it ends; never, if not given.
    pub(crate) expires_at: Option<Timestamp>,
    /// The one project that it is for; everywhere, if not given.
    pub(crate) project: Option<ProjectName>,
    /// What it may do; all that its owner may, if not given.
    #[serde(default)]
    pub(crate) access: Access,
}

/// What an API token may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TokenAccess")]
pub(crate) enum Access {
    /// Only look.
    Read,
    /// All that its owner may.
    #[default]
    Write,
}

impl NewToken {
    /// What the token may do less than its owner. One that is made by a token may do no more than that one.
    fn limits(&self, caller: &Caller) -> Answer<Limits> {
        let own = caller.actor.limits();
        let project = self.project.clone().or_else(|| own.project.clone());
        if let Some(project) = &project {
            caller.actor.require(Role::Viewer, project)?;
        }
        Ok(Limits { project, read_only: self.access == Access::Read || own.read_only })
    }
}

/// An API token, without its value.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Token")]
pub(crate) struct TokenView {
    /// Its id.
    pub(crate) id: TokenId,
    /// What it is for.
    pub(crate) name: String,
    /// The one project that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) project: Option<ProjectName>,
    /// What it may do.
    pub(crate) access: Access,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<Timestamp>,
    /// When it was last presented, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_used_at: Option<Timestamp>,
}

/// An API token that was just made.
#[derive(Serialize, JsonSchema)]
pub(crate) struct CreatedToken {
    /// What later answers say of it.
    #[serde(flatten)]
    pub(crate) about: TokenView,
    /// The value, to be sent as `Authorization: Bearer …`. Only its hash is kept.
    pub(crate) token: String,
}

impl From<TokenRecord> for TokenView {
    fn from(record: TokenRecord) -> Self {
        let TokenRecord { id, name, limits, created_at, expires_at, last_used_at, .. } = record;
        let access = if limits.read_only { Access::Read } else { Access::Write };
        Self { id, name, project: limits.project, access, created_at, expires_at, last_used_at }
    }
}

async fn list(State(app): State<App>, caller: Caller, Params(paging): Params<Paging>) -> Answer<Json<Page<TokenView>>> {
    let (fetch, after) = (paging.to_fetch()?, paging.after::<TokenId>()?);
    let mut own = app.store.tokens(&caller.actor.user).await?;
    own.retain(|token| after.as_ref().is_none_or(|after| token.id > *after));
    Ok(Json(Page::cut(own, fetch, |token| token.id.clone()).map(TokenView::from)))
}

async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewToken>,
) -> Answer<(StatusCode, Extension<AuditObject>, Json<CreatedToken>)> {
    let made = make(&app, &caller, new).await?;
    Ok((StatusCode::CREATED, Extension(AuditObject::new("token", &made.about.id)), Json(made)))
}

/// Makes an API token of the caller.
#[expect(clippy::disallowed_methods, reason = "a new token is shown to its owner once")]
pub(crate) async fn make(app: &App, caller: &Caller, new: NewToken) -> Answer<CreatedToken> {
    let now = app.now();
    if new.expires_at.is_some_and(|end| end <= now) {
        return Err(Failure::invalid("expiresAt: expected a moment in the future"));
    }
    let value = mint("vk_", &*app.entropy);
    let record = TokenRecord {
        id: TokenId::new(now, &*app.entropy),
        name: new.name.to_string(),
        owner: caller.actor.user.clone(),
        limits: new.limits(caller)?,
        hash: TokenHash::of_secret(&value).as_str().to_owned(),
        created_at: now,
        expires_at: new.expires_at,
        last_used_at: None,
    };
    app.store.insert_token(&record).await?;
    Ok(CreatedToken { about: record.into(), token: value.expose().clone() })
}

async fn delete(State(app): State<App>, caller: Caller, Id(id): Id<TokenId>) -> Answer<StatusCode> {
    end(&app, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends an API token of the caller.
pub(crate) async fn end(app: &App, caller: &Caller, id: &TokenId) -> Answer<()> {
    let own = app.store.tokens(&caller.actor.user).await?;
    if own.iter().any(|token| token.id == *id) && app.store.delete_token(id).await? {
        app.ended_credentials.send_replace(());
        return Ok(());
    }
    Err(Failure::new(ProblemCode::NotFound, "You have no token with this id."))
}
