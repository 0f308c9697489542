//! Asking for a session.

use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use valetkey_model::{Assistant, AssistantId, AssistantRef, Integration, Problem, ProjectName, Session, SessionId};
use valetkey_sessions::NewSession;

use super::draft::{Draft, RepositoryEntry};
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
}

impl From<Integration> for Choice {
    fn from(integration: Integration) -> Self {
        Self {
            id: integration.id.to_string(),
            alias: integration.alias.to_string(),
            provider: integration.provider.name(),
            host: integration.instance_url.authority(),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Prefill {
    /// The session to run once more.
    from: Option<SessionId>,
    /// The assistant to start from.
    assistant: Option<AssistantId>,
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Params(Prefill { from, assistant }): Params<Prefill>,
) -> Answer<Response> {
    let mut draft = match from {
        Some(id) => Draft::from(&app.engine.session(&caller.actor, &id).await?.spec),
        None => Draft::default(),
    };
    if let Some(id) = assistant {
        draft.assistant = app.engine.assistants().get(&caller.actor, &id).await?.id.to_string();
    }
    Ok(page(&app, &caller, draft).await?.into_response())
}

pub(super) async fn create(State(app): State<App>, caller: Caller, form: Form) -> Answer<Response> {
    let mut draft = Draft::typed(&form);
    if change_rows(&mut draft, &form) {
        return Ok(page(&app, &caller, draft).await?.into_response());
    }
    let Some(new) = draft.read() else {
        return Ok(page(&app, &caller, draft).await?.with_status(StatusCode::BAD_REQUEST).into_response());
    };
    match start(&app, &caller, new).await {
        Ok(session) => Ok(Redirect::to(&format!("/sessions/{}", session.id)).into_response()),
        Err(problem) => {
            draft.refuse(&problem);
            Ok(page(&app, &caller, draft).await?.with_status(refused(&problem)).into_response())
        }
    }
}

/// A session from an assistant belongs to the assistant's project.
async fn start(app: &App, caller: &Caller, new: NewSession) -> Result<Session, Problem> {
    let project = match &new.assistant {
        Some(AssistantRef::Id(id)) => app.engine.assistants().get(&caller.actor, id).await?.project,
        _ => ProjectName::default_project(),
    };
    app.engine.create(&caller.actor, &project, new).await
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
    let assistant = match draft.assistant.parse() {
        Ok(id) => match app.engine.assistants().get(&caller.actor, &id).await {
            Ok(Assistant { id, name, project, .. }) => {
                Some(Origin { id: id.to_string(), name: name.to_string(), project: project.to_string() })
            }
            Err(problem) => {
                draft.refuse(&problem);
                None
            }
        },
        Err(_) => None,
    };
    let choices = app.integrations.own(&caller.actor, None).await?.into_iter().map(Choice::from).collect();
    Ok(Page::new(Frame::new(app, caller, Section::Sessions, "New session"), NewView { draft, assistant, choices }))
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::{ProblemCode, ProviderKind};

    use super::{super::tests::spec, *};
    use crate::pages::{integrations::tests::integration, render::tests::html};

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let choices = || ProviderKind::ALL.into_iter().zip(1..).map(|(kind, n)| integration(n, kind).into()).collect();
        let origin = Origin {
            id: "018f0000-0000-7000-8000-000000000201".into(),
            name: "Release manager".into(),
            project: "default".into(),
        };
        let mut wrong =
            Draft::typed(&Form::of("task=&url=nonsense&branch=main&pushBranch=a..b&integration=&minutes=60"));
        assert!(wrong.read().is_none());
        wrong.refuse(&Problem::new(ProblemCode::InvalidInput, "The same repository is named twice. Name each once."));
        vec![
            ("new_session", html(NewView { draft: Draft::default(), assistant: None, choices: choices() })),
            (
                "new_session_again",
                html(NewView { draft: Draft::from(&spec()), assistant: Some(origin), choices: choices() }),
            ),
            ("new_session_refused", html(NewView { draft: wrong, assistant: None, choices: Vec::new() })),
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
        let page = html(NewView { draft, assistant: None, choices: Vec::new() });
        assert!(!page.contains("<script>alert") && !page.contains("\"><img"), "{page}");
    }
}
