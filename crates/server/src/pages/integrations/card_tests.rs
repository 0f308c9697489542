use jiff::SignedDuration;
use valetkey_integrations::{AppFacts, RegisteredApp};
use valetkey_model::{Account, AuthMethod, CheckOutcome, Details, OwnerScope, ProblemCode, ProviderKind, UserId};

use super::*;

pub(in crate::pages) fn now() -> Timestamp {
    "2026-11-21T09:30:00Z".parse().unwrap()
}

/// A healthy integration.
pub(in crate::pages) fn integration(n: u8, provider: ProviderKind) -> Integration {
    let ago = |seconds| now() - SignedDuration::from_secs(seconds);
    Integration {
        id: format!("018f0000-0000-7000-8000-0000000000{n:02}").parse().unwrap(),
        provider,
        scope: OwnerScope::UserGlobal,
        owner: UserId::admin(),
        alias: format!("john@{}.com", provider.slug()).parse().unwrap(),
        instance_url: provider.default_instance().unwrap_or_else(|| "https://service.example.com".parse().unwrap()),
        account: Account {
            id: "7".into(),
            username: "john".into(),
            name: Some("John Doe".into()),
            email: Some("john@example.test".into()),
        },
        auth_method: AuthMethod::Pat,
        granted_scopes: vec!["api".into(), "read_user".into()],
        expires_at: Some(now() + SignedDuration::from_hours(71 * 24)),
        refresh_expires_at: None,
        details: Details::default(),
        outcome: CheckOutcome::Connected,
        unreachable: None,
        is_default: true,
        generation: 1,
        removing: false,
        created_at: ago(900_000),
        updated_at: ago(900_000),
        last_checked_at: ago(190),
        last_used_at: Some(ago(7_300)),
    }
}

pub(in crate::pages) fn revoked(n: u8) -> Integration {
    let reason = "Authentication failed: the GitLab token was revoked.".to_owned();
    Integration {
        alias: "Release bot".parse().unwrap(),
        instance_url: "https://gitlab.example.com:8443".parse().unwrap(),
        outcome: CheckOutcome::Disconnected { code: ProblemCode::TokenRevoked, reason },
        is_default: false,
        last_used_at: None,
        expires_at: None,
        ..integration(n, ProviderKind::GitLab)
    }
}

/// A GitHub App on four accounts, in four states.
pub(in crate::pages) fn installed(n: u8) -> Integration {
    let installation = |account: &str, state, repositories: &[&str]| Installation {
        id: 1,
        account: account.to_owned(),
        state,
        all_repositories: repositories.is_empty(),
        repositories: repositories.iter().map(|name| (*name).to_owned()).collect(),
        permissions: std::collections::BTreeMap::new(),
    };
    let installations = vec![
        installation("acme", InstallationState::Active, &["acme/project", "acme/site"]),
        installation("labs", InstallationState::Suspended, &[]),
        installation("widgets", InstallationState::PendingApproval, &[]),
        installation("old", InstallationState::Removed, &[]),
    ];
    let notes = vec!["Each session gets a token of its own.".to_owned()];
    Integration {
        auth_method: AuthMethod::App,
        alias: "Acme's app".parse().unwrap(),
        expires_at: Some(now() + SignedDuration::from_hours(1)),
        granted_scopes: vec!["contents=write".into()],
        details: Details { installations, notes, ..Details::default() },
        ..integration(n, ProviderKind::GitHub)
    }
}

/// A consent of which a part was left out, at a service with sites.
pub(in crate::pages) fn consented(n: u8) -> Integration {
    let site =
        Site { id: "1".into(), url: "https://team.example.test".into(), name: "Team".into(), scopes: Vec::new() };
    Integration {
        auth_method: AuthMethod::OAuth,
        alias: "Drive and mail".parse().unwrap(),
        expires_at: Some(now() - SignedDuration::from_hours(1)),
        details: Details {
            sites: vec![site],
            team: Some("Acme".into()),
            version: Some("Suite 12".into()),
            withheld_scopes: vec!["gmail.send".into()],
            ..Details::default()
        },
        ..integration(n, ProviderKind::Google)
    }
}

/// The app by which [`installed`] is connected.
pub(in crate::pages) fn app() -> RegisteredApp {
    RegisteredApp {
        provider: ProviderKind::GitHub,
        instance_url: ProviderKind::GitHub.default_instance().unwrap(),
        client_id: "Iv23li".into(),
        from_settings: false,
        facts: AppFacts { name: Some("Valetkey for Acme".into()), app_id: Some(7), slug: Some("valetkey-acme".into()) },
    }
}

fn json(integration: Integration) -> serde_json::Value {
    serde_json::to_value(Card::new(integration, None, &Actor::admin(), now())).unwrap()
}

#[test]
fn a_healthy_card_asks_for_nothing() {
    let card = json(integration(1, ProviderKind::GitLab));
    assert_eq!(card["status"]["word"], "Connected");
    assert_eq!(card["reason"], serde_json::Value::Null);
    assert_eq!(card["advice"], serde_json::Value::Null);
    assert_eq!(card["expiry"]["words"], "in 2 months");
    assert_eq!(card["checked"]["words"], "3 min ago");
    assert!(in_trouble(&integration(1, ProviderKind::GitLab), now()).is_none());
}

#[test]
fn a_sick_card_says_why_and_what_to_do() {
    let card = json(revoked(1));
    assert_eq!(card["status"]["word"], "Disconnected");
    assert_eq!(card["reason"], "Authentication failed: the GitLab token was revoked.");
    assert!(card["advice"].as_str().unwrap().contains("new token"));
    assert_eq!(card["expiry"]["words"], "No end announced");
    let trouble = in_trouble(&revoked(1), now()).unwrap();
    assert_eq!(trouble.fix.word, "Replace token");
}

#[test]
fn what_has_expired_says_since_when() {
    let mut expired = integration(1, ProviderKind::GitHub);
    expired.expires_at = Some(now() - SignedDuration::from_hours(72));
    let card = json(expired);
    assert_eq!(card["status"]["word"], "Disconnected");
    assert_eq!(card["expiry"]["words"], "expired 3 days ago");
}

#[test]
fn a_consent_is_given_again_and_needs_no_token() {
    let mut ended = consented(1);
    assert!(in_trouble(&ended, now()).is_none(), "the end of one access token is none of the consent");
    ended.refresh_expires_at = Some(now() - SignedDuration::from_hours(1));
    let trouble = in_trouble(&ended, now()).unwrap();
    assert_eq!(trouble.fix.word, "Connect again");
    assert!(trouble.fix.href.starts_with("/integrations/connect/google?method=oauth&reconnect="));
    let card = json(ended);
    assert_eq!(card["advice"], "Sessions can't use it. Connect again.");
    assert_eq!(card["expiry"]["label"], "Consent ends");
}

#[test]
fn another_credential_is_no_help_against_silence() {
    let silent = Integration { unreachable: Some("Timed out.".into()), ..integration(1, ProviderKind::GitLab) };
    let trouble = in_trouble(&silent, now()).unwrap();
    assert_eq!((trouble.fix.word, trouble.fix.dialog), ("Look at it", false));
}
