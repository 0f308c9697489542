//! The life of a credential: connected, checked, resolved with a reason, granted to sessions, rotated, disconnected.
//!
//! A credential enters through [`Integrations::connect`], which asks the provider before it stores anything, and sleeps
//! sealed in the store. It comes out in two ways only: [`Integrations::authorize`], for one request of one session's
//! lease to one repository, and [`Integrations::session_tokens`], for a session's environment. Both look at the grant at the
//! moment of use; nothing is cached, so what was disconnected is gone with the next request.

mod branches;
mod check;
mod connect;
mod credential;
mod disconnect;
mod grants;
mod list;
mod master_key;

use std::{fmt, sync::Arc};

use valetkey_model::{Clock, Entropy};
use valetkey_providers::Http;
use valetkey_seal::Sealer;
use valetkey_store::Store;

pub use check::TokenCheck;
pub use connect::Connect;
pub use credential::GitCredential;
pub use disconnect::Disconnected;
pub use grants::{Authorized, Lease, SessionToken, Wanted};
pub use list::Resolved;
pub use master_key::RotationReport;

/// Everything there is to do with integrations. Cheap to clone.
#[derive(Clone)]
pub struct Integrations {
    store: Store,
    sealer: Arc<Sealer>,
    http: Http,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
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
        Self { store, sealer, http, clock, entropy }
    }
}

impl fmt::Debug for Integrations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Integrations")
    }
}
