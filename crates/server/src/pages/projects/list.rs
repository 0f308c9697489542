use axum::{extract::State, response::IntoResponse};
use serde::{Deserialize, Serialize};
use valetkey_model::{Actor, Project, ProjectName, Role};

use super::{PAGE, frame, query};
use crate::{
    App,
    auth::Caller,
    extract::Params,
    pages::render::{Page, View},
    problem::Answer,
};

#[derive(Debug, Serialize)]
struct ListView {
    /// What was looked for.
    q: String,
    items: Vec<Item>,
    /// The query of the page that follows.
    next: Option<String>,
    first: bool,
    may_create: bool,
}

#[derive(Debug, Serialize)]
struct Item {
    name: String,
    description: String,
    role: &'static str,
}

impl View for ListView {
    const TEMPLATE: &'static str = "projects.html";
}

impl ListView {
    fn new(q: &str, mut found: Vec<Project>, by: &Actor, first: bool, may_create: bool) -> Self {
        let more = found.len() > PAGE;
        found.truncate(PAGE);
        let last = found.last().filter(|_| more).map(|project| project.name.to_string());
        let item = |project: &Project| Item {
            name: project.name.to_string(),
            description: project.description.as_str().lines().next().unwrap_or_default().to_owned(),
            role: by.role(&project.name).unwrap_or(Role::Viewer).as_str(),
        };
        Self {
            q: q.to_owned(),
            items: found.iter().map(item).collect(),
            next: last.map(|after| query(&[("q", q), ("after", &after)])),
            first,
            may_create,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    q: String,
    after: Option<ProjectName>,
    did: Option<String>,
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Params(Wanted { q, after, did }): Params<Wanted>,
) -> Answer<impl IntoResponse> {
    let found = app.store.projects_page(&caller.actor, Some(&q), after.as_ref(), PAGE as u32 + 1).await?;
    let may_create = app.config.project_creation.require(&caller.actor).is_ok();
    let view = ListView::new(q.trim(), found, &caller.actor, after.is_none(), may_create);
    Ok(Page::new(frame(&app, &caller, "Projects").after(did.as_deref()), view))
}

#[cfg(test)]
pub(super) mod tests {
    use super::{
        super::tests::{ann, project},
        *,
    };
    use crate::pages::render::tests::html;

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let ann = ann(Role::Admin);
        let all = vec![project("infra", ""), project("web-shop", "The shop, its API and its design tokens.\nMore.")];
        vec![
            ("projects", html(ListView::new("", all, &ann, true, true))),
            ("projects_empty", html(ListView::new("", Vec::new(), &ann, true, true))),
            ("projects_closed", html(ListView::new("", Vec::new(), &ann, true, false))),
            ("projects_not_found", html(ListView::new("<b>shop</b>", Vec::new(), &ann, true, true))),
        ]
    }

    #[test]
    fn the_next_page_goes_on_with_what_was_looked_for() {
        let many = (0..=PAGE).map(|n| project(&format!("p{n:02}"), "")).collect();
        let view = ListView::new("p&", many, &Actor::admin(), true, true);
        assert_eq!((view.items.len(), view.next.as_deref()), (PAGE, Some("q=p%26&after=p24")));
    }
}
