//! The API's own description, OpenAPI 3.1, made from the table.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, header};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use valetkey_model::{ProblemCode, Role};

use crate::{
    problem::ProblemDocument,
    route::{Answer, Operation, Permission, Row, SchemaOf},
    routes,
};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::get("/api/openapi.json", openapi)
            .public()
            .operation("Documentation", "getOpenApi", "This description, OpenAPI 3.1")
            .answers_with("application/json"),
    ]
}

async fn openapi() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document(&routes::operations())));
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

/// Request bodies and answers are described apart: a member with a default is always in an answer.
struct Schemas {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
}

/// The document of these routes.
pub(crate) fn document(rows: &[Row]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = Schemas {
        requests: settings.clone().for_deserialize().into_generator(),
        answers: settings.for_serialize().into_generator(),
    };
    let problem = schema::<ProblemDocument>(&mut schemas.answers);
    let mut paths = Map::new();
    for row in rows {
        let Some(operation) = &row.operation else { continue };
        let path = paths.entry(row.path).or_insert_with(|| json!({}));
        path[row.method.as_str().to_lowercase()] = describe(row, operation, &mut schemas, &problem);
    }
    let mut definitions = schemas.requests.take_definitions(true);
    for (name, schema) in schemas.answers.take_definitions(true) {
        let other = definitions.insert(name.clone(), schema.clone());
        debug_assert!(other.is_none_or(|other| other == schema), "two schemas are called {name}");
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Valetkey",
            "version": "1",
            "description": "Connects accounts at GitLab and GitHub, and runs sessions of coding agents on their repositories.",
        },
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
        },
        "security": [{ "bearer": [] }],
    })
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

fn describe(row: &Row, operation: &Operation, schemas: &mut Schemas, problem: &Value) -> Value {
    let mut parameters: Vec<Value> = in_path(row.path).map(path_parameter).collect();
    if let Some(of) = operation.parameters {
        parameters.extend(query_parameters(&of(&mut schemas.requests).to_value()));
    }
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "responses": responses(row, operation, &mut schemas.answers, problem),
    });
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(of) = operation.body {
        let schema = of(&mut schemas.requests);
        let content = json!({ "application/json": { "schema": schema } });
        described["requestBody"] = json!({ "required": operation.body_required, "content": content });
    }
    if row.permission == Permission::Public {
        described["security"] = json!([]);
    }
    described
}

fn in_path(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn path_parameter(name: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
}

/// The fields of a struct as parameters of a query.
fn query_parameters(schema: &Value) -> Vec<Value> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = schema["properties"].as_object().into_iter().flatten();
    fields
        .map(|(name, schema)| {
            let mut schema = without_null(schema.clone());
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            json!({
                "name": name,
                "in": "query",
                "required": required.contains(&name.as_str()),
                "description": description,
                "schema": schema,
            })
        })
        .collect()
}

/// A parameter that may be left out can't be null: a query has no such value.
fn without_null(mut schema: Value) -> Value {
    if let Some(types) = schema["type"].as_array() {
        let only = types.iter().find(|name| *name != "null").cloned();
        schema["type"] = only.unwrap_or_default();
    }
    let members = schema.as_object_mut().expect("a schema of ours is an object");
    if let Some(Value::Array(forms)) = members.remove("anyOf") {
        let only = forms.into_iter().find(|form| form["type"] != "null");
        members.extend(only.and_then(|form| form.as_object().cloned()).unwrap_or_default());
    }
    schema
}

fn responses(row: &Row, operation: &Operation, generator: &mut SchemaGenerator, problem: &Value) -> Value {
    let mut content = |media_type: &str, of: SchemaOf| json!({ media_type: { "schema": of(generator) } });
    let mut success = json!({ "description": "Done." });
    match operation.answer {
        Answer::Empty => {}
        Answer::Json(of) => success["content"] = content("application/json", of),
        Answer::Events(of) => success["content"] = content("text/event-stream", of),
        Answer::Other(media_type) => success["content"] = json!({ media_type: {} }),
    }
    let mut all = json!({ operation.success.as_str(): success });
    for (status, codes) in refusals(row, operation) {
        let description = format!("Refused: {}.", codes.join(", "));
        all[status.to_string()] =
            json!({ "description": description, "content": { "application/problem+json": { "schema": problem } } });
    }
    all
}

/// The codes of an operation's refusals by their status.
fn refusals(row: &Row, operation: &Operation) -> BTreeMap<u16, Vec<&'static str>> {
    let mut codes = operation.errors.clone();
    if row.permission != Permission::Public {
        codes.push(ProblemCode::Unauthenticated);
    }
    let by_person = !matches!(row.permission, Permission::Public | Permission::Lease);
    let may_be_too_little =
        matches!(row.permission, Permission::Administrator | Permission::Project(Role::Member | Role::Admin));
    if may_be_too_little || by_person && row.method != Method::GET {
        codes.push(ProblemCode::Forbidden);
    }
    if in_path(row.path).next().is_some() {
        codes.push(ProblemCode::NotFound);
    }
    codes.sort_unstable();
    codes.dedup();
    if operation.body.is_some() || operation.parameters.is_some() {
        codes.push(ProblemCode::InvalidInput);
    }
    if operation.body.is_some() {
        codes.push(ProblemCode::TooLarge);
    }
    let mut by_status = BTreeMap::<_, Vec<_>>::new();
    for code in codes {
        by_status.entry(code.http_status()).or_default().push(code.as_str());
    }
    // What the extractors and the router refuse under a status that is not the code's own.
    let mut also = |status: StatusCode, code: ProblemCode| {
        by_status.entry(status.as_u16()).or_default().push(code.as_str());
    };
    if operation.body.is_some() {
        also(StatusCode::UNSUPPORTED_MEDIA_TYPE, ProblemCode::InvalidInput);
    }
    if !row.streams {
        also(StatusCode::SERVICE_UNAVAILABLE, ProblemCode::Internal);
    }
    by_status
}
