//! Asking for a session.

use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use valetkey_model::{Assistant, AssistantId, Integration, OwnerScope, Problem, ProjectName, Role, SessionId};

use super::{
    ProjectChoice,
    check::CheckView,
    draft::{Draft, RepositoryEntry},
};
use crate::{
    App,
    auth::Caller,
    extract::Params,
    pages::{
        form::{Form, refused},
        frame::{Frame, Section},
        render::{Page, View},
    },
    problem::Answer,
};

#[derive(Debug, Serialize)]
struct NewView {
    draft: Draft,
    /// The assistant that it starts from.
    assistant: Option<Origin>,
    projects: ProjectChoice,
    choices: Vec<Choice>,
}

impl View for NewView {
    const TEMPLATE: &'static str = "new_session.html";
}

/// An assistant to start from.
#[derive(Debug, Serialize)]
struct Origin {
    id: String,
    name: String,
    project: String,
}

/// An integration to choose.
#[derive(Debug, Serialize)]
struct Choice {
    id: String,
    alias: String,
    provider: &'static str,
    host: String,
    level: &'static str,
}

impl From<Integration> for Choice {
    fn from(integration: Integration) -> Self {
        Self {
            id: integration.id.to_string(),
            alias: integration.alias.to_string(),
            provider: integration.provider.name(),
            host: integration.instance_url.authority(),
            level: match integration.scope {
                OwnerScope::Project(_) => "of the project",
                OwnerScope::User(_) | OwnerScope::UserGlobal => "yours",
            },
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Prefill {
    /// The session to run once more.
    from: Option<SessionId>,
    /// The assistant to start from.
    assistant: Option<AssistantId>,
    /// The project to start it in.
    project: Option<ProjectName>,
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Params(Prefill { from, assistant, project }): Params<Prefill>,
) -> Answer<Response> {
    let mut draft = match from {
        Some(id) => Draft::from(&app.engine.session(&caller.actor, &id).await?),
        None => Draft::default(),
    };
    if let Some(id) = assistant {
        draft.assistant = app.engine.assistants().get(&caller.actor, &id).await?.id.to_string();
    }
    Ok(page(&app, &caller, draft.in_project(project.as_ref())).await?.into_response())
}

pub(super) async fn create(State(app): State<App>, caller: Caller, form: Form) -> Answer<Response> {
    let mut draft = Draft::typed(&form);
    if form.has("choose") || change_rows(&mut draft, &form) {
        return Ok(page(&app, &caller, draft).await?.into_response());
    }
    if let Err(problem) = origin(&app, &caller, &mut draft).await {
        return Ok(page(&app, &caller, draft).await?.with_status(refused(&problem)).into_response());
    }
    let project = draft.read_project();
    if let (Some(project), true) = (&project, form.has("check")) {
        check(&app, &caller, project, &mut draft).await;
        return Ok(page(&app, &caller, draft).await?.into_response());
    }
    let (Some(new), Some(project)) = (draft.read(), project) else {
        return Ok(page(&app, &caller, draft).await?.with_status(StatusCode::BAD_REQUEST).into_response());
    };
    match app.engine.create(&caller.actor, &project, new).await {
        Ok(session) => Ok(Redirect::to(&format!("/sessions/{}", session.id)).into_response()),
        Err(problem) => {
            draft.refuse(&problem);
            Ok(page(&app, &caller, draft).await?.with_status(refused(&problem)).into_response())
        }
    }
}

/// Puts beside each repository what a session would find there.
async fn check(app: &App, caller: &Caller, project: &ProjectName, draft: &mut Draft) {
    let assistant = draft.read_assistant().flatten();
    let (rows, repositories): (Vec<_>, Vec<_>) = draft.read_repositories().into_iter().unzip();
    match app.engine.check(&caller.actor, project, assistant.as_ref(), &repositories).await {
        Ok(checked) => {
            for (row, checked) in rows.into_iter().zip(checked) {
                draft.repositories[row].check = Some(checked.into());
            }
        }
        Err(problem) => {
            for row in rows {
                draft.repositories[row].check = Some(CheckView::refused(&problem));
            }
        }
    }
}

/// Adds or removes a row if that is what was pressed; browsers that run the script do it themselves.
fn change_rows(draft: &mut Draft, form: &Form) -> bool {
    if form.has("add") {
        draft.repositories.push(RepositoryEntry::default());
        return true;
    }
    let Ok(row) = form.get("remove").parse::<usize>() else { return false };
    if row < draft.repositories.len() && draft.repositories.len() > 1 {
        draft.repositories.remove(row);
    }
    true
}

async fn page(app: &App, caller: &Caller, mut draft: Draft) -> Result<Page<NewView>, Problem> {
    let projects = ProjectChoice::of(app, &caller.actor, Role::Member).await?;
    let assistant = match origin(app, caller, &mut draft).await {
        Ok(assistant) => assistant,
        Err(problem) => {
            draft.refuse(&problem);
            None
        }
    };
    let draft = draft.in_project(projects.first());
    let choices = match draft.project.value.parse() {
        Ok(project) => usable(app, caller, &project).await?,
        Err(_) => Vec::new(),
    };
    let view = NewView { draft, assistant, projects, choices: choices.into_iter().map(Choice::from).collect() };
    Ok(Page::new(Frame::new(app, caller, Section::Sessions, "New session"), view))
}

/// The assistant that a session is to start from. The session belongs to its project.
async fn origin(app: &App, caller: &Caller, draft: &mut Draft) -> Result<Option<Origin>, Problem> {
    let Ok(id) = draft.assistant.parse() else { return Ok(None) };
    let Assistant { id, name, project, .. } = app.engine.assistants().get(&caller.actor, &id).await?;
    project.as_str().clone_into(&mut draft.project.value);
    Ok(Some(Origin { id: id.to_string(), name: name.to_string(), project: project.to_string() }))
}

/// The accounts that sessions of the caller in a project can work on repositories with.
async fn usable(app: &App, caller: &Caller, project: &ProjectName) -> Result<Vec<Integration>, Problem> {
    let mut all = app.store.integrations_for(&caller.actor.user, project).await?;
    all.retain(|it| it.provider.is_forge() && caller.actor.uses(it, project));
    Ok(all)
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::{Phase, ProblemCode, ProviderKind, Reason};
    use valetkey_sessions::{CheckedRepository, ServedBy};

    use super::{super::tests::session, *};
    use crate::pages::{integrations::tests::integration, render::tests::html};

    fn view(draft: Draft, choices: bool) -> NewView {
        let all = ProviderKind::ALL.into_iter().filter(|kind| kind.is_forge()).zip(1..);
        let choices = all.filter(|_| choices).map(|(kind, n)| integration(n, kind).into()).collect();
        let projects = ProjectChoice::from(["default", "web"].map(|name| name.parse().unwrap()).to_vec());
        NewView { draft, assistant: None, projects, choices }
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let mut wrong = Draft::typed(&Form::of("project=&task=&url=nonsense&branch=main&pushBranch=a..b&minutes=60"));
        assert!(wrong.read().is_none() && wrong.read_project().is_none());
        wrong.refuse(&Problem::new(ProblemCode::InvalidInput, "The same repository is named twice. Name each once."));
        let mut again = Draft::from(&session(1, Phase::Failed));
        let url = "https://gitlab.com/acme/web/app".parse().unwrap();
        let reason = "'Work' is the only User Global integration for https://gitlab.com.".to_owned();
        let served_by = Some(ServedBy::Integration(Box::new(integration(1, ProviderKind::GitLab)), reason));
        let good = CheckedRepository { url, served_by, default_branch: Some("main".into()), problem: None };
        let refusal = Problem::new(ProblemCode::PushNotAllowed, "You may read acme/design-tokens and not push to it.");
        let bad = CheckedRepository { problem: Some(refusal.remedy("Ask for the role Developer.")), ..good.clone() };
        again.repositories[0].check = Some(good.into());
        again.repositories[1].check = Some(bad.into());
        let mut reading =
            Draft::typed(&Form::of("task=Read&url=https%3A%2F%2Fgitlab.com%2Facme%2Fdocs&integration=none"));
        let why = Some(ServedBy::Nothing(Reason::NO_INTEGRATION.to_owned()));
        let url = "https://gitlab.com/acme/docs".parse().unwrap();
        let found = CheckedRepository { url, served_by: why, default_branch: None, problem: None };
        reading.repositories[0].check = Some(found.into());
        let nowhere = NewView { projects: ProjectChoice::default(), ..view(Draft::default(), false) };
        let origin = Origin {
            id: "018f0000-0000-7000-8000-000000000201".into(),
            name: "Release manager".into(),
            project: "default".into(),
        };
        let of_an_assistant = NewView { assistant: Some(origin), ..view(Draft::default(), true) };
        vec![
            ("new_session_of_an_assistant", html(of_an_assistant)),
            ("new_session", html(view(Draft::default(), true))),
            ("new_session_again", html(view(again, true))),
            ("new_session_that_only_reads", html(view(reading, true))),
            ("new_session_refused", html(view(wrong, false))),
            ("new_session_nowhere", html(nowhere)),
        ]
    }

    #[test]
    fn rows_come_and_go_without_a_script() {
        let two = "url=a&branch=&pushBranch=&integration=&url=b&branch=&pushBranch=&integration=";
        for (press, urls) in [("&add=1", vec!["a", "b", ""]), ("&remove=0", vec!["b"]), ("&remove=9", vec!["a", "b"])] {
            let form = Form::of(&format!("{two}{press}"));
            let mut draft = Draft::typed(&form);
            assert!(change_rows(&mut draft, &form));
            assert_eq!(draft.repositories.iter().map(|row| &*row.url.value).collect::<Vec<_>>(), urls);
        }
        let form = Form::of(two);
        assert!(!change_rows(&mut Draft::typed(&form), &form));
    }

    #[test]
    fn what_was_typed_is_escaped() {
        let form = Form::of("task=%3C%2Ftextarea%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E&url=%22%3E%3Cimg&minutes=60");
        let mut draft = Draft::typed(&form);
        assert!(draft.read().is_none());
        let page = html(view(draft, false));
        assert!(!page.contains("<script>alert") && !page.contains("\"><img"), "{page}");
    }
}
