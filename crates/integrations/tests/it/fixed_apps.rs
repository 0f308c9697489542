//! The applications of the settings file, and what stays of them in the store.

use valetkey_integrations::{AppFacts, AppSecrets, FixedApps, NewApp};
use valetkey_model::{ProblemCode, ProviderKind};
use valetkey_seal::Secret;
use valetkey_store::AppOrigin;
use valetkey_testbed::Testbed;

fn app(provider: ProviderKind, secret: &str) -> NewApp {
    let secrets = AppSecrets { client_secret: Some(Secret::from(secret)), ..AppSecrets::default() };
    NewApp { provider, instance_url: None, client_id: "client".into(), secrets, facts: AppFacts::default() }
}

async fn registered(bed: &Testbed) -> Vec<(ProviderKind, bool)> {
    let apps = bed.integrations.registered_apps().await.unwrap();
    apps.into_iter().map(|app| (app.provider, app.from_settings)).collect()
}

#[tokio::test]
async fn a_file_that_has_not_changed_writes_nothing() {
    let bed = Testbed::new(&[]).await;
    let file = || vec![app(ProviderKind::GitHub, "one"), app(ProviderKind::GitLab, "two")];
    let fixed = bed.integrations.fix_apps(file()).await.unwrap();
    assert_eq!(fixed, FixedApps { stored: 2, ..FixedApps::default() });
    let stored = bed.store.provider_apps().await.unwrap();
    let fixed = bed.another_process().fix_apps(file()).await.unwrap();
    assert_eq!(fixed, FixedApps { unchanged: 2, ..FixedApps::default() });
    assert_eq!(bed.store.provider_apps().await.unwrap(), stored);
    let fixed =
        bed.integrations.fix_apps(vec![app(ProviderKind::GitHub, "new"), app(ProviderKind::GitLab, "two")]).await;
    assert_eq!(fixed.unwrap(), FixedApps { stored: 1, unchanged: 1, removed: 0 });
}

#[tokio::test]
async fn what_has_gone_from_the_file_is_removed_and_what_the_ui_registered_stays() {
    let bed = Testbed::new(&[]).await;
    bed.integrations.register_app(app(ProviderKind::Slack, "ui"), AppOrigin::Ui).await.unwrap();
    bed.integrations.register_app(app(ProviderKind::GitLab, "ui"), AppOrigin::Ui).await.unwrap();
    bed.integrations.fix_apps(vec![app(ProviderKind::GitHub, "one"), app(ProviderKind::GitLab, "file")]).await.unwrap();
    assert_eq!(
        registered(&bed).await,
        [(ProviderKind::GitHub, true), (ProviderKind::GitLab, true), (ProviderKind::Slack, false)],
        "the file wins"
    );
    let fixed = bed.integrations.fix_apps(vec![app(ProviderKind::GitLab, "file")]).await.unwrap();
    assert_eq!(fixed, FixedApps { stored: 0, unchanged: 1, removed: 1 });
    assert_eq!(registered(&bed).await, [(ProviderKind::GitLab, true), (ProviderKind::Slack, false)]);
    let problem = bed.integrations.register_app(app(ProviderKind::GitLab, "x"), AppOrigin::Ui).await.unwrap_err();
    assert_eq!(problem.code, ProblemCode::Conflict);
}

#[tokio::test]
async fn one_that_does_not_open_any_more_is_named_and_put_right_by_the_file() {
    let bed = Testbed::new(&[]).await;
    let file = || vec![app(ProviderKind::GitHub, "one")];
    bed.integrations.fix_apps(file()).await.unwrap();
    assert_eq!(bed.integrations.unopenable().await.unwrap(), Vec::<String>::new());
    std::fs::remove_file(bed.folder.path().join("master.key")).unwrap();
    let stranger = bed.another_process();
    assert_eq!(stranger.unopenable().await.unwrap().len(), 1);
    assert_eq!(stranger.fix_apps(file()).await.unwrap().stored, 1);
    assert_eq!(stranger.unopenable().await.unwrap(), Vec::<String>::new());
}
