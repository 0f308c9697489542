use std::fmt;

use serde::Deserialize;
use valetkey_model::{
    Actor, AuthMethod, InstanceUrl, Integration, IntegrationId, OwnerScope, Problem, ProblemCode, ProjectName,
    ProviderKind, Role,
};
use valetkey_providers::{CatalogueEntry, ConnectMethod, provider};

use super::super::named;
use crate::{App, auth::Caller};

/// What a form for one provider and one method stands on.
pub(super) struct Ground {
    pub(super) kind: ProviderKind,
    pub(super) catalogue: CatalogueEntry,
    pub(super) method: ConnectMethod,
    /// Where an app is registered by which people can consent with this method.
    pub(super) instances: Vec<InstanceUrl>,
    /// On which levels the person may connect one.
    pub(super) levels: Vec<OwnerScope>,
    /// The integration that is to be connected again.
    pub(super) reconnect: Option<Integration>,
    /// What it is connected for, where another form needs it.
    pub(super) wanted_by: Option<WantedBy>,
}

/// Another form of ours that needs an integration: the caller's own, in one project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedBy {
    pub(super) project: ProjectName,
    /// Where the form is.
    pub(super) back: Back,
}

/// An address of ours to come back to: a path below a project's, of plain characters only.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Back(String);

impl TryFrom<String> for Back {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '/' | '-');
        let ours = text.starts_with("/projects/") && !text.contains("//") && text.chars().all(plain);
        if ours { Ok(Self(text)) } else { Err("expected a page of a project") }
    }
}

impl fmt::Display for Back {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl WantedBy {
    /// From what an address or a form says; none if it names no project.
    pub(super) fn new(by: &Actor, project: Option<ProjectName>, back: Option<Back>) -> Result<Option<Self>, Problem> {
        let Some((project, back)) = project.zip(back) else { return Ok(None) };
        by.require(Role::Member, &project)?;
        Ok(Some(Self { project, back }))
    }

    /// What is added to an address that begins with a question mark.
    pub(super) fn query(&self) -> String {
        format!("&project={}&return={}", self.project, self.back)
    }
}

impl Ground {
    /// `method` is a word of the catalogue; any other stands for the first method.
    pub(super) async fn survey(
        app: &App,
        caller: &Caller,
        kind: ProviderKind,
        method: &str,
        reconnect: Option<IntegrationId>,
    ) -> Result<Self, Problem> {
        let reconnect = match reconnect {
            Some(id) => Some(named(app, caller, &id).await?),
            None => None,
        };
        if let Some(other) = reconnect.as_ref().filter(|known| known.provider != kind) {
            let detail = format!("'{}' is an account of {}, not of {kind}.", other.alias, other.provider);
            return Err(Problem::new(ProblemCode::InvalidInput, detail));
        }
        let catalogue = provider(kind).catalogue();
        let method = chosen(&catalogue, method);
        let apps = app.integrations.registered_apps().await?;
        let fits = |slug: &Option<String>| method.method != AuthMethod::App || slug.is_some();
        let instances = apps.into_iter().filter(|app| app.provider == kind && fits(&app.facts.slug));
        let mut instances: Vec<_> = instances.map(|app| app.instance_url).collect();
        // The public service first, as most people mean it.
        instances.sort_by_key(|instance| !kind.is_public(instance));
        let levels = levels(app, &caller.actor).await?;
        Ok(Self { kind, catalogue, method, instances, levels, reconnect, wanted_by: None })
    }

    /// The same, for another form.
    pub(super) fn wanted_by(self, form: Option<WantedBy>) -> Self {
        match form {
            Some(form) => Self { levels: vec![OwnerScope::User(form.project.clone())], wanted_by: Some(form), ..self },
            None => self,
        }
    }
}

/// Themselves everywhere, themselves in a project, everybody in a project.
async fn levels(app: &App, by: &Actor) -> Result<Vec<OwnerScope>, Problem> {
    let projects = app.store.projects().await?;
    let bound = projects.into_iter().flat_map(|it| [OwnerScope::User(it.clone()), OwnerScope::Project(it)]);
    Ok([OwnerScope::UserGlobal].into_iter().chain(bound).filter(|it| by.require_to_connect(it).is_ok()).collect())
}

fn chosen(catalogue: &CatalogueEntry, method: &str) -> ConnectMethod {
    let wanted = catalogue.methods.iter().find(|offered| offered.method.as_str() == method);
    wanted.or(catalogue.methods.first()).expect("every provider can be connected").clone()
}

#[cfg(test)]
impl Ground {
    pub(super) fn sample(kind: ProviderKind, method: &str, instances: &[&str]) -> Self {
        let catalogue = provider(kind).catalogue();
        Self {
            kind,
            method: chosen(&catalogue, method),
            catalogue,
            instances: instances.iter().map(|text| text.parse().unwrap()).collect(),
            levels: vec![
                OwnerScope::UserGlobal,
                OwnerScope::User(ProjectName::default_project()),
                OwnerScope::Project(ProjectName::default_project()),
            ],
            reconnect: None,
            wanted_by: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_comes_back_to_a_page_of_ours_only() {
        let read = |text: &str| Back::try_from(text.to_owned());
        assert!(read("/projects/p/assistants/018f0000-0000-7000-8000-000000000201").is_ok());
        for bad in
            ["", "/", "https://evil.test", "//evil.test", "/projects//evil.test", "/projects/p?x=/", "/projects/\\evil"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn it_is_for_members_of_the_project() {
        let (project, back) = ("p".parse().ok(), Back::try_from("/projects/p".to_owned()).ok());
        let viewer = Actor::new("eve".parse().unwrap(), false, [("p".parse().unwrap(), Role::Viewer)].into());
        let refused = WantedBy::new(&viewer, project.clone(), back.clone()).unwrap_err();
        assert_eq!(refused.code, ProblemCode::Forbidden);
        let form = WantedBy::new(&Actor::admin(), project, back.clone()).unwrap().unwrap();
        assert_eq!(form.query(), "&project=p&return=/projects/p");
        assert_eq!(WantedBy::new(&Actor::admin(), None, back), Ok(None));
    }
}
