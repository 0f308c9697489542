use std::time::Duration;

use serde_json::{Value, json};
use valetkey_model::{IntegrationChoice, Problem, ProblemCode};

use super::{follow, run_check, session_view::SessionView, typed};
use crate::{
    cli::{Format, RunArgs},
    context::Context,
    output::{self, Tamed},
    settings::words,
    signals::Interrupts,
};

/// Runs one session in the foreground.
pub(crate) async fn run(context: &Context, args: RunArgs) -> Result<u8, Problem> {
    let wanted = wanted(&args)?;
    if args.check {
        return run_check::check(context, &args.project, &wanted).await;
    }
    let mut interrupts = Interrupts::catch()?;
    let client = context.client().await?;
    let outcome = follow::carry_out(&client, &args.project, &wanted, &mut interrupts).await;
    client.close(Duration::ZERO).await;
    report(context.format, &outcome?)
}

/// The body with which the session is asked for.
fn wanted(args: &RunArgs) -> Result<Value, Problem> {
    let worked_on = args.repo.iter().map(|repo| {
        json!({
            "url": repo.url,
            "branch": repo.branch,
            "pushBranch": args.push_branch,
            "integration": args.integration,
            "allowForce": args.allow_force,
        })
    });
    let read = args
        .read
        .iter()
        .map(|repo| json!({ "url": repo.url, "branch": repo.branch, "integration": IntegrationChoice::NoIntegration }));
    let repositories: Vec<Value> = worked_on.chain(read).collect();
    let mut body = json!({
        "task": args.task,
        "repositories": repositories,
        "pullRequest": args.pr,
        "keepWorkspace": args.keep_workspace,
    });
    if let Some(agent) = &args.agent {
        let command = words(agent).ok_or_else(|| {
            Problem::new(ProblemCode::InvalidInput, "--agent is empty, or a quote in it is not closed.")
                .remedy("It is split as a shell would: --agent 'sh -c \"make test\"'.")
        })?;
        body["agent"] = json!({ "command": command });
    }
    if let Some(assistant) = &args.assistant {
        body["assistant"] = json!(assistant);
    }
    if let Some(timeout) = args.timeout {
        body["timeoutSeconds"] = json!(timeout.as_secs());
    }
    Ok(body)
}

/// The notice alone on standard output, or for programs the whole record; why it failed on standard error.
fn report(format: Format, record: &Value) -> Result<u8, Problem> {
    let view: SessionView = typed(record)?;
    match (&view.failure, format) {
        (Some(problem), Format::Table) => output::fail(format, problem),
        _ => output::print(format, record, || Tamed::text(view.message.as_deref().unwrap_or_default()))?,
    }
    Ok(view.exit_code())
}
