//! API tokens: bearer tokens of ours for programs. Their value is shown once, when they are made.

use axum::{Json, extract::State};
use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{ProblemCode, TokenId};
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
        let TokenRecord { id, name, created_at, expires_at, last_used_at, .. } = record;
        Self { id, name, created_at, expires_at, last_used_at }
    }
}

async fn list(State(app): State<App>, caller: Caller, Params(paging): Params<Paging>) -> Answer<Json<Page<TokenView>>> {
    let (fetch, after) = (paging.to_fetch()?, paging.after::<TokenId>()?);
    let mut own = app.store.tokens(&caller.user).await?;
    own.retain(|token| after.as_ref().is_none_or(|after| token.id > *after));
    Ok(Json(Page::cut(own, fetch, |token| token.id.clone()).map(TokenView::from)))
}

async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(new): Body<NewToken>,
) -> Answer<(StatusCode, Json<CreatedToken>)> {
    Ok((StatusCode::CREATED, Json(make(&app, &caller, new).await?)))
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
        owner: caller.user.clone(),
        hash: TokenHash::of_secret(&value).as_str().to_owned(),
        created_at: now,
        expires_at: new.expires_at,
        last_used_at: None,
    };
    app.store.insert_token(&record).await?;
    Ok(CreatedToken { about: record.into(), token: value.expose().clone() })
}

async fn delete(State(app): State<App>, caller: Caller, Id(id): Id<TokenId>) -> Answer<StatusCode> {
    let own = app.store.tokens(&caller.user).await?;
    if own.iter().any(|token| token.id == id) && app.store.delete_token(&id).await? {
        app.ended_credentials.send_replace(());
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Failure::new(ProblemCode::NotFound, "You have no token with this id."))
}
