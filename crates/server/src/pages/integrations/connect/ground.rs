use valetkey_model::{
    Actor, AuthMethod, InstanceUrl, Integration, IntegrationId, OwnerScope, Problem, ProblemCode, ProviderKind,
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
        Ok(Self { kind, catalogue, method, instances, levels: levels(app, &caller.actor).await?, reconnect })
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
use valetkey_model::ProjectName;

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
        }
    }
}
