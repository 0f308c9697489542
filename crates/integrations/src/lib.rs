//! The life of a credential: connected by token or consent, checked, refreshed, resolved with a reason, granted to sessions,
//! rotated, disconnected.
//!
//! A credential enters through [`Integrations::connect`] or a consent ([`Integrations::begin_consent`]); the provider is asked
//! before anything is stored, and it sleeps sealed in the store. It comes out only against a session's live grant
//! ([`Integrations::authorize`], [`Integrations::session_tokens`], [`Integrations::session_credential`]) or for its owner's own
//! git ([`Integrations::credential_for`]). Secrets of other kinds ([`Integrations::set_secret`]) come out into sessions only. The grant is looked at at the moment of use. What is kept in memory are the tokens
//! of GitHub App installations, made for one session's repositories and an hour.

mod apps;
mod branches;
mod check;
mod connect;
mod consent;
mod contents;
mod credential;
mod disconnect;
mod due_checks;
mod events;
mod fixed_apps;
mod github_app;
mod grants;
mod installations;
mod list;
mod master_key;
mod opened;
mod project_repositories;
mod record;
mod refresh;
mod rotate;
mod schedule;
mod search;
mod secrets;
mod tally;
mod trail;
mod uses;

use std::{fmt, sync::Arc};

use valetkey_model::{Clock, Entropy};
use valetkey_providers::Http;
use valetkey_seal::Sealer;
use valetkey_store::Store;
use valetkey_webhooks::Webhooks;

pub use apps::{AppFacts, AppSecrets, NewApp, RegisteredApp};
pub use check::TokenCheck;
pub use connect::Connect;
pub use consent::{Begun, ConsentRequest, DeviceCode, DeviceProgress, Finished, Outcome};
pub use credential::GitCredential;
pub use disconnect::{Disconnected, RevokedAtProvider};
pub use due_checks::DueChecks;
pub use events::{AtProvider, Happening, IntegrationEvent, Subject};
pub use fixed_apps::FixedApps;
pub use github_app::AppWish;
pub use grants::{Authorized, GitAccess, Lease, Lent, SessionCredential, SessionToken, Wanted};
pub use list::{Resolved, Usage};
pub use master_key::RotationReport;
pub use project_repositories::CheckedRepository;
pub use rotate::Rotation;
pub use search::{Found, Portion};
pub use secrets::{NewSecret, SavedSecret, SessionSecret, SessionSecrets, typed_value};
pub use tally::Counts;
pub use trail::Trail;

/// Everything there is to do with integrations. Cheap to clone.
#[derive(Clone)]
pub struct Integrations {
    store: Store,
    sealer: Arc<Sealer>,
    http: Http,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    turns: refresh::Turns,
    made: Arc<installations::Made>,
    tally: Arc<tally::Tally>,
    webhooks: Webhooks,
    trail: Trail,
}

impl Integrations {
    /// Puts the parts together.
    pub fn new(
        store: Store,
        sealer: Arc<Sealer>,
        http: Http,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let (turns, made, tally) = (refresh::Turns::new(), Arc::default(), Arc::default());
        let webhooks = Webhooks::new(store.clone(), sealer.clone(), http.clone(), clock.clone(), entropy.clone());
        let trail = Trail::new(store.clone(), Arc::clone(&clock));
        Self { store, sealer, http, clock, entropy, turns, made, tally, webhooks, trail }
    }

    /// The notification webhooks, whose secrets are sealed under the same master keys and rotated with them.
    pub fn webhooks(&self) -> &Webhooks {
        &self.webhooks
    }

    /// The pen of the audit trail.
    pub fn trail(&self) -> &Trail {
        &self.trail
    }
}

impl fmt::Debug for Integrations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Integrations")
    }
}
