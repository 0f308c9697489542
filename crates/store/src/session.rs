use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use valetkey_model::{
    Actor, EngineId, Phase, PhaseTimes, Problem, ProjectName, RepositoryRun, Session, SessionId, SessionSpec, UserId,
};

use crate::{
    NewDelivery, Store, StoreError,
    conditions::{Conditions, like},
    record::{AFTER_ALL_IDS, Record, millis, to_json},
    removal::end_grant,
    webhook_delivery,
};

/// Which sessions [`Store::sessions_page`] returns.
#[derive(Debug, Clone, Copy, Default)]
pub struct SessionFilter<'a> {
    /// Only those of this project.
    pub project: Option<&'a ProjectName>,
    /// Only those that this person started.
    pub owner: Option<&'a UserId>,
    /// Only those in one of these phases; in any if there is none.
    pub phases: &'a [Phase],
    /// Only those with this in the beginning of their task, their repositories, branches or the beginning of their
    /// outcome, ignoring case; looked for in the newest [`SEARCHED`](Self::SEARCHED) that pass the rest.
    pub text: Option<&'a str>,
}

impl SessionFilter<'_> {
    /// How many sessions are searched for a text at once.
    pub const SEARCHED: u32 = 2_000;

    fn words(&self) -> Option<&str> {
        self.text.map(str::trim).filter(|text| !text.is_empty())
    }
}

/// What of a session has no column of its own.
#[derive(Serialize, Deserialize)]
struct Details<'a> {
    spec: Cow<'a, SessionSpec>,
    repositories: Cow<'a, [RepositoryRun]>,
    message: Cow<'a, Option<String>>,
    failure: Cow<'a, Option<Problem>>,
    workspace: Cow<'a, Option<String>>,
    times: Cow<'a, PhaseTimes>,
}

impl<'a> From<&'a Session> for Details<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            spec: Cow::Borrowed(&session.spec),
            repositories: Cow::Borrowed(&session.repositories),
            message: Cow::Borrowed(&session.message),
            failure: Cow::Borrowed(&session.failure),
            workspace: Cow::Borrowed(&session.workspace),
            times: Cow::Borrowed(&session.times),
        }
    }
}

