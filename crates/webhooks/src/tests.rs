//! Notifications on their way to receivers that do what receivers do.

use std::sync::Mutex;

use aws_lc_rs::hmac;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse as _, Response},
    routing::any,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::stream;
use http::{HeaderMap, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};
use valetkey_model::{
    DeliveryState, Phase, ProblemCode, ProjectName, RepositorySpec, Session, SessionId, SessionSpec, UserId,
    WebhookEvent, WebhookId,
};
use valetkey_providers::{AddressPolicy, HttpConfig};
use valetkey_seal::{KeyFile, Secret, SystemEntropy};
use valetkey_store::{DatabaseUrl, Delivery, Webhook};

use super::*;

struct TestClock(Mutex<Timestamp>);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// What a receiver was sent.
#[derive(Clone)]
struct Received {
    headers: HeaderMap,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

type Script = Box<dyn Fn(usize) -> Option<Response> + Send + Sync>;

/// A receiver that answers the nth request as its script says, or never.
struct Receiver {
    url: String,
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

struct Inner {
    script: Script,
    received: Mutex<Vec<Received>>,
    came: Notify,
}

impl Receiver {
    async fn start(script: impl Fn(usize) -> Option<Response> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?token=canary", listener.local_addr().unwrap());
        let inner = Arc::new(Inner { script: Box::new(script), received: Mutex::default(), came: Notify::new() });
        let router = Router::new().fallback(any(receive)).with_state(inner.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inner, task }
    }

    async fn answering(status: u16) -> Self {
        Self::start(move |_| Some(StatusCode::from_u16(status).unwrap().into_response())).await
    }

    fn received(&self) -> Vec<Received> {
        self.inner.received.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn receive(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    let n = {
        let mut received = inner.received.lock().unwrap();
        received.push(Received { headers, body: String::from_utf8(body.to_vec()).unwrap() });
        received.len()
    };
    inner.came.notify_one();
    match (inner.script)(n) {
        Some(response) => response,
        None => std::future::pending().await,
    }
}

struct Bed {
    _folder: tempfile::TempDir,
    clock: Arc<TestClock>,
    webhooks: Webhooks,
}

impl Bed {
    async fn new() -> Self {
        Self::of(true).await
    }

    async fn of(listens_on_loopback: bool) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&DatabaseUrl::sqlite(folder.path().join("valetkey.db"))).await.unwrap();
        let keys = KeyFile::open_or_create(folder.path().join("master.key"), &SystemEntropy).unwrap();
        let sealer = Arc::new(Sealer::new(keys, Arc::new(SystemEntropy)).unwrap());
        let addresses = AddressPolicy::new(listens_on_loopback, "").unwrap();
        let http = Http::new(HttpConfig { extra_ca_pem: None, addresses, proxy: None }).unwrap();
        let clock = Arc::new(TestClock(Mutex::new(Timestamp::from_second(1_900_000_000).unwrap())));
        let webhooks = Webhooks::new(store, sealer, http, clock.clone(), Arc::new(SystemEntropy));
        Self { _folder: folder, clock, webhooks }
    }

    fn advance(&self, by: SignedDuration) {
        *self.clock.0.lock().unwrap() += by;
    }

    async fn add(&self, url: &str) -> (Webhook, Secret<String>) {
        self.webhooks.add(&project(), wanted(url)).await.unwrap()
    }

    /// Ends a session, and says so to whoever wants to know.
    async fn end_session(&self) {
        let session = session();
        let url = format!("https://valetkey.example/sessions/{}", session.id);
        let notice = SessionNotice::new(&session, Some("Add X\nwith Y"), url);
        let notifications = self.webhooks.of_session(&notice).await;
        self.webhooks.store.insert_deliveries(&notifications).await.unwrap();
    }

    async fn log(&self, of: &WebhookId) -> Vec<Delivery> {
        self.webhooks.deliveries(&project(), of, 50, None).await.unwrap()
    }

