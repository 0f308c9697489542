use std::io;

use serde::Deserialize;
use serde_json::{Value, json};
use valetkey_model::{
    AssistantName, IntegrationChoice, IntegrationRef, IntegrationView, Problem, ProblemCode, ProjectName, RepoUrl,
    SessionId,
};
use valetkey_seal::Secret;

use super::{
    integration_view::{describe, end_of},
    typed, typed_all, with_client,
};
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
    let command = command.unwrap_or(IntegrationsCommand::List);
    if let IntegrationsCommand::Rotate { integration, token_stdin } = &command {
        return rotate(context, integration, *token_stdin).await;
    }
    with_client(context, async |client| match command {
        IntegrationsCommand::List | IntegrationsCommand::Rotate { .. } => list(context, client).await,
        IntegrationsCommand::Show { integration } => show(context, client, &integration).await,
        IntegrationsCommand::Test { integration } => {
            print_one(context, &client.post(&action(&integration, "test"), &json!({})).await?)
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

/// Has the provider make a new token, or takes the one that a person made. A person is asked while nothing is held open:
/// they may take long.
async fn rotate(context: &Context, integration: &IntegrationRef, token_stdin: bool) -> Result<(), Problem> {
    let path = action(integration, "rotate");
    let replace = async |body: Value| with_client(context, async |client| client.post(&path, &body).await).await;
    let rotated: Value = if token_stdin {
        replace(given(context, true)?).await?
    } else {
        match replace(json!({})).await {
            Err(by_hand) if by_hand.code == ProblemCode::Conflict && token_input::can_ask() => {
                output::note(&by_hand.detail);
                by_hand.remediation.iter().for_each(|remedy| output::note(remedy));
                replace(given(context, false)?).await?
            }
            answer => answer?,
        }
    };
    print_one(context, &rotated)
}

fn given(context: &Context, from_stdin: bool) -> Result<Value, Problem> {
    let token = token_input::read(from_stdin, "New token")?;
    context.hide(&token);
    Ok(renewal(&token))
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
    let used: UsageView = typed(&usage)?;
    for list in ["sessions", "assistants", "repositories"] {
        found[list] = usage[list].clone();
    }
    output::print(context.format, &found, || format!("{}\n{}", describe(&view), used_by(&used)))
}

#[derive(Debug, Deserialize)]
struct UsageView {
    sessions: Vec<SessionId>,
    assistants: Vec<PinnedAssistant>,
    repositories: Vec<AskedRepository>,
}

#[derive(Debug, Deserialize)]
struct PinnedAssistant {
    project: ProjectName,
    name: AssistantName,
}

#[derive(Debug, Deserialize)]
struct AskedRepository {
    project: ProjectName,
    url: RepoUrl,
}

/// What would miss it.
fn used_by(used: &UsageView) -> String {
    let listed = |words: Vec<String>| Some(words.join(", ")).filter(|text| !text.is_empty());
    let sessions = used.sessions.iter().map(ToString::to_string).collect();
    let assistants = used.assistants.iter().map(|one| format!("{} in {}", one.name, one.project)).collect();
    let repositories = used.repositories.iter().map(|one| format!("{} in {}", one.url, one.project)).collect();
    output::fields([
        ("used by", Some(listed(sessions).unwrap_or_else(|| "no session now".to_owned()))),
        ("assistants", listed(assistants)),
        ("repositories", listed(repositories)),
    ])
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
            format!("Disconnected {who}. Its credential is erased here{}", at_the_provider(&view, &answer))
        }
    })
}

/// What became of a credential there, as the end of a sentence and what to do.
fn at_the_provider(view: &IntegrationView, answer: &Value) -> String {
    let provider = view.provider;
    let page = output::one_line(answer["page"].as_str().unwrap_or_default());
    match answer["revoked"].as_str() {
        Some("yes") => format!(", and {provider} has revoked it."),
        Some("not_known") => format!("; {provider} did not know it any more."),
        Some("not_offered") => format!(". {provider} revokes none for others: delete it at {page}"),
        Some("failed") => {
            let why = output::one_line(answer["problem"]["detail"].as_str().unwrap_or_default());
            format!(", but it may still work at {provider}: {why}\nDelete it at {page}")
        }
        _ => ".".to_owned(),
    }
}

fn print_one(context: &Context, found: &Value) -> Result<(), Problem> {
    let view: IntegrationView = typed(found)?;
    output::print(context.format, found, || describe(&view))
}

/// What was looked at before the answer was found, a line for each.
fn steps_of(found: &Value) -> String {
    let steps = found["steps"].as_array().into_iter().flatten().filter_map(Value::as_str);
    steps.map(|step| format!("  {}", output::one_line(step))).collect::<Vec<_>>().join("\n")
}

fn print_resolved(context: &Context, repository: &RepoUrl, found: &Value) -> Result<(), Problem> {
    let view: Option<IntegrationView> = typed(&found["integration"])?;
    output::print(context.format, found, || {
        let named = |view: &IntegrationView| format!("{} ({})", view.alias, view.id);
        let account = |view: &IntegrationView| format!("{} at {}", view.account.username, view.instance_url);
        let head = output::fields([
            ("repository", Some(repository.to_string())),
            ("integration", Some(view.as_ref().map_or_else(|| IntegrationChoice::NONE.to_owned(), named))),
            ("account", view.as_ref().map(account)),
            ("because", found["reason"].as_str().map(str::to_owned)),
        ]);
        match steps_of(found) {
            steps if steps.is_empty() => head,
            steps => format!("{head}\nlooked at:\n{steps}"),
        }
    })
}