impl Store {
    /// Stores a new session, to be run by `engine`.
    ///
    /// # Errors
    /// `NotFound` when its project does not exist; `Conflict` when its id is taken.
    pub async fn insert_session(&self, session: &Session, engine: &EngineId) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO sessions (id, project, owner, engine, phase, finished, created_at, details, words) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(session.id.as_str())
        .bind(session.project.as_str())
        .bind(session.owner.as_str())
        .bind(engine.as_str())
        .bind(session.phase.as_str())
        .bind(i64::from(session.phase.is_final()))
        .bind(millis(session.times.created_at))
        .bind(to_json(&Details::from(session)))
        .bind(words(session))
        .execute(&self.writer)
        .await
        .map_err(|e| StoreError::of_write(e, "a session with this id exists already", "project"))?;
        self.has_changed();
        Ok(())
    }

    /// The session with this id.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn session(&self, id: &SessionId) -> Result<Option<Session>, StoreError> {
        let query = "SELECT id, project, owner, phase, details FROM sessions WHERE id = $1";
        let row = sqlx::query(query).bind(id.as_str()).fetch_optional(&self.reader).await?;
        row.as_ref().map(session).transpose()
    }

    /// Up to `limit` of the sessions of somebody's projects that pass the filter, the newest first, from the one before
    /// `before`.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn sessions_page(
        &self,
        by: &Actor,
        filter: &SessionFilter<'_>,
        limit: u32,
        before: Option<&SessionId>,
    ) -> Result<Vec<Session>, StoreError> {
        let mut query = listing("id, project, owner, phase, details", by, filter, before);
        if let Some(text) = filter.words() {
            // The words are looked at in the inner query: PostgreSQL may else search all that the outer one would find.
            query.push(" AND id IN (SELECT id FROM (");
            query.nest(listing("id, words", by, filter, before));
            query.push(&format!(" ORDER BY id DESC LIMIT {}) AS newest WHERE words LIKE", SessionFilter::SEARCHED));
            query.value(like(text));
            query.push(" ESCAPE '!')");
        }
        let limit = query.bind(i64::from(limit));
        query.push(&format!(" ORDER BY id DESC LIMIT {limit}"));
        query.fetch(&self.reader).await?.iter().map(session).collect()
    }

    /// Whose a session is, and in which project. One read of one index.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn session_of(&self, id: &SessionId) -> Result<Option<(UserId, ProjectName)>, StoreError> {
        let query = sqlx::query("SELECT id, owner, project FROM sessions WHERE id = $1").bind(id.as_str());
        let Some(row) = query.fetch_optional(&self.reader).await? else { return Ok(None) };
        let record = Record::new(&row, "session", "id");
        Ok(Some((record.parsed("owner")?, record.parsed("project")?)))
    }

    /// The last session that [`sessions_page`](Self::sessions_page) looks at for a text, if there are others behind it:
    /// the one to go on from where the page is not full.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn last_searched(
        &self,
        by: &Actor,
        filter: &SessionFilter<'_>,
        before: Option<&SessionId>,
    ) -> Result<Option<SessionId>, StoreError> {
        if filter.words().is_none() {
            return Ok(None);
        }
        let mut query = listing("id", by, filter, before);
        query.push(&format!(" ORDER BY id DESC LIMIT 2 OFFSET {}", SessionFilter::SEARCHED - 1));
        match query.fetch(&self.reader).await?.as_slice() {
            [last, _behind] => Record::new(last, "session", "id").parsed("id").map(Some),
            _ => Ok(None),
        }
    }

    /// Stores a session as it is now, if it is still in `expected` phase. One that enters a final phase loses its grant
    /// in the same transaction.
    ///
    /// # Errors
    /// `Stale` when it is in another phase, or deleted.
    pub async fn update_session(&self, session: &Session, expected: Phase) -> Result<(), StoreError> {
        self.update_session_and_tell(session, expected, &[]).await
    }

    /// As [`update_session`](Self::update_session), with the notifications that tell of it in the same transaction.
    ///
    /// # Errors
    /// As [`update_session`](Self::update_session).
    pub async fn update_session_and_tell(
        &self,
        session: &Session,
        expected: Phase,
        notifications: &[NewDelivery],
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE sessions SET phase = $3, finished = $4, details = $5, words = $6 WHERE id = $1 AND phase = $2",
        )
        .bind(session.id.as_str())
        .bind(expected.as_str())
        .bind(session.phase.as_str())
        .bind(i64::from(session.phase.is_final()))
        .bind(to_json(&Details::from(session)))
        .bind(words(session))
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Stale("session"));
        }
        let erased = if session.phase.is_final() { end_grant(&mut tx, &session.id).await? } else { Vec::new() };
        webhook_delivery::insert(&mut tx, notifications).await?;
        tx.commit().await?;
        self.has_changed();
        if !erased.is_empty() {
            self.scrub().await?;
        }
        Ok(())
    }

    /// The sessions that are not over, each with the engine that runs it.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn unfinished_sessions(&self) -> Result<Vec<(SessionId, EngineId)>, StoreError> {
        let query = "SELECT id, engine FROM sessions WHERE finished = 0 ORDER BY engine, id";
        let rows = sqlx::query(query).fetch_all(&self.reader).await?;
        let pair = |row: &AnyRow| {
            let record = Record::new(row, "session", "id");
            Ok((record.parsed("id")?, record.parsed("engine")?))
        };
        rows.iter().map(pair).collect()
    }

    /// Deletes a session that is over, with its events; `false` if there is none with this id.
    ///
    /// # Errors
    /// `Conflict` when it is not over.
    pub async fn delete_session(&self, id: &SessionId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let query = "UPDATE sessions SET finished = finished WHERE id = $1 RETURNING id, finished";
        let Some(row) = sqlx::query(query).bind(id.as_str()).fetch_optional(&mut *tx).await? else {
            return Ok(false);
        };
        if !Record::new(&row, "session", "id").flag("finished")? {
            return Err(StoreError::Conflict("the session is not over; stop it first"));
        }
        sqlx::query("DELETE FROM events WHERE session = $1").bind(id.as_str()).execute(&mut *tx).await?;
        sqlx::query("DELETE FROM sessions WHERE id = $1").bind(id.as_str()).execute(&mut *tx).await?;
        tx.commit().await?;
        self.has_changed();
        Ok(true)
    }

    /// Asks the engine of a session to stop it; `false` if there is none with this id that is not over.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn request_stop(&self, id: &SessionId) -> Result<bool, StoreError> {
        let query = sqlx::query("UPDATE sessions SET stop_requested = 1 WHERE id = $1 AND finished = 0");
        let done = query.bind(id.as_str()).execute(&self.writer).await?;
        Ok(done.rows_affected() == 1)
    }

    /// The sessions that an engine was asked to stop and has not yet ended. Reads only its unfinished ones.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn stops_of_engine(&self, engine: &EngineId) -> Result<Vec<SessionId>, StoreError> {
        let query = "SELECT id FROM sessions WHERE finished = 0 AND engine = $1 AND stop_requested = 1 ORDER BY id";
        let rows = sqlx::query(query).bind(engine.as_str()).fetch_all(&self.reader).await?;
        rows.iter().map(|row| Record::new(row, "session", "id").parsed("id")).collect()
    }
}

