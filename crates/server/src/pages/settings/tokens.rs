//! One's API tokens.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use valetkey_model::{Problem, ProblemCode, ProjectName, TokenId, sentence};
use valetkey_store::TokenRecord;

use super::frame;
use crate::{
    App,
    api::tokens::{self, Access, NewToken},
    auth::Caller,
    extract::{Id, Params},
    pages::{
        form::{Form, ProblemView, refused},
        frame::Did,
        render::{Page, View},
        words::{Moment, until},
    },
    problem::{Answer, Failure},
};

#[derive(Debug, Serialize)]
struct TokensView {
    tokens: Vec<TokenRow>,
    administrator: bool,
}

impl View for TokensView {
    const TEMPLATE: &'static str = "tokens.html";
}

#[derive(Debug, Serialize)]
struct TokenRow {
    id: String,
    name: String,
    /// The one project that it is for.
    project: Option<String>,
    reads: bool,
    made: Moment,
    /// When it ends, in words; none if it does not.
    ends: Option<String>,
    ended: bool,
    used: Option<Moment>,
}

impl TokenRow {
    fn new(token: TokenRecord, now: Timestamp) -> Self {
        Self {
            id: token.id.to_string(),
            name: token.name,
            project: token.limits.project.map(String::from),
            reads: token.limits.read_only,
            made: Moment::past(now, token.created_at),
            ends: token.expires_at.map(|end| until(now, end)),
            ended: token.expires_at.is_some_and(|end| end <= now),
            used: token.last_used_at.map(|at| Moment::past(now, at)),
        }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Params(Did { did }): Params<Did>,
) -> Answer<impl IntoResponse> {
    let now = app.now();
    let all = app.store.tokens(&caller.actor.user).await?;
    let tokens = all.into_iter().map(|token| TokenRow::new(token, now)).collect();
    let view = TokensView { tokens, administrator: caller.actor.is_administrator() };
    Ok(Page::new(frame(&app, &caller, "API tokens").after(did.as_deref()), view))
}

/// The form for a new token: what was typed, and what is wrong with it.
#[derive(Debug, Default, Serialize)]
struct NewView {
    name: String,
    days: String,
    project: String,
    reads: bool,
    projects: Vec<String>,
    problem: Option<ProblemView>,
}

impl View for NewView {
    const TEMPLATE: &'static str = "token_new.html";
}

pub(super) async fn show_new(State(app): State<App>, caller: Caller) -> Answer<impl IntoResponse> {
    let view = NewView { days: "90".to_owned(), projects: projects(&app, &caller).await?, ..NewView::default() };
    Ok(Page::new(frame(&app, &caller, "New API token"), view))
}

async fn projects(app: &App, caller: &Caller) -> Result<Vec<String>, Problem> {
    let mut all = app.store.projects().await?;
    all.retain(|project| caller.actor.role(project).is_some());
    Ok(all.into_iter().map(String::from).collect())
}

/// A token that was just made, with its value.
#[derive(Debug, Serialize)]
struct MadeView {
    name: String,
    value: String,
}

impl View for MadeView {
    const TEMPLATE: &'static str = "token_made.html";
}

pub(super) async fn make(State(app): State<App>, caller: Caller, form: Form) -> Answer<Response> {
    let made = match read(&form, app.now()) {
        Ok(new) => tokens::make(&app, &caller, new).await,
        Err(problem) => Err(problem.into()),
    };
    match made {
        Ok(made) => {
            let view = MadeView { name: made.about.name, value: made.token };
            Ok(Page::new(frame(&app, &caller, "API token"), view).into_response())
        }
        Err(Failure { problem, .. }) if problem.code != ProblemCode::Internal => {
            let view = NewView {
                name: form.get("name").to_owned(),
                days: form.get("days").to_owned(),
                project: form.get("project").to_owned(),
                reads: form.get("access") == "read",
                projects: projects(&app, &caller).await?,
                problem: Some((&problem).into()),
            };
            let page = Page::new(frame(&app, &caller, "New API token"), view).with_status(refused(&problem));
            Ok(page.into_response())
        }
        Err(failure) => Err(failure),
    }
}

const MOST_DAYS: i64 = 3650;

fn read(form: &Form, now: Timestamp) -> Result<NewToken, Problem> {
    let invalid = |why: String| Problem::new(ProblemCode::InvalidInput, why);
    let expires_at = match form.get("days") {
        "" => None,
        days => match days.parse::<i64>() {
            Ok(days @ 1..=MOST_DAYS) => Some(now + SignedDuration::from_hours(24 * days)),
            _ => return Err(invalid(format!("Give 1 to {MOST_DAYS} days, or nothing for a token without an end."))),
        },
    };
    let project = Some(form.get("project")).filter(|name| !name.is_empty());
    let project = project.map(str::parse::<ProjectName>).transpose().map_err(|e| invalid(sentence(&e)))?;
    Ok(NewToken {
        name: form
            .get("name")
            .parse()
            .map_err(|_| invalid("Say what it is for, in up to 100 characters.".to_owned()))?,
        expires_at,
        project,
        access: if form.get("access") == "read" { Access::Read } else { Access::Write },
    })
}

#[derive(Debug, Serialize)]
struct EndView {
    id: String,
    name: String,
}

impl View for EndView {
    const TEMPLATE: &'static str = "token_end.html";
}

pub(super) async fn show_end(State(app): State<App>, caller: Caller, Id(id): Id<TokenId>) -> Answer<impl IntoResponse> {
    let own = app.store.tokens(&caller.actor.user).await?.into_iter().find(|token| token.id == id);
    let token = own.ok_or_else(|| Problem::new(ProblemCode::NotFound, "You have no token with this id."))?;
    let view = EndView { id: id.to_string(), name: token.name };
    Ok(Page::new(frame(&app, &caller, "End an API token"), view))
}

pub(super) async fn end(State(app): State<App>, caller: Caller, Id(id): Id<TokenId>) -> Answer<Redirect> {
    tokens::end(&app, &caller, &id).await?;
    Ok(Redirect::to("/settings/tokens?did=token-ended"))
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::{Limits, UserId};

    use super::*;
    use crate::pages::render::tests::html;

    fn now() -> Timestamp {
        "2026-11-21T09:30:00Z".parse().unwrap()
    }

    fn token(name: &str, limits: Limits, expires_at: Option<Timestamp>) -> TokenRow {
        let token = TokenRecord {
            id: "018f0000-0000-7000-8000-000000000301".parse().unwrap(),
            name: name.to_owned(),
            owner: UserId::admin(),
            limits,
            hash: String::new(),
            created_at: now() - SignedDuration::from_hours(30),
            expires_at,
            last_used_at: expires_at.map(|_| now()),
        };
        TokenRow::new(token, now())
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let limited = Limits { project: Some(ProjectName::default_project()), read_only: true };
        let tokens = vec![
            token("<ci>", Limits::default(), None),
            token("dashboard", limited, Some(now() + SignedDuration::from_hours(40 * 24))),
            token("old", Limits::default(), Some(now() - SignedDuration::from_hours(1))),
        ];
        let problem = Problem::new(ProblemCode::InvalidInput, "Say what it is for, in up to 100 characters.");
        let wrong =
            NewView { projects: vec!["default".into()], problem: Some((&problem).into()), ..NewView::default() };
        vec![
            ("tokens", html(TokensView { tokens, administrator: true })),
            ("tokens_none", html(TokensView { tokens: Vec::new(), administrator: false })),
            ("token_new", html(wrong)),
            ("token_made", html(MadeView { name: "ci".into(), value: "vk_0000000000000000000000".into() })),
            ("token_end", html(EndView { id: "018f".into(), name: "ci".into() })),
        ]
    }

    #[test]
    fn a_form_asks_for_a_token() {
        let new = read(&Form::of("name=ci&days=30&project=default&access=read"), now()).unwrap();
        assert_eq!(new.expires_at, Some(now() + SignedDuration::from_hours(720)));
        assert_eq!((new.project.as_ref().map(ProjectName::as_str), new.access), (Some("default"), Access::Read));
        let new = read(&Form::of("name=ci&days=&project=&access=write"), now()).unwrap();
        assert_eq!((new.expires_at, new.project, new.access), (None, None, Access::Write));
        for wrong in ["name=&days=30", "name=ci&days=0", "name=ci&days=99999", "name=ci&days=x", "name=ci&project=.."] {
            assert!(read(&Form::of(wrong), now()).is_err(), "{wrong}");
        }
    }
}
