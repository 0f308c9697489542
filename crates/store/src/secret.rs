use jiff::Timestamp;
use sqlx::any::AnyRow;
use valetkey_model::{ProjectName, SecretId, SecretName, SecretOwner, UserId};

use crate::{
    Store, StoreError, StoredCredential,
    record::{Record, millis},
    sealed::stored,
};

/// A secret that sessions are given: everything about it but the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRecord {
    /// Its id, for as long as it exists.
    pub id: SecretId,
    /// Whose it is.
    pub owner: SecretOwner,
    /// The variable in which the agent finds it; once per owner.
    pub name: SecretName,
    /// What it is for; empty if nobody said.
    pub description: String,
    /// Who made it.
    pub created_by: UserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its value was last set.
    pub updated_at: Timestamp,
    /// How often its value was set; part of the identity under which that is sealed.
    pub generation: i64,
}

/// How much somebody keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretsKept {
    /// How many.
    pub count: u64,
    /// The sealed bytes of all, which are somewhat more than the values'.
    pub bytes: u64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, person, project, name, description, created_by, created_at, updated_at, generation, sealed ",
            "FROM secrets ",
            $rest
        )
    };
}

/// The two columns of an owner, of which one is filled.
fn columns(owner: &SecretOwner) -> (Option<&str>, Option<&str>) {
    match owner {
        SecretOwner::Person(user) => (Some(user.as_str()), None),
        SecretOwner::Project(project) => (None, Some(project.as_str())),
    }
}

impl Store {
    /// Stores a new secret.
    ///
    /// # Errors
    /// `Conflict` when its owner has one of this name; `NotFound` when there is no such owner.
    pub async fn insert_secret(&self, secret: &SecretRecord, sealed: &[u8]) -> Result<(), StoreError> {
        let (person, project) = columns(&secret.owner);
        let missing = if project.is_some() { "project" } else { "person" };
        sqlx::query(
            "INSERT INTO secrets (id, person, project, name, description, created_by, created_at, updated_at, \
             generation, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(secret.id.as_str())
        .bind(person)
        .bind(project)
        .bind(secret.name.as_str())
        .bind(secret.description.as_str())
        .bind(secret.created_by.as_str())
        .bind(millis(secret.created_at))
        .bind(millis(secret.updated_at))
        .bind(secret.generation)
        .bind(sealed)
        .execute(&self.writer)
        .await
        .map_err(|e| StoreError::of_write(e, "a secret of this name exists already", missing))?;
        Ok(())
    }

    /// Puts another value, and what is said of it, in place of those of the generation before `secret`'s.
    ///
    /// # Errors
    /// `Stale` when somebody else set or deleted it meanwhile.
    pub async fn replace_secret(&self, secret: &SecretRecord, sealed: &[u8]) -> Result<(), StoreError> {
        let done = sqlx::query(
            "UPDATE secrets SET description = $3, updated_at = $4, generation = $2, sealed = $5 \
             WHERE id = $1 AND generation = $2 - 1",
        )
        .bind(secret.id.as_str())
        .bind(secret.generation)
        .bind(secret.description.as_str())
        .bind(millis(secret.updated_at))
        .bind(sealed)
        .execute(&self.writer)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Stale("secret"));
        }
        self.scrub().await
    }

    /// Erases a secret; `false` if there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_secret(&self, owner: &SecretOwner, name: &SecretName) -> Result<bool, StoreError> {
        let (person, project) = columns(owner);
        let query = sqlx::query("DELETE FROM secrets WHERE name = $1 AND (person = $2 OR project = $3)");
        let deleted = query.bind(name.as_str()).bind(person).bind(project).execute(&self.writer).await?;
        self.scrub().await?;
        Ok(deleted.rows_affected() == 1)
    }

    /// One secret.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn secret(&self, owner: &SecretOwner, name: &SecretName) -> Result<Option<SecretRecord>, StoreError> {
        let (person, project) = columns(owner);
        let query = sqlx::query(select!("WHERE name = $1 AND (person = $2 OR project = $3)"));
        let row = query.bind(name.as_str()).bind(person).bind(project).fetch_optional(&self.reader).await?;
        row.as_ref().map(secret).transpose()
    }

    /// Up to `limit` secrets of an owner by name, from the one after `after`.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn secrets_page(
        &self,
        owner: &SecretOwner,
        limit: u32,
        after: Option<&SecretName>,
    ) -> Result<Vec<SecretRecord>, StoreError> {
        let (person, project) = columns(owner);
        let rows = sqlx::query(select!("WHERE (person = $1 OR project = $2) AND name > $3 ORDER BY name LIMIT $4"))
            .bind(person)
            .bind(project)
            .bind(after.map_or("", SecretName::as_str))
            .bind(i64::from(limit))
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(secret).collect()
    }

    /// How much an owner keeps, leaving out the one of this name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn secrets_kept(&self, owner: &SecretOwner, besides: &SecretName) -> Result<SecretsKept, StoreError> {
        let (person, project) = columns(owner);
        let row = sqlx::query(
            "SELECT 'of one owner' AS id, count(*) AS count, coalesce(sum(length(sealed)), 0) AS bytes FROM secrets \
             WHERE (person = $1 OR project = $2) AND name <> $3",
        )
        .bind(person)
        .bind(project)
        .bind(besides.as_str())
        .fetch_one(&self.reader)
        .await?;
        let record = Record::new(&row, "count of secrets", "id");
        let number = |field| u64::try_from(record.get::<i64>(field)?).map_err(|_| record.damaged(field));
        Ok(SecretsKept { count: number("count")?, bytes: number("bytes")? })
    }

    /// All secrets of a person, and of a project, with their sealed values: for a session of theirs in it.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn secrets_of_session(
        &self,
        person: &UserId,
        project: Option<&ProjectName>,
    ) -> Result<Vec<(SecretRecord, StoredCredential)>, StoreError> {
        let rows = sqlx::query(select!("WHERE person = $1 OR project = $2 ORDER BY name, id"))
            .bind(person.as_str())
            .bind(project.map(ProjectName::as_str))
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(|row| Ok((secret(row)?, stored(&record(row))?))).collect()
    }
}

fn record(row: &AnyRow) -> Record<'_> {
    Record::new(row, "secret", "id")
}

fn secret(row: &AnyRow) -> Result<SecretRecord, StoreError> {
    let record = record(row);
    let owner = match (record.parsed_or_none("person")?, record.parsed_or_none("project")?) {
        (Some(user), None) => SecretOwner::Person(user),
        (None, Some(project)) => SecretOwner::Project(project),
        _ => return Err(record.damaged("person")),
    };
    Ok(SecretRecord {
        id: record.parsed("id")?,
        owner,
        name: record.parsed("name")?,
        description: record.get("description")?,
        created_by: record.parsed("created_by")?,
        created_at: record.time("created_at")?,
        updated_at: record.time("updated_at")?,
        generation: record.get("generation")?,
    })
}
