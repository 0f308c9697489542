use std::{collections::BTreeMap, fmt, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{
    Actor, Assistant, AssistantId, AssistantName, AssistantRef, Clock, Entropy, Integration, IntegrationRef, Pin,
    Problem, ProblemCode, ProjectName, ProviderKind, Query, Role, Slot, SlotState, Tools, resolve,
};
use valetkey_store::{AssistantFilter, Store};

use crate::{NewAgent, slots::Toolbox};

/// Everything there is to do with assistants. Cheap to clone.
#[derive(Clone)]
pub struct Assistants {
    store: Store,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for Assistants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assistants")
    }
}

/// What an assistant is to be.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewAssistant {
    /// Its name, unique in the project; at most 100 visible characters.
    pub name: AssistantName,
    /// What it is for; at most 500 characters.
    #[serde(default)]
    pub description: String,
    /// What the agent is told besides the task; at most 20 KiB.
    #[serde(default)]
    pub instructions: String,
    /// The agent to run; the server's own if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<NewAgent>,
    /// What it may use: these and no others. If none is listed, whatever a session without an assistant may.
    #[serde(default)]
    pub tools: BTreeMap<ProviderKind, NewSlot>,
    /// Whether to store it although some of its tools have no integration for the caller.
    #[serde(default)]
    pub accept_missing: bool,
}

/// Which integration of a provider serves an assistant's sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "slot", rename_all = "snake_case", deny_unknown_fields)]
pub enum NewSlot {
    /// The one that is found for whoever starts the session.
    Automatic,
    /// This one, and no other.
    Pinned {
        /// Its id or alias.
        integration: IntegrationRef,
    },
    /// None.
    None,
}

/// What became of an assistant that somebody wants to store.
#[derive(Debug)]
pub enum Saved {
    /// It is stored, though these tools have no integration for who stored it.
    Done(Box<Assistant>, Vec<MissingTool>),
    /// It is not stored: these tools have no integration, and nobody said that this is well.
    Asks(Vec<MissingTool>),
}

/// A tool for which there is no integration that the caller's sessions could use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissingTool {
    /// Which.
    pub provider: ProviderKind,
    /// Why there is none.
    pub why: String,
}

const MAX_DESCRIPTION: usize = 500;
/// With the task (100 KiB) it must fit into the 128 KiB of one argument.
const MAX_INSTRUCTIONS: usize = 20 * 1024;
const MAX_COMMAND: usize = 64 * 1024;

impl Assistants {
    pub(crate) fn new(store: Store, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { store, clock, entropy }
    }

