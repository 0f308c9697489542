use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Actor, AssistantId, AssistantName, Integration, IntegrationId, IntegrationRef, OwnerScope, Problem, ProblemCode,
    ProjectName, ProviderKind, Query, Reason, Resolution, Role, UserId, resolve,
};

/// A named agent set-up in a project: what the agent is told, which program it is, which tools it may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assistant {
    /// Its id.
    pub id: AssistantId,
    /// Its project. Never changes.
    pub project: ProjectName,
    /// Its name, unique in the project.
    pub name: AssistantName,
    /// What it is for, in a sentence or two.
    pub description: String,
    /// Who made it.
    pub owner: UserId,
    /// What the agent is told besides the task.
    pub instructions: String,
    /// The agent's program and arguments; the server's own agent if none.
    pub agent: Option<Vec<String>>,
    /// What it may use.
    pub tools: Tools,
    /// When it was made.
    pub created_at: Timestamp,
    /// When anything of it last changed.
    pub updated_at: Timestamp,
}

impl Assistant {
    /// Refuses whoever may not change it: it is for who made it, and for the admins of its project.
    ///
    /// # Errors
    /// As [`Actor::require`].
    pub fn require_to_change(&self, by: &Actor) -> Result<(), Problem> {
        by.require(if self.owner == by.user { Role::Member } else { Role::Admin }, &self.project)
    }
}

/// The assistant that a session was started from, as it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartedFrom {
    /// Its id.
    pub id: AssistantId,
    /// Its name.
    pub name: AssistantName,
    /// What it told the agent.
    pub instructions: String,
    /// What it let the session use.
    pub tools: Tools,
}

impl From<Assistant> for StartedFrom {
    fn from(assistant: Assistant) -> Self {
        let Assistant { id, name, instructions, tools, .. } = assistant;
        Self { id, name, instructions, tools }
    }
}

/// The tools that an assistant may use, each a provider with its slot.
///
/// One that lists none may use what a session without an assistant may: every provider, each automatic. One that lists
/// some may use these and no others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tools(BTreeMap<ProviderKind, Slot>);

/// Which integration of a provider serves an assistant's sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "slot", rename_all = "snake_case")]
pub enum Slot {
    /// The one that [`resolve`](fn@resolve) finds for whoever starts the session.
    Automatic,
    /// This one, and no other.
    Pinned(Pin),
    /// None: the provider is not for this assistant.
    None,
}

/// An integration that is pinned. Whether it may be used is decided when it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pin {
    /// Which.
    pub integration: IntegrationId,
    /// Whose alone it is, if it is not the project's. The owner and level of an integration never change, so this tells
    /// others that it is not theirs without telling them whether it is still there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_to: Option<UserId>,
}

/// What a slot comes to for somebody, as things are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotState {
    /// The provider is not for this assistant.
    Off,
    /// A session of theirs would use this integration.
    Ready {
        /// Which.
        integration: Box<Integration>,
        /// Why this one, for people.
        reason: String,
    },
    /// Several integrations would do. That of a repository is found by its host; for the agent, one must be marked default.
    Several,
    /// Nothing is connected, or what was pinned was disconnected.
    Missing(Problem),
    /// There is something, but a session of theirs can't use it.
    Unusable(Problem),
}

/// The state of a [`Slot`] in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlotStatus {
    /// The provider is not for this assistant.
    Off,
    /// There is an integration for it.
    Ready,
    /// Several would do: that of a repository is found by its host; for the agent, one must be marked default.
    Several,
    /// Nothing is connected, or what was pinned was disconnected.
    Missing,
    /// There is something, but the caller's sessions can't use it.
    Unusable,
}

const OPEN: Slot = Slot::Automatic;
const CLOSED: Slot = Slot::None;

impl Tools {
    /// These tools and no others; every provider if there are none.
    pub fn new(listed: BTreeMap<ProviderKind, Slot>) -> Self {
        Self(listed)
    }

    /// Whether no tool is listed, so that it may use what a session without an assistant may.
    pub fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// The slot of a provider, whether it is listed or not.
    pub fn slot(&self, provider: ProviderKind) -> &Slot {
        if self.is_open() { &OPEN } else { self.0.get(&provider).unwrap_or(&CLOSED) }
    }

    /// Whether a provider's repositories are to be read without an integration: it is listed, and has none.
    pub fn goes_without(&self, provider: ProviderKind) -> bool {
        self.0.get(&provider) == Some(&Slot::None)
    }

    /// The tools that are listed.
    pub fn listed(&self) -> impl Iterator<Item = (ProviderKind, &Slot)> {
        self.0.iter().map(|(provider, slot)| (*provider, slot))
    }

    /// The integrations that are pinned.
    pub fn pins(&self) -> impl Iterator<Item = (ProviderKind, &Pin)> {
        self.listed().filter_map(|(provider, slot)| match slot {
            Slot::Pinned(pin) => Some((provider, pin)),
            Slot::Automatic | Slot::None => None,
        })
    }

