use jiff::Timestamp;
use sqlx::{Any, Transaction};
use valetkey_model::{Grant, IntegrationId, SessionId};

use crate::{
    Store, StoreError,
    record::{Record, millis, to_json},
};

/// When a disconnected integration is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovalMode {
    /// Once no session holds it.
    WhenFree,
    /// At once; the sessions that hold it lose it.
    Now,
}

/// What became of a disconnected integration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// It and its credential are gone.
    Erased,
    /// These sessions hold it. It is hidden, no new grant may name it, and it is erased when the last of them ends.
    HeldBy(Vec<SessionId>),
}

impl Store {
    /// Disconnects an integration: erases it with its credential, or hides it until no live grant holds it. Asked again,
    /// it decides again.
    ///
    /// # Errors
    /// `NotFound` when there is none with this id.
    pub async fn begin_removal(
        &self,
        id: &IntegrationId,
        mode: RemovalMode,
        at: Timestamp,
    ) -> Result<Removal, StoreError> {
        let mut tx = self.begin().await?;
        let query = "UPDATE integrations SET removing = 1, is_default = 0, updated_at = $2 WHERE id = $1";
        let hidden = sqlx::query(query).bind(id.as_str()).bind(millis(at)).execute(&mut *tx).await?;
        if hidden.rows_affected() == 0 {
            return Err(StoreError::NotFound("integration"));
        }
        let holders = holders(&mut tx, id, at).await?;
        if mode == RemovalMode::WhenFree && !holders.is_empty() {
            tx.commit().await?;
            self.has_changed();
            return Ok(Removal::HeldBy(holders));
        }
        take_from_grants(&mut tx, id).await?;
        sqlx::query("DELETE FROM integrations WHERE id = $1").bind(id.as_str()).execute(&mut *tx).await?;
        tx.commit().await?;
        self.has_changed();
        self.scrub().await?;
        Ok(Removal::Erased)
    }

    /// Ends the grant of a session, if it has one, and erases the integrations that only waited for that. Returns them.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn end_grant(&self, session: &SessionId) -> Result<Vec<IntegrationId>, StoreError> {
        let mut tx = self.begin().await?;
        let erased = end_grant(&mut tx, session).await?;
        tx.commit().await?;
        if !erased.is_empty() {
            self.scrub().await?;
        }
        Ok(erased)
    }

    /// The disconnected integrations that a session's grant holds.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn removals_held_by(&self, session: &SessionId) -> Result<Vec<IntegrationId>, StoreError> {
        let rows = sqlx::query(
            "SELECT integration AS id FROM grant_integrations JOIN grants ON grants.id = grant_id \
             JOIN integrations ON integrations.id = integration WHERE session = $1 AND removing = 1",
        )
        .bind(session.as_str())
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|row| Record::new(row, "integration", "id").parsed("id")).collect()
    }

    /// The sessions whose grants hold the integration at this moment.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn grants_holding(&self, id: &IntegrationId, at: Timestamp) -> Result<Vec<SessionId>, StoreError> {
        let rows = sqlx::query(HOLDERS).bind(id.as_str()).bind(millis(at)).fetch_all(&self.reader).await?;
        rows.iter().map(|row| Record::new(row, "grant", "id").parsed("session")).collect()
    }
}

const HOLDERS: &str = "SELECT grants.id, session FROM grant_integrations JOIN grants ON grants.id = grant_id \
                       WHERE integration = $1 AND ends_at > $2 ORDER BY session";

async fn holders(
    tx: &mut Transaction<'_, Any>,
    id: &IntegrationId,
    at: Timestamp,
) -> Result<Vec<SessionId>, StoreError> {
    let rows = sqlx::query(HOLDERS).bind(id.as_str()).bind(millis(at)).fetch_all(&mut **tx).await?;
    rows.iter().map(|row| Record::new(row, "grant", "id").parsed("session")).collect()
}

/// Takes the integration, and the repositories it served, out of every grant. One that does not parse is left alone: it
/// allows nothing anyway.
async fn take_from_grants(tx: &mut Transaction<'_, Any>, id: &IntegrationId) -> Result<(), StoreError> {
    let rows = sqlx::query(
        "SELECT id, body FROM grants WHERE id IN (SELECT grant_id FROM grant_integrations WHERE integration = $1)",
    )
    .bind(id.as_str())
    .fetch_all(&mut **tx)
    .await?;
    for row in &rows {
        let Ok(mut grant) = Record::new(row, "grant", "id").json::<Grant>("body") else { continue };
        grant.integrations.retain(|granted| granted.id != *id);
        grant.repositories.retain(|granted| granted.with.as_ref().is_none_or(|with| with.integration != *id));
        sqlx::query("UPDATE grants SET body = $2 WHERE id = $1")
            .bind(grant.id.as_str())
            .bind(to_json(&grant))
            .execute(&mut **tx)
            .await?;
    }
    sqlx::query("DELETE FROM grant_integrations WHERE integration = $1").bind(id.as_str()).execute(&mut **tx).await?;
    Ok(())
}

/// Ends the grant of `session` and erases the disconnected integrations that nobody holds any more.
pub(crate) async fn end_grant(
    tx: &mut Transaction<'_, Any>,
    session: &SessionId,
) -> Result<Vec<IntegrationId>, StoreError> {
    // Locks them, so that a removal under way elsewhere is either seen below or sees that the grant is gone.
    sqlx::query(
        "UPDATE integrations SET removing = removing WHERE id IN (SELECT integration FROM grant_integrations \
         JOIN grants ON grants.id = grant_id WHERE session = $1)",
    )
    .bind(session.as_str())
    .execute(&mut **tx)
    .await?;
    sqlx::query("DELETE FROM grants WHERE session = $1").bind(session.as_str()).execute(&mut **tx).await?;
    let rows = sqlx::query(
        "DELETE FROM integrations WHERE removing = 1 AND NOT EXISTS \
         (SELECT 1 FROM grant_integrations WHERE integration = integrations.id) RETURNING id",
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(|row| Record::new(row, "integration", "id").parsed("id")).collect()
}
