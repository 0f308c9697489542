use sqlx::{Any, Transaction, any::AnyRow};
use valetkey_model::{
    Actor, Assistant, AssistantId, AssistantName, AssistantRef, IntegrationId, ProjectName, Projects,
};

use crate::{
    Store, StoreError,
    conditions::{Conditions, like},
    record::{BEFORE_ALL_IDS, Record, millis, to_json},
};

/// Which assistants [`Store::assistants_page`] returns.
#[derive(Debug, Clone, Copy, Default)]
pub struct AssistantFilter<'a> {
    /// Only those of this project.
    pub project: Option<&'a ProjectName>,
    /// Only those with this in their name or description, ignoring case.
    pub text: Option<&'a str>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, project, owner, name, description, instructions, agent, tools, created_at, updated_at ",
            "FROM assistants ",
            $rest
        )
    };
}

const NAME_TAKEN: &str = "an assistant with this name exists already in the project; choose another name";

impl Store {
    /// Stores a new assistant.
    ///
    /// # Errors
    /// `Conflict` when its name is taken in its project, ignoring case; `NotFound` when the project does not exist.
    pub async fn insert_assistant(&self, new: &Assistant) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO assistants (id, project, owner, name, name_folded, description, instructions, agent, tools, \
             created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(new.id.as_str())
        .bind(new.project.as_str())
        .bind(new.owner.as_str())
        .bind(new.name.as_str())
        .bind(new.name.folded())
        .bind(new.description.as_str())
        .bind(new.instructions.as_str())
        .bind(new.agent.as_ref().map(to_json))
        .bind(to_json(&new.tools))
        .bind(millis(new.created_at))
        .bind(millis(new.updated_at))
        .execute(&mut *tx)
        .await
        .map_err(|e| StoreError::of_write(e, NAME_TAKEN, "project"))?;
        note_pins(&mut tx, new).await?;
        Ok(tx.commit().await?)
    }

    /// Stores an assistant as it is now; its project and owner stay as they were.
    ///
    /// # Errors
    /// `Conflict` as with [`insert_assistant`](Self::insert_assistant); `NotFound` when there is none with this id.
    pub async fn update_assistant(&self, changed: &Assistant) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE assistants SET name = $2, name_folded = $3, description = $4, instructions = $5, agent = $6, \
             tools = $7, updated_at = $8 WHERE id = $1",
        )
        .bind(changed.id.as_str())
        .bind(changed.name.as_str())
        .bind(changed.name.folded())
        .bind(changed.description.as_str())
        .bind(changed.instructions.as_str())
        .bind(changed.agent.as_ref().map(to_json))
        .bind(to_json(&changed.tools))
        .bind(millis(changed.updated_at))
        .execute(&mut *tx)
        .await
        .map_err(|e| StoreError::of_write(e, NAME_TAKEN, "project"))?;
        if done.rows_affected() == 0 {
            return Err(StoreError::NotFound("assistant"));
        }
        let query = "DELETE FROM assistant_pins WHERE assistant = $1";
        sqlx::query(query).bind(changed.id.as_str()).execute(&mut *tx).await?;
        note_pins(&mut tx, changed).await?;
        Ok(tx.commit().await?)
    }

    /// Deletes an assistant; `false` if there is none with this id. The sessions that were started from it keep its name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_assistant(&self, id: &AssistantId) -> Result<bool, StoreError> {
        let query = sqlx::query("DELETE FROM assistants WHERE id = $1").bind(id.as_str());
        Ok(query.execute(&self.writer).await?.rows_affected() == 1)
    }

    /// The assistant with this id.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn assistant(&self, id: &AssistantId) -> Result<Option<Assistant>, StoreError> {
        let query = sqlx::query(select!("WHERE id = $1")).bind(id.as_str());
        query.fetch_optional(&self.reader).await?.as_ref().map(assistant).transpose()
    }

    /// The assistant of a project that goes by this id or name.
    ///
    /// # Errors
    /// When the database does not answer or the record is damaged.
    pub async fn assistant_named(
        &self,
        project: &ProjectName,
        which: &AssistantRef,
    ) -> Result<Option<Assistant>, StoreError> {
        let query = match which {
            AssistantRef::Id(id) => {
                sqlx::query(select!("WHERE project = $1 AND id = $2")).bind(project.as_str()).bind(id.as_str())
            }
            AssistantRef::Name(name) => sqlx::query(select!("WHERE project = $1 AND name_folded = $2"))
                .bind(project.as_str())
                .bind(name.folded()),
        };
        query.fetch_optional(&self.reader).await?.as_ref().map(assistant).transpose()
    }

    /// Up to `limit` of the assistants of somebody's projects that pass the filter, in the order in which they were made,
    /// from the one behind `after`.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn assistants_page(
        &self,
        by: &Actor,
        filter: &AssistantFilter<'_>,
        after: Option<&AssistantId>,
        limit: u32,
    ) -> Result<Vec<Assistant>, StoreError> {
        let mut query = Conditions::new(select!("WHERE id IS NOT NULL"));
        query.and("id >", after.map_or(BEFORE_ALL_IDS, AssistantId::as_str));
        match by.projects() {
            Projects::All => {}
            Projects::These(projects) => query.and_in("project", projects.into_iter().map(ProjectName::as_str)),
        }
        query.and_if("project =", filter.project.map(ProjectName::as_str));
        if let Some(text) = filter.text.map(str::trim).filter(|text| !text.is_empty()) {
            let text = query.bind(like(text));
            query.push(&format!(
                " AND (name_folded LIKE {text} ESCAPE '!' OR lower(description) LIKE {text} ESCAPE '!')"
            ));
        }
        let limit = query.bind(i64::from(limit));
        query.push(&format!(" ORDER BY id LIMIT {limit}"));
        query.fetch(&self.reader).await?.iter().map(assistant).collect()
    }

    /// The assistants that pin an integration, each with its project and name, in the order in which they were made.
    ///
    /// # Errors
    /// When the database does not answer or a record is damaged.
    pub async fn assistants_pinning(
        &self,
        integration: &IntegrationId,
    ) -> Result<Vec<(AssistantId, ProjectName, AssistantName)>, StoreError> {
        let query = "SELECT id, project, name FROM assistants JOIN assistant_pins ON assistant = id \
                     WHERE integration = $1 ORDER BY id";
        let rows = sqlx::query(query).bind(integration.as_str()).fetch_all(&self.reader).await?;
        let pinning = |row: &AnyRow| {
            let record = Record::new(row, "assistant", "id");
            Ok((record.parsed("id")?, record.parsed("project")?, record.parsed("name")?))
        };
        rows.iter().map(pinning).collect()
    }
}

async fn note_pins(tx: &mut Transaction<'_, Any>, of: &Assistant) -> Result<(), StoreError> {
    for (_, pin) in of.tools.pins() {
        // Somebody might pin one integration twice.
        let query = "INSERT INTO assistant_pins (assistant, integration) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        sqlx::query(query).bind(of.id.as_str()).bind(pin.integration.as_str()).execute(&mut **tx).await?;
    }
    Ok(())
}

fn assistant(row: &AnyRow) -> Result<Assistant, StoreError> {
    let record = Record::new(row, "assistant", "id");
    Ok(Assistant {
        id: record.parsed("id")?,
        project: record.parsed("project")?,
        name: record.parsed("name")?,
        description: record.get("description")?,
        owner: record.parsed("owner")?,
        instructions: record.get("instructions")?,
        agent: record.json_or_none("agent")?,
        tools: record.json("tools")?,
        created_at: record.time("created_at")?,
        updated_at: record.time("updated_at")?,
    })
}
