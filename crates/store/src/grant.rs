use valetkey_model::Grant;

use crate::{
    Store, StoreError,
    record::{Record, millis, to_json},
};

impl Store {
    /// Writes what a session may do, and the hash of the lease that stands for it.
    ///
    /// # Errors
    /// `Stale` when the session is over, or an integration is gone, being removed, or has another credential than the
    /// grant names; `Conflict` when the session has a grant already.
    pub async fn insert_grant(&self, grant: &Grant, lease_hash: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        // These updates change nothing; they check the rows and lock them until the grant is in.
        let session = sqlx::query("UPDATE sessions SET finished = 0 WHERE id = $1 AND finished = 0")
            .bind(grant.session.as_str())
            .execute(&mut *tx)
            .await?;
        if session.rows_affected() == 0 {
            return Err(StoreError::Stale("session"));
        }
        let mut granted: Vec<_> = grant.integrations.iter().collect();
        granted.sort_by_key(|granted| &granted.id);
        for integration in &granted {
            let query = "UPDATE integrations SET removing = 0 WHERE id = $1 AND generation = $2 AND removing = 0";
            let query = sqlx::query(query).bind(integration.id.as_str()).bind(integration.generation);
            if query.execute(&mut *tx).await?.rows_affected() == 0 {
                return Err(StoreError::Stale("integration"));
            }
        }
        let taken = |e| StoreError::of_write(e, "the session has a grant already", "session");
        sqlx::query("INSERT INTO grants (id, session, lease_hash, ends_at, body) VALUES ($1, $2, $3, $4, $5)")
            .bind(grant.id.as_str())
            .bind(grant.session.as_str())
            .bind(lease_hash)
            .bind(millis(grant.ends_at))
            .bind(to_json(grant))
            .execute(&mut *tx)
            .await
            .map_err(taken)?;
        for integration in granted {
            sqlx::query("INSERT INTO grant_integrations (integration, grant_id) VALUES ($1, $2)")
                .bind(integration.id.as_str())
                .bind(grant.id.as_str())
                .execute(&mut *tx)
                .await
                .map_err(taken)?;
        }
        Ok(tx.commit().await?)
    }

    /// The grant that a lease stands for, until it is ended. Whether its time is up is for the caller's clock. Integrations
    /// erased meanwhile are not in it. One read of one index: every git request does it.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn grant_by_lease(&self, lease_hash: &str) -> Result<Option<Grant>, StoreError> {
        let query = sqlx::query("SELECT id, body FROM grants WHERE lease_hash = $1").bind(lease_hash);
        let row = query.fetch_optional(&self.reader).await?;
        row.map(|row| Record::new(&row, "grant", "id").json("body")).transpose()
    }
}
