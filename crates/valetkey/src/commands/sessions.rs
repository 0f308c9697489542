use std::{io, time::Duration};

use serde_json::{Value, json};
use tokio::time::timeout;
use valetkey_model::{EventBody, LogStream, Phase, Problem, ProjectName, RepositoryRun};

use super::{follow::sessions_of, session_changes, session_view::SessionView, typed, typed_all, with_client};
use crate::{
    cli::{Format, SessionArgs, SessionsCommand},
    client::Client,
    context::Context,
    output::{self, Style, Table, Tamed},
    wiring,
};

/// After this long without a new event, the log of a session that still runs has been read as far as it is written.
const QUIET: Duration = Duration::from_millis(300);

/// Looks after sessions.
pub(crate) async fn sessions(context: &Context, command: Option<SessionsCommand>) -> Result<(), Problem> {
    with_client(context, async |client| match command.unwrap_or(SessionsCommand::List { project: None }) {
        SessionsCommand::List { project } => list(context, client, project).await,
        SessionsCommand::Show(args) => {
            let record: Value = client.get(&path(&args)).await?;
            let view: SessionView = typed(&record)?;
            output::print(context.format, &record, || describe(&view))
        }
        SessionsCommand::Logs { session, follow } => logs(context.format, client, &session, follow).await,
        SessionsCommand::Changes { session, patch } => {
            session_changes::changes(context, client, &path(&session), patch).await
        }
        SessionsCommand::Stop(args) => {
            let record: Value = client.post(&format!("{}/stop", path(&args)), &json!({})).await?;
            output::print(context.format, &record, || {
                "The session was asked to stop; its agent gets ten seconds.".into()
            })
        }
        SessionsCommand::Rm(args) => {
            client.delete(&path(&args)).await?;
            output::print(context.format, &json!({ "id": args.id }), || format!("Deleted session {}.", args.id))
        }
    })
    .await
}

fn path(args: &SessionArgs) -> String {
    format!("{}/{}", sessions_of(&args.project), args.id)
}

async fn list(context: &Context, client: &Client, project: Option<ProjectName>) -> Result<(), Problem> {
    let projects = match project {
        Some(project) => vec![project],
        None => {
            let all = client.all("/api/v1/projects").await?;
            all.iter().map(|project| typed(&project["name"])).collect::<Result<_, _>>()?
        }
    };
    let mut records = Vec::new();
    for project in &projects {
        records.extend(client.all(&sessions_of(project)).await?);
    }
    let views: Vec<SessionView> = typed_all(&records)?;
    output::print(context.format, &json!({ "items": records }), || table(&views))
}

fn table(views: &[SessionView]) -> String {
    let now = wiring::now();
    let mut table = Table::new(&["ID", "PROJECT", "PHASE", "STARTED", "REPOSITORIES", "TASK"], NO_SESSIONS);
    for view in views {
        let repositories: Vec<&str> = view.repositories.iter().map(|run| run.url.path()).collect();
        table.row(&[
            view.id.to_string(),
            view.project.to_string(),
            view.phase.to_string(),
            output::when(view.times.created_at, now),
            repositories.join(", "),
            shortened(&view.task),
        ]);
    }
    table.render(Style::of(&io::stdout()))
}

const NO_SESSIONS: &str = "There is no session yet. Start one with `valetkey run --repo URL \"TASK\"`.";

fn shortened(task: &str) -> String {
    let line = task.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(60).collect();
    if short.len() < task.trim_end().len() {
        short.push('…');
    }
    short
}

fn describe(view: &SessionView) -> String {
    let now = wiring::now();
    let took = view.times.ended_at.map(|end| end.duration_since(view.times.preparing_at.unwrap_or(end)));
    let took = took.and_then(|time| Duration::try_from(time).ok()).map(output::took);
    let failure = view.failure.as_ref();
    let head = output::fields([
        ("session", Some(view.id.to_string())),
        ("project", Some(view.project.to_string())),
        ("phase", Some(view.phase.to_string())),
        ("task", Some(view.task.clone())),
        ("assistant", view.assistant.as_ref().map(|from| from.name.to_string())),
        ("started", Some(output::when(view.times.created_at, now))),
        ("took", took),
        ("failure", failure.map(|problem| format!("{} ({})", problem.detail, problem.code))),
        ("remedy", failure.and_then(|problem| problem.remediation.clone())),
        ("workspace", view.workspace.clone()),
    ]);
    let runs = view.repositories.iter().map(describe_repository);
    let message = view.message.iter().filter(|_| view.phase == Phase::Completed).map(|text| Tamed::text(text));
    std::iter::once(head).chain(runs).chain(message).collect::<Vec<_>>().join("\n\n")
}

fn describe_repository(run: &RepositoryRun) -> String {
    output::fields([
        ("repository", Some(run.url.to_string())),
        ("integration", run.integration.as_ref().map(ToString::to_string)),
        ("because", run.integration_reason.clone()),
        ("from", run.branch.as_ref().map(ToString::to_string)),
        ("not pushed", run.unpushed.then(|| "it changed; the work is kept in the workspace".to_owned())),
        ("push to", run.push_branch.as_ref().map(ToString::to_string)),
        ("commit", run.commit.as_ref().map(ToString::to_string)),
        ("branch page", run.branch_url.clone()),
        ("pull request", run.pull_request_url.clone()),
    ])
}

/// Prints a log: its text as it was, or an event a line as JSON.
async fn logs(format: Format, client: &Client, args: &SessionArgs, follow: bool) -> Result<(), Problem> {
    let view: SessionView = client.get(&path(args)).await?;
    let to_the_end = follow || view.phase.is_final();
    let mut events = client.events(&format!("{}/events", path(args)), 0).await?;
    let mut pieces =
        [LogStream::Platform, LogStream::Stdout, LogStream::Stderr].map(|stream| (stream, Tamed::default()));
    loop {
        let next =
            if to_the_end { events.next().await? } else { timeout(QUIET, events.next()).await.unwrap_or(Ok(None))? };
        let Some(event) = next else { return Ok(()) };
        let text = match (format, &event.body) {
            (Format::Table, EventBody::Log { stream, text }) if output::for_people() => {
                let tamed = pieces.iter_mut().find(|(of, _)| of == stream);
                tamed.map(|(_, tamed)| tamed.next(text)).unwrap_or_default()
            }
            (Format::Table, EventBody::Log { text, .. }) => text.clone(),
            (Format::Table, _) => continue,
            (Format::Json | Format::Yaml, _) => serde_json::to_string(&event).unwrap_or_default() + "\n",
        };
        if !output::say_part(&text)? {
            return Ok(());
        }
    }
}
