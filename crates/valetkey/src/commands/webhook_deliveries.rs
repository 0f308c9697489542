use std::{io, time::Duration};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use valetkey_model::{DeliveryState, Problem, WebhookDeliveryId};

use super::{typed, typed_all};
use crate::{
    context::Context,
    output::{self, Style, Table},
    wiring,
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeliveryView {
    id: WebhookDeliveryId,
    event: String,
    state: DeliveryState,
    attempts: i64,
    created_at: Timestamp,
    next_attempt_at: Option<Timestamp>,
    last_status: Option<i64>,
    last_error: Option<String>,
    duration_ms: Option<u64>,
}

/// Prints the log of a webhook.
pub(super) fn print_all(context: &Context, logged: &[Value]) -> Result<(), Problem> {
    let views: Vec<DeliveryView> = typed_all(logged)?;
    let now = wiring::now();
    output::print(context.format, &json!({ "items": logged }), || {
        let mut table = Table::new(
            &["WHEN", "EVENT", "STATE", "ATTEMPTS", "LAST ANSWER", "ID"],
            "Nothing was sent to it in the last 30 days. Try it with `valetkey webhooks test WEBHOOK`.",
        );
        for view in &views {
            table.row(&[
                output::when(view.created_at, now),
                view.event.clone(),
                state(view, now),
                view.attempts.to_string(),
                answer(view),
                view.id.to_string(),
            ]);
        }
        table.render(Style::of(&io::stdout()))
    })
}

/// Prints what came of a test; the answer is the exit code.
pub(super) fn print_tested(context: &Context, tested: &Value) -> Result<u8, Problem> {
    let view: DeliveryView = typed(tested)?;
    let delivered = view.state == DeliveryState::Delivered;
    output::print(context.format, tested, || {
        let took = view
            .duration_ms
            .map_or_else(String::new, |ms| format!(" It took {}.", output::took(Duration::from_millis(ms))));
        let word = if delivered { "Delivered" } else { "Not delivered" };
        output::one_line(&format!("{word}: {}{took}", answer(&view)))
    })?;
    Ok(u8::from(!delivered))
}

fn state(view: &DeliveryView, now: Timestamp) -> String {
    let word = view.state.as_str();
    view.next_attempt_at
        .filter(|next| *next > now)
        .map_or_else(|| word.to_owned(), |next| format!("{word}, next {}", output::when(next, now)))
}

/// What the receiver said last, or why it said nothing.
fn answer(view: &DeliveryView) -> String {
    match (&view.last_error, view.last_status) {
        (Some(why), _) => why.clone(),
        (None, Some(status)) => format!("{status}."),
        (None, None) => String::new(),
    }
}
