use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sqlx::any::AnyRow;
use valetkey_model::{Actor, ProjectName, Role, UserId};

use crate::{
    Store, StoreError,
    conditions::Conditions,
    record::{Record, millis},
};

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Their id here.
    pub id: UserId,
    /// Issuer and subject at their identity provider; none for the built-in administrator.
    pub identity: Option<(String, String)>,
    /// The name to show.
    pub name: String,
    /// The address that their identity provider verified, in lower case.
    pub email: Option<String>,
    /// Whether they administer the instance, by hand or by what their identity provider says of them.
    pub administrator: bool,
    /// Whether they may not come in any more.
    pub disabled: bool,
    /// When they first signed in.
    pub created_at: Timestamp,
    /// When they last did.
    pub last_seen_at: Option<Timestamp>,
}

macro_rules! select_user {
    ($rest:literal) => {
        concat!(
            "SELECT id, issuer, subject, name, email, administrator, claimed_administrator, disabled, created_at, \
             last_seen_at FROM users ",
            $rest
        )
    };
}

pub(crate) use select_user;

impl Store {
    /// Stores a new person; an administrator is one by hand.
    ///
    /// # Errors
    /// `Conflict` when the id, or the issuer's subject, is known already.
    pub async fn insert_user(&self, user: &UserRecord) -> Result<(), StoreError> {
        let (issuer, subject) = user.identity.as_ref().map(|(i, s)| (i.as_str(), s.as_str())).unzip();
        sqlx::query(
            "INSERT INTO users (id, issuer, subject, name, email, administrator, disabled, created_at, last_seen_at, folded) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(user.id.as_str())
        .bind(issuer)
        .bind(subject)
        .bind(user.name.as_str())
        .bind(user.email.as_deref())
        .bind(i64::from(user.administrator))
        .bind(i64::from(user.disabled))
        .bind(millis(user.created_at))
        .bind(user.last_seen_at.map(millis))
        .bind(folded(&user.name, user.email.as_deref()))
        .execute(&self.writer)
        .await
        .map_err(|e| StoreError::of_write(e, "this person is known already", "user"))?;
        Ok(())
    }

    /// The person with this id.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn user(&self, id: &UserId) -> Result<Option<UserRecord>, StoreError> {
        let query = sqlx::query(select_user!("WHERE id = $1")).bind(id.as_str());
        query.fetch_optional(&self.reader).await?.as_ref().map(user).transpose()
    }

    /// What people are called, in one query. Whoever is not known has no entry.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn names(&self, of: &BTreeSet<&UserId>) -> Result<BTreeMap<UserId, String>, StoreError> {
        if of.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut query = Conditions::new("SELECT id, name FROM users WHERE id IS NOT NULL");
        query.and_in("id", of.iter().map(|id| id.as_str()));
        let named = |row: &AnyRow| {
            let record = Record::new(row, "person", "id");
            Ok((record.parsed("id")?, record.get("name")?))
        };
        query.fetch(&self.reader).await?.iter().map(named).collect()
    }

    /// What a person may do, in one query: their roles come to them by name, by their verified e-mail address and by the
    /// groups of their identity provider; of several in one project the greatest counts. None for whoever is not known,
    /// or disabled.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn actor(&self, id: &UserId) -> Result<Option<Actor>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, CASE claimed_administrator WHEN 1 THEN 1 ELSE administrator END AS administrator, \
             CAST(NULL AS TEXT) AS project, CAST(NULL AS TEXT) AS role FROM users WHERE id = $1 AND disabled = 0 \
             UNION ALL SELECT subject, NULL, project, role FROM project_members WHERE kind = 'person' AND subject = $1 \
             UNION ALL SELECT subject, NULL, project, role FROM project_members \
             WHERE kind = 'email' AND subject = (SELECT email FROM users WHERE id = $1) \
             UNION ALL SELECT subject, NULL, project, role FROM project_members \
             WHERE kind = 'group' AND subject IN (SELECT name FROM user_groups WHERE user_id = $1)",
        )
        .bind(id.as_str())
        .fetch_all(&self.reader)
        .await?;
        let (mut administrator, mut roles) = (None, BTreeMap::<ProjectName, Role>::new());
        for row in &rows {
            let record = Record::new(row, "person", "id");
            match (record.parsed_or_none("project")?, record.parsed_or_none::<Role>("role")?) {
                (Some(project), Some(role)) => {
                    let known = roles.entry(project).or_insert(role);
                    *known = role.max(*known);
                }
                _ => administrator = Some(record.flag("administrator")?),
            }
        }
        Ok(administrator.map(|administrator| Actor::new(id.clone(), administrator, roles)))
    }
}

/// What a search for people looks in.
pub(crate) fn folded(name: &str, email: Option<&str>) -> String {
    format!("{name} {}", email.unwrap_or_default()).trim_end().to_lowercase()
}

pub(crate) fn user(row: &AnyRow) -> Result<UserRecord, StoreError> {
    let record = Record::new(row, "person", "id");
    let identity = record.get::<Option<String>>("issuer")?.zip(record.get::<Option<String>>("subject")?);
    Ok(UserRecord {
        id: record.parsed("id")?,
        identity,
        name: record.get("name")?,
        email: record.get("email")?,
        administrator: record.flag("administrator")? || record.flag("claimed_administrator")?,
        disabled: record.flag("disabled")?,
        created_at: record.time("created_at")?,
        last_seen_at: record.time_or_none("last_seen_at")?,
    })
}
