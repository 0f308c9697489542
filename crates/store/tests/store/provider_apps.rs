//! The applications that an administrator registered at providers.

use crate::support::{at, store};
use serde_json::json;
use valetkey_model::ProviderKind;
use valetkey_store::{AppOrigin, ProviderApp, StoreError, StoredCredential};

pub(crate) fn app(provider: ProviderKind, instance: &str, generation: i64) -> ProviderApp {
    ProviderApp {
        provider,
        instance_url: instance.parse().unwrap(),
        client_id: format!("client {generation}"),
        origin: AppOrigin::Ui,
        details: json!({"name": "Välet", "id": 7}),
        credential: StoredCredential { generation, sealed: format!("{instance} {generation}").into_bytes() },
        created_at: at(1_000 + generation),
        updated_at: at(1_000 + generation),
    }
}

#[tokio::test]
async fn there_is_one_per_provider_and_instance() {
    let (_database, store) = store().await;
    let lab = app(ProviderKind::GitLab, "https://git.example", 1);
    let hub = app(ProviderKind::GitHub, "https://git.example", 1);
    let mut other = app(ProviderKind::GitHub, "https://github.com", 1);
    other.origin = AppOrigin::Settings;
    for app in [&lab, &other, &hub] {
        store.put_provider_app(app).await.unwrap();
        assert_eq!(store.provider_app(app.provider, &app.instance_url).await.unwrap().as_ref(), Some(app));
    }
    assert_eq!(store.provider_apps().await.unwrap(), [hub.clone(), other, lab.clone()]);
    assert_eq!(store.provider_app(ProviderKind::GitLab, &"https://github.com".parse().unwrap()).await.unwrap(), None);
    assert!(store.remove_provider_app(hub.provider, &hub.instance_url).await.unwrap());
    assert!(!store.remove_provider_app(hub.provider, &hub.instance_url).await.unwrap());
    assert_eq!(store.provider_app(hub.provider, &hub.instance_url).await.unwrap(), None);
    assert_eq!(store.provider_app(lab.provider, &lab.instance_url).await.unwrap(), Some(lab));
}

#[tokio::test]
async fn one_takes_the_place_of_the_generation_before_it_only() {
    let (_database, store) = store().await;
    let generation = |n| app(ProviderKind::GitHub, "https://github.com", n);
    store.put_provider_app(&generation(1)).await.unwrap();
    for wrong in [1, 3] {
        assert!(matches!(store.put_provider_app(&generation(wrong)).await, Err(StoreError::Stale(_))), "{wrong}");
    }
    let second = generation(2);
    store.put_provider_app(&second).await.unwrap();
    let stored = store.provider_app(second.provider, &second.instance_url).await.unwrap().unwrap();
    assert_eq!(stored, ProviderApp { created_at: at(1_001), ..second });
}

#[tokio::test]
async fn key_rotation_swaps_only_the_secrets_that_it_has_read() {
    let (_database, store) = store().await;
    let app = app(ProviderKind::GitLab, "https://git0.example", 1);
    store.put_provider_app(&app).await.unwrap();
    let key = &app.key();
    assert_eq!(key.as_str(), "gitlab https://git0.example");
    let old = b"https://git0.example 1".as_slice();
    assert!(!store.rewrap(key, 1, b"other", b"new").await.unwrap());
    assert!(!store.rewrap(key, 2, old, b"new").await.unwrap());
    assert!(store.rewrap(key, 1, old, b"new").await.unwrap());
    let after = StoredCredential { generation: 1, sealed: b"new".to_vec() };
    assert_eq!(store.sealed(key).await.unwrap(), Some(after));
}