    async fn last(&self, of: &WebhookId) -> Delivery {
        self.log(of).await.remove(0)
    }
}

fn project() -> ProjectName {
    ProjectName::default_project()
}

fn wanted(url: &str) -> NewWebhook {
    NewWebhook { url: url.parse().unwrap(), description: " CI ".to_owned(), events: WebhookEvent::ALL.to_vec() }
}

fn session() -> Session {
    let now = Timestamp::from_second(1_900_000_000).unwrap();
    let repository = RepositorySpec {
        url: "https://gitlab.example/team/app".parse().unwrap(),
        branch: None,
        push_branch: "feature/x".parse().unwrap(),
        integration: None,
        allow_force: false,
    };
    let spec = SessionSpec {
        assistant: None,
        task: "the task as it was typed".to_owned(),
        repositories: vec![repository],
        agent: vec!["agent".to_owned()],
        timeout_seconds: 60,
        pull_request: true,
        keep_workspace: false,
    };
    let mut session = Session::new(SessionId::new(now, &SystemEntropy), project(), UserId::admin(), spec, now);
    for phase in [Phase::Preparing, Phase::Running, Phase::Publishing, Phase::Completed] {
        session.advance(phase, now).unwrap();
    }
    session.repositories[0].branch_url = Some("https://gitlab.example/team/app/-/tree/feature/x".to_owned());
    session.repositories[0].pull_request_url = Some("https://gitlab.example/team/app/-/merge_requests/7".to_owned());
    session
}

/// As a receiver checks it, written anew from the specification.
#[expect(clippy::disallowed_methods, reason = "tests look inside")]
fn is_signed_with(secret: &Secret<String>, received: &Received) -> bool {
    let key = STANDARD.decode(secret.expose().strip_prefix("whsec_").unwrap()).unwrap();
    let (id, at) = (received.header("webhook-id"), received.header("webhook-timestamp"));
    let content = format!("{id}.{at}.{}", received.body);
    received.header("webhook-signature").split(' ').any(|signature| {
        let tag = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key), content.as_bytes(), &tag).is_ok()
    })
}

#[tokio::test]
async fn a_notification_is_signed_and_says_what_happened() {
    let (bed, receiver) = (Bed::new().await, Receiver::answering(204).await);
    let (webhook, secret) = bed.add(&receiver.url).await;
    assert_eq!(webhook.description, "CI");
    bed.end_session().await;
    assert_eq!(bed.webhooks.run_due().await.unwrap(), 1);
    let received = receiver.received().remove(0);
    assert!(is_signed_with(&secret, &received));
    assert!(!is_signed_with(&bed.add(&receiver.url).await.1, &received), "another webhook's secret");
    let delivery = bed.last(&webhook.id).await;
    assert_eq!(received.header("webhook-id"), delivery.id.as_str());
    assert_eq!(received.header("webhook-timestamp"), "1900000000");
    assert_eq!(received.header("content-type"), "application/json");
    let body: Value = serde_json::from_str(&received.body).unwrap();
    assert_eq!((&body["type"], &body["timestamp"]), (&"session.completed".into(), &"2030-03-17T17:46:40Z".into()));
    let data = &body["data"];
    assert_eq!(
        (&data["project"], &data["phase"], &data["task"]),
        (&"default".into(), &"Completed".into(), &"Add X".into())
    );
    assert!(data["url"].as_str().unwrap().ends_with(data["session"].as_str().unwrap()), "{data}");
    let repository = &data["repositories"][0];
    assert_eq!(repository["branch"], "feature/x");
    assert_eq!(repository["pullRequestUrl"], "https://gitlab.example/team/app/-/merge_requests/7");
    assert!(!received.body.contains("as it was typed"), "the task is told as it was handed over: {}", received.body);
    assert_eq!((delivery.state, delivery.last_status, delivery.attempts), (DeliveryState::Delivered, Some(204), 1));
    assert_eq!(bed.webhooks.run_due().await.unwrap(), 0);
}

#[tokio::test]
async fn only_who_wants_to_know_is_told() {
    let (bed, receiver) = (Bed::new().await, Receiver::answering(200).await);
    let failures = NewWebhook { events: vec![WebhookEvent::SessionFailed], ..wanted(&receiver.url) };
    bed.webhooks.add(&project(), failures).await.unwrap();
    let (disabled, _) = bed.add(&receiver.url).await;
    let off = Change { enabled: Some(false), ..Change::default() };
    bed.webhooks.change(&project(), &disabled.id, off).await.unwrap();
    bed.end_session().await;
    assert_eq!((bed.webhooks.run_due().await.unwrap(), receiver.received().len()), (0, 0));
}

