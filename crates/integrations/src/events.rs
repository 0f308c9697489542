//! What happened to integrations, for their owners: never a secret, and nothing that the owner may not know.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{
    Actor, Alias, CheckOutcome, Integration, IntegrationEventId, IntegrationId, Level, OwnerScope, Problem,
    ProblemCode, ProviderKind, Status, WebhookEvent,
};
use valetkey_store as store;
use valetkey_webhooks::IntegrationNotice;

use crate::Integrations;

/// Something that happened to an integration. It outlives the integration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IntegrationEvent {
    /// Its id; later ones sort behind.
    pub id: IntegrationEventId,
    /// When.
    pub at: Timestamp,
    /// What it happened to.
    pub integration: IntegrationId,
    /// The integration as it was then.
    #[serde(flatten)]
    pub subject: Subject,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What an event says of its integration, which may be gone when it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// The kind of service.
    pub provider: ProviderKind,
    /// Its name.
    pub alias: Alias,
    /// The login name of the account.
    pub account: String,
}

/// What can happen to an integration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Happening {
    /// A person connected it.
    Connected,
    /// A person put another credential of the same account in, or consented again.
    Replaced,
    /// The provider made another credential in place of the old one.
    Rotated,
    /// Its access token was renewed.
    Refreshed,
    /// Its access token could not be renewed.
    RefreshFailed {
        /// Why.
        reason: String,
        /// Whether that is the end, until a person connects it again.
        ended: bool,
    },
    /// It ends soon. Said once a day at most.
    Expiring {
        /// When.
        ends_at: Timestamp,
    },
    /// The provider says something else of it than before.
    StatusChanged {
        /// What it said before.
        from: Status,
        /// What it says now.
        to: Status,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A person disconnected it.
    Disconnected {
        /// What became of the credential at the provider.
        at_provider: AtProvider,
    },
}

/// What became of a disconnected integration's credential at its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AtProvider {
    /// It works no more.
    Revoked,
    /// The provider did not know it any more.
    NotKnown,
    /// Only a person can delete it there.
    NotOffered,
    /// The provider could not be asked, or refused: it may still work.
    Failed,
    /// Sessions still use it.
    InUse,
}

/// What an event is stored as besides its columns.
#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(flatten)]
    subject: Subject,
    #[serde(flatten)]
    what: Happening,
}

impl Happening {
    fn kind(&self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Replaced => "replaced",
            Self::Rotated => "rotated",
            Self::Refreshed => "refreshed",
            Self::RefreshFailed { .. } => "refresh_failed",
            Self::Expiring { .. } => "expiring",
            Self::StatusChanged { .. } => "status_changed",
            Self::Disconnected { .. } => "disconnected",
        }
    }

    /// The change of what a provider says, if it is one.
    pub(crate) fn between(before: &CheckOutcome, after: &CheckOutcome) -> Option<Self> {
        let ((from, _), (to, reason)) = (in_words(before), in_words(after));
        (from != to).then(|| Self::StatusChanged { from, to, reason: reason.map(str::to_owned) })
    }
}

fn in_words(outcome: &CheckOutcome) -> (Status, Option<&str>) {
    match outcome {
        CheckOutcome::Connected => (Status::Connected, None),
        CheckOutcome::InsufficientScope { reason } => (Status::InsufficientScope, Some(reason)),
        CheckOutcome::Disconnected { reason, .. } => (Status::Disconnected, Some(reason)),
    }
}

impl Integrations {
    /// Up to `limit` events of the integrations that somebody may know of, of one or all, the newest first, from the one before `before`.
    ///
    /// # Errors
    /// When the store fails or a record is damaged.
    pub async fn events(
        &self,
        by: &Actor,
        integration: Option<&IntegrationId>,
        before: Option<&IntegrationEventId>,
        limit: u32,
    ) -> Result<Vec<IntegrationEvent>, Problem> {
        let page = self.store.integration_events_page(by, integration, before, limit).await?;
        page.into_iter().map(read).collect()
    }

    /// Notes that something happened, and tells a project's webhooks of what they may know. It has happened whether it is
    /// noted or not, so a failure is only logged.
    pub(crate) async fn note(&self, of: &Integration, what: Happening) {
        self.tell(of, &what).await;
        let at = self.clock.now();
        let kind = what.kind().to_owned();
        let subject = Subject { provider: of.provider, alias: of.alias.clone(), account: of.account.username.clone() };
        let event = store::IntegrationEvent {
            id: IntegrationEventId::new(at, &*self.entropy),
            integration: of.id.clone(),
            owner: of.owner.clone(),
            project: Some(&of.scope)
                .filter(|scope| scope.level() == Level::Project)
                .and_then(OwnerScope::project)
                .cloned(),
            at,
            kind,
            body: serde_json::to_value(Body { subject, what }).expect("plain data is JSON"),
        };
        if let Err(error) = self.store.append_integration_event(&event).await {
            tracing::warn!(integration = %of.id, kind = event.kind, %error, "an event could not be noted");
        }
    }

    /// What is one person's own is nobody else's business.
    async fn tell(&self, of: &Integration, what: &Happening) {
        let OwnerScope::Project(project) = &of.scope else { return };
        let (event, reason, ends_at) = match what {
            Happening::Expiring { ends_at } => (WebhookEvent::IntegrationExpiring, None, Some(*ends_at)),
            Happening::StatusChanged { to: Status::Disconnected, reason, .. } => {
                (WebhookEvent::IntegrationDisconnected, reason.as_deref(), None)
            }
            Happening::Disconnected { .. } => {
                (WebhookEvent::IntegrationDisconnected, Some("Somebody disconnected it."), None)
            }
            _ => return,
        };
        self.webhooks.tell(project, event, &IntegrationNotice::new(of, reason, ends_at)).await;
    }
}

fn read(event: store::IntegrationEvent) -> Result<IntegrationEvent, Problem> {
    let store::IntegrationEvent { id, integration, at, body, .. } = event;
    let damaged = |_| Problem::new(ProblemCode::Internal, format!("The integration event {id} is damaged."));
    let Body { subject, what } = serde_json::from_value(body).map_err(damaged)?;
    Ok(IntegrationEvent { id, at, integration, subject, what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_kind_is_the_one_in_the_answer() {
        let all = [
            Happening::Connected,
            Happening::Replaced,
            Happening::Rotated,
            Happening::Refreshed,
            Happening::RefreshFailed { reason: String::new(), ended: true },
            Happening::Expiring { ends_at: Timestamp::UNIX_EPOCH },
            Happening::StatusChanged { from: Status::Connected, to: Status::Disconnected, reason: None },
            Happening::Disconnected { at_provider: AtProvider::InUse },
        ];
        for what in all {
            assert_eq!(serde_json::to_value(&what).unwrap()["kind"], what.kind());
        }
    }
}
