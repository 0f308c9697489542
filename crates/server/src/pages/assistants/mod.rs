//! Assistants: the lists, the form for one, and the question before one is deleted.

mod delete;
mod draft;
mod edit;
mod list;
mod slots;

use valetkey_model::{ProjectName, Role};

use crate::route::{Right, Row};

pub(super) fn rows() -> Vec<Row> {
    const OF_PROJECT: &str = "/projects/{project}/assistants";
    const ONE: &str = "/projects/{project}/assistants/{id}";
    const DELETE: &str = "/projects/{project}/assistants/{id}/delete";
    vec![
        Row::get("/assistants", list::show).page(),
        Row::get("/assistants/new", list::choose_project).page(),
        Row::get(OF_PROJECT, list::of_project).project(Role::Viewer).page(),
        Row::post(OF_PROJECT, edit::create).project(Role::Member).page(),
        Row::get("/projects/{project}/assistants/new", edit::new).project(Role::Member).page(),
        Row::get(ONE, edit::show).assistant(Right::See).page(),
        Row::post(ONE, edit::change).assistant(Right::Manage).page(),
        Row::get(DELETE, delete::show).assistant(Right::Manage).page(),
        Row::post(DELETE, delete::delete).assistant(Right::Manage).page(),
    ]
}

/// Where the assistants of a project are listed.
fn address(project: &ProjectName) -> String {
    format!("/projects/{project}/assistants")
}

#[cfg(test)]
pub(super) fn samples() -> Vec<(&'static str, String)> {
    [list::tests::samples(), edit::tests::samples(), delete::tests::samples()].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use valetkey_model::{Assistant, Integration, OwnerScope, Pin, ProjectName, ProviderKind, Slot, Tools, UserId};

    use crate::pages::integrations::tests::{integration, now};

    /// What a person's sessions could use: a GitLab of their own, and one of the project's.
    pub(super) fn integrations() -> Vec<Integration> {
        let mut all = vec![integration(1, ProviderKind::GitLab), integration(2, ProviderKind::GitLab)];
        all[1].alias = "Release bot".parse().unwrap();
        all[1].scope = OwnerScope::Project(ProjectName::default_project());
        all.push(integration(3, ProviderKind::Slack));
        all
    }

    /// One that is pinned, is automatic, and misses something.
    pub(super) fn assistant(n: u8) -> Assistant {
        let gone = Pin { integration: "018f0000-0000-7000-8000-000000000099".parse().unwrap(), private_to: None };
        let tools = [
            (ProviderKind::GitLab, Slot::Pinned(Pin::to(&integrations()[1]))),
            (ProviderKind::Jira, Slot::Pinned(gone)),
            (ProviderKind::Slack, Slot::Automatic),
            (ProviderKind::Google, Slot::None),
        ];
        Assistant {
            id: format!("018f0000-0000-7000-8000-0000000002{n:02}").parse().unwrap(),
            project: ProjectName::default_project(),
            name: "Release manager".parse().unwrap(),
            description: "Prepares releases: change log, version, tag notes.".into(),
            owner: UserId::admin(),
            instructions: "Follow CONTRIBUTING.md.\nAsk nobody; leave a note where you are not sure.".into(),
            agent: Some(vec!["claude".into(), "-p".into(), "{task}".into()]),
            tools: Tools::new(tools.into()),
            created_at: now(),
            updated_at: now(),
        }
    }
}
