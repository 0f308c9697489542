//! What happened: for administrators everything, for a project's admins what happened in it, for everybody their own.

use std::{collections::BTreeMap, str::FromStr};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;
use valetkey_model::{Actor, AuditAction, AuditActor, AuditEntry, AuditOutcome, Problem, UserId};
use valetkey_store::AuditReport;

use super::{
    frame::{Frame, Section},
    render::{Page, View},
    words::{Badge, Moment},
};
use crate::{
    App,
    api::audit::{Wanted, exported},
    audit_words::words,
    auth::Caller,
    extract::Params,
    problem::{Answer, Failure},
    route::Row,
};

/// How many entries a page shows.
const PAGE: u32 = 50;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::get("/audit", show).page(),
        Row::get("/audit/export", export).unbounded().page(),
        Row::get("/audit/verify", verify).administrator().unbounded().page(),
    ]
}

/// What the form asks for; a field that was left empty asks for nothing.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Asked {
    /// Whose: `mine`, or else all that one may see.
    whose: String,
    actor: String,
    action: String,
    project: String,
    session: String,
    object: String,
    outcome: String,
    /// A day, and every day after it.
    since: String,
    /// The last day.
    until: String,
    #[serde(skip_serializing)]
    before: Option<i64>,
}

impl Asked {
    fn wanted(&self) -> Answer<Wanted> {
        let midnight = |day: Date| day.to_zoned(TimeZone::UTC).ok().map(|start| start.timestamp());
        let day = |text: &str| match read::<Date>(text, "expected a day as 2026-01-31")? {
            Some(day) => midnight(day).map(Some).ok_or_else(|| Failure::invalid("this day is beyond the calendar")),
            None => Ok(None),
        };
        let until = day(&self.until)?.and_then(|start| start.checked_add(SignedDuration::from_hours(24)).ok());
        Ok(Wanted {
            mine: (self.whose == "mine").then_some(true),
            actor: read(&self.actor, "")?,
            action: read(&self.action, "")?,
            project: read(&self.project, "no project has this name")?,
            session: read(&self.session, "no session has this id")?,
            object: read(&self.object, "")?,
            outcome: read(&self.outcome, "there is no such outcome")?,
            since: day(&self.since)?,
            until,
        })
    }

    /// Who may not see everything begins with what they may.
    fn within(mut self, by: &Actor) -> Self {
        if !by.is_administrator() && self.project.is_empty() && self.whose != "mine" {
            match by.admin_of().next() {
                Some(first) => first.as_str().clone_into(&mut self.project),
                None => "mine".clone_into(&mut self.whose),
            }
        }
        self
    }

    fn is_narrowed(&self) -> bool {
        let Self { actor, action, session, object, outcome, since, until, .. } = self;
        [actor, action, session, object, outcome, since, until].iter().any(|field| !field.trim().is_empty())
    }
}

/// A field's value; none if it was left empty.
fn read<T: FromStr>(text: &str, wrong: &str) -> Answer<Option<T>> {
    let text = Some(text.trim()).filter(|text| !text.is_empty());
    text.map(str::parse).transpose().map_err(|_| Failure::invalid(wrong))
}

/// One entry in the list.
#[derive(Debug, Serialize)]
struct Item {
    seq: i64,
    at: Moment,
    who: String,
    whose: Option<String>,
    /// In words.
    action: String,
    /// Its name, by which it is filtered.
    name: String,
    object: Option<Named>,
    project: Option<String>,
    session: Option<String>,
    from: Option<String>,
    outcome: Badge,
    code: Option<&'static str>,
    detail: Vec<Named>,
}

#[derive(Debug, Serialize)]
struct Named {
    name: String,
    value: String,
}

/// What people are called, by their ids.
type Names = BTreeMap<UserId, String>;

