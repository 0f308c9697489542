use jiff::Timestamp;
use serde::Serialize;
use valetkey_model::{Integration, Status};

use crate::pages::words::{Badge, Moment, until};

/// A connected account as the list shows it.
#[derive(Debug, Serialize)]
pub(super) struct Card {
    id: String,
    alias: String,
    is_default: bool,
    username: String,
    person: Option<String>,
    host: String,
    instance: String,
    status: Badge,
    reason: Option<String>,
    advice: Option<&'static str>,
    token_wanted: bool,
    scopes: Vec<String>,
    expiry: Expiry,
    checked: Moment,
    used: Option<Moment>,
}

/// When a token ends.
#[derive(Debug, Serialize)]
struct Expiry {
    day: Option<Moment>,
    words: String,
}

impl Card {
    pub(super) fn new(integration: Integration, now: Timestamp) -> Self {
        let (status, reason) = integration.status(now);
        Self {
            id: integration.id.to_string(),
            alias: integration.alias.to_string(),
            is_default: integration.is_default,
            username: integration.account.username,
            person: integration.account.name,
            host: integration.instance_url.authority(),
            instance: integration.instance_url.to_string(),
            status: status.into(),
            reason,
            advice: advice(status),
            token_wanted: matches!(status, Status::Disconnected | Status::InsufficientScope | Status::Expiring),
            scopes: integration.granted_scopes,
            expiry: Expiry::new(integration.expires_at, now),
            checked: Moment::past(now, integration.last_checked_at),
            used: integration.last_used_at.map(|at| Moment::past(now, at)),
        }
    }
}

impl Expiry {
    fn new(end: Option<Timestamp>, now: Timestamp) -> Self {
        match end {
            None => Self { day: None, words: "No end announced".to_owned() },
            Some(end) if end <= now => {
                Self { day: Some(Moment::day(end)), words: format!("expired {}", until(now, end)) }
            }
            Some(end) => Self { day: Some(Moment::day(end)), words: until(now, end) },
        }
    }
}

/// Whether somebody should look at it.
pub(in crate::pages) fn in_trouble(integration: &Integration, now: Timestamp) -> Option<(Badge, String)> {
    let (status, reason) = integration.status(now);
    let reason = reason.unwrap_or_default();
    (status != Status::Connected).then(|| (status.into(), reason))
}

/// What to do about a status.
fn advice(status: Status) -> Option<&'static str> {
    match status {
        Status::Connected => None,
        Status::Expiring => {
            Some("Create a new token and put it in before this one ends; running sessions are not disturbed.")
        }
        Status::InsufficientScope => Some("Create a token with the missing scopes and replace this one."),
        Status::Disconnected => Some("Sessions can't use it. Create a new token and replace this one."),
        Status::Unreachable => Some("What was last known still stands. Test again when the provider answers."),
    }
}

#[cfg(test)]
pub(in crate::pages) mod tests {
    use jiff::SignedDuration;
    use valetkey_model::{Account, AuthMethod, CheckOutcome, OwnerScope, ProblemCode, ProviderKind, UserId};

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
            instance_url: provider.default_instance(),
            account: Account {
                id: "7".into(),
                username: "john".into(),
                name: Some("John Doe".into()),
                email: Some("john@example.test".into()),
            },
            auth_method: AuthMethod::Pat,
            granted_scopes: vec!["api".into(), "read_user".into()],
            expires_at: Some(now() + SignedDuration::from_hours(71 * 24)),
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

    fn json(integration: Integration) -> serde_json::Value {
        serde_json::to_value(Card::new(integration, now())).unwrap()
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
        assert!(in_trouble(&revoked(1), now()).is_some());
    }

    #[test]
    fn what_has_expired_says_since_when() {
        let mut expired = integration(1, ProviderKind::GitHub);
        expired.expires_at = Some(now() - SignedDuration::from_hours(72));
        let card = json(expired);
        assert_eq!(card["status"]["word"], "Disconnected");
        assert_eq!(card["expiry"]["words"], "expired 3 days ago");
    }
}
