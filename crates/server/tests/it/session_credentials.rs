//! What a session's own processes may ask for, with the token that they hold.

use serde_json::{Value, json};
use valetkey_testbed::ForgeBed;

use crate::harness::{Client, TestServer, connect_body};

/// A session whose agent writes its token to a file and waits until another file is there.
pub(crate) struct Running {
    id: String,
    pub(crate) token: String,
    go_on: std::path::PathBuf,
}

impl Running {
    pub(crate) async fn start(server: &TestServer, forge: &ForgeBed, name: &str) -> Self {
        let folder = server.bed.folder.path();
        let (said, go_on) = (folder.join(format!("{name}.token")), folder.join(format!("{name}.go-on")));
        let script = format!(
            "printf %s \"$VALETKEY_SESSION_TOKEN\" > {said}.part; mv {said}.part {said}; echo \"$VALETKEY_SESSION_TOKEN\"; \
             while ! test -e {go_on}; do sleep 0.05; done",
            said = said.display(),
            go_on = go_on.display(),
        );
        let body = json!({
            "task": "Wait",
            "repositories": [{"url": forge.twin.clone_url(forge.path), "pushBranch": name}],
            "agent": {"command": ["sh", "-c", script]},
        });
        let made = server.admin().post("/api/v1/projects/default/sessions", body).await.created();
        let token = loop {
            match std::fs::read_to_string(&said) {
                Ok(token) => break token,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        };
        Self { id: made["id"].as_str().unwrap().to_owned(), token, go_on }
    }

    pub(crate) fn path(&self, provider: &str) -> String {
        format!("/api/projects/default/agentic-sessions/{}/credentials/{provider}", self.id)
    }

    pub(crate) async fn end(&self, admin: &Client) -> String {
        std::fs::write(&self.go_on, "").unwrap();
        admin.get(&format!("/api/v1/projects/default/sessions/{}/events", self.id)).await.body
    }
}

async fn connected() -> (TestServer, ForgeBed) {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    server.admin().post("/api/v1/integrations", connect_body(&forge)).await.created();
    (server, forge)
}

#[tokio::test]
async fn a_session_is_given_its_own_credentials_while_it_runs() {
    let (server, forge) = connected().await;
    let session = Running::start(&server, &forge, "one").await;
    let own = server.bearer(&session.token);
    let wanted = json!({
        "token": forge.token,
        "instanceUrl": forge.twin.url(),
        "userName": "john",
        "email": "john@example.test",
        "provider": "gitlab",
    });
    assert_eq!(own.get(&session.path("gitlab")).await.ok(), wanted);
    for (provider, text) in [
        ("github", "no GitHub credentials available. Connect GitHub on the Integrations page"),
        ("jira", "Jira credentials not configured"),
        ("google", "Google credentials not configured"),
    ] {
        assert_eq!(own.get(&session.path(provider)).await.refused(404, "not_found")["error"], text);
    }
    let elsewhere = session.path("gitlab").replace("/default/", "/other/");
    assert_eq!(own.get(&elsewhere).await.refused(404, "not_found")["error"], "Session not found");

    let log = session.end(&server.admin()).await;
    assert!(!log.contains(&session.token), "what the agent printed of it is hidden");
    let problem = own.get(&session.path("gitlab")).await.refused(403, "forbidden");
    assert_eq!(problem["error"], "Access denied", "it ends with the session");
}

#[tokio::test]
async fn a_session_is_given_the_token_that_is_good_now() {
    let (server, forge) = connected().await;
    let session = Running::start(&server, &forge, "one").await;
    let all = server.admin().get("/api/v1/integrations").await.ok();
    let rotate = format!("/api/v1/integrations/{}/rotate", all["items"][0]["id"].as_str().unwrap());
    server.admin().press(&rotate).await.ok();
    let given = server.bearer(&session.token).get(&session.path("gitlab")).await.ok()["token"].clone();
    assert!(given.is_string() && given != json!(forge.token), "the one that was rotated in");
    session.end(&server.admin()).await;
}

#[tokio::test]
async fn nobody_is_given_another_session_s_credentials() {
    let (server, forge) = connected().await;
    let (one, two) = (Running::start(&server, &forge, "one").await, Running::start(&server, &forge, "two").await);
    let denied = |problem: Value| assert_eq!(problem["error"], "Access denied");
    for token in [two.token.as_str(), "vkl_made-up", "the-administrators-token", &one.token[..one.token.len() - 1]] {
        denied(server.bearer(token).get(&one.path("gitlab")).await.refused(403, "forbidden"));
    }
    let unknown = "/api/projects/default/agentic-sessions/018f0000-0000-7000-8000-000000000000/credentials/gitlab";
    denied(server.bearer(&one.token).get(unknown).await.refused(403, "forbidden"));
    server.anonymous().get(&one.path("gitlab")).await.refused(401, "unauthenticated");
    server.anonymous().with("x-forwarded-user", "admin").get(&one.path("gitlab")).await.refused(401, "unauthenticated");
    one.end(&server.admin()).await;
    two.end(&server.admin()).await;
}

#[tokio::test]
async fn a_session_s_token_opens_nothing_else() {
    let (server, forge) = connected().await;
    let session = Running::start(&server, &forge, "one").await;
    let own = server.bearer(&session.token);
    for path in [
        "/api/v1/integrations",
        "/api/v1/tokens",
        "/api/v1/projects/default/sessions",
        "/api/auth/gitlab/status",
        "/api/v1/provider-apps",
        &format!("/api/v1/projects/default/sessions/{}", session.id),
    ] {
        own.get(path).await.refused(401, "unauthenticated");
    }
    session.end(&server.admin()).await;
}
