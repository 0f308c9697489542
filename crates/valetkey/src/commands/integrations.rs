use std::io;

use jiff::Timestamp;
use serde_json::{Value, json};
use valetkey_model::{IntegrationRef, IntegrationView, Problem, RepoUrl, Status};
use valetkey_seal::Secret;

use super::{typed, typed_all, with_client};
use crate::{
    cli::IntegrationsCommand,
    client::{Client, percent_encoded},
    context::Context,
    output::{self, Style, Table},
    token_input, wiring,
};

const BASE: &str = "/api/v1/integrations";

/// Looks after what is connected.
pub(crate) async fn integrations(context: &Context, command: Option<IntegrationsCommand>) -> Result<(), Problem> {
    // Asked for before the data directory is opened: a person may take long.
    let new_token = match &command {
        Some(IntegrationsCommand::Rotate { token_stdin, .. }) => {
            let token = token_input::read(*token_stdin, "New personal access token")?;
            context.hide(&token);
            Some(renewal(&token))
        }
        _ => None,
    };
    with_client(context, async |client| match command.unwrap_or(IntegrationsCommand::List) {
        IntegrationsCommand::List => list(context, client).await,
        IntegrationsCommand::Show { integration } => show(context, client, &integration).await,
        IntegrationsCommand::Test { integration } => {
            print_one(context, &client.post(&action(&integration, "test"), &json!({})).await?)
        }
        IntegrationsCommand::Rotate { integration, .. } => {
            print_one(context, &client.post(&action(&integration, "rotate"), &new_token).await?)
        }
        IntegrationsCommand::Disconnect { integration, now } => disconnect(context, client, &integration, now).await,
        IntegrationsCommand::Default { integration, unset } => {
            print_one(context, &client.patch(&one(&integration), &json!({ "isDefault": !unset })).await?)
        }
        IntegrationsCommand::Rename { integration, alias } => {
            print_one(context, &client.patch(&one(&integration), &json!({ "alias": alias })).await?)
        }
        IntegrationsCommand::Resolve { repository, project, integration } => {
            let mut path = format!("{BASE}/resolve?project={project}&url={}", percent_encoded(&repository.to_string()));
            if let Some(integration) = integration {
                path.push_str(&format!("&integration={}", percent_encoded(&integration.to_string())));
            }
            print_resolved(context, &repository, &client.get(&path).await?)
        }
    })
    .await
}

#[expect(clippy::disallowed_methods, reason = "the token is put on the request that hands it over")]
fn renewal(token: &Secret<String>) -> Value {
    json!({ "token": token.expose() })
}

fn one(integration: &IntegrationRef) -> String {
    format!("{BASE}/{}", percent_encoded(&integration.to_string()))
}

fn action(integration: &IntegrationRef, action: &str) -> String {
    format!("{}/{action}", one(integration))
}

async fn list(context: &Context, client: &Client) -> Result<(), Problem> {
    let all = client.all(BASE).await?;
    let views: Vec<IntegrationView> = typed_all(&all)?;
    let now = wiring::now();
    output::print(context.format, &json!({ "items": all }), || {
        let mut table = Table::new(
            &["NAME", "PROVIDER", "ACCOUNT", "INSTANCE", "STATUS", "EXPIRES", "ID"],
            "Nothing is connected yet. Connect an account with `valetkey connect github` or `valetkey connect gitlab`.",
        );
        for view in &views {
            let name = if view.is_default { format!("{} (default)", view.alias) } else { view.alias.to_string() };
            table.row(&[
                name,
                view.provider.to_string(),
                view.account.username.clone(),
                view.instance_url.to_string(),
                view.status.as_str().to_owned(),
                end_of(view, now),
                view.id.to_string(),
            ]);
        }
        table.render(Style::of(&io::stdout()))
    })
}