#[tokio::test]
async fn it_is_tried_for_days_with_growing_pauses_and_then_given_up() {
    let (bed, receiver) = (Bed::new().await, Receiver::answering(500).await);
    let (webhook, secret) = bed.add(&receiver.url).await;
    bed.end_session().await;
    let begun = bed.clock.now();
    let mut attempts = 0;
    while let Some(due) = bed.webhooks.next_due().await.unwrap() {
        bed.advance(due.duration_since(bed.clock.now()) - SignedDuration::from_millis(1));
        if attempts > 0 {
            assert_eq!(bed.webhooks.run_due().await.unwrap(), 0, "not before its time");
        }
        bed.advance(SignedDuration::from_millis(1));
        attempts += bed.webhooks.run_due().await.unwrap();
    }
    assert_eq!((attempts, receiver.received().len()), (10, 10));
    let took = bed.clock.now().duration_since(begun);
    assert!(took > SignedDuration::from_hours(72) && took < SignedDuration::from_hours(96), "{took}");
    let all = receiver.received();
    assert!(all.iter().all(|one| one.header("webhook-id") == all[0].header("webhook-id")), "one id");
    assert!(all.iter().all(|one| is_signed_with(&secret, one)), "each attempt with its own moment");
    let given_up = bed.last(&webhook.id).await;
    assert_eq!((given_up.state, given_up.last_status), (DeliveryState::Failed, Some(500)));
    assert_eq!(given_up.last_error.as_deref(), Some("127.0.0.1 answered 500."));

    bed.webhooks.redeliver(&project(), &webhook.id, &given_up.id).await.unwrap();
    assert_eq!(bed.webhooks.run_due().await.unwrap(), 1);
    assert_eq!(receiver.received()[10].header("webhook-id"), given_up.id.as_str());
    assert_eq!(bed.last(&webhook.id).await.state, DeliveryState::Pending, "from the first attempt on");
}

#[tokio::test]
async fn a_receiver_can_ask_for_time() {
    let busy = |n| match n {
        1 => Some((StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "600")]).into_response()),
        _ => Some(StatusCode::OK.into_response()),
    };
    let (bed, receiver) = (Bed::new().await, Receiver::start(busy).await);
    bed.add(&receiver.url).await;
    bed.end_session().await;
    bed.webhooks.run_due().await.unwrap();
    bed.advance(SignedDuration::from_secs(599));
    assert_eq!(bed.webhooks.run_due().await.unwrap(), 0);
    bed.advance(SignedDuration::from_secs(1));
    assert_eq!((bed.webhooks.run_due().await.unwrap(), receiver.received().len()), (1, 2));
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_told_nothing_more() {
    let (bed, receiver) = (Bed::new().await, Receiver::answering(410).await);
    let (webhook, _) = bed.add(&receiver.url).await;
    bed.end_session().await;
    bed.webhooks.run_due().await.unwrap();
    assert_eq!(bed.last(&webhook.id).await.state, DeliveryState::Failed);
    let now_is = bed.webhooks.get(&project(), &webhook.id).await.unwrap();
    assert!(!now_is.enabled && now_is.disabled_reason.unwrap().contains("410"));
    bed.end_session().await;
    assert_eq!((bed.webhooks.run_due().await.unwrap(), receiver.received().len()), (0, 1));
    for refused in [
        bed.webhooks.test(&project(), &webhook.id).await,
        bed.webhooks.redeliver(&project(), &webhook.id, &bed.last(&webhook.id).await.id).await,
    ] {
        assert_eq!(refused.unwrap_err().code, ProblemCode::Conflict);
    }
}

