use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use valetkey_model::{
    Actor, Assistant, AssistantRef, IntegrationId, Problem, ProblemCode, ProjectName, ProviderKind, Role, Tools,
};
use valetkey_sessions::{MissingTool, Saved};

use super::{
    address,
    draft::Draft,
    slots::{Ground, Row},
};
use crate::{
    App,
    auth::Caller,
    extract::{Id, Ids, Params},
    pages::{
        form::{Form, refused},
        projects::{
            frame,
            head::{Tab, Tabs},
        },
        render::{Page, View},
    },
    problem::Answer,
};

#[derive(Debug, Serialize)]
struct EditView {
    tabs: Tabs,
    project: String,
    /// The one that is edited; none for a new one.
    known: Option<Known>,
    may_change: bool,
    may_start: bool,
    /// Where the form is sent.
    action: String,
    /// The path of this form, to come back to.
    here: String,
    draft: Draft,
    rows: Vec<Row>,
    /// What is asked about before it is stored.
    missing: Vec<Missing>,
}

impl View for EditView {
    const TEMPLATE: &'static str = "assistant.html";
}

#[derive(Debug, Serialize)]
struct Known {
    id: String,
    name: String,
}

#[derive(Debug, Serialize)]
struct Missing {
    name: &'static str,
    why: String,
}

impl From<MissingTool> for Missing {
    fn from(MissingTool { provider, why }: MissingTool) -> Self {
        Self { name: provider.name(), why }
    }
}

impl EditView {
    fn new(known: Option<&Assistant>, draft: Draft, on: Ground<'_>, missing: Vec<MissingTool>) -> Self {
        let list = address(on.project);
        let (action, here) = match known {
            Some(known) => (format!("{list}/{}", known.id), format!("{list}/{}", known.id)),
            None => (list.clone(), format!("{list}/new")),
        };
        Self {
            tabs: Tabs::new(on.project, on.by, Tab::Assistants),
            project: on.project.to_string(),
            known: known.map(|known| Known { id: known.id.to_string(), name: known.name.to_string() }),
            may_change: known.is_none_or(|known| known.require_to_change(on.by).is_ok()),
            may_start: known.is_some() && on.by.is(Role::Member, on.project),
            action,
            here,
            rows: ProviderKind::ALL.map(|provider| Row::new(provider, draft.slot(provider), on)).into(),
            draft,
            missing: missing.into_iter().map(Missing::from).collect(),
        }
    }
}

/// What was done elsewhere before the form was opened.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Came {
    did: Option<String>,
    /// The integration that was connected for it.
    added: Option<IntegrationId>,
}

/// The form for one assistant, and what it stands on.
struct Desk {
    app: App,
    caller: Caller,
    project: ProjectName,
    known: Option<Assistant>,
}

impl Desk {
    /// For an assistant that is there already.
    async fn with(app: App, caller: Caller, project: ProjectName, which: &AssistantRef) -> Result<Self, Problem> {
        let known = Some(app.engine.assistants().named(&caller.actor, &project, which).await?);
        Ok(Self { app, caller, project, known })
    }

    /// The form as it is first shown, with what was connected for it.
    async fn open(self, came: Came) -> Answer<Response> {
        let mut draft = self.known.as_ref().map_or_else(Draft::default, Draft::from);
        let all = self.app.engine.assistants().integrations(&self.caller.actor, &self.project).await?;
        draft.choose_connected(&all);
        if let Some(integration) = all.iter().find(|it| Some(&it.id) == came.added.as_ref()) {
            draft.choose(integration);
        }
        Ok(self.page(draft, Vec::new(), came.did.as_deref()).await?.into_response())
    }

    /// Stores what was sent, or shows the form again with what is wrong with it or to be asked.
    async fn save(self, form: &Form) -> Answer<Response> {
        let mut draft = Draft::typed(form);
        let Some(new) = draft.read(form.has("acceptMissing")) else {
            return Ok(self.page(draft, Vec::new(), None).await?.with_status(StatusCode::BAD_REQUEST).into_response());
        };
        let (assistants, by) = (self.app.engine.assistants(), &self.caller.actor);
        let saved = match &self.known {
            Some(known) => assistants.change(by, &self.project, &AssistantRef::Id(known.id.clone()), new).await,
            None => assistants.create(by, &self.project, new).await,
        };
        match saved {
            Ok(Saved::Done(..)) => {
                let did = if self.known.is_some() { "assistant-saved" } else { "assistant-made" };
                Ok(Redirect::to(&format!("{}?did={did}", address(&self.project))).into_response())
            }
            Ok(Saved::Asks(missing)) => {
                Ok(self.page(draft, missing, None).await?.with_status(StatusCode::CONFLICT).into_response())
            }
            Err(problem) if matches!(problem.code, ProblemCode::Internal | ProblemCode::NotFound) => {
                Err(problem.into())
            }
            Err(problem) => {
                draft.refuse(&problem);
                Ok(self.page(draft, Vec::new(), None).await?.with_status(refused(&problem)).into_response())
            }
        }
    }

