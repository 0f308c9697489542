use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;
use valetkey_model::{OAuthAttemptId, Problem};

use super::Consent;
use crate::{client::Client, commands::with_client, context::Context, output, wiring};

/// Has a person consent on another device, and waits for what comes of it.
pub(super) async fn connect(context: &Context, body: &Value) -> Result<Value, Problem> {
    with_client(context, async |client| consent(client, body).await).await
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Code {
    attempt: OAuthAttemptId,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_at: Timestamp,
    interval: u64,
}

async fn consent(client: &Client, body: &Value) -> Result<Value, Problem> {
    let code: Code = client.post("/api/v1/oauth/device", body).await?;
    output::note(&told(&code, wiring::now()));
    let question = json!({ "attempt": code.attempt });
    let mut wait = code.interval;
    loop {
        sleep(Duration::from_secs(wait.max(1))).await;
        match client.post("/api/v1/oauth/device/poll", &question).await? {
            Consent::Pending { interval } => wait = interval.unwrap_or(wait),
            Consent::Connected { integration } => return Ok(integration),
            Consent::Failed { problem } => return Err(problem),
        }
    }
}

/// The provider's words are shown on one line each: they are not ours.
fn told(code: &Code, now: Timestamp) -> String {
    let shown = output::one_line;
    let mut text = format!(
        "Open {} on any device and enter this code:\n\n  {}\n",
        shown(&code.verification_uri),
        shown(&code.user_code)
    );
    if let Some(complete) = &code.verification_uri_complete {
        text.push_str(&format!("\nWith the code filled in: {}", shown(complete)));
    }
    text.push_str(&format!("\nWaiting; the code ends {}.", output::when(code.expires_at, now)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_told_on_lines_of_its_own() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let code = json!({
            "attempt": "018f0000-0000-7000-8000-000000000000",
            "userCode": "AB-\u{1b}[2J12",
            "verificationUri": "https://gitlab.example.test/device",
            "expiresAt": "2026-11-21T12:15:00Z",
            "interval": 5,
        });
        let text = told(&Code::deserialize(code).unwrap(), now);
        assert!(text.contains("\n  AB-\u{fffd}[2J12\n"), "{text}");
        assert!(text.ends_with("the code ends in 15 min."), "{text}");
    }
}
