//! Adding repositories: found through the accounts that may be used in the project, or by their address.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use serde::{Deserialize, Serialize};
use valetkey_integrations::Portion;
use valetkey_model::{IntegrationRef, Problem, ProjectName, RepoUrl};

use super::{
    back,
    create::wrong,
    frame,
    head::{Tab, Tabs},
    query,
    repositories::repository,
};
use crate::{
    App,
    api::projects::known,
    auth::Caller,
    extract::{Id, Params},
    pages::{
        form::{Form, ProblemView, refused},
        render::{Page, View},
    },
    problem::Answer,
};

/// How many repositories of each account are shown at a time.
const OF_EACH: usize = 20;

#[derive(Debug, Serialize)]
struct AddView {
    tabs: Tabs,
    project: String,
    q: String,
    /// What was typed as an address.
    url: String,
    items: Vec<Item>,
    failures: Vec<NotAsked>,
    /// The queries of the pages around.
    next: Option<String>,
    first: bool,
    /// Whether there is an account to look with.
    connected: bool,
    problem: Option<ProblemView>,
}

impl View for AddView {
    const TEMPLATE: &'static str = "project_add.html";
}

/// A repository that was found.
#[derive(Debug, Serialize)]
struct Item {
    url: String,
    path: String,
    host: String,
    slug: &'static str,
    /// The integration that sees it.
    integration: String,
    alias: String,
    default_branch: Option<String>,
    private: bool,
    archived: bool,
    /// Whether it is one of the project's already.
    added: bool,
}

/// An account that could not be asked.
#[derive(Debug, Serialize)]
struct NotAsked {
    alias: String,
    problem: ProblemView,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    q: String,
    #[serde(default)]
    skip: usize,
    did: Option<String>,
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(Wanted { q, skip, did }): Params<Wanted>,
) -> Answer<Response> {
    let view = view(&app, &caller, &project, q.trim(), skip).await?;
    Ok(Page::new(frame(&app, &caller, "Add a repository").after(did.as_deref()), view).into_response())
}

async fn view(app: &App, caller: &Caller, project: &ProjectName, q: &str, skip: usize) -> Answer<AddView> {
    known(app, project).await?;
    let usable = app.store.integrations_for(&caller.actor.user, project).await?;
    let portion = Portion { skip: skip.min(Portion::FARTHEST), limit: OF_EACH };
    let found = app.integrations.search(&caller.actor, project, None, None, q, portion).await?;
    let of = |id| usable.iter().find(|integration| integration.id == id);
    let mut items = Vec::with_capacity(found.repositories.len());
    for (id, info) in found.repositories {
        let Some(integration) = of(id) else { continue };
        items.push(Item {
            added: app.store.repository(project, &info.url).await?.is_some(),
            url: info.url.to_string(),
            path: info.path,
            host: integration.instance_url.authority(),
            slug: integration.provider.slug(),
            integration: integration.id.to_string(),
            alias: integration.alias.to_string(),
            default_branch: info.default_branch,
            private: info.private,
            archived: info.archived,
        });
    }
    let failures = found
        .failures
        .into_iter()
        .filter_map(|(id, problem)| Some(NotAsked { alias: of(id)?.alias.to_string(), problem: (&problem).into() }));
    let next = Some(portion.skip + OF_EACH).filter(|next| found.more && *next < Portion::FARTHEST);
    Ok(AddView {
        tabs: Tabs::new(project, &caller.actor, Tab::Repositories),
        project: project.to_string(),
        q: q.to_owned(),
        url: String::new(),
        items,
        failures: failures.collect(),
        next: next.map(|next| query(&[("q", q), ("skip", &next.to_string())])),
        first: skip == 0,
        connected: usable.iter().any(|it| it.provider.is_forge() && caller.actor.uses(it, project)),
        problem: None,
    })
}

pub(super) async fn add(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    form: Form,
) -> Answer<Response> {
    let problem = match wish(&form) {
        Ok((url, integration)) => {
            match app.integrations.add_repository(&caller.actor, &project, &url, integration.as_ref()).await {
                Ok(_) => return Ok(added(&project, &form).into_response()),
                Err(problem) => problem,
            }
        }
        Err(problem) => problem,
    };
    let mut view = view(&app, &caller, &project, form.get("q"), 0).await?;
    // What is no repository's address may hold a token: that is not sent back.
    view.url = repository(form.get("url")).map(|url| url.to_string()).unwrap_or_default();
    view.problem = Some((&problem).into());
    Ok(Page::new(frame(&app, &caller, "Add a repository"), view).with_status(refused(&problem)).into_response())
}

fn wish(form: &Form) -> Result<(RepoUrl, Option<IntegrationRef>), Problem> {
    let url = repository(form.get("url"))?;
    let named = Some(form.get("integration")).filter(|named| !named.is_empty());
    Ok((url, named.map(str::parse).transpose().map_err(|error| wrong(&error))?))
}

/// From a list of what was found there may be more to add.
fn added(project: &ProjectName, form: &Form) -> Redirect {
    if form.get("integration").is_empty() {
        return back(project, "", "repository-added");
    }
    let query = query(&[("q", form.get("q")), ("did", "repository-added")]);
    Redirect::to(&format!("/projects/{project}/repositories/add?{query}"))
}

#[cfg(test)]
pub(super) mod tests {
    use valetkey_model::{ProblemCode, Role};

    use super::{super::tests::ann, *};
    use crate::pages::render::tests::html;

    fn item(path: &str, slug: &'static str, added: bool) -> Item {
        Item {
            url: format!("https://{slug}.com/{path}"),
            path: path.into(),
            host: format!("{slug}.com"),
            slug,
            integration: "018f0000-0000-7000-8000-000000000001".into(),
            alias: "Release bot".into(),
            default_branch: Some("main".into()),
            private: true,
            archived: added,
            added,
        }
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let shop = "web-shop".parse().unwrap();
        let empty = || AddView {
            tabs: Tabs::new(&shop, &ann(Role::Admin), Tab::Repositories),
            project: "web-shop".into(),
            q: String::new(),
            url: String::new(),
            items: Vec::new(),
            failures: Vec::new(),
            next: None,
            first: true,
            connected: true,
            problem: None,
        };
        let timeout: ProblemView =
            (&Problem::new(ProblemCode::ProviderUnreachable, "Connecting to gitlab.com timed out.")).into();
        let found = AddView {
            q: "shop".into(),
            items: vec![item("acme/web/shop", "gitlab", true), item("acme/shop-api", "github", false)],
            failures: vec![NotAsked { alias: "Work".into(), problem: timeout }],
            next: Some("q=shop&skip=20".into()),
            ..empty()
        };
        let refused = Problem::new(ProblemCode::RepositoryNotFound, "GitHub shows no repository acme/x to john.")
            .remedy("See that the name is right.");
        let refused = AddView { url: "https://github.com/acme/x".into(), problem: Some((&refused).into()), ..empty() };
        vec![
            ("project_add", html(found)),
            ("project_add_nothing", html(AddView { q: "<i>".into(), ..empty() })),
            ("project_add_not_connected", html(AddView { connected: false, ..empty() })),
            ("project_add_refused", html(refused)),
        ]
    }
}
