//! Whether the audit trail is as it was written, and forgetting its oldest part without breaking the chain.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Row as _};
use valetkey_model::{AuditBreak, AuditMark, BreakKind};

use crate::{
    Store, StoreError,
    audit::{COLUMNS, entry},
    record::{Record, millis},
};

/// How many entries are looked at, or forgotten, at a time.
const BATCH: u32 = 500;

/// What a look at the whole audit trail found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditReport {
    /// How many entries are as they were written.
    pub entries: u64,
    /// The last of those that were forgotten, as the settings ask; 0 if none were. What is kept begins behind it.
    pub anchor: AuditMark,
    /// The last entry up to which everything holds. Noted down elsewhere, it proves later that nothing up to here was
    /// replaced.
    pub head: AuditMark,
    /// The first place where it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<AuditBreak>,
}

/// What the trail's one row says of it.
struct Head {
    last: AuditMark,
    anchor: AuditMark,
}

impl Store {
    /// Looks at every entry of the audit trail: whether it is what was written, and none is missing. `noted` is a mark of
    /// an earlier time that must still be on the chain.
    ///
    /// # Errors
    /// When the database does not answer, or the trail's head is damaged.
    pub async fn verify_audit(&self, noted: Option<AuditMark>) -> Result<AuditReport, StoreError> {
        loop {
            let anchor = self.audit_head().await?.anchor;
            let report = self.walk(anchor, noted).await?;
            // Entries that were forgotten while they were looked at are not missing.
            if report.broken.is_none() || self.audit_head().await?.anchor == anchor {
                return Ok(report);
            }
        }
    }

    async fn walk(&self, anchor: AuditMark, noted: Option<AuditMark>) -> Result<AuditReport, StoreError> {
        let mut report = AuditReport { entries: 0, anchor, head: anchor, broken: None };
        let broken = |report: AuditReport, seq, why| AuditReport { broken: Some(AuditBreak { seq, why }), ..report };
        let differs = |mark: AuditMark| noted.is_some_and(|noted| noted.seq == mark.seq && noted.hash != mark.hash);
        if differs(anchor) {
            return Ok(broken(report, anchor.seq, BreakKind::NotAsNoted));
        }
        if let Some(forgotten) = noted.filter(|noted| noted.seq < anchor.seq) {
            return Ok(broken(report, forgotten.seq, BreakKind::Missing));
        }
        let sql = format!("SELECT {COLUMNS} FROM audit WHERE seq > $1 ORDER BY seq LIMIT {BATCH}");
        loop {
            // Read before the entries: what they hold besides it came later.
            let last = self.audit_head().await?.last;
            let query = sqlx::query(AssertSqlSafe(sql.as_str())).bind(report.head.seq);
            let rows = query.fetch_all(&self.reader).await?;
            if rows.is_empty() {
                return Ok(match report.head {
                    head if head.seq < last.seq => broken(report, head.seq + 1, BreakKind::Missing),
                    head if head.seq == last.seq && head.hash != last.hash => {
                        broken(report, head.seq, BreakKind::Unlinked)
                    }
                    head if noted.is_some_and(|noted| noted.seq > head.seq) => {
                        broken(report, head.seq + 1, BreakKind::Missing)
                    }
                    _ => report,
                });
            }
            for row in &rows {
                let expected = report.head.seq + 1;
                let followed = match entry(row) {
                    Ok(entry) => report.head.follow(&entry),
                    Err(StoreError::Damaged { .. }) => {
                        let seq = row.try_get("seq").unwrap_or(expected).min(expected);
                        Err(AuditBreak { seq, why: BreakKind::Unreadable })
                    }
                    Err(error) => return Err(error),
                };
                match followed {
                    Ok(mark) if differs(mark) => return Ok(broken(report, mark.seq, BreakKind::NotAsNoted)),
                    Ok(mark) => (report.head, report.entries) = (mark, report.entries + 1),
                    Err(found) => return Ok(AuditReport { broken: Some(found), ..report }),
                }
            }
            let now = self.audit_head().await?.last;
            if report.head.seq > now.seq {
                return Ok(broken(report, now.seq + 1, BreakKind::Added));
            }
        }
    }

    /// Forgets the oldest entries of the audit trail, up to the first that is not from before `before`; returns how many.
    /// What is kept can still be verified.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn purge_audit(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut total = 0;
        loop {
            let gone = self.purge_audit_batch(before).await?;
            total += gone;
            if gone == 0 {
                return Ok(total);
            }
        }
    }

    async fn purge_audit_batch(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        // Holds appends off until it is done, so that two processes do not forget at the same time.
        sqlx::query("UPDATE audit_head SET seq = seq").execute(&mut *tx).await?;
        let oldest = sqlx::query("SELECT seq, at, hash FROM audit ORDER BY seq LIMIT $1")
            .bind(i64::from(BATCH))
            .fetch_all(&mut *tx)
            .await?;
        let mut cut = None;
        for row in &oldest {
            let record = Record::new(row, "audit entry", "hash");
            if record.get::<i64>("at")? >= millis(before) {
                break;
            }
            cut = Some((record.get::<i64>("seq")?, record.get::<String>("hash")?));
        }
        let Some((seq, hash)) = cut else { return Ok(0) };
        sqlx::query("UPDATE audit_head SET anchor_seq = $1, anchor_hash = $2")
            .bind(seq)
            .bind(hash)
            .execute(&mut *tx)
            .await?;
        let gone = sqlx::query("DELETE FROM audit WHERE seq <= $1").bind(seq).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(gone.rows_affected())
    }

    async fn audit_head(&self) -> Result<Head, StoreError> {
        let query = "SELECT seq, hash, anchor_seq, anchor_hash FROM audit_head";
        let row = sqlx::query(query).fetch_one(&self.reader).await?;
        let record = Record::new(&row, "head of the audit trail", "hash");
        let mark = |seq, hash| Ok::<_, StoreError>(AuditMark { seq: record.get(seq)?, hash: record.parsed(hash)? });
        Ok(Head { last: mark("seq", "hash")?, anchor: mark("anchor_seq", "anchor_hash")? })
    }
}
