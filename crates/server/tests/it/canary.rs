use http::Method;
use serde_json::{Value, json};
use valetkey_server::summaries;
use valetkey_testbed::ForgeBed;
use valetkey_twins::{Token, TokenState};

use crate::harness::{Client, TestServer, connect_body};

/// Asks every route that only reads, for everything there is.
async fn read_everything(client: &Client, integration: &str, session: &str) {
    let reading = summaries().into_iter().filter(|route| route.method == "GET" && !route.path.starts_with("/assets/"));
    for route in reading {
        let id = if route.path.contains("session") { session } else { integration };
        let path = route.path.replace("{project}", "default").replace("{token}", "x");
        let path = path.split('/').map(|part| if part.starts_with('{') { id } else { part }).collect::<Vec<_>>();
        // What a list follows goes on without end, and says nothing but marks.
        if route.path.ends_with("/live") {
            client.ask(Method::GET, &path.join("/")).await;
        } else {
            client.get(&path.join("/")).await;
        }
    }
}

#[tokio::test]
async fn a_connected_token_is_in_no_answer() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let canaries = ["glpat-Canary0one0one0one0one", "glpat-Canary0two0two0two0two", "glpat-Canary0ill0ill0ill0ill"];
    for canary in canaries {
        forge.twin.token(&forge.john, Token::new(canary).scopes(["api"]));
    }
    forge.twin.set_token_state(canaries[2], TokenState::Expired);
    let body = |token: &str| {
        let mut body = connect_body(&forge);
        body["auth"]["token"] = json!(token);
        body
    };
    let made = admin.post("/api/v1/integrations", body(canaries[0])).await.created();
    let id = made["id"].as_str().unwrap();
    let one = format!("/api/v1/integrations/{id}");
    let ambient = |token: &str| json!({"personalAccessToken": token, "instanceUrl": forge.twin.url()});
    admin.post("/api/v1/integrations", body(canaries[2])).await.refused(422, "token_expired");
    admin.post("/api/auth/gitlab/connect", ambient(canaries[2])).await.refused(422, "token_expired");
    admin.post("/api/auth/gitlab/test", ambient(canaries[2])).await.ok();
    admin.post(&format!("{one}/rotate"), json!({"token": canaries[2]})).await.refused(422, "token_expired");
    admin.post(&format!("{one}/rotate"), json!({"token": canaries[1]})).await.ok();
    admin.press(&format!("{one}/test")).await.ok();

    let kept = ["Canary0three0three0three", "Canary0four0four0four0f"];
    admin.post("/api/v1/secrets", json!({"name": "MINE", "value": kept[0]})).await.ok();
    admin.post("/api/v1/projects/default/secrets", json!({"name": "SHARED", "value": kept[1]})).await.ok();
    let leak = "echo \"$GITLAB_TOKEN\"; printf %s \"$GITLAB_TOKEN\" | base64; echo \"$GITLAB_TOKEN\" > leaked.txt; \
        echo \"$MINE $SHARED\"; printf %s \"$MINE$SHARED\" | base64";
    let session = json!({
        "task": "Leak it",
        "repositories": [{"url": forge.twin.clone_url(forge.path)}],
        "agent": {"command": ["sh", "-c", leak]},
    });
    let session: Value = admin.post("/api/v1/projects/default/sessions", session).await.created();
    let session = session["id"].as_str().unwrap();
    let events = admin.get(&format!("/api/v1/projects/default/sessions/{session}/events")).await;
    assert!(events.body.contains("***"), "the agent did print it: {}", events.body);

    let before = server.answers().len();
    read_everything(&admin, id, session).await;
    let answers = server.answers();
    assert!(answers.len() > before + 20, "everything was read");
    for canary in canaries.into_iter().chain(kept) {
        let secret = canary.trim_start_matches("glpat-");
        for answer in &answers {
            assert!(!answer.contains(secret), "{secret} is in:\n{answer}");
        }
    }
}
