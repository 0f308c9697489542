//! Who is in a project, and as what.

use std::str::FromStr;

use axum::{Json, extract::State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{ProblemCode, ProjectName, Role, Session, SessionId};
use valetkey_store::{KnownMember, Member, MemberName, MemberNameError};

use super::projects::known;
use crate::{
    App,
    api::paging::{Page, Paging},
    auth::Caller,
    extract::{Body, Id, Params},
    problem::{Answer, Failure},
    route::Row,
};

pub(crate) fn rows() -> Vec<Row> {
    const TAG: &str = "Members";
    const ALL: &str = "/api/v1/projects/{project}/members";
    vec![
        Row::get(ALL, list)
            .project(Role::Member)
            .operation(TAG, "listMembers", "Who is in a project, by kind and name")
            .parameters::<Paging>()
            .answers::<Page<MemberView>>()
            .fails(&[ProblemCode::NotFound]),
        Row::post(ALL, set)
            .project(Role::Admin)
            .operation(TAG, "setMember", "Gives somebody a role in a project, or another one")
            .body::<NewMember>()
            .answers::<MemberView>()
            .fails(&[ProblemCode::NotFound, ProblemCode::Conflict]),
        Row::delete(ALL, remove)
            .project(Role::Admin)
            .operation(TAG, "removeMember", "Takes somebody out of a project; their sessions there are stopped")
            .parameters::<Named>()
            .answers::<RemovedMember>()
            .fails(&[ProblemCode::NotFound, ProblemCode::Conflict]),
    ]
}

/// What somebody in a project is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MemberKind {
    /// A person's id.
    Person,
    /// A verified e-mail address.
    Email,
    /// A group of the identity provider.
    Group,
}

impl MemberKind {
    fn of(name: &MemberName) -> Self {
        match name {
            MemberName::Person(_) => Self::Person,
            MemberName::Email(_) => Self::Email,
            MemberName::Group(_) => Self::Group,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Email => "email",
            Self::Group => "group",
        }
    }
}

/// Somebody in a project.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Member")]
struct MemberView {
    kind: MemberKind,
    /// Their id, address or group.
    name: String,
    /// As what.
    role: Role,
    /// A person's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<String>,
    /// A person's verified e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Since when.
    added_at: Timestamp,
}

impl From<KnownMember> for MemberView {
    fn from(KnownMember { member: Member { name, role, added_at }, person, email }: KnownMember) -> Self {
        Self { kind: MemberKind::of(&name), name: name.parts().1.to_owned(), role, person, email, added_at }
    }
}

/// Whom to give a role.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewMember {
    kind: MemberKind,
    /// Their id, address or group.
    name: String,
    /// As what.
    role: Role,
}

/// Somebody in a project.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Named {
    kind: MemberKind,
    /// Their id, address or group.
    name: String,
}

/// What ends with a membership.
#[derive(Debug, Serialize, JsonSchema)]
struct RemovedMember {
    /// The sessions that are stopped by it.
    stopped: Vec<SessionId>,
}

/// A member as a cursor: it says where to go on, not who is there.
struct Cursor(MemberName);

impl FromStr for Cursor {
    type Err = MemberNameError;

    fn from_str(text: &str) -> Result<Self, MemberNameError> {
        let (kind, name) = text.split_once(':').ok_or(MemberNameError::Kind)?;
        MemberName::parse(kind, name).map(Self)
    }
}

async fn list(
    State(app): State<App>,
    Id(project): Id<ProjectName>,
    Params(paging): Params<Paging>,
) -> Answer<Json<Page<MemberView>>> {
    let (fetch, after) = (paging.to_fetch()?, paging.after::<Cursor>()?);
    known(&app, &project).await?;
    let found = app.store.members_page(&project, after.as_ref().map(|Cursor(name)| name), fetch).await?;
    let page = Page::cut(found, fetch, |it| {
        let (kind, name) = it.member.name.parts();
        format!("{kind}:{name}")
    });
    Ok(Json(page.map(MemberView::from)))
}

async fn set(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Body(NewMember { kind, name, role }): Body<NewMember>,
) -> Answer<Json<MemberView>> {
    let name = named(kind, &name)?;
    put(&app, &caller, &project, &name, role).await?;
    let member = app.store.member(&project, &name).await?;
    let gone = || Failure::new(ProblemCode::Conflict, "They were taken out of the project meanwhile.");
    member.map(|member| Json(member.into())).ok_or_else(gone)
}

/// Gives somebody a role.
pub(crate) async fn put(
    app: &App,
    caller: &Caller,
    project: &ProjectName,
    name: &MemberName,
    role: Role,
) -> Answer<()> {
    app.engine.set_member(&caller.actor, project, name.clone(), role).await?;
    app.ended_credentials.send_replace(());
    Ok(())
}

async fn remove(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(Named { kind, name }): Params<Named>,
) -> Answer<Json<RemovedMember>> {
    let stopped = take_out(&app, &caller, &project, &named(kind, &name)?).await?;
    Ok(Json(RemovedMember { stopped: stopped.into_iter().map(|session| session.id).collect() }))
}

/// Takes somebody out of a project; answers with the sessions that are stopped by it.
pub(crate) async fn take_out(
    app: &App,
    caller: &Caller,
    project: &ProjectName,
    name: &MemberName,
) -> Answer<Vec<Session>> {
    let stopped = app.engine.remove_member(&caller.actor, project, name).await?;
    // Whoever still listens to a session of the project is looked at again.
    app.ended_credentials.send_replace(());
    Ok(stopped)
}

fn named(kind: MemberKind, name: &str) -> Answer<MemberName> {
    MemberName::parse(kind.as_str(), name).map_err(|error| Failure::invalid(format!("name: {error}")))
}
