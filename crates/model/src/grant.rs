use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{GrantId, IntegrationId, ProviderKind, PushPolicy, RepoUrl, SessionId};

/// What one session may do, fixed when it starts and ended with it. The gateway allows nothing that no grant names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// The session it belongs to.
    pub session: SessionId,
    /// The integrations it may use, in its agent's environment too.
    pub integrations: Vec<GrantedIntegration>,
    /// The repositories it may read, and what it may push to each.
    pub repositories: Vec<GrantedRepository>,
    /// When it ends even if the session does not.
    pub ends_at: Timestamp,
}

/// One integration of a [`Grant`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantedIntegration {
    /// Which.
    pub id: IntegrationId,
    /// Its provider, for the name of the environment variable.
    pub provider: ProviderKind,
    /// The credential's generation when the grant was written.
    pub generation: i64,
    /// Whether the agent gets a secret in place of its token. Git goes on with the integration's.
    #[serde(default)]
    pub overridden: bool,
}

/// One repository of a [`Grant`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantedRepository {
    /// Which.
    pub url: RepoUrl,
    /// What its requests carry. Without it the repository is read as anybody may read it, and nothing is pushed to it.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub with: Option<GrantedAccess>,
}

/// With what a [`GrantedRepository`] is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedAccess {
    /// The integration whose credential its requests carry.
    pub integration: IntegrationId,
    /// What may be pushed.
    pub push: PushPolicy,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_with_half_of_its_access_has_none() {
        let whole = serde_json::json!({
            "url": "https://gitlab.com/a/b", "integration": "018f0000-0000-7000-8000-000000000001",
            "push": {"branch": "x", "allowForce": false},
        });
        let read: GrantedRepository = serde_json::from_value(whole.clone()).unwrap();
        assert!(read.with.is_some());
        assert_eq!(serde_json::to_value(&read).unwrap(), whole);
        for part in ["integration", "push"] {
            let mut half = whole.clone();
            half.as_object_mut().unwrap().remove(part);
            let read: GrantedRepository = serde_json::from_value(half).unwrap();
            assert_eq!(read.with, None);
        }
        let none = serde_json::json!({"url": "https://gitlab.com/a/b"});
        let read: GrantedRepository = serde_json::from_value(none.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), none);
    }
}
