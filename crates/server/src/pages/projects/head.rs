//! What all pages of a project begin with: what it is, and the tabs that lead to its other pages.

use serde::Serialize;
use valetkey_model::{Actor, Project, ProjectName, Role};

/// The head of a page that a tab leads to.
#[derive(Debug, Serialize)]
pub(in crate::pages) struct Head {
    pub(super) name: String,
    pub(super) description: String,
    role: &'static str,
    /// Whether who looks is an admin.
    admin: bool,
    pub(super) push_pattern: Option<String>,
    pub(super) agent: Option<String>,
    tabs: Tabs,
}

/// The pages of a project that are shown as tabs, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pages) enum Tab {
    Repositories,
    Members,
    Secrets,
    Assistants,
    Webhooks,
    Settings,
}

/// The tabs of a project that somebody may open.
#[derive(Debug, Serialize)]
pub(in crate::pages) struct Tabs {
    project: String,
    items: Vec<Item>,
}

#[derive(Debug, Serialize)]
struct Item {
    word: &'static str,
    href: String,
    /// Whether the page is this tab's, or one behind it.
    current: bool,
}

impl Tab {
    const ALL: [Self; 6] =
        [Self::Repositories, Self::Members, Self::Secrets, Self::Assistants, Self::Webhooks, Self::Settings];

    fn word(self) -> &'static str {
        match self {
            Self::Repositories => "Repositories",
            Self::Members => "Members",
            Self::Secrets => "Secrets",
            Self::Assistants => "Assistants",
            Self::Webhooks => "Webhooks",
            Self::Settings => "Settings",
        }
    }

    /// Its page, behind the address of the project.
    fn page(self) -> &'static str {
        match self {
            Self::Repositories => "",
            Self::Members => "/members",
            Self::Secrets => "/secrets",
            Self::Assistants => "/assistants",
            Self::Webhooks => "/webhooks",
            Self::Settings => "/settings",
        }
    }

    /// The smallest role that may open it.
    fn needs(self) -> Role {
        match self {
            Self::Repositories | Self::Assistants => Role::Viewer,
            Self::Members | Self::Secrets => Role::Member,
            Self::Webhooks | Self::Settings => Role::Admin,
        }
    }
}

impl Tabs {
    /// For a page of `current`.
    pub(in crate::pages) fn new(project: &ProjectName, by: &Actor, current: Tab) -> Self {
        let item = |tab: Tab| Item {
            word: tab.word(),
            href: format!("/projects/{project}{}", tab.page()),
            current: tab == current,
        };
        let items = Tab::ALL.into_iter().filter(|tab| by.is(tab.needs(), project)).map(item);
        Self { project: project.to_string(), items: items.collect() }
    }
}

impl Head {
    pub(in crate::pages) fn new(project: &Project, by: &Actor, tab: Tab) -> Self {
        let role = by.role(&project.name).unwrap_or(Role::Viewer);
        Self {
            name: project.name.to_string(),
            description: project.description.as_str().to_owned(),
            role: role.as_str(),
            admin: role == Role::Admin,
            push_pattern: project.settings.push_pattern.as_ref().map(ToString::to_string),
            agent: project.settings.default_agent.as_ref().map(shell_words::join),
            tabs: Tabs::new(&project.name, by, tab),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::{super::tests::ann, *};
    use crate::{
        pages::{projects, rows},
        route::Permission,
    };

    #[test]
    fn a_tab_is_shown_to_whoever_may_open_its_page() {
        let rows = rows();
        for tab in Tab::ALL {
            let path = format!("/projects/{{project}}{}", tab.page());
            let row = rows.iter().find(|row| row.path == path && row.method == Method::GET);
            assert_eq!(row.map(|row| row.permission), Some(Permission::Project(tab.needs())), "{path}");
        }
        let shop = "web-shop".parse().unwrap();
        let words = |role| {
            let tabs = Tabs::new(&shop, &ann(role), Tab::Repositories);
            tabs.items.into_iter().map(|item| item.word).collect::<Vec<_>>()
        };
        assert_eq!(words(Role::Viewer), ["Repositories", "Assistants"]);
        assert_eq!(words(Role::Member), ["Repositories", "Members", "Secrets", "Assistants"]);
        assert_eq!(words(Role::Admin).len(), Tab::ALL.len());
    }

    #[test]
    fn the_tabs_are_on_every_page_of_a_project() {
        let pages = [
            projects::samples(),
            crate::pages::secrets::samples(),
            crate::pages::webhooks::samples(),
            crate::pages::assistants::samples(),
        ];
        let all: Vec<_> = pages.into_iter().flatten().collect();
        for (name, current) in [
            ("project", "Repositories"),
            ("project_add", "Repositories"),
            ("project_members", "Members"),
            ("secrets_of_project", "Secrets"),
            ("secrets_of_project_empty", "Secrets"),
            ("assistants_of_project", "Assistants"),
            ("assistant", "Assistants"),
            ("assistant_new", "Assistants"),
            ("webhooks", "Webhooks"),
            ("webhooks_empty", "Webhooks"),
            ("webhook", "Webhooks"),
            ("project_settings", "Settings"),
        ] {
            let page = &all.iter().find(|(of, _)| *of == name).unwrap_or_else(|| panic!("no page {name}")).1;
            let tabs = page.split("<nav class=\"tabs\" aria-label=\"Project\">").nth(1).expect(name);
            let tabs = tabs.split("</nav>").next().unwrap();
            assert_eq!(tabs.matches("aria-current").count(), 1, "{name}: {tabs}");
            let marked = tabs.split("aria-current=\"").nth(1).and_then(|rest| rest.split(['>', '<']).nth(1));
            assert_eq!(marked, Some(current), "{name}");
        }
        for name in ["secrets", "assistants"] {
            let page = &all.iter().find(|(of, _)| *of == name).unwrap().1;
            assert!(!page.contains("<nav class=\"tabs\" aria-label=\"Project\">"), "{name} is of no project");
        }
    }
}