    /// Up to `limit` of the assistants of somebody's projects that pass the filter, oldest first, from the one behind
    /// `after`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn page(
        &self,
        by: &Actor,
        filter: &AssistantFilter<'_>,
        after: Option<&AssistantId>,
        limit: u32,
    ) -> Result<Vec<Assistant>, Problem> {
        Ok(self.store.assistants_page(by, filter, after, limit).await?)
    }

    /// An assistant that somebody may know of: of a project that they are in.
    ///
    /// # Errors
    /// `not_found`, also for one that is none of their business.
    pub async fn get(&self, by: &Actor, id: &AssistantId) -> Result<Assistant, Problem> {
        let found = self.store.assistant(id).await?.filter(|assistant| by.role(&assistant.project).is_some());
        found.ok_or_else(|| {
            Problem::new(ProblemCode::NotFound, "There is no such assistant, or it was deleted.")
                .remedy("`valetkey assistants list` shows those of a project.")
        })
    }

    /// The assistant of a project that goes by this id or name.
    ///
    /// # Errors
    /// `not_found`, also for a project that is none of their business.
    pub async fn named(&self, by: &Actor, project: &ProjectName, which: &AssistantRef) -> Result<Assistant, Problem> {
        by.require(Role::Viewer, project)?;
        self.store.assistant_named(project, which).await?.ok_or_else(|| {
            Problem::new(ProblemCode::NotFound, format!("The project '{project}' has no assistant '{which}'."))
                .remedy(format!("`valetkey assistants list --project {project}` shows those that it has."))
        })
    }

    /// The same, for whoever wants to change it: who made it, or an admin of its project.
    ///
    /// # Errors
    /// As [`named`](Self::named); `forbidden` for anybody else.
    pub async fn managed(&self, by: &Actor, project: &ProjectName, which: &AssistantRef) -> Result<Assistant, Problem> {
        let known = self.named(by, project, which).await?;
        known.require_to_change(by)?;
        Ok(known)
    }

    /// What somebody's sessions in a project could use: what the states of slots are made of.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn integrations(&self, by: &Actor, project: &ProjectName) -> Result<Vec<Integration>, Problem> {
        Ok(self.store.integrations_for(&by.user, project).await?)
    }

    /// Makes an assistant, theirs from then on.
    ///
    /// # Errors
    /// `invalid_input`; `not_found` for an unknown project; `forbidden` for somebody who is not a member of it;
    /// `conflict` for a name in use; `integration_unusable` for a pinned one that they can't use themselves.
    pub async fn create(&self, by: &Actor, project: &ProjectName, new: NewAssistant) -> Result<Saved, Problem> {
        by.require(Role::Member, project)?;
        if !self.store.project_exists(project).await? {
            return Err(Actor::no_project(project));
        }
        let now = self.clock.now();
        let assistant = Assistant {
            id: AssistantId::new(now, &*self.entropy),
            project: project.clone(),
            name: new.name.clone(),
            description: String::new(),
            owner: by.user.clone(),
            instructions: String::new(),
            agent: None,
            tools: Tools::default(),
            created_at: now,
            updated_at: now,
        };
        let (assistant, missing) = match self.fill(by, assistant, new).await? {
            Saved::Done(assistant, missing) => (assistant, missing),
            asks @ Saved::Asks(_) => return Ok(asks),
        };
        self.store.insert_assistant(&assistant).await?;
        Ok(Saved::Done(assistant, missing))
    }

    /// Changes an assistant; what is pinned already stays, even if the caller could not pin it.
    ///
    /// # Errors
    /// As [`create`](Self::create); `forbidden` for somebody else's, unless they are an admin of the project.
    pub async fn change(
        &self,
        by: &Actor,
        project: &ProjectName,
        which: &AssistantRef,
        new: NewAssistant,
    ) -> Result<Saved, Problem> {
        let known = self.managed(by, project, which).await?;
        let (mut assistant, missing) = match self.fill(by, known, new).await? {
            Saved::Done(assistant, missing) => (assistant, missing),
            asks @ Saved::Asks(_) => return Ok(asks),
        };
        assistant.updated_at = self.clock.now();
        self.store.update_assistant(&assistant).await?;
        Ok(Saved::Done(assistant, missing))
    }

    /// Deletes an assistant. Sessions that were started from it go on and keep its name.
    ///
    /// # Errors
    /// `not_found`; `forbidden` for somebody else's, unless they are an admin of the project.
    pub async fn delete(&self, by: &Actor, project: &ProjectName, which: &AssistantRef) -> Result<(), Problem> {
        let known = self.managed(by, project, which).await?;
        self.store.delete_assistant(&known.id).await?;
        Ok(())
    }

    /// The assistant that somebody wants to start a session from.
    ///
    /// # Errors
    /// `not_found`; `integration_unusable` or `integration_missing` where it is pinned to what they can't use, or what is
    /// there no more.
    pub(crate) async fn to_start(
        &self,
        by: &Actor,
        project: &ProjectName,
        which: &AssistantRef,
    ) -> Result<Assistant, Problem> {
        let assistant = self.named(by, project, which).await?;
        Toolbox::open(&self.store, by, project, assistant.tools.clone()).await?;
        Ok(assistant)
    }

    /// The assistant as it is wanted, checked, with its tools that have no integration.
    async fn fill(&self, by: &Actor, known: Assistant, new: NewAssistant) -> Result<Saved, Problem> {
        new.check()?;
        let all = self.store.integrations_for(&by.user, &known.project).await?;
        let mut slots = BTreeMap::new();
        for (provider, slot) in new.tools {
            let slot = match slot {
                NewSlot::Automatic => Slot::Automatic,
                NewSlot::None => Slot::None,
                NewSlot::Pinned { integration } => Slot::Pinned(pin(&known, provider, &integration, &all, by)?),
            };
            slots.insert(provider, slot);
        }
        let tools = Tools::new(slots);
        let missing = missing(&tools, &all, by, &known.project);
        if !missing.is_empty() && !new.accept_missing {
            return Ok(Saved::Asks(missing));
        }
        let filled = Assistant {
            name: new.name,
            description: new.description.trim().to_owned(),
            instructions: new.instructions.trim().to_owned(),
            agent: new.agent.map(|agent| agent.command),
            tools,
            ..known
        };
        Ok(Saved::Done(Box::new(filled), missing))
    }
}

