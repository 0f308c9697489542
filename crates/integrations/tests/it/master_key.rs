//! A new master key for all that is sealed: the integrations' credentials, and the secrets of registered applications.

use std::fs;

use valetkey_integrations::{AppFacts, AppSecrets, NewApp};
use valetkey_model::ProviderKind;
use valetkey_store::{AppOrigin, ProviderAppKey};
use valetkey_testbed::{ForgeBed, Testbed};

#[tokio::test]
async fn registered_applications_are_rotated_and_looked_at_too() {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    let connected = bed.connect(&forge).await;
    for instance in ["https://gitlab.com", "https://gitlab.example"] {
        let new = NewApp {
            provider: ProviderKind::GitLab,
            instance_url: Some(instance.parse().unwrap()),
            client_id: "client".to_owned(),
            secrets: AppSecrets { client_secret: Some("secret".into()), ..AppSecrets::default() },
            facts: AppFacts::default(),
        };
        bed.integrations.register_app(new, AppOrigin::Ui).await.unwrap();
    }
    assert_eq!(bed.integrations.rotate_master_key().await.unwrap().rewrapped, 3);
    assert!(bed.integrations.unopenable().await.unwrap().is_empty());
    assert!(bed.another_process().unopenable().await.unwrap().is_empty(), "also for who starts with the new key alone");

    fs::remove_file(bed.folder.path().join("master.key")).unwrap();
    let key = |instance: &str| ProviderAppKey::new(ProviderKind::GitLab, &instance.parse().unwrap()).to_string();
    let broken = bed.another_process().unopenable().await.unwrap();
    assert_eq!(broken, [connected.id.to_string(), key("https://gitlab.com"), key("https://gitlab.example")]);
}
