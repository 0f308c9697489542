use std::{collections::BTreeSet, path::Path};

use http::StatusCode;
use serde_json::Value;
use valetkey_server::{Permission, summaries};

use crate::harness::TestServer;

#[tokio::test]
async fn the_api_document_is_the_one_that_was_reviewed() {
    let server = TestServer::start().await;
    let now = server.anonymous().get("/api/openapi.json").await.body;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &now).unwrap();
    }
    let reviewed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        now == reviewed,
        "the API changed: review the difference that `UPDATE=1 cargo test -p valetkey-server` makes"
    );
}

#[tokio::test]
async fn the_api_document_names_every_route_once() {
    let server = TestServer::start().await;
    let document = server.anonymous().get("/api/openapi.json").await.ok();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    let of_the_api = |path: &str| path.starts_with("/api/") && path != "/api/docs.css";
    for route in summaries().into_iter().filter(|route| of_the_api(route.path)) {
        let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{route:?} is not described"));
        assert!(ids.insert(id.to_owned()), "{id} is used twice");
        assert_eq!(operation["responses"].get("401").is_none(), route.permission == Permission::Public, "{route:?}");
    }
}

#[tokio::test]
async fn the_api_document_tells_what_any_such_route_refuses() {
    let server = TestServer::start().await;
    let document = server.anonymous().get("/api/openapi.json").await.ok();
    for route in summaries().into_iter().filter(|route| route.operation.is_some()) {
        let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        let tells = |status: &str| operation["responses"].get(status).is_some();
        let takes_a_body = operation.get("requestBody").is_some();
        assert!(!takes_a_body || tells("400") && tells("413") && tells("415"), "{route:?}");
        assert!(!route.path.contains('{') || tells("404"), "{route:?}");
    }
}

#[tokio::test]
async fn the_api_document_has_no_two_things_under_one_name() {
    let server = TestServer::start().await;
    let document = server.anonymous().get("/api/openapi.json").await.ok();
    let schemas = &document["components"]["schemas"];
    let word = |of: &str| schemas[of]["properties"]["scope"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
    for body in ["NewIntegration", "NewConsent"] {
        let words =
            schemas[word(body)]["oneOf"].as_array().unwrap_or_else(|| panic!("{body}: {}", schemas[word(body)]));
        let words: Vec<_> = words.iter().map(|word| &word["const"]).collect();
        assert_eq!(words, ["user", "user_global", "project"], "{body}");
    }
}

#[tokio::test]
async fn the_api_document_tells_the_events_of_a_stream_from_what_they_carry() {
    let server = TestServer::start().await;
    let document = server.anonymous().get("/api/openapi.json").await.ok();
    let of_stream = &document["paths"]["/api/v1/projects/{project}/sessions/{id}/events"]["get"]["responses"]["200"];
    assert_eq!(
        of_stream["content"]["text/event-stream"]["schema"]["$ref"], "#/components/schemas/FollowedEvent",
        "the stream's lines are no JSON"
    );
    let kinds = document["components"]["schemas"]["FollowedEvent"]["oneOf"].as_array().unwrap();
    let carried = kinds.iter().map(|kind| {
        let data = &kind["properties"]["data"];
        assert_eq!((&data["type"], &data["contentMediaType"]), (&"string".into(), &"application/json".into()));
        (kind["properties"]["event"]["const"].as_str().unwrap(), data["contentSchema"]["$ref"].as_str().unwrap())
    });
    let named = [("message", "SessionEvent"), ("end", "SessionEnd"), ("problem", "ProblemDocument")];
    for ((event, carries), (name, schema)) in carried.zip(named) {
        assert_eq!((event, carries.rsplit('/').next()), (name, Some(schema)));
    }
}

#[tokio::test]
async fn every_reference_of_the_api_document_leads_somewhere() {
    let server = TestServer::start().await;
    let document = server.anonymous().get("/api/openapi.json").await.ok();
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 50);
    for reference in references {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[tokio::test]
async fn the_documentation_page_shows_every_operation_without_a_script() {
    let server = TestServer::start().await;
    let page = server.anonymous().get("/api/docs").await;
    assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
    for operation in summaries().iter().filter_map(|route| route.operation) {
        assert!(page.body.contains(&format!("id=\"{operation}\"")), "{operation}");
    }
    assert!(!page.body.contains("<script") && !page.body.contains("style="));
    assert_eq!(server.anonymous().get("/api/docs.css").await.header("content-type"), "text/css");
}