    /// Whether this very integration is pinned.
    pub fn pin(&self, integration: &IntegrationId) -> bool {
        self.pins().any(|(_, pin)| pin.integration == *integration)
    }

    /// The integration that serves a provider in sessions of `by`, of `all` that [they could use](Actor::uses) in
    /// `project`; none if the provider is not for this assistant.
    ///
    /// # Errors
    /// `forbidden` for somebody who may not start sessions there; `integration_unusable` for another's that is pinned;
    /// `integration_missing` for a pinned one that was disconnected; otherwise as [`resolve`](fn@resolve).
    pub fn find<'a>(
        &self,
        provider: ProviderKind,
        all: &'a [Integration],
        by: &Actor,
        project: &ProjectName,
    ) -> Result<Option<Resolution<'a>>, Problem> {
        let query = Query { caller: by, project, explicit: None, provider: Some(provider), instance: None };
        let slot = self.slot(provider);
        if *slot != Slot::None {
            by.require(Role::Member, project)?;
        }
        match slot {
            Slot::None => Ok(None),
            Slot::Automatic => resolve(all, query).map(Some),
            Slot::Pinned(pin) => pin.find(provider, all, query).map(Some),
        }
    }

    /// What [`find`](Self::find) comes to, for people.
    pub fn state(&self, provider: ProviderKind, all: &[Integration], by: &Actor, project: &ProjectName) -> SlotState {
        match self.find(provider, all, by, project) {
            Ok(None) => SlotState::Off,
            Ok(Some(Resolution { integration, reason, .. })) => {
                SlotState::Ready { reason: reason.told(integration), integration: Box::new(integration.clone()) }
            }
            Err(problem) if problem.code == ProblemCode::IntegrationAmbiguous => SlotState::Several,
            Err(problem) if problem.code == ProblemCode::IntegrationMissing => SlotState::Missing(problem),
            Err(problem) => SlotState::Unusable(problem),
        }
    }

    /// Refuses an integration that was found for a repository, where this assistant may not use it.
    ///
    /// # Errors
    /// `integration_unusable`.
    pub fn admit(&self, integration: &Integration) -> Result<(), Problem> {
        let provider = integration.provider;
        let detail = match self.slot(provider) {
            Slot::Automatic => return Ok(()),
            Slot::Pinned(pin) if pin.integration == integration.id => return Ok(()),
            Slot::Pinned(_) => format!(
                "The assistant is pinned to another {provider} integration than '{}' at {}.",
                integration.alias, integration.instance_url
            ),
            Slot::None => format!("{provider} is not among the tools of this assistant."),
        };
        Err(Problem::new(ProblemCode::IntegrationUnusable, detail)
            .remedy("Change the assistant's tools, or start the session without it.")
            .by(provider))
    }
}

impl Pin {
    /// Pins an integration.
    pub fn to(integration: &Integration) -> Self {
        let private_to = match integration.scope {
            OwnerScope::Project(_) => None,
            OwnerScope::User(_) | OwnerScope::UserGlobal => Some(integration.owner.clone()),
        };
        Self { integration: integration.id.clone(), private_to }
    }

    fn find<'a>(
        &self,
        provider: ProviderKind,
        all: &'a [Integration],
        query: Query<'_>,
    ) -> Result<Resolution<'a>, Problem> {
        if self.private_to.as_ref().is_some_and(|owner| *owner != query.caller.user) {
            let detail = format!("The slot for {provider} is pinned to somebody's private integration.");
            return Err(Problem::new(ProblemCode::IntegrationUnusable, detail)
                .remedy("Ask who made the assistant to pin one of the project's, or make an assistant of your own.")
                .by(provider));
        }
        if !all.iter().any(|it| it.id == self.integration && !it.removing) {
            let detail = format!("The integration that is pinned for {provider} was disconnected.");
            return Err(Problem::new(ProblemCode::IntegrationMissing, detail)
                .remedy("Choose another for this assistant.")
                .by(provider));
        }
        let explicit = IntegrationRef::Id(self.integration.clone());
        let found = resolve(all, Query { explicit: Some(&explicit), ..query })?;
        Ok(Resolution { reason: Reason::Pinned, ..found })
    }
}

impl SlotState {
    /// The state in a word.
    pub fn status(&self) -> SlotStatus {
        match self {
            Self::Off => SlotStatus::Off,
            Self::Ready { .. } => SlotStatus::Ready,
            Self::Several => SlotStatus::Several,
            Self::Missing(_) => SlotStatus::Missing,
            Self::Unusable(_) => SlotStatus::Unusable,
        }
    }

