//! Who may come in: API tokens, sign-in links, browser sessions, and the first start.

use crate::support::{at, store, token, user, web_session};
use valetkey_model::UserId;
use valetkey_store::StoreError;

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_is_first_once() {
    let (database, store) = store().await;
    let other_process = database.open().await;
    let tasks: Vec<_> = (0..10)
        .map(|n| {
            let store = if n % 2 == 0 { store.clone() } else { other_process.clone() };
            tokio::spawn(async move { store.first_start(at(1)).await.unwrap() })
        })
        .collect();
    let mut firsts = 0;
    for task in tasks {
        firsts += usize::from(task.await.unwrap());
    }
    assert_eq!(firsts, 1);
    store.close().await;
    other_process.close().await;
    assert!(!database.open().await.first_start(at(2)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_tasks_use_one_sign_in_link_and_one_gets_in() {
    let (database, store) = store().await;
    let other_process = database.open().await;
    store.insert_sign_in_link("link", at(100)).await.unwrap();
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let store = if n % 2 == 0 { store.clone() } else { other_process.clone() };
            tokio::spawn(async move { store.consume_sign_in_link("link", at(99)).await.unwrap() })
        })
        .collect();
    let mut let_in = 0;
    for task in tasks {
        let_in += usize::from(task.await.unwrap());
    }
    assert_eq!(let_in, 1);
}

#[tokio::test]
async fn a_sign_in_link_ends() {
    let (_database, store) = store().await;
    store.insert_sign_in_link("link", at(100)).await.unwrap();
    assert!(matches!(store.insert_sign_in_link("link", at(900)).await, Err(StoreError::Conflict(_))));
    assert!(!store.consume_sign_in_link("another", at(1)).await.unwrap());
    assert!(!store.consume_sign_in_link("link", at(100)).await.unwrap());
    assert!(store.consume_sign_in_link("link", at(99)).await.unwrap());
}

#[tokio::test]
async fn a_browser_session_lasts_until_its_end_or_until_deleted() {
    let (_database, store) = store().await;
    store.insert_web_session(&web_session("cookie", "admin", at(100))).await.unwrap();
    store.insert_web_session(&web_session("other", "other", at(200))).await.unwrap();
    store.insert_sign_in_link("link", at(100)).await.unwrap();
    assert_eq!(store.web_session("cookie", at(99)).await.unwrap(), Some(UserId::admin()));
    assert_eq!(store.web_session("cookie", at(100)).await.unwrap(), None);
    assert_eq!(store.web_session("forged", at(1)).await.unwrap(), None);
    assert_eq!(store.purge_sign_ins(at(100)).await.unwrap(), 2);
    assert_eq!(store.web_session("cookie", at(1)).await.unwrap(), None);
    assert_eq!(store.web_session("other", at(199)).await.unwrap(), Some(user("other")));
    store.delete_web_session("other").await.unwrap();
    assert_eq!(store.web_session("other", at(1)).await.unwrap(), None);
}

#[tokio::test]
async fn tokens_are_found_by_hash_listed_by_owner_and_deleted() {
    let (_database, store) = store().await;
    let mut full = token("full", "admin");
    full.expires_at = Some(at(500));
    full.last_used_at = Some(at(400));
    let (plain, foreign) = (token("plain", "admin"), token("foreign", "other"));
    for token in [&full, &plain, &foreign] {
        store.insert_token(token).await.unwrap();
        assert_eq!(store.token_by_hash(&token.hash).await.unwrap().as_ref(), Some(token));
    }
    assert!(matches!(store.insert_token(&full).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.token_by_hash("guess").await.unwrap(), None);
    assert_eq!(store.tokens(&UserId::admin()).await.unwrap(), [full, plain.clone()]);
    for (second, recorded) in [(100, 100), (159, 100), (160, 160)] {
        store.touch_token(&plain.id, at(second)).await.unwrap();
        let used = store.token_by_hash(&plain.hash).await.unwrap().unwrap().last_used_at;
        assert_eq!(used, Some(at(recorded)));
    }
    assert!(store.delete_token(&plain.id).await.unwrap());
    assert!(!store.delete_token(&plain.id).await.unwrap());
    assert_eq!(store.token_by_hash(&plain.hash).await.unwrap(), None);
}
