//! Webhooks at a terminal, with a receiver that counts.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, http::StatusCode, routing::post};
use tokio::{net::TcpListener, task::JoinHandle};
use valetkey_twins::Forge;

use crate::support::Person;

/// A receiver that takes what is posted to `/hook`, and refuses what is posted to `/refuses`.
struct Receiver {
    url: String,
    taken: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let taken = Arc::<AtomicUsize>::default();
        let count = taken.clone();
        let take = move || async move {
            count.fetch_add(1, Ordering::SeqCst);
        };
        let router = Router::new()
            .route("/hook", post(take))
            .route("/refuses", post(async || StatusCode::INTERNAL_SERVER_ERROR));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, taken, task }
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_added_tested_changed_and_removed() {
    let (person, receiver) = (Person::at(Forge::GitLab).await, Receiver::start().await);
    assert!(person.run(&["webhooks"]).await.ok().stdout.contains("`valetkey webhooks add "));
    let hook = format!("{}/hook", receiver.url);
    let added = person.run(&["webhooks", "add", &hook, "--description", "CI"]).await.ok();
    let secret = added.stdout.trim_end();
    assert!(secret.starts_with("whsec_") && !secret.contains(char::is_whitespace), "the secret alone: {added:?}");
    assert!(added.stderr.contains("told of everything") && added.stderr.contains("this once"), "{added:?}");
    let listed = person.run(&["webhooks", "list", "-o", "json"]).await.ok().json();
    let id = listed["items"][0]["id"].as_str().unwrap();

    let empty = person.run(&["webhooks", "deliveries", id]).await.ok().stdout;
    assert!(empty.contains("Nothing was sent"), "{empty}");
    let tested = person.run(&["webhooks", "test", id]).await.ok().stdout;
    assert!(tested.starts_with("Delivered: 200. It took "), "{tested}");
    let logged = person.run(&["webhooks", "deliveries", id, "-o", "json"]).await.ok().json();
    let delivery = logged["items"][0]["id"].as_str().unwrap();
    person.run(&["webhooks", "redeliver", id, delivery]).await.ok();
    assert_eq!(receiver.taken(), 2, "a command on the data directory sends before it ends");

    let refuses = format!("{}/refuses", receiver.url);
    let edit = ["webhooks", "edit", id, "--url", &refuses, "--event", "session.failed", "--event", "session.stopped"];
    let edited = person.run(&edit).await.ok().stdout;
    assert!(edited.contains(&refuses) && edited.contains("session.failed, session.stopped"), "{edited}");
    assert!(edited.contains("CI"), "what is not named stays: {edited}");
    let tested = person.run(&["webhooks", "test", id]).await;
    assert_eq!((tested.code, tested.stdout.starts_with("Not delivered: 127.0.0.1 answered 500.")), (1, true));
    let log = person.run(&["webhooks", "deliveries", id, "--limit", "1"]).await.ok().stdout;
    assert!(log.contains("failed") && log.contains("answered 500") && log.lines().count() == 2, "{log}");

    let rotated = person.run(&["webhooks", "rotate-secret", id]).await.ok();
    assert!(rotated.stdout.starts_with("whsec_") && rotated.stdout.trim_end() != secret, "{rotated:?}");
    let shown = person.run(&["webhooks", "show", id]).await.ok().stdout;
    assert!(shown.contains("signs too until") && !shown.contains("whsec_"), "{shown}");
    person.run(&["webhooks", "edit", id, "--disable"]).await.ok();
    person.run(&["webhooks", "test", id]).await.failed(1, "disabled");

    person.run(&["webhooks", "remove", id]).await.failed(2, "--yes");
    assert!(person.run(&["webhooks", "remove", id, "--yes"]).await.ok().stdout.contains("Removed"));
    person.run(&["webhooks", "show", id]).await.failed(1, "no such webhook");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_words_are_answered_with_the_right_ones() {
    let person = Person::at(Forge::GitLab).await;
    let url = "https://ci.example.com/canary";
    person.run(&["webhooks", "add", url, "--event", "session.done"]).await.failed(2, "session.completed");
    let said = person.run(&["webhooks", "add", "https://john:canary@ci.example.com/"]).await;
    assert!(!said.failed(2, "user name").stderr.contains("canary"), "a URL may hold a token");
    person.run(&["webhooks", "add", url, "--project", "nowhere"]).await.failed(1, "project");
    let id = "018f0000-0000-7000-8000-000000000000";
    person.run(&["webhooks", "edit", id]).await.failed(2, "--description");
    person.run(&["webhooks", "show", id]).await.failed(1, "no such webhook");
}
