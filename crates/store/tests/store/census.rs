//! How many integrations are in which state, and whose they are.

use std::{collections::BTreeMap, slice::from_ref};

use crate::support::{at, holding, integration, store, user};
use jiff::SignedDuration;
use valetkey_model::{AuthMethod, CheckOutcome, Integration, OwnerScope, ProblemCode, ProjectName, ProviderKind};
use valetkey_store::RemovalMode;

const NOW: i64 = 1_000_000;
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// One integration for each combination of what its state depends on.
fn all_states() -> Vec<Integration> {
    let outcomes = [
        CheckOutcome::Connected,
        CheckOutcome::InsufficientScope { reason: "lacks \"outcome\":\"disconnected\"".into() },
        CheckOutcome::Disconnected { code: ProblemCode::TokenRevoked, reason: "revoked".into() },
    ];
    let ends =
        [None, Some(at(NOW) - WEEK), Some(at(NOW)), Some(at(NOW + 1)), Some(at(NOW) + WEEK), Some(at(NOW) + WEEK * 2)];
    let mut all = Vec::new();
    for outcome in &outcomes {
        for (provider, auth_method) in
            [(ProviderKind::GitLab, AuthMethod::Pat), (ProviderKind::GitHub, AuthMethod::App)]
        {
            for expires_at in ends {
                for refresh_expires_at in ends {
                    for unreachable in [None, Some("no answer".to_owned())] {
                        let it = integration(&format!("{}", all.len()));
                        let outcome = outcome.clone();
                        all.push(Integration {
                            outcome,
                            provider,
                            auth_method,
                            expires_at,
                            refresh_expires_at,
                            unreachable,
                            ..it
                        });
                    }
                }
            }
        }
    }
    all
}

#[tokio::test]
async fn the_states_counted_are_those_that_people_see() {
    let (_database, store) = store().await;
    let mut wanted: BTreeMap<_, u64> = BTreeMap::new();
    for it in all_states() {
        *wanted.entry((it.provider.slug(), it.status(at(NOW)).0.as_str())).or_default() += 1;
        store.insert_integration(&it, b"sealed").await.unwrap();
    }
    assert_eq!(wanted.len(), 10, "five states of two providers");
    let counted = store.census(at(NOW), at(NOW) + WEEK).await.unwrap();
    let counted: Vec<_> = counted.iter().map(|c| ((c.provider.slug(), c.status.as_str()), c.count)).collect();
    assert_eq!(counted, wanted.into_iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_list_has_ones_own_and_what_is_shared_in_the_project() {
    let (_database, store) = store().await;
    let project = ProjectName::default_project();
    let of =
        |alias: &str, owner: &str, scope: OwnerScope| Integration { owner: user(owner), scope, ..integration(alias) };
    let global = of("global", "john", OwnerScope::UserGlobal);
    let private = of("private", "jane", OwnerScope::User(project.clone()));
    let shared = of("shared", "jane", OwnerScope::Project(project.clone()));
    let removed = of("removed", "john", OwnerScope::UserGlobal);
    for it in [&global, &private, &shared, &removed] {
        store.insert_integration(it, b"sealed").await.unwrap();
    }
    holding(&store, &[&removed]).await;
    store.begin_removal(&removed.id, RemovalMode::WhenFree, at(1)).await.unwrap();
    let john = user("john");
    assert_eq!(store.integrations_for(&john, None).await.unwrap(), from_ref(&global));
    assert_eq!(store.integrations_for(&john, Some(&project)).await.unwrap(), [global.clone(), shared]);
    assert_eq!(store.integrations_for(&john, Some(&"other".parse().unwrap())).await.unwrap(), [global]);
}
