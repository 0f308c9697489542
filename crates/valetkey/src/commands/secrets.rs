use std::io;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use valetkey_model::{Problem, ProjectName, ProviderKind, SecretName};

use super::{typed, typed_all, with_client};
use crate::{
    cli::{SecretsArgs, SecretsCommand},
    client::Client,
    context::Context,
    output::{self, Style, Table},
    token_input, wiring,
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecretView {
    name: SecretName,
    #[serde(default)]
    description: String,
    overrides: Option<ProviderKind>,
    updated_at: Timestamp,
}

#[derive(Debug, Deserialize)]
struct SavedView {
    #[serde(flatten)]
    about: SecretView,
    warnings: Vec<String>,
}

/// Looks after secrets.
pub(crate) async fn secrets(context: &Context, args: SecretsArgs) -> Result<(), Problem> {
    let SecretsArgs { project, command } = args;
    let base = base(project.as_ref());
    match command.unwrap_or(SecretsCommand::List) {
        SecretsCommand::List => with_client(context, async |client| list(context, client, &base).await).await,
        SecretsCommand::Set { surplus, .. } if !surplus.is_empty() => Err(token_input::refuse_secret_argument()),
        SecretsCommand::Set { name, description, .. } => {
            let body = to_set(&name, description)?;
            with_client(context, async |client| set(context, client, &base, &body).await).await
        }
        SecretsCommand::Rm { name } => {
            with_client(context, async |client| {
                client.delete(&format!("{base}/{name}")).await?;
                output::print(context.format, &json!({ "name": name }), || {
                    format!("Deleted {name}. Sessions that start from now on go without it.")
                })
            })
            .await
        }
    }
}

fn base(project: Option<&ProjectName>) -> String {
    project.map_or_else(|| "/api/v1/secrets".to_owned(), |project| format!("/api/v1/projects/{project}/secrets"))
}

async fn list(context: &Context, client: &Client, base: &str) -> Result<(), Problem> {
    let all = client.all(base).await?;
    let views: Vec<SecretView> = typed_all(&all)?;
    let now = wiring::now();
    output::print(context.format, &json!({ "items": all }), || {
        let mut table = Table::new(
            &["NAME", "IN PLACE OF", "SET", "DESCRIPTION"],
            "There is no secret. Keep one with `valetkey secrets set NPM_TOKEN < token.txt`.",
        );
        for view in &views {
            table.row(&[
                view.name.to_string(),
                view.overrides.map_or_else(String::new, |kind| format!("{kind} token")),
                output::when(view.updated_at, now),
                view.description.clone(),
            ]);
        }
        table.render(Style::of(&io::stdout()))
    })
}

/// What is sent to keep a secret. The value is read before anything else is done with it.
#[expect(clippy::disallowed_methods, reason = "the value goes to the server that keeps it")]
fn to_set(name: &SecretName, description: Option<String>) -> Result<Value, Problem> {
    let value = token_input::read_secret(&format!("Value of {name}"))?;
    let mut body = json!({ "name": name, "value": value.expose() });
    if let Some(description) = description {
        body["description"] = json!(description);
    }
    Ok(body)
}

async fn set(context: &Context, client: &Client, base: &str, body: &Value) -> Result<(), Problem> {
    let saved: Value = client.post(base, body).await?;
    let SavedView { about, warnings } = typed(&saved)?;
    for warning in warnings {
        output::note(&format!("warning: {}", output::one_line(&warning)));
    }
    output::print(context.format, &saved, || {
        let name = about.name;
        match about.overrides {
            Some(kind) => format!("Kept {name}. Agents get it in place of the {kind} token from the next session on."),
            None => format!("Kept {name}. Sessions that start from now on get it."),
        }
    })
}
