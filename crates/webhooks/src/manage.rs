//! Adding webhooks, changing them, and looking into what was sent.

use jiff::SignedDuration;
use valetkey_model::{
    Problem, ProblemCode, ProjectName, WebhookDeliveryId, WebhookEvent, WebhookId, WebhookUrl, is_deceptive, sentence,
};
use valetkey_providers::CallError;
use valetkey_seal::Secret;
use valetkey_store::{Delivery, NewDelivery, Webhook, WebhookChange};

use crate::{Webhooks, attempt::LEASE, notice::body, secrets::Secrets};

/// The event of a test. Nobody has to want it.
pub(crate) const TEST: &str = "webhook.test";

/// How many webhooks a project can have: each is told of everything.
const MOST: u32 = 20;

/// How long the secret before a rotation signs too.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);

const LONGEST_DESCRIPTION: usize = 200;

/// A webhook to be.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Where notifications are posted to.
    pub url: WebhookUrl,
    /// What it is for; may be empty.
    pub description: String,
    /// What it is to be told of.
    pub events: Vec<WebhookEvent>,
}

/// What to change of a webhook; what is `None` stays.
pub type Change = WebhookChange;

impl Webhooks {
    /// Adds a webhook to a project. Its signing secret comes with it, and never again.
    ///
    /// # Errors
    /// `invalid_input`; `address_refused` for a receiver that this server does not call; `not_found` for an unknown project;
    /// `conflict` when it has too many.
    pub async fn add(&self, project: &ProjectName, new: NewWebhook) -> Result<(Webhook, Secret<String>), Problem> {
        self.check_receiver(&new.url)?;
        let now = self.clock.now();
        let webhook = Webhook {
            id: WebhookId::new(now, &*self.entropy),
            project: project.clone(),
            url: new.url,
            description: checked_description(&new.description)?,
            events: checked_events(new.events)?,
            enabled: true,
            disabled_reason: None,
            previous_until: None,
            created_at: now,
            updated_at: now,
        };
        let secrets = Secrets::new(&*self.entropy);
        let sealed = self.seal(&webhook.id, 1, &secrets);
        self.store.insert_webhook(&webhook, sealed.as_bytes(), MOST).await?;
        self.settle_seal(&webhook.id, 1, &secrets, &sealed).await?;
        tracing::info!(webhook = %webhook.id, %project, receiver = %webhook.url.receiver(), "webhook added");
        Ok((webhook, secrets.current))
    }

