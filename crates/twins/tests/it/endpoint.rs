//! Somebody's own API, and MCP in both eras.

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use valetkey_twins::{Endpoint, Mishap, Service, Switch, Wants};

use crate::services::{Fixture, sent};
use crate::support::{Answer, client};

fn modern(method: &str, params: &Value) -> Value {
    let mut params = params.clone();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

fn call(fixture: &Fixture<Endpoint>, body: &Value) -> RequestBuilder {
    let method = body["method"].as_str().expect("a method").to_owned();
    let request = fixture.post("/mcp").header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
    request.json(body)
}

fn code(answer: &Answer) -> (u16, Option<i64>) {
    (answer.status, answer.json()["error"]["code"].as_i64())
}

#[tokio::test]
async fn each_kind_of_credential_is_let_in_and_no_other() {
    let fixture = Fixture::<Endpoint>::new().await;
    let header = |name: &str, value: &str| fixture.get("/v1/things").header(name, value);
    let cases = [
        (Wants::Header("x-api-key".into(), "s3cret".into()), header("X-Api-Key", "s3cret"), None),
        (
            Wants::Basic("ann".into(), "s3cret".into()),
            fixture.get("/").basic_auth("ann", Some("s3cret")),
            Some("Basic"),
        ),
        (Wants::Bearer("s3cret".into()), fixture.get("/").bearer_auth("s3cret"), Some("Bearer")),
    ];
    for (wants, request, challenge) in cases {
        fixture.twin.want(wants);
        assert_eq!(sent(request).await.status, 200);
        let refused = sent(fixture.get("/").bearer_auth("wrong")).await;
        assert_eq!(refused.status, 401);
        let scheme = refused.header("www-authenticate").and_then(|value| value.split(' ').next());
        assert_eq!(scheme, challenge);
    }
}

#[tokio::test]
async fn the_journal_remembers_every_credential_good_and_bad() {
    let fixture = Fixture::<Endpoint>::new().await;
    fixture.twin.want(Wants::Bearer("s3cret".into()));
    for token in ["s3cret", "wrong"] {
        fixture.get_as(token, "/").await;
    }
    let journal = fixture.twin.journal();
    assert!(journal[0].mentions("s3cret") && journal[0].authenticated_as.is_some());
    assert!(journal[1].mentions("wrong") && journal[1].authenticated_as.is_none());
    assert_eq!(journal.iter().map(|entry| entry.status).collect::<Vec<_>>(), [Some(200), Some(401)]);
}

#[tokio::test]
async fn the_current_revision_of_mcp_is_discovered() {
    let fixture = Fixture::<Endpoint>::new().await;
    let found = sent(call(&fixture, &modern("server/discover", &json!({})))).await;
    assert_eq!(found.status, 200, "{found:?}");
    assert_eq!(found.json()["result"]["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(found.json()["result"]["resultType"], "complete");

    let echo = modern("tools/call", &json!({"name": "echo", "arguments": {"text": "hello"}}));
    let said = sent(call(&fixture, &echo).header("mcp-name", "echo")).await;
    assert_eq!(said.json()["result"]["content"][0]["text"], "hello");
}

#[tokio::test]
async fn the_current_revision_of_mcp_is_strict() {
    let fixture = Fixture::<Endpoint>::new().await;
    let discover = modern("server/discover", &json!({}));
    let headless = sent(fixture.post("/mcp").json(&discover)).await;
    assert_eq!(code(&headless), (400, Some(-32020)));

    let mut helpless = discover.clone();
    helpless["params"]["_meta"].as_object_mut().unwrap().remove("io.modelcontextprotocol/clientCapabilities");
    assert_eq!(code(&sent(call(&fixture, &helpless)).await), (400, Some(-32021)));

    let mut other = discover;
    other["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2099-01-01");
    let request = fixture.post("/mcp").header("mcp-protocol-version", "2099-01-01");
    let refused = sent(request.header("mcp-method", "server/discover").json(&other)).await;
    assert_eq!(code(&refused), (400, Some(-32022)));
    assert_eq!(refused.json()["error"]["data"]["supported"], json!(["2026-07-28"]));

    assert_eq!(code(&sent(call(&fixture, &modern("ping", &json!({})))).await), (404, Some(-32601)));
    assert_eq!(sent(fixture.get("/mcp")).await.status, 405);
}

#[tokio::test]
async fn older_clients_of_mcp_begin_with_initialize() {
    let fixture = Fixture::<Endpoint>::new().await;
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"},
    }});
    let begun = sent(fixture.post("/mcp").json(&initialize)).await;
    assert_eq!(begun.json()["result"]["protocolVersion"], "2025-06-18");
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(sent(fixture.post("/mcp").json(&initialized)).await.status, 202);
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
    assert_eq!(sent(fixture.post("/mcp").json(&list)).await.json()["result"]["tools"][0]["name"], "echo");
}

#[tokio::test]
async fn faults_and_mishaps_strike_a_service_too() {
    let fixture = Fixture::<Endpoint>::new().await;
    fixture.twin.switch(Switch::RateLimited { retry_after: Some(7) });
    let limited = sent(fixture.get("/")).await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("7")));
    fixture.twin.heal();

    fixture.twin.mishap("POST", "/things", Mishap::LoseAnswer);
    assert!(fixture.post("/things").send().await.is_err());
    assert_eq!(fixture.twin.journal().last().unwrap().path, "/things");
    fixture.twin.switch(Switch::Down);
    assert!(fixture.get("/").send().await.is_err());
    fixture.twin.heal();
    assert_eq!(sent(fixture.get("/")).await.status, 200);
}

#[tokio::test]
async fn a_service_speaks_tls_with_a_certificate_of_its_own() {
    let twin = Service::<Endpoint>::builder().tls(true).start().await.unwrap();
    assert!(twin.url().starts_with("https://"));
    assert_eq!(sent(client(twin.ca_pem()).get(twin.url())).await.status, 200);
    assert!(client("").get(twin.url()).send().await.is_err());
}
