//! An MCP server with one tool, in both eras: revision 2026-07-28, and those that begin with `initialize`.

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

const MODERN: &str = "2026-07-28";
const LEGACY: &[&str] = &["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

const HEADER_MISMATCH: i64 = -32020;
const MISSING_CAPABILITIES: i64 = -32021;
const UNSUPPORTED_VERSION: i64 = -32022;
const UNKNOWN_METHOD: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;

#[derive(Deserialize)]
pub(super) struct Call {
    id: Option<Value>,
    method: String,
    #[serde(default)]
    params: Value,
}

struct Problem {
    status: StatusCode,
    code: i64,
    message: String,
    data: Value,
}

impl Problem {
    fn bad_request(code: i64, message: &str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.to_owned(), data: Value::Null }
    }

    fn unknown_method(method: &str) -> Self {
        let message = format!("Method not found: {method}");
        Self { status: StatusCode::NOT_FOUND, code: UNKNOWN_METHOD, message, data: Value::Null }
    }
}

pub(super) async fn not_allowed() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [("allow", "POST")]).into_response()
}

pub(super) async fn answer(headers: HeaderMap, Json(call): Json<Call>) -> Response {
    let Some(id) = &call.id else { return StatusCode::ACCEPTED.into_response() };
    let answered = match call.params["_meta"].get(VERSION_KEY).and_then(Value::as_str) {
        Some(version) => modern(&headers, &call, version),
        None => legacy(&call),
    };
    match answered {
        Ok(result) => Json(json!({"jsonrpc": "2.0", "id": id, "result": result})).into_response(),
        Err(problem) => {
            let mut error = json!({"code": problem.code, "message": problem.message});
            if !problem.data.is_null() {
                error["data"] = problem.data;
            }
            (problem.status, Json(json!({"jsonrpc": "2.0", "id": id, "error": error}))).into_response()
        }
    }
}

fn modern(headers: &HeaderMap, call: &Call, version: &str) -> Result<Value, Problem> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if header("mcp-protocol-version") != Some(version) || header("mcp-method") != Some(call.method.as_str()) {
        return Err(Problem::bad_request(HEADER_MISMATCH, "Headers and body disagree"));
    }
    if version != MODERN {
        let data = json!({"supported": [MODERN], "requested": version});
        return Err(Problem { data, ..Problem::bad_request(UNSUPPORTED_VERSION, "Unsupported protocol version") });
    }
    if !call.params["_meta"][CAPABILITIES_KEY].is_object() {
        return Err(Problem::bad_request(MISSING_CAPABILITIES, "Client capabilities are missing"));
    }
    let mut result = match call.method.as_str() {
        "server/discover" => json!({
            "supportedVersions": [MODERN],
            "capabilities": {"tools": {}},
            "ttlMs": 60_000,
            "cacheScope": "private",
        }),
        "tools/list" => json!({"tools": [tool()], "ttlMs": 60_000, "cacheScope": "private"}),
        "tools/call" if header("mcp-name") == call.params["name"].as_str() => call_tool(&call.params)?,
        "tools/call" => return Err(Problem::bad_request(HEADER_MISMATCH, "Headers and body disagree")),
        unknown => return Err(Problem::unknown_method(unknown)),
    };
    result["resultType"] = json!("complete");
    Ok(result)
}

/// Errors of the older eras come with a 200.
fn legacy(call: &Call) -> Result<Value, Problem> {
    let answered = match call.method.as_str() {
        "initialize" => {
            let wanted = call.params["protocolVersion"].as_str();
            let version = wanted.filter(|version| LEGACY.contains(version)).unwrap_or(LEGACY[0]);
            let server = json!({"name": "valetkey-twin", "version": "1.0.0"});
            Ok(json!({"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": server}))
        }
        "ping" => Ok(json!({})),
        "tools/list" => Ok(json!({"tools": [tool()]})),
        "tools/call" => call_tool(&call.params),
        unknown => Err(Problem::unknown_method(unknown)),
    };
    answered.map_err(|problem| Problem { status: StatusCode::OK, ..problem })
}

fn tool() -> Value {
    let schema = json!({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]});
    json!({"name": "echo", "description": "Says the text again.", "inputSchema": schema})
}

fn call_tool(params: &Value) -> Result<Value, Problem> {
    match (params["name"].as_str(), params["arguments"]["text"].as_str()) {
        (Some("echo"), Some(text)) => Ok(json!({"content": [{"type": "text", "text": text}], "isError": false})),
        (Some("echo"), None) => Err(Problem::bad_request(INVALID_PARAMS, "text is missing")),
        (name, _) => {
            let message = format!("Unknown tool: {}", name.unwrap_or_default());
            Err(Problem::bad_request(INVALID_PARAMS, &message))
        }
    }
}
