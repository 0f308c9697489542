//! The parts of GitHub's answers about apps that are used.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use valetkey_model::{Installation, InstallationState};
use valetkey_seal::Secret;

use crate::{api::one_line, github::wire::Repository};

/// An app as it comes out of a manifest.
#[derive(Deserialize)]
pub(super) struct Converted {
    pub(super) id: u64,
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) client_id: String,
    pub(super) client_secret: Secret<String>,
    pub(super) webhook_secret: Option<Secret<String>>,
    pub(super) pem: Secret<String>,
}

#[derive(Deserialize)]
pub(crate) struct Installed {
    id: u64,
    account: Option<Owner>,
    repository_selection: Option<String>,
    #[serde(default)]
    permissions: BTreeMap<String, Value>,
    suspended_at: Option<String>,
}

/// A person or organisation; of an enterprise there is only the slug.
#[derive(Deserialize)]
struct Owner {
    login: Option<String>,
    slug: Option<String>,
}

impl Installed {
    /// Without its repositories.
    pub(super) fn into_installation(self) -> Installation {
        let account = self.account.and_then(|owner| owner.login.or(owner.slug)).unwrap_or_default();
        let permission = |(name, level): (String, Value)| Some((one_line(&name), one_line(level.as_str()?)));
        Installation {
            id: self.id,
            account: one_line(&account),
            state: match self.suspended_at {
                Some(_) => InstallationState::Suspended,
                None => InstallationState::Active,
            },
            all_repositories: self.repository_selection.as_deref() == Some("all"),
            repositories: Vec::new(),
            permissions: self.permissions.into_iter().filter_map(permission).collect(),
        }
    }
}

/// Somebody's request to an owner to install the app.
#[derive(Deserialize)]
pub(super) struct Requested {
    pub(super) id: u64,
    account: Option<Owner>,
    pub(super) requester: Option<Requester>,
}

#[derive(Deserialize)]
pub(super) struct Requester {
    pub(super) id: u64,
}

impl Requested {
    pub(super) fn into_installation(self) -> Installation {
        let account = self.account.and_then(|owner| owner.login.or(owner.slug)).unwrap_or_default();
        Installation {
            id: self.id,
            account: one_line(&account),
            state: InstallationState::PendingApproval,
            all_repositories: false,
            repositories: Vec::new(),
            permissions: BTreeMap::new(),
        }
    }
}

/// A new token of an installation.
#[derive(Deserialize)]
pub(super) struct NewToken {
    pub(super) token: Secret<String>,
    pub(super) expires_at: Timestamp,
    #[serde(default)]
    pub(super) permissions: BTreeMap<String, Value>,
    pub(super) repositories: Option<Vec<Repository>>,
}
