//! The integration changes while its refresh is under way.

use std::sync::Arc;

use jiff::SignedDuration;
use valetkey_model::{CheckOutcome, Clock as _, Integration, ProblemCode};
use valetkey_providers::{
    Credential,
    oauth::{OAuthError, Rotation, Tokens},
};
use valetkey_store::{Claim, RefreshLease, RemovalMode};

use super::{Bench, access, fake::Fake};
use crate::{
    connect::identity,
    refresh::{
        Cause,
        attempt::NotRenewed,
        server::{AuthorizationServer, Vitals},
    },
};

/// What somebody else does between the provider's answer and its storing.
type Meanwhile = Box<dyn Fn() -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

struct Slow {
    fake: Arc<Fake>,
    meanwhile: Meanwhile,
}

#[async_trait::async_trait]
impl AuthorizationServer for Slow {
    fn rotation(&self) -> Rotation {
        self.fake.rotation()
    }

    async fn refresh(&self, old: &Credential) -> Result<Tokens, OAuthError> {
        let tokens = self.fake.refresh(old).await;
        (self.meanwhile)().await;
        tokens
    }

    async fn ask(&self, about: &Credential) -> Vitals {
        self.fake.ask(about).await
    }

    async fn revoke(&self, tokens: &Tokens, of: &Credential) {
        self.fake.revoke(tokens, of).await;
    }
}

async fn refresh_while<F>(
    bench: &Bench,
    fake: &Arc<Fake>,
    it: &Integration,
    meanwhile: impl Fn() -> F + Send + Sync + 'static,
) -> Result<String, NotRenewed>
where
    F: Future<Output = ()> + Send + 'static,
{
    let slow = Slow { fake: Arc::clone(fake), meanwhile: Box::new(move || Box::pin(meanwhile())) };
    bench.process().in_turn(it, &slow, Cause::Due).await.map(|current| access(&current))
}

#[tokio::test]
async fn of_an_integration_that_was_disconnected_the_new_token_is_revoked() {
    let bench = Bench::new().await;
    let fake = Fake::new(Rotation::KillsAccess, &bench.clock, []);
    let it = bench.connected_to(&fake, 4).await;
    let (store, id, now) = (bench.store.clone(), it.id.clone(), bench.clock.now());
    let ended = refresh_while(&bench, &fake, &it, move || {
        let (store, id) = (store.clone(), id.clone());
        async move { drop(store.begin_removal(&id, RemovalMode::Now, now).await.unwrap()) }
    })
    .await;
    assert!(matches!(ended, Err(NotRenewed::Ended(problem)) if problem.code == ProblemCode::NotFound));
    assert_eq!(fake.revoked(), ["access-2"]);
}

#[tokio::test]
async fn what_somebody_connected_meanwhile_stands() {
    let bench = Bench::new().await;
    let fake = Fake::new(Rotation::KillsAccess, &bench.clock, []);
    let it = bench.connected_to(&fake, 4).await;
    let (store, id, now) = (bench.store.clone(), it.id.clone(), bench.clock.now());
    let newer = Credential { refresh: Some("r".into()), ..Credential::pat("connected-again".into()) };
    let sealed = bench.process().sealer.seal(&identity(&id, 2), &newer.to_text());
    let used = refresh_while(&bench, &fake, &it, move || {
        let (store, id, sealed) = (store.clone(), id.clone(), sealed.as_bytes().to_vec());
        async move { assert_eq!(store.replace_credential(&id, 1, &sealed, now).await.unwrap(), 2) }
    })
    .await
    .unwrap();
    assert_eq!(used, "connected-again");
    assert!(fake.revoked().is_empty(), "at some providers that would end the new connection too");
}

#[tokio::test]
async fn a_holder_that_was_too_slow_still_stores_the_only_good_token() {
    for judged in [false, true] {
        let bench = Bench::new().await;
        let fake = Fake::new(Rotation::RefreshOnly, &bench.clock, []);
        let it = bench.connected_to(&fake, 4).await;
        let (store, id, clock) = (bench.store.clone(), it.id.clone(), Arc::clone(&bench.clock));
        let used = refresh_while(&bench, &fake, &it, move || {
            let (store, id, clock) = (store.clone(), id.clone(), Arc::clone(&clock));
            async move {
                clock.advance(SignedDuration::from_mins(3));
                let lease = RefreshLease { integration: id, generation: 1, holder: "another".to_owned() };
                let now = clock.now();
                let claim = store.claim_refresh(&lease, now, now + SignedDuration::from_mins(1)).await.unwrap();
                assert!(matches!(claim, Claim::WonStale { .. }));
                if judged {
                    let outcome =
                        CheckOutcome::Disconnected { code: ProblemCode::TokenRevoked, reason: "lost".to_owned() };
                    assert!(store.fail_refresh(&lease, &outcome, now).await.unwrap());
                }
            }
        })
        .await
        .unwrap();
        assert_eq!(used, "access-2");
        assert_eq!((bench.outcome(&it).await, bench.now_is(&it).await.generation), (CheckOutcome::Connected, 2));
    }
}
