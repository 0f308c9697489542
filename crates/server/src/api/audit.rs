//! The audit trail: who did what, to what, from where, and how it ended.

use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::header;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use valetkey_model::{Actor, AuditEntry, AuditMark, AuditOutcome, ProblemCode, ProjectName, SessionId};
use valetkey_store::{AuditFilter, AuditReport};

use crate::{
    App,
    api::paging::{Page, Paging},
    auth::Caller,
    extract::Params,
    problem::{Answer, Failure},
    route::Row,
};

/// How many entries go into one piece of an export.
const PIECE: usize = 100;

pub(crate) fn rows() -> Vec<Row> {
    const TAG: &str = "Audit";
    vec![
        Row::get("/api/v1/audit", list)
            .operation(
                TAG,
                "listAudit",
                "What happened, newest first: all for an administrator, else `mine` or a `project`'s",
            )
            .parameters::<Listing>()
            .answers::<Page<AuditEntry>>()
            .fails(&[ProblemCode::Forbidden, ProblemCode::NotFound]),
        Row::get("/api/v1/audit/export", export)
            .unbounded()
            .operation(TAG, "exportAudit", "The same, whole and oldest first: one JSON object a line, with the hashes")
            .parameters::<Wanted>()
            .answers_with("application/x-ndjson")
            .fails(&[ProblemCode::Forbidden, ProblemCode::NotFound]),
        Row::get("/api/v1/audit/verify", verify)
            .administrator()
            .unbounded()
            .operation(TAG, "verifyAudit", "Whether every entry is as it was written, and none is missing")
            .parameters::<Noted>()
            .answers::<AuditReport>()
            .fails(&[ProblemCode::Forbidden]),
    ]
}

/// Which entries are wanted: those of which all of it is true.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Only what the caller did, or the system for them.
    pub(crate) mine: Option<bool>,
    /// Only what this person did; `system` for what Valetkey did by itself.
    pub(crate) actor: Option<String>,
    /// Only actions whose word begins like this: `credential.use`, `session.`
    pub(crate) action: Option<String>,
    /// Only in this project.
    pub(crate) project: Option<ProjectName>,
    /// Only by or in this session.
    pub(crate) session: Option<SessionId>,
    /// Only to the thing with this id.
    pub(crate) object: Option<String>,
    /// Only what ended like this.
    pub(crate) outcome: Option<AuditOutcome>,
    /// Not before this moment.
    pub(crate) since: Option<Timestamp>,
    /// Before this moment.
    pub(crate) until: Option<Timestamp>,
}

impl Wanted {
    pub(crate) fn filter(self, by: &Actor) -> AuditFilter {
        let Self { mine, actor, action, project, session, object, outcome, since, until } = self;
        let concerning = mine.unwrap_or(false).then(|| by.user.clone());
        AuditFilter { concerning, actor, action, project, session, object, outcome, since, until }
    }
}

/// Which entries to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Listing {
    /// Only what the caller did, or the system for them.
    mine: Option<bool>,
    /// Only what this person did; `system` for what Valetkey did by itself.
    actor: Option<String>,
    /// Only actions whose word begins like this: `credential.use`, `session.`
    action: Option<String>,
    /// Only in this project.
    project: Option<ProjectName>,
    /// Only by or in this session.
    session: Option<SessionId>,
    /// Only to the thing with this id.
    object: Option<String>,
    /// Only what ended like this.
    outcome: Option<AuditOutcome>,
    /// Not before this moment.
    since: Option<Timestamp>,
    /// Before this moment.
    until: Option<Timestamp>,
    /// At most this many items; 1 to 200, 50 if not given.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(listing): Params<Listing>,
) -> Answer<Json<Page<AuditEntry>>> {
    let Listing { mine, actor, action, project, session, object, outcome, since, until, limit, cursor } = listing;
    let wanted = Wanted { mine, actor, action, project, session, object, outcome, since, until };
    let paging = Paging { limit, cursor };
    let (fetch, before) = (paging.to_fetch()?, paging.after::<i64>()?);
    let filter = wanted.filter(&caller.actor);
    let fetched = app.integrations.trail().page(&caller.actor, filter, before, fetch).await?;
    Ok(Json(Page::cut(fetched, fetch, |entry| entry.seq)))
}

async fn export(State(app): State<App>, caller: Caller, Params(wanted): Params<Wanted>) -> Answer<Response> {
    exported(&app, &caller, wanted)
}

/// The audit trail as a file of JSON lines, read while it is sent.
pub(crate) fn exported(app: &App, caller: &Caller, wanted: Wanted) -> Answer<Response> {
    let entries = app.integrations.trail().export(&caller.actor, wanted.filter(&caller.actor))?;
    // A piece that can't be read breaks the answer off: a shortened trail must not look complete.
    let pieces = entries.try_chunks(PIECE).map_err(|error| error.1).map(|piece| piece.map(|piece| lines(&piece)));
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"valetkey-audit.jsonl\""),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

fn lines(entries: &[AuditEntry]) -> String {
    entries.iter().fold(String::new(), |mut lines, entry| {
        lines.push_str(&serde_json::to_string(entry).expect("plain data is JSON"));
        lines.push('\n');
        lines
    })
}

/// What must still be on the chain.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Noted {
    /// A `head` of an earlier time, `SEQ:HASH`, that was kept elsewhere.
    mark: Option<String>,
}

async fn verify(
    State(app): State<App>,
    caller: Caller,
    Params(Noted { mark }): Params<Noted>,
) -> Answer<Json<AuditReport>> {
    let noted = mark.map(|mark| mark.parse::<AuditMark>()).transpose().map_err(Failure::invalid)?;
    Ok(Json(app.integrations.trail().verify(&caller.actor, noted).await?))
}
