mod callers;
mod crashes;
mod due;
mod fake;
mod overtaken;
mod rules;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use valetkey_model::{
    Account, AuthMethod, CheckOutcome, Clock, Details, Integration, IntegrationId, OwnerScope, Problem, ProviderKind,
    UserId,
};
use valetkey_providers::{AddressPolicy, Credential, Http, HttpConfig};
use valetkey_seal::{KeyFile, Sealer, SystemEntropy};
use valetkey_store::{DatabaseUrl, Store};

use self::fake::Fake;
use super::{
    Current,
    due::Moment,
    server::AuthorizationServer,
    turns::{Pause, Turns},
};
use crate::{Integrations, connect::identity};

/// A clock that stands still unless it is moved; whoever waits moves it.
struct TestClock(Mutex<Timestamp>);

impl TestClock {
    fn advance(&self, by: SignedDuration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

struct Forward(Arc<TestClock>);

#[async_trait]
impl Pause for Forward {
    async fn pause(&self, time: Duration) {
        self.0.advance(SignedDuration::try_from(time).unwrap());
        tokio::task::yield_now().await;
    }
}

const START: i64 = 1_000_000;

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// A database, and what processes that use it have in common.
struct Bench {
    folder: tempfile::TempDir,
    store: Store,
    clock: Arc<TestClock>,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::sqlite(folder.path().join("valetkey.db"));
        Self::on(folder, &url).await
    }

    async fn on(folder: tempfile::TempDir, url: &DatabaseUrl) -> Self {
        let store = Store::open(url).await.unwrap();
        let clock = Arc::new(TestClock(Mutex::new(Timestamp::from_second(START).unwrap())));
        Self { folder, store, clock }
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("master.key")
    }

    /// Integrations that share nothing with others but the database.
    fn process(&self) -> Integrations {
        let turns = Turns::pausing(Arc::new(Forward(Arc::clone(&self.clock))));
        process(self.store.clone(), self.key_file(), self.clock.clone(), turns)
    }

    /// Stores an integration whose access token was issued an hour ago and ends in `left` minutes.
    async fn connected(&self, left: i64, access: &str, refresh: &str) -> Integration {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let now = self.clock.now();
        let mut integration = integration(&format!("account {}", COUNT.fetch_add(1, Ordering::Relaxed)), now);
        integration.expires_at = Some(now + minutes(left));
        integration.updated_at = now - minutes(60);
        let credential =
            Credential { method: AuthMethod::OAuth, refresh: Some(refresh.into()), ..Credential::pat(access.into()) };
        let sealed = self.process().sealer.seal(&identity(&integration.id, 1), &credential.to_text());
        self.store.insert_integration(&integration, sealed.as_bytes()).await.unwrap();
        integration
    }

    /// An integration with the tokens of `fake`, which does not accept one that is over.
    async fn connected_to(&self, fake: &Fake, left: i64) -> Integration {
        if left == 0 {
            fake.kill(fake::FIRST_ACCESS);
        }
        self.connected(left, fake::FIRST_ACCESS, fake::FIRST_REFRESH).await
    }

    async fn now_is(&self, of: &Integration) -> Integration {
        self.store.integration(&of.id).await.unwrap().unwrap()
    }

    async fn outcome(&self, of: &Integration) -> CheckOutcome {
        self.now_is(of).await.outcome
    }
}

fn process(store: Store, key_file: PathBuf, clock: Arc<dyn Clock>, turns: Turns) -> Integrations {
    let sealer = Sealer::new(KeyFile::open_or_create(key_file, &SystemEntropy).unwrap(), Arc::new(SystemEntropy));
    let made = Integrations::new(store, Arc::new(sealer.unwrap()), http(), clock, Arc::new(SystemEntropy));
    Integrations { turns, ..made }
}

fn http() -> Http {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let addresses = AddressPolicy::new(true, "").unwrap();
    Http::new(HttpConfig { extra_ca_pem: None, addresses, proxy: None }).unwrap()
}

fn integration(alias: &str, now: Timestamp) -> Integration {
    Integration {
        id: IntegrationId::new(now, &SystemEntropy),
        provider: ProviderKind::GitLab,
        scope: OwnerScope::UserGlobal,
        owner: UserId::admin(),
        alias: alias.parse().unwrap(),
        instance_url: "https://gitlab.example".parse().unwrap(),
        account: Account { id: "7".into(), username: "john".into(), name: None, email: None },
        auth_method: AuthMethod::OAuth,
        granted_scopes: vec!["api".into()],
        expires_at: None,
        refresh_expires_at: None,
        details: Details::default(),
        outcome: CheckOutcome::Connected,
        unreachable: None,
        is_default: false,
        generation: 1,
        removing: false,
        created_at: now,
        updated_at: now,
        last_checked_at: now,
        last_used_at: None,
    }
}

impl Integrations {
    /// [`fresh`](Self::fresh), with `server` for the provider.
    async fn usable_from(&self, server: Arc<dyn AuthorizationServer>, of: &Integration) -> Result<Current, Problem> {
        let current = self.current(of).await?;
        if !current.is_due(Moment::Use, self.clock.now()) {
            return Ok(current);
        }
        self.fresh_from(Ok(server), current).await
    }
}

#[expect(clippy::disallowed_methods, reason = "the test looks at made-up tokens")]
fn access(current: &Current) -> String {
    current.credential.token.expose().clone()
}
