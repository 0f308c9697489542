use std::io;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use valetkey_model::{Problem, ProblemCode, ProjectName, WebhookDeliveryId, WebhookEvent, WebhookId, WebhookUrl};

use super::{typed, typed_all, webhook_deliveries, with_client};
use crate::{
    cli::{WebhookChangeArgs, WebhooksArgs, WebhooksCommand},
    client::Client,
    context::Context,
    output::{self, Style, Table},
    token_input, wiring,
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WebhookView {
    id: WebhookId,
    project: ProjectName,
    url: WebhookUrl,
    description: String,
    events: Vec<WebhookEvent>,
    enabled: bool,
    disabled_reason: Option<String>,
    previous_secret_until: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Looks after the webhooks of a project; the answer is the exit code.
pub(crate) async fn webhooks(context: &Context, args: WebhooksArgs) -> Result<u8, Problem> {
    let WebhooksArgs { project, command } = args;
    let all = format!("/api/v1/projects/{project}/webhooks");
    match command.unwrap_or(WebhooksCommand::List) {
        WebhooksCommand::Remove { webhook, yes } => remove(context, &format!("{all}/{webhook}"), yes).await.map(|()| 0),
        command => with_client(context, async |client| look_after(context, client, &all, command).await).await,
    }
}

async fn look_after(context: &Context, client: &Client, all: &str, command: WebhooksCommand) -> Result<u8, Problem> {
    let one = |webhook: &WebhookId| format!("{all}/{webhook}");
    let done = match command {
        WebhooksCommand::List | WebhooksCommand::Remove { .. } => list(context, client, all).await,
        WebhooksCommand::Add { url, description, events } => {
            let mut body = json!({ "url": url, "description": description.unwrap_or_default() });
            if !events.is_empty() {
                body["events"] = json!(events);
            }
            print_secret(context, &client.post(all, &body).await?)
        }
        WebhooksCommand::Show { webhook } => print_one(context, &client.get(&one(&webhook)).await?),
        WebhooksCommand::Edit { webhook, change } => {
            print_one(context, &client.patch(&one(&webhook), &given(&change)).await?)
        }
        WebhooksCommand::Test { webhook } => {
            let tested = client.post(&format!("{}/test", one(&webhook)), &json!({})).await?;
            return webhook_deliveries::print_tested(context, &tested);
        }
        WebhooksCommand::Deliveries { webhook, limit } => {
            let logged = client.first(&format!("{}/deliveries", one(&webhook)), limit).await?;
            webhook_deliveries::print_all(context, &logged)
        }
        WebhooksCommand::Redeliver { webhook, delivery } => redeliver(context, client, &one(&webhook), &delivery).await,
        WebhooksCommand::RotateSecret { webhook } => {
            print_secret(context, &client.post(&format!("{}/rotate", one(&webhook)), &json!({})).await?)
        }
    };
    done.map(|()| 0)
}

/// What was typed of a change.
fn given(change: &WebhookChangeArgs) -> Value {
    let mut body = json!({});
    if let Some(url) = &change.url {
        body["url"] = json!(url);
    }
    if let Some(description) = &change.description {
        body["description"] = json!(description);
    }
    if !change.events.is_empty() {
        body["events"] = json!(change.events);
    }
    if change.enable || change.disable {
        body["enabled"] = json!(change.enable);
    }
    body
}

async fn list(context: &Context, client: &Client, all: &str) -> Result<(), Problem> {
    let found = client.all(all).await?;
    let views: Vec<WebhookView> = typed_all(&found)?;
    output::print(context.format, &json!({ "items": found }), || {
        let mut table = Table::new(
            &["URL", "TOLD OF", "STATE", "DESCRIPTION", "ID"],
            "The project has no webhook. Add one with `valetkey webhooks add https://ci.example.com/valetkey`.",
        );
        for view in &views {
            table.row(&[
                view.url.as_str().to_owned(),
                told_of(view),
                if view.enabled { "enabled" } else { "disabled" }.to_owned(),
                view.description.clone(),
                view.id.to_string(),
            ]);
        }
        table.render(Style::of(&io::stdout()))
    })
}

fn told_of(view: &WebhookView) -> String {
    if WebhookEvent::ALL.iter().all(|event| view.events.contains(event)) {
        return "everything".to_owned();
    }
    view.events.iter().map(|event| event.as_str()).collect::<Vec<_>>().join(", ")
}

fn print_one(context: &Context, found: &Value) -> Result<(), Problem> {
    let view: WebhookView = typed(found)?;
    let now = wiring::now();
    let state = match (view.enabled, &view.disabled_reason) {
        (true, _) => "enabled".to_owned(),
        (false, Some(reason)) => format!("disabled: {reason}"),
        (false, None) => "disabled".to_owned(),
    };
    output::print(context.format, found, || {
        output::fields([
            ("webhook", Some(view.id.to_string())),
            ("project", Some(view.project.to_string())),
            ("url", Some(view.url.as_str().to_owned())),
            ("for", Some(view.description.clone()).filter(|text| !text.is_empty())),
            ("told of", Some(told_of(&view))),
            ("state", Some(state)),
            ("old secret", view.previous_secret_until.filter(|end| *end > now).map(|end| signs_too(end, now))),
            ("added", Some(output::when(view.created_at, now))),
            ("changed", Some(output::when(view.updated_at, now))),
        ])
    })
}

fn signs_too(end: Timestamp, now: Timestamp) -> String {
    format!("signs too until {end}, {}", output::when(end, now))
}

/// The secret alone goes to standard output, so that it can be piped; what belongs to it to standard error.
fn print_secret(context: &Context, made: &Value) -> Result<(), Problem> {
    let view: WebhookView = typed(made)?;
    output::print(context.format, made, || {
        let whose = format!("Webhook {} to {}, told of {}", view.id, view.url.receiver(), told_of(&view));
        output::note(&output::one_line(&format!("{whose}. Its signing secret is shown this once:")));
        made["secret"].as_str().unwrap_or_default().to_owned()
    })
}

async fn redeliver(
    context: &Context,
    client: &Client,
    webhook: &str,
    delivery: &WebhookDeliveryId,
) -> Result<(), Problem> {
    let again: Value = client.post(&format!("{webhook}/deliveries/{delivery}/redeliver"), &json!({})).await?;
    output::print(context.format, &again, || {
        format!("{delivery} is sent again. `valetkey webhooks deliveries` says what came of it.")
    })
}

/// A person is asked while nothing is held open: they may take long.
async fn remove(context: &Context, path: &str, yes: bool) -> Result<(), Problem> {
    if !yes {
        let found: Value = with_client(context, async |client| client.get(path).await).await?;
        let view: WebhookView = typed(&found)?;
        let question = format!("Remove the webhook to {} with the log of its deliveries?", view.url.receiver());
        if !token_input::can_ask() {
            return Err(Problem::new(
                ProblemCode::InvalidInput,
                "There is no terminal to ask on; nothing was removed.",
            )
            .remedy("Say --yes if you mean it."));
        }
        if !token_input::confirm(&output::one_line(&question))? {
            return Err(Problem::new(ProblemCode::Stopped, "You did not say yes; nothing was removed."));
        }
    }
    let answer = with_client(context, async |client| client.delete(path).await).await?;
    output::print(context.format, &answer, || "Removed. Nothing is sent to it any more.".to_owned())
}
