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
    /// The integration whose credential its requests carry.
    pub integration: IntegrationId,
    /// What may be pushed.
    pub push: PushPolicy,
}