    /// The webhooks of a project, the oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, project: &ProjectName) -> Result<Vec<Webhook>, Problem> {
        Ok(self.store.webhooks(project).await?)
    }

    /// One of a project's webhooks.
    ///
    /// # Errors
    /// `not_found`, also for one of another project.
    pub async fn get(&self, project: &ProjectName, id: &WebhookId) -> Result<Webhook, Problem> {
        let found = self.store.webhook(id).await?.filter(|webhook| webhook.project == *project);
        found.ok_or_else(no_such_webhook)
    }

    /// Changes a webhook. What still waits goes to where it is then.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub async fn change(&self, project: &ProjectName, id: &WebhookId, change: Change) -> Result<Webhook, Problem> {
        if let Some(url) = &change.url {
            self.check_receiver(url)?;
        }
        let change = Change {
            description: change.description.as_deref().map(checked_description).transpose()?,
            events: change.events.map(checked_events).transpose()?,
            ..change
        };
        let changed = self.store.change_webhook(project, id, &change, self.clock.now()).await?;
        changed.ok_or_else(no_such_webhook)
    }

    /// Erases a webhook, its secret and the log of its deliveries.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn remove(&self, project: &ProjectName, id: &WebhookId) -> Result<(), Problem> {
        if !self.store.delete_webhook(project, id).await? {
            return Err(no_such_webhook());
        }
        tracing::info!(webhook = %id, %project, "webhook removed");
        Ok(())
    }

    /// Makes another signing secret, which is told once. For a day the old one signs too, so that nothing is refused while
    /// the receiver changes over.
    ///
    /// # Errors
    /// `not_found`; `conflict` when somebody else does it at this moment.
    pub async fn rotate(&self, project: &ProjectName, id: &WebhookId) -> Result<(Webhook, Secret<String>), Problem> {
        self.get(project, id).await?;
        let (secrets, generation) = self.open(id).await?.ok_or_else(no_such_webhook)?;
        let secrets = secrets.rotated(&*self.entropy);
        let sealed = self.seal(id, generation + 1, &secrets);
        let now = self.clock.now();
        self.store.replace_webhook_secret(id, generation, sealed.as_bytes(), now + OVERLAP, now).await?;
        self.settle_seal(id, generation + 1, &secrets, &sealed).await?;
        tracing::info!(webhook = %id, %project, "signing secret replaced");
        Ok((self.get(project, id).await?, secrets.current))
    }

    /// Sends a notification that says that it is a test, now and once, and says what came of it.
    ///
    /// # Errors
    /// `not_found`; `conflict` for a webhook that is disabled.
    pub async fn test(&self, project: &ProjectName, id: &WebhookId) -> Result<Delivery, Problem> {
        self.enabled(project, id).await?;
        let now = self.clock.now();
        let new = NewDelivery {
            id: WebhookDeliveryId::new(now, &*self.entropy),
            webhook: id.clone(),
            event: TEST,
            body: body(TEST, now, serde_json::json!({ "project": project, "webhook": id })),
            created_at: now,
            leased_until: Some(now + LEASE),
        };
        self.store.insert_deliveries(std::slice::from_ref(&new)).await?;
        let claimed = self.delivery(id, &new.id).await?;
        self.attempt(&claimed).await?;
        self.delivery(id, &new.id).await
    }

    /// Up to `limit` notifications to a webhook, the newest first, from the one before `before`.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn deliveries(
        &self,
        project: &ProjectName,
        id: &WebhookId,
        limit: u32,
        before: Option<&WebhookDeliveryId>,
    ) -> Result<Vec<Delivery>, Problem> {
        self.get(project, id).await?;
        Ok(self.store.deliveries_page(id, limit, before).await?)
    }

    /// Sends a notification once more, with the same id and from the first attempt on.
    ///
    /// # Errors
    /// `not_found`; `conflict` while it is being sent, and for a webhook that is disabled.
    pub async fn redeliver(
        &self,
        project: &ProjectName,
        id: &WebhookId,
        delivery: &WebhookDeliveryId,
    ) -> Result<Delivery, Problem> {
        self.enabled(project, id).await?;
        let again = self.store.redeliver(id, delivery, self.clock.now()).await?;
        self.wake();
        Ok(again)
    }

    async fn delivery(&self, webhook: &WebhookId, id: &WebhookDeliveryId) -> Result<Delivery, Problem> {
        self.store.delivery(webhook, id).await?.ok_or_else(no_such_webhook)
    }

    async fn enabled(&self, project: &ProjectName, id: &WebhookId) -> Result<(), Problem> {
        if self.get(project, id).await?.enabled {
            return Ok(());
        }
        Err(Problem::new(ProblemCode::Conflict, "The webhook is disabled, so nothing is sent to it.")
            .remedy("Enable it first."))
    }

    /// Refuses receivers that can't be called, as far as their spelling says. The rest is seen when they are called.
    fn check_receiver(&self, url: &WebhookUrl) -> Result<(), Problem> {
        self.http.check_spelling(url.receiver()).map_err(|error: CallError| {
            Problem::new(ProblemCode::AddressRefused, sentence(&error)).remedy(
                "Where it is meant to be called, the server's administrator adds it to the setting outbound_allow.",
            )
        })
    }
}

fn checked_description(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.chars().count() > LONGEST_DESCRIPTION || text.chars().any(is_deceptive) {
        let detail = format!("A description has at most {LONGEST_DESCRIPTION} characters, all of them visible.");
        return Err(Problem::new(ProblemCode::InvalidInput, detail));
    }
    Ok(text.to_owned())
}

fn checked_events(mut events: Vec<WebhookEvent>) -> Result<Vec<WebhookEvent>, Problem> {
    if events.is_empty() {
        return Err(Problem::new(ProblemCode::InvalidInput, "Choose at least one event."));
    }
    events.sort_unstable();
    events.dedup();
    Ok(events)
}

fn no_such_webhook() -> Problem {
    Problem::new(ProblemCode::NotFound, "The project has no such webhook.")
}
