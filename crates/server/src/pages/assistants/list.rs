use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use valetkey_model::{Actor, Assistant, AssistantId, Integration, Problem, Project, ProjectName, Role};
use valetkey_store::AssistantFilter;

use super::{
    address,
    slots::{Tool, tools},
};
use crate::{
    App,
    api::projects::known,
    auth::Caller,
    extract::{Id, Params},
    pages::{
        frame::{Frame, Section},
        projects::{
            self,
            head::{Head, Tab},
        },
        render::{Page, View},
        words::Moment,
    },
    problem::Answer,
};

/// How many assistants a page shows.
const PAGE: usize = 25;

#[derive(Debug, Serialize)]
struct ListView {
    /// The path of this list.
    here: String,
    /// The one project of this list, if it is narrowed to one by its path.
    head: Option<Head>,
    projects: Vec<String>,
    /// The project that is chosen in the filter.
    project: String,
    text: String,
    items: Vec<Item>,
    /// Whether the caller may make one somewhere here.
    may_create: bool,
    /// The address of the page that follows.
    next: Option<String>,
    /// The address of the first page, where this is another.
    first: Option<String>,
}

impl View for ListView {
    const TEMPLATE: &'static str = "assistants.html";
}

#[derive(Debug, Serialize)]
struct Item {
    id: String,
    name: String,
    project: String,
    description: String,
    own: bool,
    open: bool,
    tools: Vec<Tool>,
    may_start: bool,
    may_change: bool,
    changed: Moment,
}

impl Item {
    fn new(assistant: &Assistant, all: &[Integration], by: &Actor, now: Timestamp) -> Self {
        Self {
            id: assistant.id.to_string(),
            name: assistant.name.to_string(),
            project: assistant.project.to_string(),
            description: assistant.description.clone(),
            own: assistant.owner == by.user,
            open: assistant.tools.is_open(),
            tools: tools(assistant, all, by),
            may_start: by.is(Role::Member, &assistant.project),
            may_change: assistant.require_to_change(by).is_ok(),
            changed: Moment::past(now, assistant.updated_at),
        }
    }
}

/// Which assistants to show.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    project: String,
    #[serde(default)]
    q: String,
    after: Option<AssistantId>,
    did: Option<String>,
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Answer<impl IntoResponse> {
    page(&app, &caller, None, wanted).await
}

pub(super) async fn of_project(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(wanted): Params<Wanted>,
) -> Answer<impl IntoResponse> {
    page(&app, &caller, Some(known(&app, &project).await?), wanted).await
}

async fn page(app: &App, caller: &Caller, only: Option<Project>, wanted: Wanted) -> Answer<Page<ListView>> {
    let by = &caller.actor;
    let projects = if only.is_some() { Vec::new() } else { projects_of(app, by).await? };
    let narrowed = only.as_ref().map(|project| project.name.clone());
    let chosen = narrowed.clone().or_else(|| wanted.project.parse().ok());
    let filter = AssistantFilter { project: chosen.as_ref(), text: Some(&wanted.q) };
    let mut found = app.engine.assistants().page(by, &filter, wanted.after.as_ref(), PAGE as u32 + 1).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let members = narrowed.iter().chain(&projects).any(|project| by.is(Role::Member, project));
    let here = narrowed.as_ref().map_or_else(|| "/assistants".to_owned(), address);
    let project = chosen.as_ref().filter(|_| only.is_none()).map(ToString::to_string).unwrap_or_default();
    let at = |after: Option<&AssistantId>| {
        let mut query = url::form_urlencoded::Serializer::new(format!("{here}?"));
        query
            .extend_pairs([("q", &wanted.q), ("project", &project)].into_iter().filter(|(_, value)| !value.is_empty()));
        query.extend_pairs(after.map(|id| ("after", id.as_str())));
        query.finish()
    };
    let view = ListView {
        head: only.as_ref().map(|project| Head::new(project, by, Tab::Assistants)),
        projects: projects.iter().map(ToString::to_string).collect(),
        next: found.last().filter(|_| more).map(|last| at(Some(&last.id))),
        first: wanted.after.is_some().then(|| at(None)),
        items: items(app, by, &found).await?,
        here,
        project,
        text: wanted.q,
        may_create: members,
    };
    let frame = match &narrowed {
        Some(project) => projects::frame(app, caller, format!("Assistants · {project}")),
        None => Frame::new(app, caller, Section::Assistants, "Assistants"),
    };
    Ok(Page::new(frame.after(wanted.did.as_deref()), view))
}