    async fn page(
        &self,
        draft: Draft,
        missing: Vec<MissingTool>,
        did: Option<&str>,
    ) -> Result<Page<EditView>, Problem> {
        let by = &self.caller.actor;
        let all = self.app.engine.assistants().integrations(by, &self.project).await?;
        let plain = Tools::default();
        let tools = self.known.as_ref().map_or(&plain, |known| &known.tools);
        let on = Ground { by, project: &self.project, all: &all, known: tools };
        let title = self.known.as_ref().map_or("New assistant", |known| known.name.as_str());
        let frame = frame(&self.app, &self.caller, title).after(did);
        Ok(Page::new(frame, EditView::new(self.known.as_ref(), draft, on, missing)))
    }
}

pub(super) async fn new(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(came): Params<Came>,
) -> Answer<Response> {
    if !app.store.project_exists(&project).await? {
        return Err(Actor::no_project(&project).into());
    }
    Desk { app, caller, project, known: None }.open(came).await
}

pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    form: Form,
) -> Answer<Response> {
    Desk { app, caller, project, known: None }.save(&form).await
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Ids(project, which): Ids<ProjectName, AssistantRef>,
    Params(came): Params<Came>,
) -> Answer<Response> {
    Desk::with(app, caller, project, &which).await?.open(came).await
}

pub(super) async fn change(
    State(app): State<App>,
    caller: Caller,
    Ids(project, which): Ids<ProjectName, AssistantRef>,
    form: Form,
) -> Answer<Response> {
    Desk::with(app, caller, project, &which).await?.save(&form).await
}

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::tests::{assistant, integrations},
        *,
    };
    use crate::pages::render::tests::html;

    fn view(known: Option<&Assistant>, draft: Draft, by: &Actor, missing: Vec<MissingTool>) -> EditView {
        let (project, all, plain) = (ProjectName::default_project(), integrations(), Tools::default());
        let tools = known.map_or(&plain, |known| &known.tools);
        EditView::new(known, draft, Ground { by, project: &project, all: &all, known: tools }, missing)
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let (known, admin) = (assistant(1), Actor::admin());
        let viewer = Actor::new("eve".parse().unwrap(), false, [(known.project.clone(), Role::Viewer)].into());
        let missing = [
            (ProviderKind::Jira, "The integration that is pinned for Jira was disconnected."),
            (ProviderKind::GitHub, "No integration is connected for GitHub."),
        ];
        let missing = missing.map(|(provider, why)| MissingTool { provider, why: why.to_owned() }).into();
        let mut refused = Draft::typed(&Form::of("name=&agent=%27&tools=only&slot-gitlab=automatic"));
        assert!(refused.read(false).is_none());
        refused.refuse(&Problem::new(ProblemCode::InvalidInput, "The instructions must be at most 20 KiB of text."));
        vec![
            ("assistant_new", html(view(None, Draft::default(), &admin, Vec::new()))),
            ("assistant", html(view(Some(&known), Draft::from(&known), &admin, Vec::new()))),
            ("assistant_asks", html(view(Some(&known), Draft::from(&known), &admin, missing))),
            ("assistant_refused", html(view(None, refused, &admin, Vec::new()))),
            ("assistant_to_look_at", html(view(Some(&known), Draft::from(&known), &viewer, Vec::new()))),
        ]
    }

    #[test]
    fn the_form_offers_to_connect_what_it_needs_for_this_project() {
        let known = assistant(1);
        let page = html(view(Some(&known), Draft::from(&known), &Actor::admin(), Vec::new()));
        let link =
            format!("/integrations/connect/slack?project=default&amp;return=/projects/default/assistants/{}", known.id);
        assert!(page.contains(&link), "{page}");
    }

    #[test]
    fn what_is_missing_is_asked_about() {
        let page = &samples()[2].1;
        assert!(page.contains("Save anyway") && page.contains(r#"name="acceptMissing""#), "{page}");
        assert!(!samples()[1].1.contains("acceptMissing"));
    }

    #[test]
    fn whoever_may_not_change_it_only_looks() {
        let page = &samples()[4].1;
        assert!(page.contains("<fieldset disabled") && !page.contains("data-add") && !page.contains("Save"), "{page}");
        assert!(!page.contains("/sessions/new?assistant=") && samples()[1].1.contains("/sessions/new?assistant="));
    }
}
