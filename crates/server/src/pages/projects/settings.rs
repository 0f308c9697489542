//! What a project is for, and what its sessions begin with.

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use jiff::Timestamp;
use serde::Serialize;
use valetkey_model::{Problem, ProblemCode, Project, ProjectName, PushPattern, PushPlaceholders, SessionId};
use valetkey_sessions::ProjectChange;

use super::{
    back,
    create::wrong,
    frame,
    head::{Head, Tab},
};
use crate::{
    App,
    api::projects::known,
    auth::Caller,
    extract::Id,
    pages::{
        form::{Form, ProblemView, refused},
        render::{Page, View},
    },
    problem::Answer,
};

#[derive(Debug, Serialize)]
struct SettingsView {
    head: Head,
    description: String,
    agent: String,
    pattern: String,
    example: Example,
    problem: Option<ProblemView>,
}

impl View for SettingsView {
    const TEMPLATE: &'static str = "project_settings.html";
}

/// What a session of who looks would push to; the page's script puts the parts into what is typed.
#[derive(Debug, Serialize)]
struct Example {
    branch: String,
    session: String,
    user: String,
    date: String,
}

impl Example {
    fn new(pattern: Option<&PushPattern>, id: &SessionId, user: &str, at: Timestamp) -> Self {
        let of = PushPlaceholders { session: id, user, at };
        let made = |pattern: &PushPattern| pattern.branch(of).to_string();
        let default = PushPattern::default();
        let parts = made(&"{session}/{user}/{date}".parse().expect("a pattern"));
        let mut parts = parts.split('/').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        Self { branch: made(pattern.unwrap_or(&default)), session: part(), user: part(), date: part() }
    }
}

impl SettingsView {
    fn new(project: &Project, caller: &Caller, example: Example) -> Self {
        let head = Head::new(project, &caller.actor, Tab::Settings);
        Self {
            description: head.description.clone(),
            agent: head.agent.clone().unwrap_or_default(),
            pattern: head.push_pattern.clone().unwrap_or_default(),
            example,
            head,
            problem: None,
        }
    }
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    crate::extract::Params(did): crate::extract::Params<crate::pages::frame::Did>,
) -> Answer<Response> {
    let view = view(&app, &caller, &known(&app, &project).await?).await?;
    Ok(Page::new(frame(&app, &caller, "Project settings").after(did.did.as_deref()), view).into_response())
}

async fn view(app: &App, caller: &Caller, project: &Project) -> Answer<SettingsView> {
    let person = app.store.user(&caller.actor.user).await?;
    let user = person.map_or_else(|| caller.actor.user.to_string(), |person| person.name);
    let now = app.now();
    let id = SessionId::new(now, &*app.entropy);
    let example = Example::new(project.settings.push_pattern.as_ref(), &id, &user, now);
    Ok(SettingsView::new(project, caller, example))
}

pub(super) async fn change(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    form: Form,
) -> Answer<Response> {
    let done = match read(&form) {
        Ok(change) => app.engine.change_project(&caller.actor, &project, change).await.map(drop),
        Err(problem) => Err(problem),
    };
    let Err(problem) = done else { return Ok(back(&project, "/settings", "project-changed").into_response()) };
    let typed = |name: &str| form.get(name).to_owned();
    let view = SettingsView {
        description: typed("description"),
        agent: typed("agent"),
        pattern: typed("pattern"),
        problem: Some((&problem).into()),
        ..view(&app, &caller, &known(&app, &project).await?).await?
    };
    Ok(Page::new(frame(&app, &caller, "Project settings"), view).with_status(refused(&problem)).into_response())
}

/// What the form asks for: all of the settings, an empty field taking one away.
fn read(form: &Form) -> Result<ProjectChange, Problem> {
    let agent = shell_words::split(form.get("agent")).map_err(|_| {
        Problem::new(ProblemCode::InvalidInput, "A quotation mark in the agent's command is not closed.")
    })?;
    let pattern = Some(form.get("pattern")).filter(|text| !text.is_empty());
    Ok(ProjectChange {
        description: Some(form.get("description").parse().map_err(|error| wrong(&error))?),
        default_agent: Some(Some(agent).filter(|words| !words.is_empty())),
        push_pattern: Some(pattern.map(str::parse).transpose().map_err(|error| wrong(&error))?),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::tests::{now, project},
        *,
    };
    use crate::pages::render::tests::html;

    fn view() -> SettingsView {
        let shop = project("web-shop", "The shop, its API and its design tokens.");
        let id = "018f0000-0000-7000-8000-0123456789ab".parse().unwrap();
        let example = Example::new(shop.settings.push_pattern.as_ref(), &id, "Ann Ng", now());
        SettingsView::new(&shop, &Caller::admin(), example)
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let problem = wrong(&"agents".parse::<PushPattern>().unwrap_err());
        let refused = SettingsView { pattern: "agents".into(), problem: Some((&problem).into()), ..view() };
        vec![("project_settings", html(view())), ("project_settings_refused", html(refused))]
    }

    #[test]
    fn the_example_is_what_a_session_would_push_to() {
        let Example { branch, session, user, date } = view().example;
        assert_eq!(branch, "agents/ann-ng/0123456789ab");
        assert_eq!((&*session, &*user, &*date), ("0123456789ab", "ann-ng", "2026-11-21"));
    }

    #[test]
    fn an_empty_field_takes_a_setting_away() {
        let change = read(&Form::of("description=x&agent=&pattern=")).unwrap();
        assert_eq!((change.default_agent, change.push_pattern), (Some(None), Some(None)));
        let change = read(&Form::of("description=&agent=sh+-c+%27a+b%27&pattern=a/{session}")).unwrap();
        assert_eq!(change.default_agent.unwrap().unwrap(), ["sh", "-c", "a b"]);
        for wrong in ["agent=%27", "pattern=agents", "description=a%E2%80%AEb"] {
            assert!(read(&Form::of(wrong)).is_err(), "{wrong}");
        }
    }
}
