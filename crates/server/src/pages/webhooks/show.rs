use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use valetkey_model::{Actor, DeliveryState, Problem, ProjectName, Role, WebhookDeliveryId, WebhookEvent, WebhookId};
use valetkey_store::{Delivery, Webhook};

use super::event_words;
use crate::{
    App,
    auth::Caller,
    extract::{Ids, Params},
    pages::{
        live::{self, Mark, Seen, Shown},
        projects::{
            frame,
            head::{Tab, Tabs},
        },
        render::{Page, View},
        words::{Badge, Moment, span},
    },
    problem::Answer,
};

/// How many notifications a page shows.
const PAGE: u32 = 20;

#[derive(Debug, Serialize)]
struct WebhookView {
    tabs: Tabs,
    project: String,
    id: String,
    name: String,
    url: String,
    state: Badge,
    enabled: bool,
    disabled_reason: Option<String>,
    events: Vec<Event>,
    added: Moment,
    previous_until: Option<Moment>,
    deliveries: Vec<Entry>,
    /// Whether something is on its way.
    under_way: bool,
    /// Where the log is followed.
    live: String,
    newest: bool,
    older: Option<String>,
}

impl View for WebhookView {
    const TEMPLATE: &'static str = "webhook.html";
}

#[derive(Debug, Serialize)]
struct Event {
    name: &'static str,
    words: &'static str,
}

/// A notification in the log.
#[derive(Debug, Serialize)]
struct Entry {
    id: String,
    event: String,
    state: Badge,
    /// What came of the last attempt, and what follows.
    outcome: String,
    /// The status of the answer, where the outcome does not tell it.
    status: Option<i64>,
    took: Option<String>,
    created: Moment,
    payload: String,
    /// Whether it can be sent again now.
    again: bool,
}

impl Entry {
    fn new(delivery: Delivery, now: Timestamp) -> Self {
        Self {
            id: delivery.id.to_string(),
            state: delivery.state.into(),
            outcome: outcome(&delivery, now),
            status: delivery.last_status.filter(|_| delivery.last_error.is_none()),
            again: !is_on_its_way(&delivery, now),
            took: delivery.duration.map(|millis| span(SignedDuration::from_millis(millis))),
            created: Moment::past(now, delivery.created_at),
            payload: indented(&delivery.body),
            event: delivery.event,
        }
    }
}

/// Whether it is being sent, or is about to be.
fn is_on_its_way(delivery: &Delivery, now: Timestamp) -> bool {
    delivery.state == DeliveryState::Pending && (is_being_sent(delivery, now) || delivery.next_attempt_at <= now)
}

fn is_being_sent(delivery: &Delivery, now: Timestamp) -> bool {
    delivery.leased_until.is_some_and(|until| now < until)
}

fn outcome(delivery: &Delivery, now: Timestamp) -> String {
    let attempts = match delivery.attempts {
        1 => "1 attempt".to_owned(),
        attempts => format!("{attempts} attempts"),
    };
    let why = delivery.last_error.as_deref().unwrap_or_default();
    match delivery.state {
        DeliveryState::Delivered => attempts,
        DeliveryState::Failed => format!("{why} Given up after {attempts}."),
        DeliveryState::Pending if is_being_sent(delivery, now) => "Being sent.".to_owned(),
        DeliveryState::Pending if delivery.next_attempt_at <= now => "To be sent now.".to_owned(),
        DeliveryState::Pending => {
            let left = span(delivery.next_attempt_at.duration_since(now));
            format!("{why} Next attempt in {left}, after {attempts}.")
        }
    }
}

/// The body as people read it.
fn indented(body: &str) -> String {
    let parsed: Result<serde_json::Value, _> = serde_json::from_str(body);
    parsed.ok().and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| body.to_owned())
}

