//! The API's description as a page to browse, made on the server: no script, nothing from elsewhere.

use std::sync::LazyLock;

use axum::response::{Html, IntoResponse, Response};
use http::header;
use minijinja::{Environment, value::Serde};
use serde::Serialize;
use serde_json::Value;

use crate::{openapi, route::Row, routes};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::get("/api/docs", docs)
            .public()
            .operation("Documentation", "getDocs", "This description as a page")
            .answers_with("text/html"),
        Row::get("/api/docs.css", style).public(),
    ]
}

async fn docs() -> Html<&'static str> {
    static PAGE: LazyLock<String> = LazyLock::new(|| page(&openapi::document(&routes::operations())));
    Html(&PAGE)
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css"), (header::CACHE_CONTROL, "max-age=3600")], include_str!("docs.css"))
        .into_response()
}

#[derive(Serialize)]
struct Page<'a> {
    groups: Vec<Group<'a>>,
    schemas: Vec<(&'a String, String)>,
}

/// The operations that have a tag in common.
#[derive(Serialize)]
struct Group<'a> {
    tag: &'a str,
    operations: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    method: String,
    path: &'a str,
    id: &'a str,
    summary: &'a str,
    public: bool,
    parameters: &'a Value,
    body: Option<String>,
    responses: Vec<(&'a str, &'a str, Option<String>)>,
}

fn page(document: &Value) -> String {
    let mut templates = Environment::new();
    templates.add_template("docs.html", include_str!("docs.html")).expect("the template is part of the program");
    let template = templates.get_template("docs.html").expect("just added");
    let schemas: Vec<(&String, String)> =
        members(&document["components"]["schemas"]).map(|(name, schema)| (name, format!("{schema:#}"))).collect();
    let content = Page { groups: groups(document), schemas };
    template.render(Serde(content)).expect("the template fits the document")
}

fn groups(document: &Value) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (path, methods) in members(&document["paths"]) {
        for (method, operation) in members(methods) {
            let tag = text(&operation["tags"][0]);
            let entry = entry(path, method, operation);
            match groups.iter_mut().find(|group| group.tag == tag) {
                Some(group) => group.operations.push(entry),
                None => groups.push(Group { tag, operations: vec![entry] }),
            }
        }
    }
    groups
}

fn entry<'a>(path: &'a str, method: &str, operation: &'a Value) -> Entry<'a> {
    let responses = members(&operation["responses"])
        .map(|(status, response)| (status.as_str(), text(&response["description"]), schema_name(response)));
    Entry {
        method: method.to_uppercase(),
        path,
        id: text(&operation["operationId"]),
        summary: text(&operation["summary"]),
        public: operation.get("security").is_some(),
        parameters: &operation["parameters"],
        body: schema_name(&operation["requestBody"]),
        responses: responses.collect(),
    }
}

/// The name of the schema that a body or an answer has.
fn schema_name(body: &Value) -> Option<String> {
    let (_, media) = members(&body["content"]).next()?;
    media["schema"]["$ref"].as_str()?.rsplit('/').next().map(str::to_owned)
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
