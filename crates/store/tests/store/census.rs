//! How many integrations are in which state, and whose they are.

use std::collections::BTreeMap;

use crate::support::{at, holding, integration, store, user};
use jiff::SignedDuration;
use valetkey_model::{
    Actor, AuthMethod, CheckOutcome, Integration, Level, Limits, OwnerScope, ProblemCode, ProjectName, ProviderKind,
    Role, Status,
};
use valetkey_store::{IntegrationFilter, Owner, RemovalMode, Store};

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

/// An integration of every person and level in two projects, and one that is being removed.
async fn everybodys(store: &Store) -> Vec<Integration> {
    let projects = [ProjectName::default_project(), other()];
    let mut all = Vec::new();
    for owner in ["john", "jane"] {
        let bound = projects.iter().flat_map(|p| [OwnerScope::User(p.clone()), OwnerScope::Project(p.clone())]);
        for scope in bound.chain([OwnerScope::UserGlobal]) {
            let it = integration(&format!("{owner} {}", all.len()));
            all.push(Integration { owner: user(owner), scope, ..it });
        }
    }
    for it in &all {
        store.insert_integration(it, b"sealed").await.unwrap();
    }
    let removed = Integration { owner: user("john"), ..integration("removed") };
    store.insert_integration(&removed, b"sealed").await.unwrap();
    holding(store, &[&removed]).await;
    store.begin_removal(&removed.id, RemovalMode::WhenFree, at(1)).await.unwrap();
    all
}

fn other() -> ProjectName {
    "other".parse().unwrap()
}

#[tokio::test]
async fn a_session_can_use_ones_own_and_what_is_shared_in_its_project() {
    let (database, store) = store().await;
    database.tamper("INSERT INTO projects (name) VALUES ('other')").await;
    let all = everybodys(&store).await;
    for project in [ProjectName::default_project(), other()] {
        let john = Actor::new(user("john"), false, [(project.clone(), Role::Member)].into());
        let wanted: Vec<_> = all.iter().filter(|it| john.uses(it, &project)).cloned().collect();
        assert_eq!(wanted.len(), 4);
        assert_eq!(store.integrations_for(&john.user, &project).await.unwrap(), wanted);
        let (here, elsewhere) = (wanted[0].instance_url.clone(), "https://elsewhere.test".parse().unwrap());
        let fitting = async |provider, instance| {
            store.integrations_fitting(&john.user, &project, provider, instance).await.unwrap()
        };
        assert_eq!(fitting(Some(wanted[0].provider), Some(&here)).await, wanted);
        assert_eq!(fitting(Some(ProviderKind::Slack), None).await, []);
        assert_eq!(fitting(None, Some(&elsewhere)).await, []);
    }
}

#[tokio::test]
async fn a_list_has_what_somebody_may_know_of_and_nothing_else() {
    let (database, store) = store().await;
    database.tamper("INSERT INTO projects (name) VALUES ('other')").await;
    let all = everybodys(&store).await;
    let only = |project: &ProjectName| Limits { project: Some(project.clone()), read_only: false };
    let viewer = |name: &str, of: &[ProjectName]| {
        Actor::new(user(name), false, of.iter().map(|project| (project.clone(), Role::Viewer)).collect())
    };
    for by in [
        viewer("john", &[]),
        viewer("john", &[other()]),
        viewer("john", &[other(), ProjectName::default_project()]),
        viewer("john", &[other()]).limited(only(&other())),
        viewer("john", &[other()]).limited(only(&ProjectName::default_project())),
        viewer("eve", &[other()]),
        viewer("eve", &[]),
        Actor::admin(),
        Actor::admin().limited(only(&other())),
    ] {
        for (owner, level) in [
            (None, None),
            (Some(Owner::Themselves), None),
            (Some(Owner::Project), None),
            (None, Some(Level::User)),
            (None, Some(Level::Project)),
        ] {
            let filter = IntegrationFilter { owner, level, ..Default::default() };
            let passes = |it: &&Integration| {
                let shared = it.scope.level() == Level::Project;
                by.sees(it)
                    && owner.is_none_or(|owner| (owner == Owner::Project) == shared)
                    && level.is_none_or(|level| it.scope.level() == level)
            };
            let wanted: Vec<_> = all.iter().filter(passes).cloned().collect();
            let mut listed: Vec<Integration> = Vec::new();
            loop {
                let after = listed.last().map(|it| it.id.clone());
                let page = store.integrations_page(&by, &filter, at(NOW), after.as_ref(), 3).await.unwrap();
                if page.is_empty() {
                    break;
                }
                listed.extend(page);
            }
            assert_eq!(listed, wanted, "{by:?} {filter:?}");
        }
    }
}

#[tokio::test]
async fn a_list_is_narrowed_by_state_and_text() {
    let (_database, store) = store().await;
    let all = all_states();
    for it in &all {
        store.insert_integration(it, b"sealed").await.unwrap();
    }
    let list = async |filter: &IntegrationFilter<'_>| {
        store.integrations_page(&Actor::admin(), filter, at(NOW), None, 1_000).await.unwrap()
    };
    for status in
        [Status::Connected, Status::Expiring, Status::InsufficientScope, Status::Disconnected, Status::Unreachable]
    {
        let wanted: Vec<_> = all.iter().filter(|it| it.status(at(NOW)).0 == status).cloned().collect();
        assert!(!wanted.is_empty());
        assert_eq!(list(&IntegrationFilter { status: Some(status), ..Default::default() }).await, wanted);
    }
    for (text, found) in [("7", true), ("GITLAB", true), ("  ", true), ("%", false), ("no such", false)] {
        let listed = list(&IntegrationFilter { text: Some(text), ..Default::default() }).await;
        assert_eq!(!listed.is_empty(), found, "{text}");
    }
}