impl WebhookView {
    fn new(by: &Actor, webhook: Webhook, mut deliveries: Vec<Delivery>, newest: bool, now: Timestamp) -> Self {
        let address = format!("/projects/{}/webhooks/{}/live", webhook.project, webhook.id);
        let live = live::address(&address, &mark(&webhook, &deliveries, now));
        let more = deliveries.len() > PAGE as usize;
        deliveries.truncate(PAGE as usize);
        let event = |event: WebhookEvent| Event { name: event.as_str(), words: event_words(event) };
        Self {
            tabs: Tabs::new(&webhook.project, by, Tab::Webhooks),
            project: webhook.project.to_string(),
            id: webhook.id.to_string(),
            name: name(&webhook),
            url: webhook.url.as_str().to_owned(),
            state: Badge::enabled(webhook.enabled),
            enabled: webhook.enabled,
            disabled_reason: webhook.disabled_reason,
            events: webhook.events.into_iter().map(event).collect(),
            added: Moment::past(now, webhook.created_at),
            previous_until: webhook.previous_until.filter(|until| now < *until).map(Moment::minute),
            older: deliveries.last().filter(|_| more).map(|last| last.id.to_string()),
            under_way: deliveries.iter().any(|delivery| is_on_its_way(delivery, now)),
            live,
            deliveries: deliveries.into_iter().map(|delivery| Entry::new(delivery, now)).collect(),
            newest,
        }
    }
}

/// What a webhook is called: what it is for, or who is told.
pub(super) fn name(webhook: &Webhook) -> String {
    if webhook.description.is_empty() { webhook.url.receiver().authority() } else { webhook.description.clone() }
}

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    did: Option<String>,
    before: Option<WebhookDeliveryId>,
}

pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Ids(project, id): Ids<ProjectName, WebhookId>,
    Params(Wanted { did, before }): Params<Wanted>,
) -> Answer<impl IntoResponse> {
    let webhooks = app.integrations.webhooks();
    let webhook = webhooks.get(&project, &id).await?;
    let deliveries = webhooks.deliveries(&project, &id, PAGE + 1, before.as_ref()).await?;
    let frame = frame(&app, &caller, "Webhook").after(did.as_deref());
    Ok(Page::new(frame, WebhookView::new(&caller.actor, webhook, deliveries, before.is_none(), app.now())))
}

/// Tells when the log has changed.
pub(super) async fn follow(
    State(app): State<App>,
    caller: Caller,
    Ids(project, id): Ids<ProjectName, WebhookId>,
    Params(Wanted { before, .. }): Params<Wanted>,
    seen: Seen,
) -> Answer<Response> {
    live::follow(app, caller, seen, Log { project, id, before }).await
}

/// The notifications to a webhook, as its page shows them.
struct Log {
    project: ProjectName,
    id: WebhookId,
    before: Option<WebhookDeliveryId>,
}

impl Shown for Log {
    async fn mark(&self, app: &App, by: &Actor) -> Result<Mark, Problem> {
        by.require(Role::Admin, &self.project)?;
        let webhooks = app.integrations.webhooks();
        let webhook = webhooks.get(&self.project, &self.id).await?;
        let deliveries = webhooks.deliveries(&self.project, &self.id, PAGE + 1, self.before.as_ref()).await?;
        Ok(mark(&webhook, &deliveries, app.now()))
    }
}

