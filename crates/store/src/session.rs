use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use valetkey_model::{
    EngineId, Phase, PhaseTimes, Problem, ProjectName, RepositoryRun, Session, SessionId, SessionSpec, UserId,
};

use crate::{
    Store, StoreError,
    record::{AFTER_ALL_IDS, Record, millis, to_json},
    removal::end_grant,
};

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
            "INSERT INTO sessions (id, project, owner, engine, phase, finished, created_at, details) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(session.id.as_str())
        .bind(session.project.as_str())
        .bind(session.owner.as_str())
        .bind(engine.as_str())
        .bind(session.phase.as_str())
        .bind(i64::from(session.phase.is_final()))
        .bind(millis(session.times.created_at))
        .bind(to_json(&Details::from(session)))
        .execute(&self.writer)
        .await
        .map_err(|e| StoreError::of_write(e, "a session with this id exists already", "project"))?;
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

    /// Up to `limit` sessions of a person, of one project or all, the newest first, from the one before `before`.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn sessions_page(
        &self,
        owner: &UserId,
        project: Option<&ProjectName>,
        limit: u32,
        before: Option<&SessionId>,
    ) -> Result<Vec<Session>, StoreError> {
        let before = before.map_or(AFTER_ALL_IDS, SessionId::as_str);
        let query = match project {
            None => sqlx::query(
                "SELECT id, project, owner, phase, details FROM sessions WHERE owner = $1 AND id < $2 \
                 ORDER BY id DESC LIMIT $3",
            ),
            Some(_) => sqlx::query(
                "SELECT id, project, owner, phase, details FROM sessions WHERE owner = $1 AND id < $2 AND project = $4 \
                 ORDER BY id DESC LIMIT $3",
            ),
        };
        let query = query.bind(owner.as_str()).bind(before).bind(i64::from(limit));
        let query = match project {
            None => query,
            Some(project) => query.bind(project.as_str()),
        };
        query.fetch_all(&self.reader).await?.iter().map(session).collect()
    }

    /// Stores a session as it is now, if it is still in `expected` phase. One that enters a final phase loses its grant
    /// in the same transaction.
    ///
    /// # Errors
    /// `Stale` when it is in another phase, or deleted.
    pub async fn update_session(&self, session: &Session, expected: Phase) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done =
            sqlx::query("UPDATE sessions SET phase = $3, finished = $4, details = $5 WHERE id = $1 AND phase = $2")
                .bind(session.id.as_str())
                .bind(expected.as_str())
                .bind(session.phase.as_str())
                .bind(i64::from(session.phase.is_final()))
                .bind(to_json(&Details::from(session)))
                .execute(&mut *tx)
                .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Stale("session"));
        }
        let erased = if session.phase.is_final() { end_grant(&mut tx, &session.id).await? } else { Vec::new() };
        tx.commit().await?;
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
