//! Whether a service is an MCP server, and of which revision.

use http::{HeaderName, StatusCode, header};
use serde_json::{Value, json};

use super::auth;
use crate::{
    Access, ProviderError,
    api::{Answer, Api, one_line},
};

/// The revision in which a server can be asked what it is without beginning a session.
const REVISION: &str = "2026-07-28";

const HEADERS: [(HeaderName, &str); 3] = [
    (header::ACCEPT, "application/json, text/event-stream"),
    (HeaderName::from_static("mcp-protocol-version"), REVISION),
    (HeaderName::from_static("mcp-method"), "server/discover"),
];

/// What came of speaking MCP.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// It answered, as this.
    Mcp(String),
    /// The way there is closed to this credential.
    Refused,
    /// It is no MCP server, or not at the usual path.
    Nothing,
}

/// Asks at the usual path. Servers of older revisions refuse in their own way, which tells them apart: no second question.
pub(super) async fn discover(at: Access<'_>) -> Result<Spoken, ProviderError> {
    let api = Api::new(at, &at.instance.to_string(), auth(at.credential)?, &HEADERS)?;
    let answer = api.post("/mcp", &question()).await?;
    Ok(match spoken(&answer) {
        Some(version) => Spoken::Mcp(version),
        None if answer.status == StatusCode::UNAUTHORIZED => Spoken::Refused,
        None => Spoken::Nothing,
    })
}

fn question() -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "server/discover",
        "params": { "_meta": {
            "io.modelcontextprotocol/protocolVersion": REVISION,
            "io.modelcontextprotocol/clientInfo": { "name": "valetkey", "version": env!("CARGO_PKG_VERSION") },
            "io.modelcontextprotocol/clientCapabilities": {},
        } },
    })
}

/// What answers, if it speaks JSON-RPC. A refusal of the credential may do that too.
fn spoken(answer: &Answer) -> Option<String> {
    if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return None;
    }
    let message = message(answer).filter(|message| message["jsonrpc"] == "2.0")?;
    if message["error"].is_object() {
        return Some("MCP server".to_owned());
    }
    let result = message.get("result")?;
    let versions = result["supportedVersions"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let newest = versions.max().map_or_else(|| REVISION.to_owned(), one_line);
    let info = [&result["serverInfo"], &result["_meta"]["io.modelcontextprotocol/serverInfo"]];
    let name = info.into_iter().find_map(|info| info["name"].as_str()).map(one_line).filter(|name| !name.is_empty());
    Some(name.map_or_else(|| format!("MCP {newest}"), |name| format!("MCP {newest}, {name}")))
}

/// The message by itself, or as the first event of a stream.
fn message(answer: &Answer) -> Option<Value> {
    let event = || answer.body.lines().find_map(|line| line.strip_prefix("data:"));
    serde_json::from_str(&answer.body).ok().or_else(|| serde_json::from_str(event()?).ok())
}