/// Pins an integration that the caller's own sessions can use, or leaves one where it is.
fn pin(
    of: &Assistant,
    provider: ProviderKind,
    wanted: &IntegrationRef,
    all: &[Integration],
    by: &Actor,
) -> Result<Pin, Problem> {
    let known =
        of.tools.pins().find(|(slot, pin)| *slot == provider && IntegrationRef::Id(pin.integration.clone()) == *wanted);
    if let Some((_, pin)) = known {
        return Ok(pin.clone());
    }
    let query =
        Query { caller: by, project: &of.project, explicit: Some(wanted), provider: Some(provider), instance: None };
    Ok(Pin::to(resolve(all, query)?.integration))
}

fn missing(tools: &Tools, all: &[Integration], by: &Actor, project: &ProjectName) -> Vec<MissingTool> {
    let why = |provider| match tools.state(provider, all, by, project) {
        SlotState::Missing(problem) | SlotState::Unusable(problem) => Some(problem.detail),
        SlotState::Off | SlotState::Ready { .. } | SlotState::Several => None,
    };
    tools.listed().filter_map(|(provider, _)| Some(MissingTool { provider, why: why(provider)? })).collect()
}

impl NewAssistant {
    fn check(&self) -> Result<(), Problem> {
        let bad = |detail: &str| Err(Problem::new(ProblemCode::InvalidInput, detail));
        if self.description.chars().count() > MAX_DESCRIPTION || self.description.contains('\0') {
            return bad("The description must be at most 500 characters without NUL.");
        }
        if self.instructions.len() > MAX_INSTRUCTIONS || self.instructions.contains('\0') {
            return bad(
                "The instructions must be at most 20 KiB of text without NUL. Put long material into the repository.",
            );
        }
        let Some(NewAgent { command }) = &self.agent else { return Ok(()) };
        if command.first().is_none_or(String::is_empty) || command.iter().any(|word| word.contains('\0')) {
            return bad("The agent's command is empty or holds NUL. Give a program and its arguments.");
        }
        if command.iter().map(String::len).sum::<usize>() > MAX_COMMAND {
            return bad("The agent's command is longer than 64 KiB.");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_input_says_what_to_change() {
        for (body, part) in [
            (serde_json::json!({"name": " "}), "empty"),
            (serde_json::json!({"name": "a", "owner": "somebody"}), "unknown field"),
            (serde_json::json!({"name": "a", "description": "x".repeat(501)}), "500 characters"),
            (serde_json::json!({"name": "a", "instructions": "x".repeat(20 * 1024 + 1)}), "20 KiB"),
            (serde_json::json!({"name": "a", "instructions": "\0"}), "NUL"),
            (serde_json::json!({"name": "a", "agent": {"command": []}}), "command"),
            (serde_json::json!({"name": "a", "agent": {"command": ["a", "x".repeat(MAX_COMMAND)]}}), "64 KiB"),
            (serde_json::json!({"name": "a", "tools": {"telnet": {"slot": "automatic"}}}), "unknown variant"),
            (serde_json::json!({"name": "a", "tools": {"jira": {"slot": "pinned"}}}), "missing field"),
        ] {
            let read = serde_json::from_value::<NewAssistant>(body).map_err(|e| e.to_string());
            let error = read.and_then(|new| new.check().map_err(|problem| problem.detail)).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
