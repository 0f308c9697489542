//! Writing to the audit trail. Entries that come at the same time share a transaction, and so one wait for the disk.

use std::sync::{Mutex, PoisonError};

use sqlx::{Any, AssertSqlSafe, Transaction};
use tokio::sync::oneshot;
use valetkey_model::{AuditEntry, AuditEvent, AuditMark, AuditObject, ProblemCode, ProjectName, SessionId, UserId};

use crate::{
    Store, StoreError,
    audit::COLUMNS,
    record::{Record, millis, to_json},
};

/// How many entries share a transaction, and a statement: one of PostgreSQL's takes 65,535 values.
const MOST: usize = 128;
const COLUMN_COUNT: usize = 15;

/// Entries that wait to be written, in the order in which they came.
#[derive(Default)]
pub(crate) struct Appends {
    waiting: Mutex<Vec<Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

struct Waiting {
    event: AuditEvent,
    written: oneshot::Sender<Option<AuditEntry>>,
}

impl Appends {
    fn add(&self, one: Waiting) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(one);
    }

    fn take(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(MOST);
        waiting.drain(..count).collect()
    }
}

impl Store {
    /// Adds an entry to the end of the audit trail. It is on disk when this returns.
    ///
    /// # Errors
    /// `NotRecorded`: what the entry is about must not happen then.
    pub async fn append_audit(&self, event: AuditEvent) -> Result<AuditEntry, StoreError> {
        let (written, answer) = oneshot::channel();
        self.appends.add(Waiting { event, written });
        let store = self.clone();
        // In a task of its own: whoever goes away while it writes for others must not take their entries along.
        tokio::spawn(async move { store.write_waiting().await });
        answer.await.ok().flatten().ok_or(StoreError::NotRecorded)
    }

    /// Writes what waits. Each entry comes with such a task; most find that another one has written theirs already.
    async fn write_waiting(&self) {
        let _turn = self.appends.turn.lock().await;
        let waiting = self.appends.take();
        if waiting.is_empty() {
            return;
        }
        let (events, tell): (Vec<_>, Vec<_>) = waiting.into_iter().map(|one| (one.event, one.written)).unzip();
        let written = self.write_audit(events).await.inspect_err(|error| {
            tracing::error!(error = error as &dyn std::error::Error, "the audit trail can't be written");
        });
        // Who does not listen any more needs no answer; without one, the others know that nothing was written.
        for (entry, tell) in written.unwrap_or_default().into_iter().zip(tell) {
            let _ = tell.send(Some(entry));
        }
    }

    async fn write_audit(&self, events: Vec<AuditEvent>) -> Result<Vec<AuditEntry>, StoreError> {
        let mut tx = self.begin().await?;
        let mut mark = lock_head(&mut tx).await?;
        let mut entries = Vec::with_capacity(events.len());
        for event in events {
            let entry = mark.entry(event);
            mark = entry.mark();
            entries.push(entry);
        }
        insert(&mut tx, &entries).await?;
        sqlx::query("UPDATE audit_head SET seq = $1, hash = $2")
            .bind(mark.seq)
            .bind(mark.hash.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(entries)
    }
}

/// The end of the trail, which is nobody else's to extend until the transaction ends.
async fn lock_head(tx: &mut Transaction<'static, Any>) -> Result<AuditMark, StoreError> {
    let query = "UPDATE audit_head SET seq = seq RETURNING seq, hash";
    let row = sqlx::query(query).fetch_one(&mut **tx).await?;
    let record = Record::new(&row, "head of the audit trail", "hash");
    Ok(AuditMark { seq: record.get("seq")?, hash: record.parsed("hash")? })
}

async fn insert(tx: &mut Transaction<'static, Any>, entries: &[AuditEntry]) -> Result<(), StoreError> {
    let row = |n: usize| {
        let values: Vec<String> = (1..=COLUMN_COUNT).map(|i| format!("${}", n * COLUMN_COUNT + i)).collect();
        format!("({})", values.join(", "))
    };
    let rows: Vec<String> = (0..entries.len()).map(row).collect();
    let sql = format!("INSERT INTO audit ({COLUMNS}) VALUES {}", rows.join(", "));
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for AuditEntry { seq, event, previous, hash } in entries {
        let AuditObject { kind, id } = event.object.clone().unwrap_or(AuditObject::new("", ""));
        let named = event.object.is_some();
        query = query
            .bind(seq)
            .bind(millis(event.at))
            .bind(event.actor.as_str().map(str::to_owned))
            .bind(event.on_behalf_of.as_ref().map(UserId::as_str))
            .bind(event.action.as_str())
            .bind(named.then_some(kind))
            .bind(named.then_some(id))
            .bind(event.project.as_ref().map(ProjectName::as_str))
            .bind(event.session.as_ref().map(SessionId::as_str))
            .bind(event.from.map(|address| address.to_string()))
            .bind(event.outcome.as_str())
            .bind(event.code.map(ProblemCode::as_str))
            .bind(to_json(&event.detail))
            .bind(previous.to_string())
            .bind(hash.to_string());
    }
    query.execute(&mut **tx).await?;
    Ok(())
}