async fn show(context: &Context, client: &Client, integration: &IntegrationRef) -> Result<(), Problem> {
    let mut found: Value = client.get(&one(integration)).await?;
    let usage: Value = client.get(&action(integration, "usage")).await?;
    let view: IntegrationView = typed(&found)?;
    let sessions = usage["sessions"].as_array().cloned().unwrap_or_default();
    found["sessions"] = json!(sessions);
    output::print(context.format, &found, || {
        let ids: Vec<&str> = sessions.iter().filter_map(|s| s.as_str().or_else(|| s["id"].as_str())).collect();
        let used = if ids.is_empty() { "no session now".to_owned() } else { ids.join(", ") };
        format!("{}\n{}", describe(&view), output::fields([("used by", Some(used))]))
    })
}

async fn disconnect(
    context: &Context,
    client: &Client,
    integration: &IntegrationRef,
    now: bool,
) -> Result<(), Problem> {
    let view: IntegrationView = client.get(&one(integration)).await?;
    let path = format!("{BASE}/{}{}", view.id, if now { "?now=true" } else { "" });
    let answer = client.delete(&path).await?;
    output::print(context.format, &answer, || {
        let who = output::one_line(&format!("{} ({} at {})", view.alias, view.provider, view.instance_url));
        let sessions = answer["sessions"].as_array().map_or(0, Vec::len);
        if sessions > 0 {
            format!(
                "Disconnected {who}. {sessions} running session(s) keep its credential to their end; then it is erased."
            )
        } else {
            format!("Disconnected {who}. Its credential is erased.")
        }
    })
}

fn print_one(context: &Context, found: &Value) -> Result<(), Problem> {
    let view: IntegrationView = typed(found)?;
    output::print(context.format, found, || describe(&view))
}

fn print_resolved(context: &Context, repository: &RepoUrl, found: &Value) -> Result<(), Problem> {
    let view: IntegrationView = typed(&found["integration"])?;
    output::print(context.format, found, || {
        output::fields([
            ("repository", Some(repository.to_string())),
            ("integration", Some(format!("{} ({})", view.alias, view.id))),
            ("account", Some(format!("{} at {}", view.account.username, view.instance_url))),
            ("because", found["reason"].as_str().map(str::to_owned)),
        ])
    })
}

fn describe(view: &IntegrationView) -> String {
    let now = wiring::now();
    let name = view.account.name.as_ref().filter(|name| **name != view.account.username);
    let status = style_of(view.status)(Style::of(&io::stdout()), view.status.as_str());
    let scope = view.project.as_ref().map_or_else(|| view.scope.clone(), |p| format!("{} ({p})", view.scope));
    let known = |scopes: &[String]| if scopes.is_empty() { None } else { Some(scopes.join(", ")) };
    let head = format!("{:13} {status}", "status:");
    let rest = output::fields([
        ("reason", view.status_reason.clone()),
        ("name", Some(view.alias.to_string())),
        ("provider", Some(view.provider.to_string())),
        ("instance", Some(view.instance_url.to_string())),
        ("account", Some(view.account.username.clone())),
        ("person", name.cloned()),
        ("scopes", known(&view.granted_scopes)),
        ("expires", Some(end_of(view, now))),
        ("for", Some(scope)),
        ("default", view.is_default.then(|| "yes".to_owned())),
        ("checked", Some(output::when(view.last_checked_at, now))),
        ("last used", Some(view.last_used_at.map_or_else(|| "never".to_owned(), |at| output::when(at, now)))),
        ("id", Some(view.id.to_string())),
    ]);
    format!("{head}\n{rest}")
}

fn style_of(status: Status) -> fn(Style, &str) -> String {
    match status {
        Status::Connected => Style::green,
        Status::Expiring | Status::Unreachable => Style::yellow,
        Status::InsufficientScope | Status::Disconnected => Style::red,
    }
}

/// When its credential ends, in words.
pub(super) fn end_of(view: &IntegrationView, now: Timestamp) -> String {
    match view.expires_at {
        Some(end) if end <= now => format!("expired on {}", output::day(end)),
        Some(end) => {
            let (day, when) = (output::day(end), output::when(end, now));
            if day == when { day } else { format!("{day} ({when})") }
        }
        None => "no end".to_owned(),
    }
}
