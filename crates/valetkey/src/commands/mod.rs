//! One module a command.

mod assistant_edit;
mod assistants;
mod audit;
mod audit_file;
mod completions;
mod connect;
mod demo;
mod doctor;
mod follow;
mod git_credential;
mod integration_view;
mod integrations;
mod keys;
mod people;
mod project_members;
mod project_repositories;
mod projects;
mod run;
mod run_check;
mod secrets;
mod serve;
mod session_changes;
mod session_view;
mod sessions;
mod tokens;
mod webhook_deliveries;
mod webhooks;

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use valetkey_model::{Problem, ProblemCode};

use crate::{cli::Command, client::Client, context::Context};

/// Runs a command; the answer is the exit code.
pub(crate) async fn dispatch(context: Context, command: Command) -> Result<u8, Problem> {
    context.log(if matches!(command, Command::Serve(_)) { "info" } else { "warn" });
    let done = match command {
        Command::Serve(args) => serve::serve(&context, args).await,
        Command::Demo(args) => return demo::demo(&context, &args).await,
        Command::Connect(args) => connect::connect(&context, args).await,
        Command::Integrations { command } => integrations::integrations(&context, command).await,
        Command::Run(args) => return run::run(&context, args).await,
        Command::Sessions { command } => sessions::sessions(&context, command).await,
        Command::Assistants { project, command } => assistants::assistants(&context, &project, command).await,
        Command::Projects { command } => projects::projects(&context, command).await,
        Command::Webhooks(args) => return webhooks::webhooks(&context, args).await,
        Command::People { command } => people::people(&context, command).await,
        Command::Secrets(args) => secrets::secrets(&context, args).await,
        Command::Tokens { command } => tokens::tokens(&context, command).await,
        Command::Audit { command } => return audit::audit(&context, command).await,
        Command::GitCredential(args) => git_credential::answer(&context, &args).await,
        Command::Keys { command } => keys::keys(&context, &command).await,
        Command::Doctor => return doctor::doctor(&context).await,
        Command::Completions { shell } => completions::print(shell),
    };
    done.map(|()| 0)
}

/// Does something through the API, and ends the client whatever comes of it.
async fn with_client<T>(
    context: &Context,
    work: impl AsyncFnOnce(&Client) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let client = context.client().await?;
    let outcome = work(&client).await;
    client.close(Duration::ZERO).await;
    outcome
}

/// What the API answered, as the type that a table is made of.
fn typed<T: DeserializeOwned>(value: &Value) -> Result<T, Problem> {
    T::deserialize(value).map_err(|e| {
        Problem::new(ProblemCode::Internal, format!("The server's answer can't be read: {e}."))
            .remedy("See that server and command are of one version.")
    })
}

fn typed_all<T: DeserializeOwned>(values: &[Value]) -> Result<Vec<T>, Problem> {
    values.iter().map(typed).collect()
}
