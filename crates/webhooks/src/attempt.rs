//! Sending a notification, once.

use futures_util::{StreamExt as _, stream};
use http::{Method, Request, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout};
use valetkey_model::{Problem, WebhookUrl, sentence};
use valetkey_providers::{CallError, UpstreamBody};
use valetkey_store::{Afterwards, AttemptRecord, Delivery, Webhook};

use crate::{Webhooks, manage::TEST, schedule, signature::sign};

/// How long whoever claimed notifications has for them. A batch takes two rounds of a receiver's patience.
pub(crate) const LEASE: SignedDuration = SignedDuration::from_mins(2);

/// How many one process sends at once, and claims at a time.
const AT_ONCE: usize = 8;
const BATCH: u32 = 16;

/// What a receiver said, or did not say.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// A status, and perhaps how long to wait.
    Status(StatusCode, Option<SignedDuration>),
    /// Nothing, for this reason.
    Nothing { why: String, may_pass: bool },
}

impl Webhooks {
    /// Sends what is due, up to a batch, and says how many notifications that was. Of several processes each sends others.
    ///
    /// # Errors
    /// When the store does not answer. Of what was claimed by then nothing is lost: it is due again after its lease.
    pub async fn run_due(&self) -> Result<usize, Problem> {
        let now = self.clock.now();
        let due = self.store.claim_due_deliveries(now, now + LEASE, BATCH).await?;
        let count = due.len();
        let attempts = stream::iter(due).map(|delivery| async move { self.attempt_claimed(&delivery).await });
        attempts.buffer_unordered(AT_ONCE).for_each(async |()| ()).await;
        Ok(count)
    }

    /// When the next notification is due, if there is one.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, Problem> {
        Ok(self.store.next_delivery_due().await?)
    }

    async fn attempt_claimed(&self, delivery: &Delivery) {
        if let Err(problem) = self.attempt(delivery).await {
            tracing::warn!(delivery = %delivery.id, %problem, "a notification could not be sent now");
        }
    }

    /// Makes the attempt that a notification was claimed for, and records what came of it.
    pub(crate) async fn attempt(&self, claimed: &Delivery) -> Result<(), Problem> {
        let Some(webhook) = self.store.webhook(&claimed.webhook).await? else { return Ok(()) };
        let begun = Instant::now();
        let answer = match self.post(&webhook, claimed).await {
            Ok(answer) => answer,
            Err(Problem { detail, .. }) => Answer::Nothing { why: detail, may_pass: true },
        };
        let now = self.clock.now();
        let duration = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        let then = self.afterwards(claimed, &answer, now);
        let record = AttemptRecord { status: answer.status(), error: answer.error(&webhook.url), duration, then };
        self.store.record_attempt(claimed, &record, now).await?;
        let (receiver, id) = (webhook.url.receiver(), &claimed.id);
        match &record.error {
            None => tracing::debug!(delivery = %id, %receiver, "notified"),
            Some(error) => {
                tracing::info!(delivery = %id, %receiver, error, attempts = claimed.attempts, "not notified");
            }
        }
        if answer.status() == Some(StatusCode::GONE.as_u16()) {
            let reason = "Its receiver answered 410: it wants no more notifications.";
            if self.store.disable_webhook(&webhook.id, &webhook.url, reason, now).await? {
                tracing::warn!(webhook = %webhook.id, %receiver, "disabled, as its receiver is gone");
            }
        }
        Ok(())
    }

    /// Posts a notification, signed.
    async fn post(&self, webhook: &Webhook, delivery: &Delivery) -> Result<Answer, Problem> {
        if !webhook.enabled {
            return Ok(Answer::never("The webhook is disabled."));
        }
        let Some((secrets, _)) = self.open(&webhook.id).await? else {
            return Ok(Answer::never("The webhook was deleted."));
        };
        let now = self.clock.now();
        let seconds = now.as_second();
        let previous = secrets.previous.filter(|_| webhook.previous_until.is_some_and(|until| now < until));
        let signatures = [Some(secrets.current), previous].into_iter().flatten();
        let signatures: Vec<_> =
            signatures.filter_map(|secret| sign(&secret, delivery.id.as_str(), seconds, &delivery.body)).collect();
        let request = Request::builder()
            .method(Method::POST)
            .uri(webhook.url.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", delivery.id.as_str())
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signatures.join(" "))
            .body(UpstreamBody::from(delivery.body.clone()));
        let Ok(request) = request else {
            return Ok(Answer::never("The URL holds characters that can't be sent."));
        };
        // What follows the headers of the answer is not read, and its connection closed.
        Ok(match timeout(self.patience, self.http.stream(webhook.url.receiver(), request)).await {
            Ok(Ok(response)) => {
                let told = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                Answer::Status(response.status(), told.and_then(|told| schedule::told_to_wait(told, now)))
            }
            Ok(Err(error)) => Answer::none(&error),
            Err(_) => {
                let why =
                    format!("{} did not answer within {} s.", webhook.url.receiver().host(), self.patience.as_secs());
                Answer::Nothing { why, may_pass: true }
            }
        })
    }

    fn afterwards(&self, claimed: &Delivery, answer: &Answer, now: Timestamp) -> Afterwards {
        let told = match answer {
            Answer::Status(status, _) if status.is_success() => return Afterwards::Delivered,
            Answer::Status(StatusCode::GONE, _) | Answer::Nothing { may_pass: false, .. } => return Afterwards::Failed,
            Answer::Status(_, told) => *told,
            Answer::Nothing { may_pass: true, .. } => None,
        };
        let next = schedule::next_attempt(claimed.attempts, told, now, &*self.entropy);
        // Whoever tests is there to see what happens, and can test again.
        next.filter(|_| claimed.event != TEST).map_or(Afterwards::Failed, Afterwards::Again)
    }
}

impl Answer {
    fn none(error: &CallError) -> Self {
        let never = matches!(error, CallError::AddressRefused { .. } | CallError::OtherTarget { .. });
        Self::Nothing { why: sentence(error), may_pass: !never }
    }

    fn never(why: &str) -> Self {
        Self::Nothing { why: why.to_owned(), may_pass: false }
    }

    fn status(&self) -> Option<u16> {
        match self {
            Self::Status(status, _) => Some(status.as_u16()),
            Self::Nothing { .. } => None,
        }
    }

    /// Why it was no success.
    fn error(&self, url: &WebhookUrl) -> Option<String> {
        match self {
            Self::Status(status, _) if status.is_success() => None,
            Self::Status(status, _) => {
                let host = url.receiver().host();
                let redirect = if status.is_redirection() { "; redirects are not followed" } else { "" };
                Some(format!("{host} answered {}{redirect}.", status.as_u16()))
            }
            Self::Nothing { why, .. } => Some(why.clone()),
        }
    }
}
