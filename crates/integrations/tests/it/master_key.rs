//! A new master key for all that is sealed: the integrations' credentials, the secrets of registered applications, and
//! those that sessions are given.

use std::fs;

use valetkey_integrations::{AppFacts, AppSecrets, NewApp, NewSecret};
use valetkey_model::{Actor, ProjectName, ProviderKind, SecretOwner, UserId};
use valetkey_store::{AppOrigin, ProviderAppKey};
use valetkey_testbed::{ForgeBed, Testbed};

#[tokio::test]
async fn registered_applications_and_secrets_are_rotated_and_looked_at_too() {
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
    let mut secrets = Vec::new();
    for owner in [SecretOwner::Person(UserId::admin()), SecretOwner::Project(ProjectName::default_project())] {
        let new = NewSecret { name: "NPM_TOKEN".parse().unwrap(), value: "secret".into(), description: None };
        secrets.push(bed.integrations.set_secret(&Actor::admin(), &owner, new).await.unwrap().secret.id);
    }
    assert_eq!(bed.integrations.rotate_master_key().await.unwrap().rewrapped, 5);
    assert!(bed.integrations.unopenable().await.unwrap().is_empty());
    assert!(bed.another_process().unopenable().await.unwrap().is_empty(), "also for who starts with the new key alone");

    fs::remove_file(bed.folder.path().join("master.key")).unwrap();
    let key = |instance: &str| ProviderAppKey::new(ProviderKind::GitLab, &instance.parse().unwrap()).to_string();
    let broken = bed.another_process().unopenable().await.unwrap();
    let secret = |n: usize| format!("secret {}", secrets[n]);
    let apps = [key("https://gitlab.com"), key("https://gitlab.example")];
    assert_eq!(broken[..3], [connected.id.to_string(), apps[0].clone(), apps[1].clone()]);
    assert_eq!(broken[3..], [secret(0), secret(1)]);
}
