//! Pages of any size, put together, are the whole: nothing lost or repeated at their borders.

use crate::{
    provider_apps, secrets,
    support::{at, engine, integration, session, store},
    webhooks,
};
use valetkey_model::{Actor, EventBody, LogStream, ProjectName, ProviderKind};
use valetkey_store::{Keeper, SessionFilter};

const ROWS: usize = 250;
const SIZES: [u32; 6] = [1, 7, 50, 249, 250, 251];

#[tokio::test]
async fn everything_that_is_sealed() {
    let (_database, store) = store().await;
    let mut kept = Vec::new();
    for n in 0..ROWS {
        let new = integration(&format!("integration {n}"));
        store.insert_integration(&new, b"sealed").await.unwrap();
        kept.push(Keeper::from(&new.id));
    }
    for n in 0..7 {
        let app = provider_apps::app(ProviderKind::GitLab, &format!("https://git{n}.example"), 1);
        store.put_provider_app(&app).await.unwrap();
        kept.push(Keeper::from(&app.key()));
    }
    for _ in 0..3 {
        kept.push(Keeper::from(&webhooks::added(&store).await.id));
    }
    for n in 0..7 {
        kept.push(Keeper::from(&secrets::stored(&store, secrets::mine(), &format!("S{n}")).await.id));
    }
    for size in SIZES {
        let mut seen = Vec::new();
        loop {
            let page = store.sealed_page(size, seen.last()).await.unwrap();
            assert!(page.len() <= size as usize);
            if page.is_empty() {
                break;
            }
            seen.extend(page.into_iter().map(|(keeper, _)| keeper));
        }
        assert_eq!(seen, kept, "pages of {size}");
    }
}

#[tokio::test]
async fn sessions_newest_first_of_all_projects_or_one() {
    let (database, store) = store().await;
    database.tamper("INSERT INTO projects (name) VALUES ('other')").await;
    let other: ProjectName = "other".parse().unwrap();
    let (mut all, mut of_other) = (Vec::new(), Vec::new());
    let engine = engine();
    for n in 0..ROWS {
        let mut new = session();
        if n % 3 == 0 {
            new.project = other.clone();
            of_other.insert(0, new.id.clone());
        }
        store.insert_session(&new, &engine).await.unwrap();
        all.insert(0, new.id);
    }
    for size in SIZES {
        for (project, wanted) in [(None, &all), (Some(&other), &of_other)] {
            let mut seen = Vec::new();
            loop {
                let page = store
                    .sessions_page(&Actor::admin(), &SessionFilter { project, ..Default::default() }, size, seen.last())
                    .await
                    .unwrap();
                assert!(page.len() <= size as usize);
                if page.is_empty() {
                    break;
                }
                seen.extend(page.into_iter().map(|s| s.id));
            }
            assert_eq!(seen, *wanted, "pages of {size} of {project:?}");
        }
    }
}

#[tokio::test]
async fn events_in_order() {
    let (_database, store) = store().await;
    let session = crate::support::started(&store).await;
    let batch: Vec<_> =
        (0..ROWS).map(|n| (at(1), EventBody::Log { stream: LogStream::Stdout, text: format!("{n}") })).collect();
    store.append_events(&session.id, &batch).await.unwrap();
    for size in SIZES {
        let mut seen = Vec::new();
        loop {
            let page = store.events_after(&session.id, seen.len() as i64, size).await.unwrap();
            assert!(page.len() <= size as usize);
            if page.is_empty() {
                break;
            }
            seen.extend(page.into_iter().map(|e| (e.at, e.body)));
        }
        assert_eq!(seen, batch, "pages of {size}");
    }
}