fn mark(webhook: &Webhook, deliveries: &[Delivery], now: Timestamp) -> Mark {
    let one = |it: &Delivery| {
        let last = (it.last_status, it.last_error.clone(), it.attempts, it.next_attempt_at);
        (it.id.clone(), it.state, is_being_sent(it, now), is_on_its_way(it, now), last)
    };
    Mark::of(&(webhook.enabled, deliveries.iter().map(one).collect::<Vec<_>>()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pages::{integrations::tests::now, render::tests::html};

    fn id(n: u8) -> WebhookDeliveryId {
        format!("018f0000-0000-7000-8000-0000000000{n:02x}").parse().unwrap()
    }

    pub(in crate::pages) fn webhook() -> Webhook {
        Webhook {
            id: "018f0000-0000-7000-8000-000000000001".parse().unwrap(),
            project: ProjectName::default_project(),
            url: "https://ci.example.com/valetkey?token=canary".parse().unwrap(),
            description: "Deploys".into(),
            events: WebhookEvent::ALL[..3].to_vec(),
            enabled: true,
            disabled_reason: None,
            previous_until: Some(now() + SignedDuration::from_hours(20)),
            created_at: now() - SignedDuration::from_hours(50),
            updated_at: now(),
        }
    }

    pub(in crate::pages) fn disabled() -> Webhook {
        let reason = "Its receiver answered 410: it wants no more notifications.";
        let url = "https://chat.example.com/hooks/canary".parse().unwrap();
        Webhook {
            url,
            description: String::new(),
            events: vec![WebhookEvent::SessionFailed],
            enabled: false,
            disabled_reason: Some(reason.into()),
            previous_until: None,
            ..webhook()
        }
    }

    fn delivery(n: u8, state: DeliveryState) -> Delivery {
        let body = r#"{"type":"session.completed","timestamp":"2027-01-31T12:00:00Z","data":{"task":"Add <b>X</b>"}}"#;
        Delivery {
            id: id(n),
            webhook: webhook().id,
            event: "session.completed".into(),
            body: body.into(),
            state,
            attempts: 1,
            next_attempt_at: now() + SignedDuration::from_secs(290),
            leased_until: None,
            last_status: Some(204),
            last_error: None,
            duration: Some(84),
            created_at: now() - SignedDuration::from_mins(i64::from(n)),
            finished_at: None,
        }
    }

    fn deliveries() -> Vec<Delivery> {
        let failing = |n, state| Delivery {
            last_status: Some(503),
            last_error: Some("ci.example.com answered 503.".into()),
            attempts: 2,
            ..delivery(n, state)
        };
        let silent = Delivery {
            last_status: None,
            last_error: Some("ci.example.com did not answer within 15 s.".into()),
            duration: Some(15_003),
            attempts: 10,
            ..delivery(70, DeliveryState::Failed)
        };
        let under_way = Delivery {
            leased_until: Some(now() + SignedDuration::from_secs(60)),
            last_status: None,
            duration: None,
            ..delivery(1, DeliveryState::Pending)
        };
        vec![under_way, failing(2, DeliveryState::Pending), delivery(30, DeliveryState::Delivered), silent]
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let many = (0..=25).map(|n| delivery(n, DeliveryState::Delivered)).collect();
        vec![
            ("webhook", html(WebhookView::new(&Actor::admin(), webhook(), deliveries(), true, now()))),
            ("webhook_disabled", html(WebhookView::new(&Actor::admin(), disabled(), Vec::new(), true, now()))),
            ("webhook_many", html(WebhookView::new(&Actor::admin(), webhook(), many, false, now()))),
        ]
    }

    #[test]
    fn the_log_says_what_came_of_each_and_what_follows() {
        let outcomes: Vec<_> = deliveries().iter().map(|one| outcome(one, now())).collect();
        let wanted = [
            "Being sent.",
            "ci.example.com answered 503. Next attempt in 4 min 50 s, after 2 attempts.",
            "1 attempt",
            "ci.example.com did not answer within 15 s. Given up after 10 attempts.",
        ];
        assert_eq!(outcomes, wanted);
    }

    #[test]
    fn a_payload_stays_text_and_nothing_is_sent_to_a_disabled_one() {
        let samples = samples();
        assert!(samples[0].1.contains("Add &lt;b&gt;X"), "{}", samples[0].1);
        assert!(!samples[1].1.contains("/test\""), "{}", samples[1].1);
        assert!(samples[2].1.contains(&format!("?before={}", id(19))), "the page has an end");
    }
}