#[tokio::test]
async fn what_waits_when_a_webhook_is_disabled_is_not_sent() {
    let (bed, receiver) = (Bed::new().await, Receiver::answering(200).await);
    let (webhook, _) = bed.add(&receiver.url).await;
    bed.end_session().await;
    let off = Change { enabled: Some(false), ..Change::default() };
    bed.webhooks.change(&project(), &webhook.id, off).await.unwrap();
    bed.webhooks.run_due().await.unwrap();
    let kept = bed.last(&webhook.id).await;
    assert_eq!((kept.state, kept.last_error.as_deref()), (DeliveryState::Failed, Some("The webhook is disabled.")));
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Receiver::answering(200).await;
    let target = elsewhere.url.clone();
    let redirect =
        move |_| Some((StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, target.clone())]).into_response());
    let (bed, receiver) = (Bed::new().await, Receiver::start(redirect).await);
    let (webhook, _) = bed.add(&receiver.url).await;
    let tested = bed.webhooks.test(&project(), &webhook.id).await.unwrap();
    assert_eq!((tested.state, tested.last_status), (DeliveryState::Failed, Some(307)));
    assert_eq!(tested.last_error.as_deref(), Some("127.0.0.1 answered 307; redirects are not followed."));
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn a_receiver_that_hangs_or_pours_holds_nobody_up() {
    let endless = |_| {
        let chunk = Ok::<_, std::convert::Infallible>(Bytes::from_static(&[b'x'; 65_536]));
        Some(Body::from_stream(stream::repeat(chunk)).into_response())
    };
    let (mut bed, silent, pouring) =
        (Bed::new().await, Receiver::start(|_| None).await, Receiver::start(endless).await);
    bed.webhooks.patience = Duration::from_millis(200);
    let (first, second) = (bed.add(&silent.url).await.0, bed.add(&pouring.url).await.0);
    bed.end_session().await;
    assert_eq!(bed.webhooks.run_due().await.unwrap(), 2);
    let kept = bed.last(&first.id).await;
    assert_eq!((kept.state, kept.last_status), (DeliveryState::Pending, None));
    assert!(kept.last_error.unwrap().starts_with("127.0.0.1 did not answer within"));
    assert_eq!(bed.last(&second.id).await.state, DeliveryState::Delivered, "its status is all that counts");
}

#[tokio::test]
async fn a_public_server_does_not_call_what_is_private() {
    let (bed, receiver) = (Bed::of(false).await, Receiver::answering(200).await);
    for url in [
        receiver.url.as_str(),
        "https://127.0.0.1/x",
        "https://10.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://169.254.169.254/latest/meta-data",
        "https://metadata.google.internal/x",
    ] {
        let refused = bed.webhooks.add(&project(), wanted(url)).await.unwrap_err();
        assert_eq!(refused.code, ProblemCode::AddressRefused, "{url}");
        assert!(!format!("{refused:?}").contains("canary"), "{refused:?}");
    }
    // A name is judged when it is called.
    let (webhook, _) = bed.add("https://localhost/hook").await;
    let inward = Change { url: Some(receiver.url.parse().unwrap()), ..Change::default() };
    let refused = bed.webhooks.change(&project(), &webhook.id, inward).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::AddressRefused);
    bed.end_session().await;
    bed.webhooks.run_due().await.unwrap();
    let kept = bed.last(&webhook.id).await;
    assert_eq!((kept.state, kept.last_status), (DeliveryState::Failed, None), "{:?}", kept.last_error);
    assert!(kept.last_error.unwrap().contains("does not call"));
    assert!(receiver.received().is_empty());
}

#[tokio::test]
async fn nobody_calls_where_machines_keep_their_credentials() {
    let bed = Bed::new().await;
    for url in ["https://169.254.169.254/latest", "https://metadata.google.internal/x"] {
        assert_eq!(bed.webhooks.add(&project(), wanted(url)).await.unwrap_err().code, ProblemCode::AddressRefused);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_send_one_notification_once() {
    let (bed, receiver) = (Bed::new().await, Receiver::answering(200).await);
    bed.add(&receiver.url).await;
    for _ in 0..5 {
        bed.end_session().await;
    }
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let worker = bed.webhooks.clone();
            tokio::spawn(async move { worker.run_due().await.unwrap() })
        })
        .collect();
    let mut sent = 0;
    for worker in workers {
        sent += worker.await.unwrap();
    }
    assert_eq!((sent, receiver.received().len()), (5, 5));
}

#[tokio::test]
async fn who_dies_between_the_answer_and_its_record_leaves_it_to_the_next() {
    let late = |n| (n > 1).then(|| StatusCode::OK.into_response());
    let (bed, receiver) = (Bed::new().await, Receiver::start(late).await);
    let (webhook, _) = bed.add(&receiver.url).await;
    bed.end_session().await;
    let dying = tokio::spawn({
        let worker = bed.webhooks.clone();
        async move { worker.run_due().await }
    });
    receiver.inner.came.notified().await;
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());
    assert_eq!(bed.webhooks.run_due().await.unwrap(), 0, "it may still be on its way");
    let due = bed.webhooks.next_due().await.unwrap().unwrap();
    bed.advance(due.duration_since(bed.clock.now()));
    assert_eq!(bed.webhooks.run_due().await.unwrap(), 1);
    let all = receiver.received();
    assert_eq!(
        (all.len(), all[0].header("webhook-id")),
        (2, all[1].header("webhook-id")),
        "at least once, with one id"
    );
    let kept = bed.last(&webhook.id).await;
    assert_eq!((kept.state, kept.attempts), (DeliveryState::Delivered, 2));
}