    /// Why it is as it is; nothing for a provider that is not for the assistant.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Off => None,
            Self::Ready { reason, .. } => Some(reason),
            Self::Several => Some("Several are connected and none is marked default; a repository's host decides."),
            Self::Missing(problem) | Self::Unusable(problem) => Some(&problem.detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integration::tests::integration;

    const GITLAB: ProviderKind = ProviderKind::GitLab;

    fn project() -> ProjectName {
        "p".parse().unwrap()
    }

    fn somebody(name: &str, role: Role) -> Actor {
        Actor::new(name.parse().unwrap(), false, [(project(), role)].into())
    }

    fn with(slot: Slot) -> Tools {
        Tools::new([(GITLAB, slot)].into())
    }

    /// The first is Ann's own, the second the project's.
    fn two() -> [Integration; 2] {
        let mut all = [1, 2].map(|n| integration(n, "https://gitlab.com"));
        all[0].owner = "ann".parse().unwrap();
        all[1].scope = OwnerScope::Project(project());
        all
    }

    fn status(tools: &Tools, all: &[Integration], by: &Actor) -> SlotStatus {
        tools.state(GITLAB, all, by, &project()).status()
    }

    #[test]
    fn no_list_is_everything_and_a_list_is_exactly_that() {
        let jira = Tools::new([(ProviderKind::Jira, Slot::Automatic)].into());
        assert_eq!((Tools::default().slot(GITLAB), jira.slot(GITLAB)), (&Slot::Automatic, &Slot::None));
        let ann = somebody("ann", Role::Member);
        assert_eq!(status(&jira, &two(), &ann), SlotStatus::Off);
        assert_eq!(jira.admit(&two()[1]).unwrap_err().code, ProblemCode::IntegrationUnusable);
        assert!(Tools::default().admit(&two()[1]).is_ok());
    }

    #[test]
    fn automatic_is_what_the_caller_would_get_anyway() {
        let all = two();
        let found = |who| {
            let tools = with(Slot::Automatic);
            tools.find(GITLAB, &all, &somebody(who, Role::Member), &project()).unwrap().unwrap().integration.id.clone()
        };
        assert_eq!((found("ann"), found("bob")), (all[0].id.clone(), all[1].id.clone()));
        assert_eq!(status(&with(Slot::Automatic), &[], &somebody("ann", Role::Member)), SlotStatus::Missing);
    }

    #[test]
    fn several_that_would_do_are_not_missing() {
        let mut all = [1, 2].map(|n| integration(n, "https://gitlab.com"));
        all[1].instance_url = "https://gitlab.example.com".parse().unwrap();
        assert_eq!(status(&with(Slot::Automatic), &all, &Actor::admin()), SlotStatus::Several);
    }

    #[test]
    fn a_pin_is_taken_or_refused_and_never_replaced_by_another() {
        let all = two();
        let (ann, bob) = (somebody("ann", Role::Member), somebody("bob", Role::Member));
        let (anns, projects) = (with(Slot::Pinned(Pin::to(&all[0]))), with(Slot::Pinned(Pin::to(&all[1]))));
        assert_eq!((status(&anns, &all, &ann), status(&projects, &all, &bob)), (SlotStatus::Ready, SlotStatus::Ready));
        assert_eq!(status(&anns, &all, &bob), SlotStatus::Unusable);
        assert_eq!(status(&anns, &all[1..], &ann), SlotStatus::Missing, "although the project has one");
        assert!(anns.admit(&all[0]).is_ok() && anns.admit(&all[1]).is_err());
    }

    #[test]
    fn nobody_learns_from_a_pin_whether_anothers_integration_is_still_there() {
        let all = two();
        let anns = with(Slot::Pinned(Pin::to(&all[0])));
        let bob = somebody("bob", Role::Member);
        assert_eq!(anns.state(GITLAB, &all, &bob, &project()), anns.state(GITLAB, &[], &bob, &project()));
    }

    #[test]
    fn whoever_only_looks_is_told_that_sessions_are_not_for_them() {
        let all = two();
        for slot in [Slot::Automatic, Slot::Pinned(Pin::to(&all[1]))] {
            let SlotState::Unusable(problem) =
                with(slot).state(GITLAB, &all, &somebody("eve", Role::Viewer), &project())
            else {
                panic!("usable");
            };
            assert_eq!(problem.code, ProblemCode::Forbidden);
        }
    }

    #[test]
    fn a_pin_of_another_provider_is_not_used() {
        let all = two();
        let tools = Tools::new([(ProviderKind::GitHub, Slot::Pinned(Pin::to(&all[1])))].into());
        let found = tools.find(ProviderKind::GitHub, &all, &somebody("ann", Role::Member), &project());
        assert_eq!(found.unwrap_err().code, ProblemCode::IntegrationUnusable);
    }

    #[test]
    fn slots_come_back_from_json() {
        let mut tools = Tools::new(ProviderKind::ALL.map(|provider| (provider, Slot::None)).into());
        tools.0.insert(GITLAB, Slot::Pinned(Pin::to(&two()[0])));
        tools.0.insert(ProviderKind::Jira, Slot::Automatic);
        let json = serde_json::to_value(&tools).unwrap();
        assert_eq!(json["jira"], serde_json::json!({"slot": "automatic"}));
        assert_eq!(json["gitlab"]["privateTo"], "ann");
        assert_eq!(serde_json::from_value::<Tools>(json).unwrap(), tools);
    }
}
