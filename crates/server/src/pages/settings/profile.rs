use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::header;
use jiff::Timestamp;
use serde::Serialize;
use valetkey_model::{Actor, Problem, ProblemCode};
use valetkey_store::{SignInWay, UserRecord, WebSession};

use super::frame;
use crate::{
    App,
    api::me::roles,
    auth::Caller,
    extract::Params,
    pages::{
        frame::Did,
        render::{Page, View},
        words::Moment,
    },
    problem::Answer,
    sign_in,
};

#[derive(Debug, Serialize)]
struct ProfileView {
    id: String,
    name: String,
    email: Option<String>,
    vouched_for_by: Option<String>,
    administrator: bool,
    roles: Vec<RoleRow>,
    groups: Vec<String>,
    browsers: Vec<BrowserRow>,
}

impl View for ProfileView {
    const TEMPLATE: &'static str = "profile.html";
}

#[derive(Debug, Serialize)]
struct RoleRow {
    project: String,
    role: &'static str,
}

#[derive(Debug, Serialize)]
struct BrowserRow {
    way: &'static str,
    begun: Option<Moment>,
    ends: Moment,
    this: bool,
}

impl BrowserRow {
    fn new(session: &WebSession, this: Option<&str>, now: Timestamp) -> Self {
        Self {
            way: match session.way {
                Some(SignInWay::Link) => "One-time link",
                Some(SignInWay::Token) => "API token",
                Some(SignInWay::IdentityProvider) => "Identity provider",
                None => "Browser session",
            },
            begun: session.begun_at.map(|at| Moment::past(now, at)),
            ends: Moment::day(session.expires_at),
            this: this == Some(session.hash.as_str()),
        }
    }
}

impl ProfileView {
    fn new(person: UserRecord, actor: &Actor, groups: Vec<String>, browsers: Vec<BrowserRow>) -> Self {
        let role = |(project, role): (valetkey_model::ProjectName, valetkey_model::Role)| RoleRow {
            project: project.to_string(),
            role: role.as_str(),
        };
        Self {
            id: person.id.to_string(),
            name: person.name,
            email: person.email,
            vouched_for_by: person.identity.map(|(issuer, _)| issuer),
            administrator: actor.is_administrator(),
            roles: roles(actor).into_iter().map(role).collect(),
            groups,
            browsers,
        }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Params(Did { did }): Params<Did>,
) -> Answer<impl IntoResponse> {
    let (now, user) = (app.now(), &caller.actor.user);
    let person = app.store.user(user).await?;
    let person = person.ok_or_else(|| Problem::new(ProblemCode::NotFound, "There is no such person any more."))?;
    let groups = app.store.groups_of(user).await?.into_iter().collect();
    let browsers = app.store.web_sessions_of(user, now).await?;
    let this = caller.browser().map(valetkey_seal::TokenHash::as_str);
    let browsers = browsers.iter().map(|session| BrowserRow::new(session, this, now)).collect();
    let view = ProfileView::new(person, &caller.actor, groups, browsers);
    Ok(Page::new(frame(&app, &caller, "Profile").after(did.as_deref()), view))
}

pub(super) async fn sign_out_everywhere(State(app): State<App>, caller: Caller) -> Answer<Response> {
    sign_in::end_all(&app, &caller.actor.user).await?;
    let dropped = [(header::SET_COOKIE, sign_in::drop_cookie(&app))];
    Ok((dropped, Redirect::to("/sign-in?did=signed-out-everywhere")).into_response())
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use valetkey_model::{Role, UserId};

    use super::*;
    use crate::pages::render::tests::html;

    fn session(way: Option<SignInWay>, begun_at: Option<Timestamp>) -> WebSession {
        let end = Timestamp::from_second(2_592_000).unwrap();
        WebSession { hash: "hash".to_owned(), owner: UserId::admin(), way, begun_at, expires_at: end }
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let now = Timestamp::UNIX_EPOCH;
        let person = |identity: Option<(&str, &str)>| UserRecord {
            id: UserId::admin(),
            identity: identity.map(|(issuer, subject)| (issuer.to_owned(), subject.to_owned())),
            name: "<b>Anna</b>".to_owned(),
            email: identity.map(|_| "anna@example.com".to_owned()),
            administrator: false,
            disabled: false,
            created_at: now,
            last_seen_at: Some(now),
        };
        let roles = BTreeMap::from([("default".parse().unwrap(), Role::Admin), ("web".parse().unwrap(), Role::Viewer)]);
        let anna = Actor::new(UserId::admin(), false, roles);
        let browsers = vec![
            BrowserRow::new(&session(Some(SignInWay::IdentityProvider), Some(now)), Some("hash"), now),
            BrowserRow::new(&session(None, None), Some("another"), now),
        ];
        let known = person(Some(("https://id.example.com", "1")));
        vec![
            ("profile", html(ProfileView::new(known, &anna, vec!["dev".to_owned()], browsers))),
            ("profile_admin", html(ProfileView::new(person(None), &Actor::admin(), Vec::new(), Vec::new()))),
        ]
    }

    #[test]
    fn a_profile_names_roles_and_browsers() {
        let page = &samples()[0].1;
        for wanted in ["&lt;b&gt;Anna", "https://id.example.com", "web", "viewer", "this browser", "Identity provider"]
        {
            assert!(page.contains(wanted), "{wanted}");
        }
        assert_eq!(page.matches("this browser").count(), 1);
    }
}