impl Item {
    fn new(entry: AuditEntry, names: &Names, now: Timestamp) -> Self {
        let named = |id: &UserId| names.get(id).cloned().unwrap_or_else(|| id.to_string());
        let event = entry.event;
        Self {
            seq: entry.seq,
            at: Moment::past(now, event.at),
            who: match &event.actor {
                AuditActor::Person(id) => named(id),
                AuditActor::System => "Valetkey".to_owned(),
                AuditActor::Anonymous => "Somebody unknown".to_owned(),
            },
            whose: event.on_behalf_of.as_ref().map(named),
            name: event.action.to_string(),
            action: words(&event.action),
            object: event.object.map(|object| Named { name: object.kind, value: object.id }),
            project: event.project.map(|name| name.to_string()),
            session: event.session.map(|id| id.to_string()),
            from: event.from.map(|address| address.to_string()),
            outcome: event.outcome.into(),
            code: event.code.map(valetkey_model::ProblemCode::as_str),
            detail: event.detail.into_iter().map(|(name, value)| Named { name, value }).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct AuditView {
    asked: Asked,
    outcomes: [AuditOutcome; 3],
    /// What can be chosen to filter by.
    actions: Vec<Named>,
    /// The projects to choose from, where one must.
    projects: Vec<String>,
    everything: bool,
    narrowed: bool,
    items: Vec<Item>,
    older: Option<String>,
    newest: bool,
    /// The query of what is shown, for the export and the pages.
    query: String,
    chain: Option<Chain>,
}

/// What a look at the whole trail found.
#[derive(Debug, Serialize)]
struct Chain {
    entries: u64,
    first: i64,
    head: String,
    broken: Option<String>,
}

impl From<AuditReport> for Chain {
    fn from(report: AuditReport) -> Self {
        let broken = report.broken.map(|broken| valetkey_model::sentence(&broken));
        Self { entries: report.entries, first: report.anchor.seq + 1, head: report.head.to_string(), broken }
    }
}

impl View for AuditView {
    const TEMPLATE: &'static str = "audit.html";
}

async fn show(State(app): State<App>, caller: Caller, Params(asked): Params<Asked>) -> Answer<impl IntoResponse> {
    page(&app, &caller, asked, None).await
}

/// The same page with word of whether the trail holds. Looking at all of it may take long, so it is asked for.
async fn verify(State(app): State<App>, caller: Caller) -> Answer<impl IntoResponse> {
    let report = app.integrations.trail().verify(&caller.actor, None).await?;
    page(&app, &caller, Asked::default(), Some(report)).await
}

async fn export(State(app): State<App>, caller: Caller, Params(asked): Params<Asked>) -> Answer<Response> {
    exported(&app, &caller, asked.within(&caller.actor).wanted()?)
}

async fn page(app: &App, caller: &Caller, asked: Asked, chain: Option<AuditReport>) -> Answer<Page<AuditView>> {
    let (actor, asked) = (&caller.actor, asked.within(&caller.actor));
    let everything = actor.is_administrator();
    let projects: Vec<String> = if everything {
        app.store.projects().await?.into_iter().map(|name| name.to_string()).collect()
    } else {
        actor.admin_of().map(ToString::to_string).collect()
    };
    let filter = asked.wanted()?.filter(actor);
    let mut entries = app.integrations.trail().page(actor, filter, asked.before, PAGE + 1).await?;
    let more = entries.len() > PAGE as usize;
    entries.truncate(PAGE as usize);
    let query = query(&asked);
    let older = entries.last().filter(|_| more).map(|last| format!("{query}&before={}", last.seq));
    let names = names(app, &entries).await?;
    let now = app.now();
    let view = AuditView {
        newest: asked.before.is_none(),
        narrowed: asked.is_narrowed(),
        outcomes: AuditOutcome::ALL,
        actions: actions(),
        projects,
        everything,
        items: entries.into_iter().map(|entry| Item::new(entry, &names, now)).collect(),
        older,
        query,
        chain: chain.map(Chain::from),
        asked,
    };
    Ok(Page::new(Frame::new(app, caller, Section::Audit, "Audit"), view))
}

fn actions() -> Vec<Named> {
    AuditAction::NAMED.map(|action| Named { name: action.to_string(), value: words(&action) }).into()
}

async fn names(app: &App, entries: &[AuditEntry]) -> Result<Names, Problem> {
    let people = entries.iter().flat_map(|entry| {
        let actor = match &entry.event.actor {
            AuditActor::Person(id) => Some(id),
            AuditActor::System | AuditActor::Anonymous => None,
        };
        actor.into_iter().chain(&entry.event.on_behalf_of)
    });
    Ok(app.store.names(&people.collect()).await?)
}

/// The form's fields as the export's query has them.
fn query(asked: &Asked) -> String {
    let Asked { whose, actor, action, project, session, object, outcome, since, until, .. } = asked;
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in [
        ("whose", whose),
        ("actor", actor),
        ("action", action),
        ("project", project),
        ("session", session),
        ("object", object),
        ("outcome", outcome),
        ("since", since),
        ("until", until),
    ] {
        if !value.trim().is_empty() {
            query.append_pair(name, value.trim());
        }
    }
    query.finish()
}

#[cfg(test)]
#[path = "audit_tests.rs"]
pub(super) mod tests;
