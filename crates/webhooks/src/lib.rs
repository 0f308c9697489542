//! Telling others what happens in a project: notifications by HTTP, signed as Standard Webhooks describes.
//!
//! What happened is put into an outbox in the store together with what happened itself ([`Webhooks::of_session`]), or right
//! behind it ([`Webhooks::tell`]). Whoever runs [`Webhooks::run_due`] sends what is due; of several processes each sends
//! others. A notification is sent at least once: who dies between the receiver's answer and its record leaves it to the next.
//!
//! *Invariant:* a signing secret leaves twice, when it is made, to the person who made it; after that only as a signature.
//! Nothing of a receiver's answer but its status is kept, so that a webhook is no way to read what this server can reach.

mod attempt;
mod courier;
mod manage;
mod notice;
mod schedule;
mod secrets;
mod signature;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use valetkey_model::{Clock, Entropy};
use valetkey_providers::Http;
use valetkey_seal::Sealer;
use valetkey_store::Store;

pub use manage::{Change, NewWebhook};
pub use notice::{IntegrationNotice, SessionNotice};
pub use secrets::secret_identity;

/// The notification webhooks of all projects. Cheap to clone.
#[derive(Clone)]
pub struct Webhooks {
    store: Store,
    sealer: Arc<Sealer>,
    http: Http,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    background: Arc<Background>,
    /// How long a receiver has to answer.
    patience: Duration,
}

/// How long a receiver has to answer, usually.
const PATIENCE: Duration = Duration::from_secs(15);

/// What clones share about the task that sends.
#[derive(Default)]
struct Background {
    /// There may be something to send.
    filled: Notify,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl Webhooks {
    /// Puts the parts together.
    pub fn new(
        store: Store,
        sealer: Arc<Sealer>,
        http: Http,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { store, sealer, http, clock, entropy, background: Arc::default(), patience: PATIENCE }
    }
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Webhooks")
    }
}
