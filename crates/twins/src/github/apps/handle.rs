//! What a test does with GitHub Apps.

use serde_json::json;

use super::manifest;
use super::registry::{GitHubApp, Installation, Permissions};
use crate::fixtures::TokenState;
use crate::world::{World, locked};

/// How an app is installed on a user or an organization.
#[derive(Debug, Clone)]
pub struct Install {
    pub(super) owner: String,
    pub(super) repositories: Option<Vec<String>>,
    pub(super) permissions: Option<Permissions>,
    pub(super) needs_approval: bool,
}

impl Install {
    /// On all repositories of this owner, with the permissions that the app asks for.
    pub fn on(owner: &str) -> Self {
        Self { owner: owner.to_owned(), repositories: None, permissions: None, needs_approval: false }
    }

    /// On these repositories only, named `owner/name`.
    #[must_use]
    pub fn repositories<'a>(mut self, paths: impl IntoIterator<Item = &'a str>) -> Self {
        self.repositories = Some(paths.into_iter().map(str::to_owned).collect());
        self
    }

    /// With these permissions in place of those that the app asks for.
    #[must_use]
    pub fn permissions<'a>(mut self, permissions: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.permissions = Some(owned(permissions));
        self
    }

    /// An owner of the organization has to approve: nothing is installed yet.
    #[must_use]
    pub fn needs_approval(mut self) -> Self {
        self.needs_approval = true;
        self
    }
}

/// The apps of a GitHub twin.
#[derive(Clone, Copy)]
pub struct GitHubApps<'a> {
    pub(crate) world: &'a World,
}

impl GitHubApps<'_> {
    /// Registers an app without the manifest flow.
    ///
    /// # Panics
    /// Its key can't be made.
    pub fn register<'a>(
        &self,
        name: &str,
        permissions: impl IntoIterator<Item = (&'a str, &'a str)>,
        callback: &str,
        setup: &str,
    ) -> GitHubApp {
        let manifest = json!({
            "name": name, "url": "https://example.test", "callback_urls": [callback], "setup_url": setup,
            "default_permissions": owned(permissions),
        });
        manifest::create(self.world, &manifest, "octocat").expect("the app can be made").app
    }

    /// What the person does on the next install page; several wait in line.
    pub fn next_install(&self, install: Install) {
        locked(&self.world.apps).decisions.push_back(install);
    }

    /// Installs an app without its install page, or approves what was asked for there. The number is the installation's.
    pub fn install(&self, app: u64, install: Install) -> u64 {
        locked(&self.world.apps).install(app, install)
    }

    /// Suspends an installation, or wakes it. Its tokens are refused while it is suspended.
    ///
    /// # Panics
    /// There is no such installation.
    pub fn suspend(&self, installation: u64, suspended: bool) {
        self.change(installation, |installation| installation.suspended = suspended);
    }

    /// Chooses other repositories for an installation; tokens given out before stop working.
    ///
    /// # Panics
    /// There is no such installation.
    pub fn set_repositories<'a>(&self, installation: u64, paths: impl IntoIterator<Item = &'a str>) {
        let paths = paths.into_iter().map(str::to_owned).collect();
        self.change(installation, |installation| installation.repositories = Some(paths));
        self.end_tokens(installation);
    }

    /// Gives an installation other permissions; tokens given out before keep theirs.
    ///
    /// # Panics
    /// There is no such installation.
    pub fn set_permissions<'a>(&self, installation: u64, permissions: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let permissions = owned(permissions);
        self.change(installation, |installation| installation.permissions = permissions);
    }

    /// Removes an installation and its tokens.
    pub fn uninstall(&self, installation: u64) {
        self.end_tokens(installation);
        locked(&self.world.apps).installations.retain(|other| other.id != installation);
    }

    /// The installation tokens given out so far, oldest first.
    pub fn tokens(&self, installation: u64) -> Vec<String> {
        let apps = locked(&self.world.apps);
        apps.tokens.iter().filter(|(of, _)| *of == installation).map(|(_, token)| token.clone()).collect()
    }

    fn change(&self, installation: u64, change: impl FnOnce(&mut Installation)) {
        change(locked(&self.world.apps).installation(installation).expect("there is such an installation"));
    }

    fn end_tokens(&self, installation: u64) {
        for token in self.tokens(installation) {
            self.world.set_token_state(&token, TokenState::Revoked);
        }
    }
}

fn owned<'a>(permissions: impl IntoIterator<Item = (&'a str, &'a str)>) -> Permissions {
    permissions.into_iter().map(|(name, level)| (name.to_owned(), level.to_owned())).collect()
}
