//! Texts, which REST version 2 takes as they are and version 3 as documents.

use serde_json::{Value, json};

/// The text as this version of the API shows it.
pub(super) fn shown(text: Option<&str>, version: &str) -> Value {
    match text {
        None => Value::Null,
        Some(text) if version == "3" => {
            let paragraph = json!({"type": "paragraph", "content": [{"type": "text", "text": text}]});
            json!({"type": "doc", "version": 1, "content": [paragraph]})
        }
        Some(text) => json!(text),
    }
}

/// The text that this version of the API was given; what is wrong with it otherwise.
pub(super) fn read(value: &Value, version: &str) -> Result<Option<String>, &'static str> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if version != "3" => Ok(Some(text.clone())),
        document if version == "3" && is_document(document) => Ok(Some(texts(document))),
        _ if version == "3" => Err("Operation value must be an Atlassian Document (see the Atlassian Document Format)"),
        _ => Err("Operation value must be a string"),
    }
}

fn is_document(value: &Value) -> bool {
    value["type"] == "doc" && value["version"] == 1 && value["content"].is_array()
}

fn texts(node: &Value) -> String {
    let own = node["text"].as_str().unwrap_or_default().to_owned();
    let inner = node["content"].as_array().into_iter().flatten().map(texts);
    inner.fold(own, |text, more| text + &more)
}