#[tokio::test]
async fn after_a_rotation_both_secrets_sign_for_a_day() {
    let (bed, receiver) = (Bed::new().await, Receiver::answering(200).await);
    let (webhook, old) = bed.add(&receiver.url).await;
    let (rotated, new) = bed.webhooks.rotate(&project(), &webhook.id).await.unwrap();
    assert_eq!(rotated.previous_until, Some(bed.clock.now() + SignedDuration::from_hours(24)));
    let signed = async |n: usize| {
        bed.webhooks.test(&project(), &webhook.id).await.unwrap();
        let received = receiver.received().remove(n);
        (is_signed_with(&old, &received), is_signed_with(&new, &received))
    };
    assert_eq!(signed(0).await, (true, true));
    bed.advance(SignedDuration::from_hours(24));
    assert_eq!(signed(1).await, (false, true));
}

#[tokio::test]
async fn a_test_is_sent_at_once_and_once() {
    let (bed, receiver) = (Bed::new().await, Receiver::answering(500).await);
    let only = NewWebhook { events: vec![WebhookEvent::SessionFailed], ..wanted(&receiver.url) };
    let (webhook, _) = bed.webhooks.add(&project(), only).await.unwrap();
    let tested = bed.webhooks.test(&project(), &webhook.id).await.unwrap();
    assert_eq!((tested.state, tested.event.as_str(), tested.attempts), (DeliveryState::Failed, "webhook.test", 1));
    bed.advance(SignedDuration::from_hours(100));
    assert_eq!((bed.webhooks.run_due().await.unwrap(), receiver.received().len()), (0, 1));
}

#[tokio::test]
async fn another_project_s_webhook_does_not_exist() {
    let (bed, receiver) = (Bed::new().await, Receiver::answering(200).await);
    let (webhook, _) = bed.add(&receiver.url).await;
    bed.end_session().await;
    let delivery = bed.last(&webhook.id).await;
    let other: ProjectName = "other".parse().unwrap();
    let id = &webhook.id;
    let refusals = [
        bed.webhooks.get(&other, id).await.map(drop),
        bed.webhooks.change(&other, id, Change::default()).await.map(drop),
        bed.webhooks.rotate(&other, id).await.map(drop),
        bed.webhooks.test(&other, id).await.map(drop),
        bed.webhooks.deliveries(&other, id, 5, None).await.map(drop),
        bed.webhooks.redeliver(&other, id, &delivery.id).await.map(drop),
        bed.webhooks.remove(&other, id).await,
        bed.webhooks.redeliver(&project(), &bed.add(&receiver.url).await.0.id, &delivery.id).await.map(drop),
    ];
    for refusal in refusals {
        assert_eq!(refusal.unwrap_err().code, ProblemCode::NotFound);
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let bed = Bed::new().await;
    let url = "https://ci.example.com/";
    for wrong in [
        NewWebhook { events: Vec::new(), ..wanted(url) },
        NewWebhook { description: "a\u{202e}b".to_owned(), ..wanted(url) },
        NewWebhook { description: "x".repeat(201), ..wanted(url) },
    ] {
        assert_eq!(bed.webhooks.add(&project(), wrong).await.unwrap_err().code, ProblemCode::InvalidInput);
    }
    let twice = NewWebhook { events: vec![WebhookEvent::SessionFailed; 2], ..wanted(url) };
    assert_eq!(bed.webhooks.add(&project(), twice).await.unwrap().0.events, [WebhookEvent::SessionFailed]);
}

#[tokio::test]
async fn the_background_sends_what_comes_and_what_is_left_in_the_end() {
    let (bed, receiver) = (Bed::new().await, Receiver::answering(200).await);
    bed.add(&receiver.url).await;
    bed.webhooks.start();
    bed.end_session().await;
    bed.webhooks.wake();
    receiver.inner.came.notified().await;
    bed.end_session().await;
    bed.webhooks.finish(Duration::from_secs(30)).await;
    assert_eq!(receiver.received().len(), 2);
}
