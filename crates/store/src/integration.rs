use jiff::Timestamp;
use sqlx::{Any, Transaction, any::AnyRow};
use valetkey_model::{
    Actor, Alias, InstanceUrl, Integration, IntegrationId, Level, OwnerScope, ProjectName, Projects, ProviderKind,
    Status, UserId,
};

use crate::{
    Store, StoreError,
    census::status_sql,
    conditions::{Conditions, like},
    record::{BEFORE_ALL_IDS, Record, USE_GRANULARITY_MS, millis, to_json},
};

/// Which integrations [`Store::integrations_page`] returns.
#[derive(Debug, Clone, Copy, Default)]
pub struct IntegrationFilter<'a> {
    /// Only those of this provider.
    pub provider: Option<ProviderKind>,
    /// Only those of this level.
    pub level: Option<Level>,
    /// Only theirs, or only what projects own.
    pub owner: Option<Owner>,
    /// Only those bound to this project.
    pub project: Option<&'a ProjectName>,
    /// Only those in this state.
    pub status: Option<Status>,
    /// Only those with this alias.
    pub alias: Option<&'a Alias>,
    /// Only those with this in their alias, account or address, ignoring case.
    pub text: Option<&'a str>,
}

/// Which integrations [`Store::integrations`] returns.
#[derive(Debug, Clone, Copy, Default)]
pub struct Everybodys {
    /// Only those of this provider.
    pub provider: Option<ProviderKind>,
    /// Also those that are disconnected but still held by a session.
    pub include_removing: bool,
}

/// Whose an integration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The person's who asks.
    Themselves,
    /// A project's.
    Project,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, provider, owner, scope, project, alias, instance_url, account, auth_method, granted_scopes, ",
            "expires_at, outcome, unreachable, is_default, removing, created_at, updated_at, last_checked_at, ",
            "last_used_at, generation, details, refresh_expires_at FROM integrations ",
            $rest
        )
    };
}

const ALIAS_TAKEN: &str = "an integration with this alias exists already; choose another alias";