/// The columns of the sessions that pass all of a filter but its text.
fn listing(columns: &str, by: &Actor, filter: &SessionFilter<'_>, before: Option<&SessionId>) -> Conditions {
    let mut query = Conditions::new(&format!("SELECT {columns} FROM sessions WHERE id IS NOT NULL"));
    query.and("id <", before.map_or(AFTER_ALL_IDS, SessionId::as_str));
    // Those that are not over are few, and found by their phase: an expression keeps SQLite from another index.
    let active = !filter.phases.is_empty() && filter.phases.iter().all(|phase| !phase.is_final());
    let [in_projects, in_project, of_owner] = if active {
        ["project || ''", "project || '' =", "owner || '' ="]
    } else {
        ["project", "project =", "owner ="]
    };
    let theirs = query.one_of_projects(in_projects, by.projects());
    query.push(&format!(" AND {theirs}"));
    query.and_if(in_project, filter.project.map(ProjectName::as_str));
    query.and_if(of_owner, filter.owner.map(UserId::as_str));
    if !filter.phases.is_empty() {
        query.and_in("phase", filter.phases.iter().map(|phase| phase.as_str()));
    }
    query
}

/// How much of a text is searched. It is little, so that the database keeps it beside the other columns.
const SEARCHED_OF_TEXT: usize = 300;

/// What a session can be found by.
fn words(session: &Session) -> String {
    let beginning = |text: &str| text.chars().take(SEARCHED_OF_TEXT).collect::<String>();
    let mut words = vec![beginning(&session.spec.task)];
    words.extend(session.spec.repositories.iter().flat_map(|it| [it.url.to_string(), it.push_branch.to_string()]));
    words.extend(session.message.as_deref().map(beginning));
    words.join("\n").to_lowercase().replace('\0', " ")
}

fn session(row: &AnyRow) -> Result<Session, StoreError> {
    let record = Record::new(row, "session", "id");
    let details: Details<'static> = record.json("details")?;
    Ok(Session {
        id: record.parsed("id")?,
        project: record.parsed("project")?,
        owner: record.parsed("owner")?,
        phase: record.word("phase")?,
        spec: details.spec.into_owned(),
        repositories: details.repositories.into_owned(),
        message: details.message.into_owned(),
        failure: details.failure.into_owned(),
        workspace: details.workspace.into_owned(),
        times: details.times.into_owned(),
    })
}
