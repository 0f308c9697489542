//! The apps and installations that a GitHub twin knows.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::handle::Install;
use super::key::PublicKey;

/// Permission name and level: `read`, `write` or `admin`.
pub type Permissions = BTreeMap<String, String>;

/// An app as its owner holds it.
#[derive(Debug, Clone)]
pub struct GitHubApp {
    /// Its number.
    pub id: u64,
    /// Its name in addresses.
    pub slug: String,
    /// For OAuth, and as issuer of its JSON web tokens.
    pub client_id: String,
    /// For OAuth.
    pub client_secret: String,
    /// For the signatures of webhooks.
    pub webhook_secret: String,
    /// The private key, PKCS#1 in PEM.
    pub pem: String,
}

/// An app as GitHub keeps it.
#[derive(Debug, Clone)]
pub(crate) struct AppRecord {
    pub(super) app: GitHubApp,
    pub(super) key: PublicKey,
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) url: String,
    pub(super) setup_url: Option<String>,
    pub(super) permissions: Permissions,
    pub(super) events: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Installation {
    pub(super) id: u64,
    pub(super) app: u64,
    /// The user or organization that it is installed on.
    pub(super) owner: String,
    /// Repository paths; `None` for all of the owner's.
    pub(super) repositories: Option<Vec<String>>,
    pub(super) permissions: Permissions,
    pub(super) suspended: bool,
}

impl Installation {
    pub(super) fn covers(&self, path: &str) -> bool {
        let owned = path.split_once('/').is_some_and(|(owner, _)| owner.eq_ignore_ascii_case(&self.owner));
        owned && self.repositories.as_ref().is_none_or(|paths| paths.iter().any(|other| other == path))
    }

    pub(super) fn selection(&self) -> &'static str {
        if self.repositories.is_some() { "selected" } else { "all" }
    }
}

#[derive(Default)]
pub(crate) struct Registry {
    pub(super) apps: Vec<AppRecord>,
    pub(super) installations: Vec<Installation>,
    /// What the person does on the next install pages.
    pub(super) decisions: VecDeque<Install>,
    /// Codes of the manifest flow that were not converted yet.
    pub(super) codes: HashMap<String, u64>,
    /// Each installation's tokens.
    pub(super) tokens: Vec<(u64, String)>,
    made: u64,
}

impl Registry {
    pub(super) fn next_id(&mut self) -> u64 {
        self.made += 1;
        1_000 + self.made
    }

    pub(super) fn app(&self, id: u64) -> Option<&AppRecord> {
        self.apps.iter().find(|record| record.app.id == id)
    }

    pub(super) fn app_by_slug(&self, slug: &str) -> Option<&AppRecord> {
        self.apps.iter().find(|record| record.app.slug == slug)
    }

    pub(super) fn app_by_client(&self, client_id: &str) -> Option<&AppRecord> {
        self.apps.iter().find(|record| record.app.client_id == client_id)
    }

    /// By client id or app id.
    pub(super) fn app_by_issuer(&self, issuer: &str) -> Option<AppRecord> {
        let ours = |record: &&AppRecord| record.app.client_id == issuer || record.app.id.to_string() == issuer;
        self.apps.iter().find(ours).cloned()
    }

    pub(super) fn installation(&mut self, id: u64) -> Option<&mut Installation> {
        self.installations.iter_mut().find(|installation| installation.id == id)
    }

    pub(super) fn installations_of(&self, app: u64) -> Vec<Installation> {
        self.installations.iter().filter(|installation| installation.app == app).cloned().collect()
    }

    pub(super) fn install(&mut self, app: u64, install: Install) -> u64 {
        let id = self.next_id() + 50_000;
        let granted = self.app(app).map(|record| record.permissions.clone()).unwrap_or_default();
        let Install { owner, repositories, permissions, .. } = install;
        let permissions = permissions.unwrap_or(granted);
        self.installations.push(Installation { id, app, owner, repositories, permissions, suspended: false });
        id
    }
}