impl Store {
    /// Stores a new integration with its sealed credential. If it is marked default, it becomes the only one. Its next
    /// check is due, so that it is not forgotten if nobody [schedules](Self::schedule_check) one.
    ///
    /// # Errors
    /// `Conflict` when the alias is taken, ignoring case, among those of the same owner, scope and project; `NotFound`
    /// when the project does not exist.
    pub async fn insert_integration(&self, new: &Integration, sealed: &[u8]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO integrations (id, provider, owner, scope, project, alias, alias_folded, instance_url, account, \
             auth_method, granted_scopes, expires_at, outcome, unreachable, is_default, removing, created_at, \
             updated_at, last_checked_at, last_used_at, generation, sealed, details, refresh_expires_at, next_check_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, $15, $16, $17, $18, $19, $20, \
             $21, $22, $23, $18)",
        )
        .bind(new.id.as_str())
        .bind(new.provider.slug())
        .bind(new.owner.as_str())
        .bind(new.scope.as_str())
        .bind(new.scope.project().map(ProjectName::as_str))
        .bind(new.alias.as_str())
        .bind(new.alias.folded())
        .bind(new.instance_url.to_string())
        .bind(to_json(&new.account))
        .bind(new.auth_method.as_str())
        .bind(to_json(&new.granted_scopes))
        .bind(new.expires_at.map(millis))
        .bind(to_json(&new.outcome))
        .bind(new.unreachable.as_deref())
        .bind(i64::from(new.removing))
        .bind(millis(new.created_at))
        .bind(millis(new.updated_at))
        .bind(millis(new.last_checked_at))
        .bind(new.last_used_at.map(millis))
        .bind(new.generation)
        .bind(sealed)
        .bind(to_json(&new.details))
        .bind(new.refresh_expires_at.map(millis))
        .execute(&mut *tx)
        .await
        .map_err(|e| StoreError::of_write(e, ALIAS_TAKEN, "project"))?;
        if new.is_default {
            mark_default(&mut tx, &new.id, new.updated_at).await?;
        }
        tx.commit().await?;
        self.has_changed();
        Ok(())
    }

    /// The integration with this id, also while it is being removed.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn integration(&self, id: &IntegrationId) -> Result<Option<Integration>, StoreError> {
        let query = sqlx::query(select!("WHERE id = $1")).bind(id.as_str());
        query.fetch_optional(&self.reader).await?.as_ref().map(integration).transpose()
    }

    /// The integrations of everybody, in the order in which they were connected: for what concerns the instance.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn integrations(&self, of: Everybodys) -> Result<Vec<Integration>, StoreError> {
        let rows = sqlx::query(select!("WHERE removing <= $1 AND $2 IN ('', provider) ORDER BY id"))
            .bind(i64::from(of.include_removing))
            .bind(of.provider.map_or("", ProviderKind::slug))
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(integration).collect()
    }

    /// What sessions of `owner` in `project` could use if their roles allow it: their own of the project, their own for
    /// everywhere, and the project's, in the order in which they were connected. Those being removed are left out.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn integrations_for(
        &self,
        owner: &UserId,
        project: &ProjectName,
    ) -> Result<Vec<Integration>, StoreError> {
        self.integrations_fitting(owner, project, None, None).await
    }

    /// Of [these](Self::integrations_for), those of a provider and at an instance, where that is known.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn integrations_fitting(
        &self,
        owner: &UserId,
        project: &ProjectName,
        provider: Option<ProviderKind>,
        instance: Option<&InstanceUrl>,
    ) -> Result<Vec<Integration>, StoreError> {
        // Two queries, so that SQLite reads an index for each and not the whole table.
        let query = concat!(
            select!(
                "WHERE removing = 0 AND owner = $1 AND (scope = 'user_global' OR (scope = 'user' AND project = $2)) \
                 AND $3 IN ('', provider) AND $4 IN ('', instance_url) "
            ),
            "UNION ALL ",
            select!(
                "WHERE removing = 0 AND scope = 'project' AND project = $2 \
                 AND $3 IN ('', provider) AND $4 IN ('', instance_url) ORDER BY id"
            )
        );
        let query = sqlx::query(query)
            .bind(owner.as_str())
            .bind(project.as_str())
            .bind(provider.map_or("", ProviderKind::slug))
            .bind(instance.map(ToString::to_string).unwrap_or_default());
        query.fetch_all(&self.reader).await?.iter().map(integration).collect()
    }

    /// All that is bound to a project: its own, and what people connected for themselves in it; also what is being removed.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn integrations_in(&self, project: &ProjectName) -> Result<Vec<Integration>, StoreError> {
        let query = sqlx::query(select!("WHERE project = $1 ORDER BY id")).bind(project.as_str());
        query.fetch_all(&self.reader).await?.iter().map(integration).collect()
    }

    /// Up to `limit` of the integrations that somebody may know of, by [`Actor::sees`], and that pass the filter as of
    /// `now`, in the order in which they were connected, from the one behind `after`. Those being removed are left out.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn integrations_page(
        &self,
        by: &Actor,
        filter: &IntegrationFilter<'_>,
        now: Timestamp,
        after: Option<&IntegrationId>,
        limit: u32,
    ) -> Result<Vec<Integration>, StoreError> {
        let mut query = Conditions::new(concat!(select!(""), "WHERE removing = 0"));
        query.and("id >", after.map_or(BEFORE_ALL_IDS, IntegrationId::as_str));
        seen_by(&mut query, by, filter.owner);
        query.and_if("provider =", filter.provider.map(ProviderKind::slug));
        query.and_if("scope =", filter.level.map(Level::as_str));
        query.and_if("project =", filter.project.map(ProjectName::as_str));
        query.and_if("alias_folded =", filter.alias.map(Alias::folded));
        if let Some(text) = filter.text.map(str::trim).filter(|text| !text.is_empty()) {
            let text = query.bind(like(text));
            query.push(&format!(
                " AND (alias_folded LIKE {text} ESCAPE '!' OR lower(account) LIKE {text} ESCAPE '!' \
                 OR instance_url LIKE {text} ESCAPE '!')"
            ));
        }
        if let Some(status) = filter.status {
            let (now, soon) = (query.bind(millis(now)), query.bind(millis(now + Integration::EXPIRING)));
            query.push(&format!(" AND {} =", status_sql(&now, &soon)));
            query.value(status.as_str());
        }
        let limit = query.bind(i64::from(limit));
        query.push(&format!(" ORDER BY id LIMIT {limit}"));
        query.fetch(&self.reader).await?.iter().map(integration).collect()
    }

    /// Records that a request carried the credential, to the minute.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn touch_used(&self, id: &IntegrationId, at: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE integrations SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)",
        )
        .bind(id.as_str())
        .bind(millis(at))
        .bind(millis(at) - USE_GRANULARITY_MS)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Marks it as the default of its owner, scope, project and provider, in place of any other, or takes the mark away.
    ///
    /// # Errors
    /// `NotFound` when there is none with this id, or it is being removed.
    pub async fn set_default(&self, id: &IntegrationId, default: bool, at: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if default {
            mark_default(&mut tx, id, at).await?;
        } else {
            let query = "UPDATE integrations SET is_default = 0, updated_at = $2 WHERE id = $1 AND removing = 0";
            let done = sqlx::query(query).bind(id.as_str()).bind(millis(at)).execute(&mut *tx).await?;
            found(done.rows_affected())?;
        }
        tx.commit().await?;
        self.has_changed();
        Ok(())
    }

    /// Gives it another alias.
    ///
    /// # Errors
    /// `Conflict` as with [`insert_integration`](Self::insert_integration); `NotFound` when there is none with this id,
    /// or it is being removed.
    pub async fn rename(&self, id: &IntegrationId, alias: &Alias, at: Timestamp) -> Result<(), StoreError> {
        let done = sqlx::query(
            "UPDATE integrations SET alias = $2, alias_folded = $3, updated_at = $4 WHERE id = $1 AND removing = 0",
        )
        .bind(id.as_str())
        .bind(alias.as_str())
        .bind(alias.folded())
        .bind(millis(at))
        .execute(&self.writer)
        .await
        .map_err(|e| StoreError::of_write(e, ALIAS_TAKEN, "project"))?;
        self.has_changed();
        found(done.rows_affected())
    }
}

