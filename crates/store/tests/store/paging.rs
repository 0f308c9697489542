//! Pages of any size, put together, are the whole: nothing lost or repeated at their borders.

use crate::support::{at, engine, integration, session, store};
use valetkey_model::{Actor, EventBody, LogStream, ProjectName};
use valetkey_store::SessionFilter;

const ROWS: usize = 250;
const SIZES: [u32; 6] = [1, 7, 50, 249, 250, 251];

#[tokio::test]
async fn credentials_oldest_first() {
    let (_database, store) = store().await;
    let mut ids = Vec::new();
    for n in 0..ROWS {
        let new = integration(&format!("integration {n}"));
        store.insert_integration(&new, format!("{n}").as_bytes()).await.unwrap();
        ids.push(new.id);
    }
    for size in SIZES {
        let mut credentials = Vec::new();
        loop {
            let page = store.credentials_page(size, credentials.last()).await.unwrap();
            assert!(page.len() <= size as usize);
            if page.is_empty() {
                break;
            }
            credentials.extend(page.into_iter().map(|(id, _)| id));
        }
        assert_eq!(credentials, ids, "pages of {size}");
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
