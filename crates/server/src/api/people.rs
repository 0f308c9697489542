//! The people who sign in here. Their names and e-mail addresses are for administrators; an admin of a project adds a member
//! by an address that they know.

use axum::{Json, extract::State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{ProblemCode, UserId};
use valetkey_store::Person;

use crate::{
    App,
    api::paging::{Page, Paging},
    auth::Caller,
    extract::{Body, Id, Params},
    people::{self, Decision},
    problem::Answer,
    route::Row,
};

pub(crate) fn rows() -> Vec<Row> {
    const TAG: &str = "People";
    const ONE: &str = "/api/v1/people/{id}";
    vec![
        Row::get("/api/v1/people", list)
            .administrator()
            .operation(TAG, "listPeople", "The people who have signed in, in the order in which they first came")
            .parameters::<Search>()
            .answers::<Page<PersonView>>(),
        Row::get(ONE, show)
            .administrator()
            .operation(TAG, "getPerson", "One person")
            .answers::<PersonView>()
            .fails(&[ProblemCode::NotFound]),
        Row::patch(ONE, change)
            .administrator()
            .operation(TAG, "changePerson", "Disables or enables a person, or makes them an administrator by hand")
            .body::<Change>()
            .answers::<PersonView>()
            .fails(&[ProblemCode::NotFound, ProblemCode::Conflict]),
    ]
}

/// Which people are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// Words of their name or e-mail address.
    #[serde(default)]
    q: String,
    /// At most this many items; 1 to 200, 50 if not given.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// A person.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Person")]
struct PersonView {
    /// Their id.
    id: UserId,
    /// Their name.
    name: String,
    /// The address that their identity provider verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Who vouches for them: an OpenID issuer, or `trusted-proxy`; absent for the built-in administrator.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    /// Whether they administer the instance.
    administrator: bool,
    /// Whether what their identity provider says makes them an administrator.
    administrator_by_claims: bool,
    /// Whether they are shut out.
    disabled: bool,
    /// When they first signed in.
    created_at: Timestamp,
    /// When they last did.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_at: Option<Timestamp>,
}

impl From<Person> for PersonView {
    fn from(Person { user, claimed_administrator }: Person) -> Self {
        Self {
            id: user.id,
            name: user.name,
            email: user.email,
            issuer: user.identity.map(|(issuer, _)| issuer),
            administrator: user.administrator,
            administrator_by_claims: claimed_administrator,
            disabled: user.disabled,
            created_at: user.created_at,
            last_seen_at: user.last_seen_at,
        }
    }
}

/// What is to change; what is not named stays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PersonChange")]
struct Change {
    /// Shuts them out, or lets them in again. Their browser sessions end; their API tokens count as long as they are let in.
    disabled: Option<bool>,
    /// Makes them an administrator by hand, or takes that back.
    administrator: Option<bool>,
}

async fn list(State(app): State<App>, Params(search): Params<Search>) -> Answer<Json<Page<PersonView>>> {
    let Search { q, limit, cursor } = search;
    let paging = Paging { limit, cursor };
    let (fetch, after) = (paging.to_fetch()?, paging.after::<UserId>()?);
    let people = app.store.people(&q, fetch, after.as_ref()).await?;
    Ok(Json(Page::cut(people, fetch, |person| person.user.id.clone()).map(PersonView::from)))
}

async fn show(State(app): State<App>, Id(id): Id<UserId>) -> Answer<Json<PersonView>> {
    Ok(Json(people::find(&app, &id).await?.into()))
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<UserId>,
    Body(change): Body<Change>,
) -> Answer<Json<PersonView>> {
    let Change { disabled, administrator } = change;
    Ok(Json(people::decide(&app, &caller, &id, Decision { disabled, administrator }).await?.into()))
}