/// What the caller could use is looked up once for each project on the page.
async fn items(app: &App, by: &Actor, found: &[Assistant]) -> Result<Vec<Item>, Problem> {
    let mut known: Vec<(ProjectName, Vec<Integration>)> = Vec::new();
    for assistant in found {
        if known.iter().all(|(project, _)| *project != assistant.project) {
            let all = app.engine.assistants().integrations(by, &assistant.project).await?;
            known.push((assistant.project.clone(), all));
        }
    }
    let all = |project| known.iter().find(|(of, _)| of == project).map_or(&[][..], |(_, all)| all);
    Ok(found.iter().map(|it| Item::new(it, all(&it.project), by, app.now())).collect())
}

/// The projects that somebody is in.
async fn projects_of(app: &App, by: &Actor) -> Result<Vec<ProjectName>, Problem> {
    let mut all = app.store.projects().await?;
    all.retain(|project| by.role(project).is_some());
    Ok(all)
}

#[derive(Debug, Serialize)]
struct ProjectsView {
    projects: Vec<String>,
}

impl View for ProjectsView {
    const TEMPLATE: &'static str = "assistant_project.html";
}

/// Where a new one is to be, for whoever is a member of several projects.
pub(super) async fn choose_project(State(app): State<App>, caller: Caller) -> Answer<Response> {
    let mut all = projects_of(&app, &caller.actor).await?;
    all.retain(|project| caller.actor.is(Role::Member, project));
    if let [only] = all.as_slice() {
        return Ok(Redirect::to(&format!("{}/new", address(only))).into_response());
    }
    let view = ProjectsView { projects: all.iter().map(ToString::to_string).collect() };
    Ok(Page::new(Frame::new(&app, &caller, Section::Assistants, "New assistant"), view).into_response())
}

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::tests::{assistant, integrations},
        *,
    };
    use crate::pages::{integrations::tests::now, projects::tests::project, render::tests::html};

    fn view(items: Vec<Item>) -> ListView {
        ListView {
            here: "/assistants".into(),
            head: None,
            projects: vec!["default".into(), "web".into()],
            project: String::new(),
            text: String::new(),
            next: None,
            items,
            may_create: true,
            first: None,
        }
    }

    fn item(assistant: &Assistant) -> Item {
        Item::new(assistant, &integrations(), &Actor::admin(), now())
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let open = Assistant {
            name: "Anything".parse().unwrap(),
            description: String::new(),
            owner: "eve".parse().unwrap(),
            tools: valetkey_model::Tools::default(),
            ..assistant(2)
        };
        let both = vec![item(&assistant(1)), item(&open)];
        let narrowed = ListView {
            here: "/projects/default/assistants".into(),
            head: Some(Head::new(&project("default", ""), &Actor::admin(), Tab::Assistants)),
            projects: Vec::new(),
            next: Some("/projects/default/assistants?after=018f0000-0000-7000-8000-000000000201".into()),
            ..view(vec![item(&assistant(1))])
        };
        vec![
            ("assistants", html(view(both))),
            ("assistants_of_project", html(narrowed)),
            ("assistants_empty", html(view(Vec::new()))),
            ("assistants_none_found", html(ListView { text: "x".into(), ..view(Vec::new()) })),
            ("assistant_project", html(ProjectsView { projects: vec!["default".into(), "web".into()] })),
        ]
    }

    #[test]
    fn what_others_wrote_is_escaped() {
        let hostile = Assistant {
            name: "<script>alert(1)</script>".parse().unwrap(),
            description: "\u{202e}<img src=x>".into(),
            ..assistant(1)
        };
        let page = html(view(vec![item(&hostile)]));
        assert!(!page.contains("<script>alert") && !page.contains("<img") && !page.contains('\u{202e}'), "{page}");
    }

    #[test]
    fn a_missing_integration_is_shown() {
        let page = html(view(vec![item(&assistant(1))]));
        assert!(page.contains("missing integration") && page.contains("was disconnected"), "{page}");
    }
}
