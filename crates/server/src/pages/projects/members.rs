//! Who is in a project.

use std::str::FromStr;

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use serde::{Deserialize, Serialize};
use valetkey_model::{Actor, Problem, Project, ProjectName, Role, Session};
use valetkey_store::{KnownMember, MemberName};

use super::{
    PAGE, back,
    create::wrong,
    frame,
    head::{Head, Tab},
    query,
};
use crate::{
    App,
    api::{
        members::{put, take_out},
        projects::known,
    },
    auth::Caller,
    extract::{Id, Params},
    pages::{
        form::{Form, ProblemView, refused},
        render::{Page, View},
        words::{Badge, Moment, title},
    },
    problem::Answer,
};

#[derive(Debug, Serialize)]
struct MembersView {
    head: Head,
    items: Vec<Item>,
    roles: [&'static str; 3],
    /// The query of the page that follows.
    next: Option<String>,
    first: bool,
    /// What was typed into the form.
    kind: String,
    name: String,
    role: String,
    problem: Option<ProblemView>,
}

impl View for MembersView {
    const TEMPLATE: &'static str = "project_members.html";
}

#[derive(Debug, Serialize)]
struct Item {
    /// As the others know them.
    shown: String,
    /// What else is known of them.
    more: Option<String>,
    kind: &'static str,
    /// The kind in words.
    what: &'static str,
    name: String,
    role: &'static str,
    added: Moment,
    /// Whether it is who looks.
    own: bool,
    query: String,
}

impl Item {
    fn new(known: &KnownMember, by: &Actor) -> Self {
        let (kind, name) = known.member.name.parts();
        let what = match known.member.name {
            MemberName::Person(_) => "person",
            MemberName::Email(_) => "by e-mail address",
            MemberName::Group(_) => "group",
        };
        Self {
            shown: known.person.clone().unwrap_or_else(|| name.to_owned()),
            more: known.email.clone(),
            kind,
            what,
            name: name.to_owned(),
            role: known.member.role.as_str(),
            added: Moment::day(known.member.added_at),
            own: known.member.name == MemberName::Person(by.user.clone()),
            query: query(&[("kind", kind), ("name", name)]),
        }
    }
}

impl MembersView {
    fn new(project: &Project, by: &Actor, mut found: Vec<KnownMember>, first: bool) -> Self {
        let more = found.len() > PAGE;
        found.truncate(PAGE);
        let last = found.last().filter(|_| more).map(|it| it.member.name.parts());
        Self {
            head: Head::new(project, by, Tab::Members),
            next: last.map(|(kind, name)| query(&[("kind", kind), ("after", name)])),
            items: found.iter().map(|it| Item::new(it, by)).collect(),
            roles: Role::ALL.map(Role::as_str),
            first,
            kind: "email".to_owned(),
            name: String::new(),
            role: Role::Member.as_str().to_owned(),
            problem: None,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    kind: Option<String>,
    after: Option<String>,
    did: Option<String>,
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(Wanted { kind, after, did }): Params<Wanted>,
) -> Answer<Response> {
    let project = known(&app, &project).await?;
    let behind = kind.zip(after).map(|(kind, name)| MemberName::parse(&kind, &name));
    let behind = behind.transpose().map_err(|error| wrong(&error))?;
    let found = app.store.members_page(&project.name, behind.as_ref(), PAGE as u32 + 1).await?;
    let view = MembersView::new(&project, &caller.actor, found, behind.is_none());
    Ok(Page::new(frame(&app, &caller, "Members").after(did.as_deref()), view).into_response())
}

pub(super) async fn set(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    form: Form,
) -> Answer<Response> {
    let done = match read(&form) {
        Ok((name, role)) => put(&app, &caller, &project, &name, role).await.map_err(|failure| failure.problem),
        Err(problem) => Err(problem),
    };
    let Err(problem) = done else { return Ok(back(&project, "/members", "member-set").into_response()) };
    let project = known(&app, &project).await?;
    let found = app.store.members_page(&project.name, None, PAGE as u32 + 1).await?;
    let view = MembersView {
        kind: form.get("kind").to_owned(),
        name: form.get("name").to_owned(),
        role: form.get("role").to_owned(),
        problem: Some((&problem).into()),
        ..MembersView::new(&project, &caller.actor, found, true)
    };
    Ok(Page::new(frame(&app, &caller, "Members"), view).with_status(refused(&problem)).into_response())
}

fn read(form: &Form) -> Result<(MemberName, Role), Problem> {
    let role = Role::from_str(form.get("role")).map_err(|error| wrong(&error))?;
    Ok((member(form.get("kind"), form.get("name"))?, role))
}

fn member(kind: &str, name: &str) -> Result<MemberName, Problem> {
    MemberName::parse(kind, name).map_err(|error| wrong(&error))
}

#[derive(Debug, Serialize)]
struct RemoveView {
    project: String,
    kind: &'static str,
    name: String,
    shown: String,
    own: bool,
    /// What they have running in the project, where it can be told.
    sessions: Vec<Running>,
}

impl View for RemoveView {
    const TEMPLATE: &'static str = "project_member_remove.html";
}

#[derive(Debug, Serialize)]
struct Running {
    id: String,
    title: String,
    phase: Badge,
}

impl RemoveView {
    fn new(project: &ProjectName, by: &Actor, known: &KnownMember, unfinished: &[Session]) -> Self {
        let Item { kind, name, shown, own, .. } = Item::new(known, by);
        let theirs = |session: &&Session| known.member.name == MemberName::Person(session.owner.clone());
        let running = |session: &Session| Running {
            id: session.id.to_string(),
            title: title(&session.spec.task),
            phase: session.phase.into(),
        };
        let sessions = unfinished.iter().filter(theirs).map(running).collect();
        Self { project: project.to_string(), kind, name, shown, own, sessions }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Which {
    kind: String,
    name: String,
}

pub(super) async fn show_remove(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(Which { kind, name }): Params<Which>,
) -> Answer<Response> {
    let Some(known) = app.store.member(&project, &member(&kind, &name)?).await? else {
        return Ok(back(&project, "/members", "member-removed").into_response());
    };
    let unfinished = app.engine.unfinished_in(&caller.actor, &project).await?;
    let view = RemoveView::new(&project, &caller.actor, &known, &unfinished);
    Ok(Page::new(frame(&app, &caller, "Remove a member"), view).into_response())
}

pub(super) async fn remove(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    form: Form,
) -> Answer<Redirect> {
    take_out(&app, &caller, &project, &member(form.get("kind"), form.get("name"))?).await?;
    let still_in = app.store.actor(&caller.actor.user).await?.is_some_and(|actor| actor.is(Role::Member, &project));
    if still_in {
        return Ok(back(&project, "/members", "member-removed"));
    }
    Ok(Redirect::to("/projects"))
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::{Phase, ProblemCode};
    use valetkey_store::Member;

    use super::{
        super::tests::{ann, now, project},
        *,
    };
    use crate::pages::{render::tests::html, sessions::tests::session};

    fn known(kind: &str, name: &str, role: Role, person: Option<&str>) -> KnownMember {
        KnownMember {
            member: Member { name: MemberName::parse(kind, name).unwrap(), role, added_at: now() },
            person: person.map(str::to_owned),
            email: person.map(|_| "ann@example.com".to_owned()),
        }
    }

    fn all() -> Vec<KnownMember> {
        vec![
            known("email", "bob@example.com", Role::Viewer, None),
            known("group", "/acme/web <team>", Role::Member, None),
            known("person", "0199aa00-0000-7000-8000-000000000001", Role::Admin, Some("Ann Ng")),
        ]
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let shop = project("web-shop", "The shop, its API and its design tokens.");
        let of = |role| MembersView::new(&shop, &ann(role), all(), true);
        let problem = Problem::new(ProblemCode::Conflict, "The project would have no admin left.");
        let refused =
            MembersView { name: "not an address".into(), problem: Some((&problem).into()), ..of(Role::Admin) };
        let remove =
            |n: usize, sessions: &[Session]| RemoveView::new(&shop.name, &ann(Role::Admin), &all()[n], sessions);
        let mut running = session(1, Phase::Running);
        running.owner = ann(Role::Admin).user;
        vec![
            ("project_members", html(of(Role::Admin))),
            ("project_members_seen", html(of(Role::Member))),
            ("project_members_refused", html(refused)),
            ("project_member_remove", html(remove(2, &[running]))),
            ("project_member_remove_group", html(remove(1, &[]))),
        ]
    }

    #[test]
    fn who_would_lose_running_sessions_is_told_which() {
        let (mut own, other) = (session(1, Phase::Running), session(2, Phase::Running));
        own.owner = ann(Role::Admin).user;
        let shop = "web-shop".parse().unwrap();
        let view = RemoveView::new(&shop, &ann(Role::Admin), &all()[2], &[own.clone(), other]);
        assert_eq!(view.sessions.iter().map(|it| &*it.id).collect::<Vec<_>>(), [own.id.as_str()]);
        assert!(view.own);
    }

    #[test]
    fn a_member_sees_the_others_and_changes_none() {
        let page = &samples()[1].1;
        assert!(page.contains("bob@example.com") && !page.contains("/members/remove") && !page.contains("<select"));
    }
}
