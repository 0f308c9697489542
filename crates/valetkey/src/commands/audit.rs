use std::{io, path::Path};

use futures_util::TryStreamExt as _;
use serde_json::json;
use valetkey_model::{AuditActor, AuditEntry, AuditMark, Problem, ProblemCode, UserId, sentence};
use valetkey_store::AuditReport;

use super::{audit_file, typed, with_client};
use crate::{
    cli::{AuditCommand, AuditFilterArgs},
    client::{Client, percent_encoded},
    context::Context,
    output::{self, Style, Table},
    wiring,
};

const BASE: &str = "/api/v1/audit";
/// The largest page that the API gives.
const PAGE: usize = 200;

/// Shows, exports and verifies the audit trail; the answer is the exit code.
pub(crate) async fn audit(context: &Context, command: Option<AuditCommand>) -> Result<u8, Problem> {
    let command = command.unwrap_or_else(|| AuditCommand::List { filter: AuditFilterArgs::default(), limit: 50 });
    match command {
        AuditCommand::List { filter, limit } => {
            with_client(context, async |client| list(context, client, &filter, limit).await).await.map(|()| 0)
        }
        AuditCommand::Export { filter } => {
            with_client(context, async |client| export(client, &filter).await).await.map(|()| 0)
        }
        AuditCommand::Verify { file: Some(file), selection, mark } => {
            told(context, &audit_file::verify(&file, selection, mark)?, Some(&file))
        }
        AuditCommand::Verify { file: None, mark, .. } => {
            let query = mark.map_or_else(String::new, |mark| format!("?mark={}", percent_encoded(&mark.to_string())));
            let path = format!("{BASE}/verify{query}");
            let report = with_client(context, async |client| client.get(&path).await).await?;
            told(context, &report, None)
        }
    }
}

/// The filter as a query, each pair with `&` behind it.
fn query(filter: &AuditFilterArgs) -> String {
    let AuditFilterArgs { mine, actor, action, project, session, object, outcome, since, until } = filter;
    let pairs = [
        ("mine", mine.then(|| "true".to_owned())),
        ("actor", actor.clone()),
        ("action", action.clone()),
        ("project", project.as_ref().map(ToString::to_string)),
        ("session", session.as_ref().map(ToString::to_string)),
        ("object", object.clone()),
        ("outcome", outcome.map(|outcome| outcome.as_str().to_owned())),
        ("since", since.map(|at| at.to_string())),
        ("until", until.map(|at| at.to_string())),
    ];
    let pairs = pairs.into_iter().filter_map(|(name, value)| Some((name, value?)));
    pairs.map(|(name, value)| format!("{name}={}&", percent_encoded(&value))).collect()
}

async fn list(context: &Context, client: &Client, filter: &AuditFilterArgs, limit: usize) -> Result<(), Problem> {
    let (mut entries, mut next) = (Vec::<AuditEntry>::new(), String::new());
    while entries.len() < limit {
        let page = PAGE.min(limit - entries.len());
        let answer: serde_json::Value = client.get(&format!("{BASE}?{}limit={page}{next}", query(filter))).await?;
        entries.extend(typed::<Vec<AuditEntry>>(&answer["items"])?);
        let Some(cursor) = answer["nextCursor"].as_str() else { break };
        next = format!("&cursor={}", percent_encoded(cursor));
    }
    let now = wiring::now();
    output::print(context.format, &json!({ "items": entries }), || {
        let mut table = Table::new(
            &["NO.", "WHEN", "WHO", "ACTION", "OBJECT", "PROJECT", "FROM", "OUTCOME"],
            "Nothing was recorded.",
        );
        for AuditEntry { seq, event, .. } in &entries {
            table.row(&[
                seq.to_string(),
                output::when(event.at, now),
                who(&event.actor, event.on_behalf_of.as_ref().map(UserId::as_str)),
                event.action.to_string(),
                event.object.as_ref().map_or_else(String::new, |object| format!("{} {}", object.kind, object.id)),
                event.project.as_ref().map_or_else(String::new, ToString::to_string),
                event.from.map_or_else(String::new, |address| address.to_string()),
                match event.code {
                    Some(code) => format!("{}: {code}", event.outcome.as_str()),
                    None => event.outcome.as_str().to_owned(),
                },
            ]);
        }
        table.render(Style::of(&io::stdout()))
    })
}

fn who(actor: &AuditActor, whose: Option<&str>) -> String {
    let who = actor.as_str().unwrap_or("(unknown)");
    whose.map_or_else(|| who.to_owned(), |whose| format!("{who} for {whose}"))
}

/// The lines go to standard output as they come, whatever --output says: they are for a file.
async fn export(client: &Client, filter: &AuditFilterArgs) -> Result<(), Problem> {
    let mut chunks = client.download(&format!("{BASE}/export?{}", query(filter).trim_end_matches('&'))).await?;
    let mut rest = Vec::new();
    while let Some(chunk) = chunks.try_next().await? {
        rest.extend_from_slice(&chunk);
        let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') else { continue };
        let lines: Vec<u8> = rest.drain(..=end).collect();
        if !output::say_part(&String::from_utf8_lossy(&lines))? {
            return Ok(());
        }
    }
    if rest.is_empty() {
        return Ok(());
    }
    Err(Problem::new(ProblemCode::Internal, "The export broke off in the middle of an entry.").remedy("Export again."))
}

/// Prints what a look at the trail found. One that does not hold is no success.
fn told(context: &Context, report: &AuditReport, file: Option<&Path>) -> Result<u8, Problem> {
    let AuditReport { entries, anchor, head, broken } = report;
    output::print(context.format, report, || match broken {
        Some(broken) => format!("{} {entries} entries before it hold.", sentence(broken)),
        None => {
            let what = file.map_or_else(|| "The audit trail".to_owned(), |file| file.display().to_string());
            let first = anchor.seq + 1;
            format!("{what} holds: {entries} entries, the first is number {first}.\n{}", keep(*head))
        }
    })?;
    Ok(u8::from(broken.is_some()))
}

fn keep(head: AuditMark) -> String {
    format!(
        "mark  {head}\nKeep the mark elsewhere: `valetkey audit verify --mark` with it finds out if the trail is written anew."
    )
}
