use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use valetkey_testbed::ForgeBed;

use crate::harness::{Client, Reply, TestServer};

/// Sends a form as a browser does.
async fn submit(client: &Client, path: &str, fields: &[(&str, &str)]) -> Reply {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    client.send(Method::POST, path, Some("application/x-www-form-urlencoded"), body.finish()).await
}

/// Where a form that worked leads to.
#[track_caller]
fn leads_to(reply: &Reply) -> String {
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    reply.header("location").to_owned()
}

/// A server with one GitLab account, connected with the form.
async fn connected() -> (TestServer, ForgeBed, String) {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let fields = [("instanceUrl", forge.twin.url()), ("token", &*forge.token), ("alias", "Work")];
    let reply = submit(&server.admin(), "/integrations/connect/gitlab", &fields).await;
    assert_eq!(leads_to(&reply), "/integrations?did=connected");
    let all = server.admin().get("/api/v1/integrations").await.ok();
    let id = all["items"][0]["id"].as_str().expect("an id").to_owned();
    (server, forge, id)
}

/// The fields of the form for a session of one repository.
fn asking<'a>(url: &'a str, agent: &'a str) -> [(&'static str, &'a str); 8] {
    [
        ("project", "default"),
        ("task", "Add <b>feature</b> X"),
        ("url", url),
        ("branch", ""),
        ("pushBranch", "feature/x"),
        ("integration", ""),
        ("agent", agent),
        ("minutes", "5"),
    ]
}

#[tokio::test]
async fn an_account_is_connected_shown_and_disconnected() {
    let (server, forge, id) = connected().await;
    let admin = server.admin();
    let page = admin.get("/integrations").await;
    for words in ["Work", "Connected", forge.twin.url()] {
        assert!(page.body.contains(words), "{words}");
    }
    for (path, fields, did) in [
        ("test", vec![], "tested"),
        ("rename", vec![("alias", "Home")], "renamed"),
        ("default", vec![("default", "true")], "default"),
        ("token", vec![("token", forge.token.as_str())], "replaced"),
        ("disconnect", vec![], "revoked"),
    ] {
        let reply = submit(&admin, &format!("/integrations/{id}/{path}"), &fields).await;
        assert_eq!(leads_to(&reply), format!("/integrations?did={did}"));
    }
    assert!(admin.get("/integrations").await.body.contains("/integrations/connect/gitlab"));
    assert!(server.answers().iter().all(|answer| !answer.contains(&forge.token)), "an answer holds the token");
}

#[tokio::test]
async fn a_refused_token_is_not_sent_back_and_nothing_is_stored() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let fields = [("instanceUrl", forge.twin.url()), ("token", "glpat-canaryCanary0123456789"), ("alias", "Work")];
    let reply = submit(&server.admin(), "/integrations/connect/gitlab", &fields).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        reply.body.contains("does not accept this token") && reply.body.contains("value=\"Work\""),
        "{}",
        reply.body
    );
    assert!(!reply.body.contains("canary"));
    assert!(server.admin().get("/integrations").await.body.contains("/integrations/connect/gitlab"));
}

#[tokio::test]
async fn a_session_is_started_from_the_form_and_read_on_its_page() {
    let (server, forge, _) = connected().await;
    let admin = server.admin();
    let url = forge.twin.clone_url(forge.path);
    let agent = "sh -c 'echo \"<i>working</i>\"; echo x > x.txt'";
    let page = leads_to(&submit(&admin, "/sessions", &asking(&url, agent)).await);
    let events = page.replace("/sessions", "/api/v1/projects/default/sessions") + "/events";
    admin.listen(&events).await.into_body().collect().await.expect("all events");

    let shown = admin.get(&page).await;
    for words in [
        "Add &lt;b&gt;feature&lt;/b&gt; X",
        "AgenticSession completed successfully!",
        "View changes in GitLab:",
        "/-/tree/feature/x",
        "&lt;i&gt;working&lt;/i&gt;",
    ] {
        assert!(shown.body.contains(words), "{words} in {}", shown.body);
    }
    assert!(admin.get(&format!("{page}/log")).await.body.contains("<i>working</i>"));
    assert!(admin.get(&format!("{page}/overview")).await.body.contains("data-over"));
    assert!(admin.get("/sessions?phase=completed").await.body.contains(&page));
    assert!(!admin.get("/sessions?phase=failed").await.body.contains(&page));
    let again = admin.get(&page.replace("/sessions/", "/sessions/new?from=")).await;
    assert!(
        again.body.contains("value=\"feature/x\"") && again.body.contains("Add &lt;b&gt;feature"),
        "{}",
        again.body
    );
    server.shut_down().await;
}

#[tokio::test]
async fn a_session_that_runs_is_named_before_its_account_is_disconnected() {
    let (server, forge, id) = connected().await;
    let admin = server.admin();
    let url = forge.twin.clone_url(forge.path);
    let page = leads_to(&submit(&admin, "/sessions", &asking(&url, "sleep 600")).await);
    let events = page.replace("/sessions", "/api/v1/projects/default/sessions") + "/events";
    let mut body = admin.listen(&events).await.into_body();
    let mut seen = String::new();
    while !seen.contains("\"Running\"") {
        let frame = body.frame().await.expect("more events").expect("no error");
        seen.push_str(&String::from_utf8_lossy(frame.data_ref().expect("data")));
    }
    assert!(admin.get(&format!("/integrations/{id}/disconnect")).await.body.contains(&page));
    assert_eq!(leads_to(&submit(&admin, &format!("{page}/stop"), &[]).await), format!("{page}?did=stopping"));
    body.collect().await.expect("all events");
    assert!(admin.get(&page).await.body.contains("The session was stopped."));
    server.shut_down().await;
}

#[tokio::test]
async fn a_form_with_mistakes_comes_back_with_all_that_was_typed() {
    let server = TestServer::start().await;
    let reply = submit(&server.admin(), "/sessions", &asking("https://gitlab.com/only-one-segment", "sh -c '")).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    for words in ["only-one-segment", "feature/x", "quotation mark", "needs an owner"] {
        assert!(reply.body.contains(words), "{words} in {}", reply.body);
    }
}

#[tokio::test]
async fn what_does_not_exist_has_a_page_for_browsers_only() {
    let server = TestServer::start().await;
    let session = "/sessions/018f0000-0000-7000-8000-000000000000";
    for path in ["/nothing", session, "/sessions/x", "/sessions?phase=odd", "/integrations/connect/cvs"] {
        let page = server.admin().with("accept", "text/html").get(path).await;
        assert!(page.status.is_client_error(), "{path}: {}", page.status);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8", "{path}");
        assert_eq!(server.admin().get(path).await.header("content-type"), "application/problem+json", "{path}");
    }
}

#[tokio::test]
async fn assets_may_be_kept_and_pages_may_not() {
    let server = TestServer::start().await;
    let page = server.anonymous().get("/sign-in").await;
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(page.header("content-security-policy").starts_with("default-src 'self';"));
    for name in ["app.css", "app.js", "icon.svg"] {
        let at = page.body.find(&format!("/assets/{name}?v=")).unwrap_or_else(|| panic!("{name}"));
        let path = page.body[at..].split('"').next().expect("the end of an attribute");
        let asset = server.anonymous().get(path).await;
        assert_eq!(
            (asset.status, asset.header("cache-control")),
            (StatusCode::OK, "public, max-age=31536000, immutable")
        );
    }
}
