//! People who sign in by an identity provider, and what an administrator decides about them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::{Any, Row as _, Transaction, any::AnyRow};
use valetkey_model::{Claims, UserId};

use crate::{
    Store, StoreError, UserRecord,
    record::{BEFORE_ALL_IDS, Record, millis},
    user::{folded, select_user, user},
};

/// A person as administrators see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub user: UserRecord,
    /// Whether their identity provider makes them an administrator: then nobody takes it from them by hand.
    pub claimed_administrator: bool,
}

/// Somebody whom a proxy names with every request is noted again after this long.
const NOTED_FOR_MS: i64 = 3_600_000;

impl Store {
    /// Notes what an identity provider says of somebody who comes in, in one transaction: who they are, in what groups, and
    /// whether that makes them an administrator. Whoever comes for the first time is stored under `new`. Of somebody who is
    /// disabled nothing is changed.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn sign_in(
        &self,
        new: &UserId,
        claims: &Claims,
        administrator: bool,
        at: Timestamp,
    ) -> Result<UserRecord, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO users (id, issuer, subject, name, email, folded, administrator, claimed_administrator, disabled, \
             created_at, last_seen_at) VALUES ($1, $2, $3, $4, $5, $6, 0, $7, 0, $8, $8) \
             ON CONFLICT (issuer, subject) DO UPDATE SET name = excluded.name, email = excluded.email, \
             folded = excluded.folded, claimed_administrator = excluded.claimed_administrator, \
             last_seen_at = excluded.last_seen_at WHERE users.disabled = 0",
        )
        .bind(new.as_str())
        .bind(claims.issuer())
        .bind(claims.subject())
        .bind(claims.shown_name())
        .bind(claims.email())
        .bind(folded(claims.shown_name(), claims.email()))
        .bind(i64::from(administrator))
        .bind(millis(at))
        .execute(&mut *tx)
        .await
        .map_err(|e| StoreError::of_write(e, "this person is known already", "user"))?;
        let query = sqlx::query(select_user!("WHERE issuer = $1 AND subject = $2"));
        let row = query.bind(claims.issuer()).bind(claims.subject()).fetch_one(&mut *tx).await?;
        let known = user(&row)?;
        if !known.disabled {
            set_groups(&mut tx, &known.id, claims.groups()).await?;
        }
        tx.commit().await?;
        Ok(known)
    }

    /// As [`sign_in`](Self::sign_in) for somebody of whom the same is said with every request: written down if it is news, or
    /// once an hour.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn recognise(
        &self,
        new: &UserId,
        claims: &Claims,
        administrator: bool,
        at: Timestamp,
    ) -> Result<UserRecord, StoreError> {
        let query = sqlx::query(select_user!("WHERE issuer = $1 AND subject = $2"));
        let row = query.bind(claims.issuer()).bind(claims.subject()).fetch_optional(&self.reader).await?;
        if let Some(known) = row.as_ref().map(person).transpose()? {
            let Person { user, claimed_administrator } = known;
            let recent = user.last_seen_at.is_some_and(|seen| millis(at) - millis(seen) < NOTED_FOR_MS);
            let same = user.name == claims.shown_name() && user.email.as_deref() == claims.email();
            let same = recent && same && claimed_administrator == administrator;
            if user.disabled || (same && self.groups_of(&user.id).await? == *claims.groups()) {
                return Ok(user);
            }
        }
        self.sign_in(new, claims, administrator, at).await
    }

    /// The person whom an issuer calls so.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn user_by_identity(&self, issuer: &str, subject: &str) -> Result<Option<UserRecord>, StoreError> {
        let query = sqlx::query(select_user!("WHERE issuer = $1 AND subject = $2")).bind(issuer).bind(subject);
        query.fetch_optional(&self.reader).await?.as_ref().map(user).transpose()
    }

    /// The groups that their identity provider named at their last sign-in.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn groups_of(&self, id: &UserId) -> Result<BTreeSet<String>, StoreError> {
        let query = sqlx::query("SELECT name FROM user_groups WHERE user_id = $1").bind(id.as_str());
        let rows = query.fetch_all(&self.reader).await?;
        Ok(rows.iter().map(|row| row.try_get("name")).collect::<Result<_, _>>()?)
    }

    /// People whose name or e-mail address holds these words, by id: in the order in which they first came.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn people(&self, words: &str, limit: u32, after: Option<&UserId>) -> Result<Vec<Person>, StoreError> {
        let query = sqlx::query(select_user!("WHERE id > $1 AND folded LIKE $2 ESCAPE '\\' ORDER BY id LIMIT $3"));
        let query =
            query.bind(after.map_or(BEFORE_ALL_IDS, UserId::as_str)).bind(pattern(words)).bind(i64::from(limit));
        query.fetch_all(&self.reader).await?.iter().map(person).collect()
    }

    /// One person, as administrators see them.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn person(&self, id: &UserId) -> Result<Option<Person>, StoreError> {
        let query = sqlx::query(select_user!("WHERE id = $1")).bind(id.as_str());
        query.fetch_optional(&self.reader).await?.as_ref().map(person).transpose()
    }

    /// Shuts somebody out, or lets them in again. Their browser sessions end; their API tokens are good for nothing as long
    /// as they are shut out. `false` if there is no such person.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn set_disabled(&self, id: &UserId, disabled: bool) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let query = sqlx::query("UPDATE users SET disabled = $2 WHERE id = $1").bind(id.as_str());
        let known = query.bind(i64::from(disabled)).execute(&mut *tx).await?.rows_affected() == 1;
        if known && disabled {
            sqlx::query("DELETE FROM web_sessions WHERE owner = $1").bind(id.as_str()).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(known)
    }

    /// Makes somebody an administrator by hand, or takes that back. What their identity provider says of them stays.
    /// `false` if there is no such person.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn set_administrator(&self, id: &UserId, administrator: bool) -> Result<bool, StoreError> {
        let query = sqlx::query("UPDATE users SET administrator = $2 WHERE id = $1").bind(id.as_str());
        Ok(query.bind(i64::from(administrator)).execute(&self.writer).await?.rows_affected() == 1)
    }
}

/// Leaves somebody in these groups and no others.
async fn set_groups(tx: &mut Transaction<'_, Any>, id: &UserId, groups: &BTreeSet<String>) -> Result<(), StoreError> {
    let rows = sqlx::query("SELECT name FROM user_groups WHERE user_id = $1").bind(id.as_str());
    let rows = rows.fetch_all(&mut **tx).await?;
    let known = rows.iter().map(|row| row.try_get("name")).collect::<Result<BTreeSet<String>, _>>()?;
    for (sql, names) in [
        ("DELETE FROM user_groups WHERE user_id = $1 AND name = $2", known.difference(groups)),
        ("INSERT INTO user_groups (user_id, name) VALUES ($1, $2)", groups.difference(&known)),
    ] {
        for name in names {
            sqlx::query(sql).bind(id.as_str()).bind(name.as_str()).execute(&mut **tx).await?;
        }
    }
    Ok(())
}

/// The words anywhere in the text, whatever letters they are made of.
fn pattern(words: &str) -> String {
    let literal = words.trim().to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{literal}%")
}

fn person(row: &AnyRow) -> Result<Person, StoreError> {
    let claimed_administrator = Record::new(row, "person", "id").flag("claimed_administrator")?;
    Ok(Person { user: user(row)?, claimed_administrator })
}