/// The rows of [`Actor::sees`], said once more in SQL; a test holds the two together.
fn seen_by(query: &mut Conditions, by: &Actor, owner: Option<Owner>) {
    let user = query.bind(by.user.as_str());
    let mut own = format!("(scope IN ('user', 'user_global') AND owner = {user}");
    if let Some(only) = &by.limits().project {
        let only = query.bind(only.as_str());
        own.push_str(&format!(" AND (project IS NULL OR project = {only})"));
    }
    own.push(')');
    let shared = format!("(scope = 'project' AND {})", query.one_of_projects("project", by.projects()));
    match owner {
        // As nearly all pass, they are met soon; else an index is read for each of the two, and not the whole table.
        None if matches!(by.projects(), Projects::All) => query.push(&format!(" AND ({own} OR {shared})")),
        None => query.push(&format!(
            " AND id IN (SELECT id FROM integrations WHERE removing = 0 AND {own} \
             UNION ALL SELECT id FROM integrations WHERE removing = 0 AND {shared})"
        )),
        Some(Owner::Themselves) => query.push(&format!(" AND {own}")),
        Some(Owner::Project) => query.push(&format!(" AND {shared}")),
    }
}

/// Moves the mark to `id`. The others lose it first: an index allows one.
async fn mark_default(tx: &mut Transaction<'_, Any>, id: &IntegrationId, at: Timestamp) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE integrations SET is_default = 0, updated_at = $2 \
         WHERE removing = 0 AND is_default = 1 AND id <> $1 AND (CASE scope WHEN 'project' THEN '' ELSE owner END, scope, coalesce(project, ''), provider) = \
         (SELECT CASE scope WHEN 'project' THEN '' ELSE owner END, scope, coalesce(project, ''), provider \
         FROM integrations WHERE id = $1)",
    )
    .bind(id.as_str())
    .bind(millis(at))
    .execute(&mut **tx)
    .await?;
    let query = "UPDATE integrations SET is_default = 1, updated_at = $2 WHERE id = $1 AND removing = 0";
    let done = sqlx::query(query).bind(id.as_str()).bind(millis(at)).execute(&mut **tx).await?;
    found(done.rows_affected())
}

/// An integration that is there, as this transaction sees it.
pub(crate) async fn within(tx: &mut Transaction<'_, Any>, id: &IntegrationId) -> Result<Integration, StoreError> {
    integration(&sqlx::query(select!("WHERE id = $1")).bind(id.as_str()).fetch_one(&mut **tx).await?)
}

fn found(rows: u64) -> Result<(), StoreError> {
    if rows == 0 { Err(StoreError::NotFound("integration")) } else { Ok(()) }
}

fn integration(row: &AnyRow) -> Result<Integration, StoreError> {
    let record = Record::new(row, "integration", "id");
    let scope = match (record.get("scope")?, record.parsed_or_none("project")?) {
        ("user", Some(project)) => OwnerScope::User(project),
        ("user_global", None) => OwnerScope::UserGlobal,
        ("project", Some(project)) => OwnerScope::Project(project),
        _ => return Err(record.damaged("scope")),
    };
    Ok(Integration {
        id: record.parsed("id")?,
        provider: record.parsed("provider")?,
        scope,
        owner: record.parsed("owner")?,
        alias: record.parsed("alias")?,
        instance_url: record.parsed("instance_url")?,
        account: record.json("account")?,
        auth_method: record.word("auth_method")?,
        granted_scopes: record.json("granted_scopes")?,
        expires_at: record.time_or_none("expires_at")?,
        outcome: record.json("outcome")?,
        unreachable: record.get("unreachable")?,
        is_default: record.flag("is_default")?,
        generation: record.get("generation")?,
        removing: record.flag("removing")?,
        created_at: record.time("created_at")?,
        updated_at: record.time("updated_at")?,
        last_checked_at: record.time("last_checked_at")?,
        last_used_at: record.time_or_none("last_used_at")?,
        details: record.json_or_none("details")?.unwrap_or_default(),
        refresh_expires_at: record.time_or_none("refresh_expires_at")?,
    })
}
