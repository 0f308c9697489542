//! The form for an assistant: what was typed, and what it asks for.

use std::collections::BTreeMap;

use serde::Serialize;
use valetkey_model::{Assistant, Integration, Problem, ProblemCode, ProviderKind, sentence};
use valetkey_sessions::{NewAgent, NewAssistant, NewSlot};

use super::slots::{self, AUTOMATIC, NONE};
use crate::pages::form::{Form, ProblemView};

/// A text field: what was typed, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Field {
    value: String,
    problem: Option<String>,
}

impl Field {
    fn new(value: impl Into<String>) -> Self {
        Self { value: value.into(), problem: None }
    }
}

/// Everything in the form, kept when something is wrong with it, so that nothing has to be typed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Draft {
    name: Field,
    description: String,
    instructions: String,
    agent: Field,
    /// Whether the tools are those of the rows, rather than all that there are.
    only: bool,
    /// What is chosen for each provider.
    #[serde(skip)]
    slots: BTreeMap<ProviderKind, String>,
    /// A refusal that is about no field in particular.
    problem: Option<ProblemView>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            name: Field::default(),
            description: String::new(),
            instructions: String::new(),
            agent: Field::default(),
            only: false,
            slots: ProviderKind::ALL.map(|provider| (provider, AUTOMATIC.to_owned())).into(),
            problem: None,
        }
    }
}

impl From<&Assistant> for Draft {
    fn from(known: &Assistant) -> Self {
        Self {
            name: Field::new(known.name.as_str()),
            description: known.description.clone(),
            instructions: known.instructions.clone(),
            agent: Field::new(known.agent.as_ref().map(shell_words::join).unwrap_or_default()),
            only: !known.tools.is_open(),
            slots: ProviderKind::ALL.map(|provider| (provider, slots::chosen(&known.tools, provider))).into(),
            problem: None,
        }
    }
}

impl Draft {
    pub(super) fn typed(form: &Form) -> Self {
        let slot = |provider: ProviderKind| match form.get(&format!("slot-{}", provider.slug())) {
            "" => (provider, NONE.to_owned()),
            value => (provider, value.to_owned()),
        };
        Self {
            name: Field::new(form.get("name")),
            description: form.get("description").to_owned(),
            instructions: form.get("instructions").replace("\r\n", "\n"),
            agent: Field::new(form.get("agent")),
            only: form.get("tools") == "only",
            slots: ProviderKind::ALL.map(slot).into(),
            problem: None,
        }
    }

    /// What is chosen for a provider.
    pub(super) fn slot(&self, provider: ProviderKind) -> &str {
        self.slots.get(&provider).map_or(NONE, String::as_str)
    }

    /// Of the tools that may yet be narrowed down, only those that are connected are chosen at first.
    pub(super) fn choose_connected(&mut self, all: &[Integration]) {
        for (provider, value) in self.slots.iter_mut().filter(|_| !self.only) {
            if all.iter().all(|it| it.provider != *provider) {
                NONE.clone_into(value);
            }
        }
    }

    /// Chooses an integration that was just connected for it.
    pub(super) fn choose(&mut self, integration: &Integration) {
        self.only = true;
        self.slots.insert(integration.provider, integration.id.to_string());
    }

    /// What to store; none if something is wrong, which is then noted.
    pub(super) fn read(&mut self, accept_missing: bool) -> Option<NewAssistant> {
        let name = self.name.value.parse().map_err(|error| self.name.problem = Some(sentence(&error))).ok();
        let agent = match shell_words::split(&self.agent.value) {
            Ok(command) => Some((!command.is_empty()).then_some(NewAgent { command })),
            Err(_) => {
                self.agent.problem = Some("A quotation mark is not closed.".to_owned());
                None
            }
        };
        let tools = self.tools()?;
        let (description, instructions) = (self.description.clone(), self.instructions.clone());
        Some(NewAssistant { name: name?, description, instructions, agent: agent?, tools, accept_missing })
    }

    fn tools(&mut self) -> Option<BTreeMap<ProviderKind, NewSlot>> {
        if !self.only {
            return Some(BTreeMap::new());
        }
        let slot = |(provider, value): (&ProviderKind, &String)| match value.as_str() {
            AUTOMATIC => Some((*provider, NewSlot::Automatic)),
            NONE => Some((*provider, NewSlot::None)),
            id => Some((*provider, NewSlot::Pinned { integration: id.parse().ok()? })),
        };
        let tools: Option<BTreeMap<_, _>> = self.slots.iter().map(slot).collect();
        if tools.is_none() {
            let problem = Problem::new(ProblemCode::InvalidInput, "One of the tools has a choice that there is not.");
            self.problem = Some((&problem).into());
        }
        tools
    }

    /// The refusal of what was read.
    pub(super) fn refuse(&mut self, problem: &Problem) {
        if problem.code == ProblemCode::Conflict {
            self.name.problem = Some(problem.detail.clone());
        } else {
            self.problem = Some(problem.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::assistant, *};

    #[test]
    fn a_form_says_what_the_assistant_is_to_be() {
        let form = "name=Bot&description=d&instructions=a%0D%0Ab&agent=sh+-c+%27a+b%27&tools=only&slot-gitlab=work\
                    &slot-jira=automatic&slot-slack=none";
        let new = Draft::typed(&Form::of(form)).read(true).unwrap();
        assert_eq!((new.name.as_str(), &*new.instructions, new.accept_missing), ("Bot", "a\nb", true));
        assert_eq!(new.agent.unwrap().command, ["sh", "-c", "a b"]);
        assert_eq!(new.tools[&ProviderKind::GitLab], NewSlot::Pinned { integration: "work".parse().unwrap() });
        assert_eq!(new.tools[&ProviderKind::Jira], NewSlot::Automatic);
        assert_eq!(
            (&new.tools[&ProviderKind::Slack], &new.tools[&ProviderKind::GitHub]),
            (&NewSlot::None, &NewSlot::None)
        );
        let all = Draft::typed(&Form::of(&form.replace("tools=only", "tools=all"))).read(false).unwrap();
        assert!(all.tools.is_empty(), "what the rows say does not count");
    }

    #[test]
    fn what_is_wrong_is_noted_where_it_is() {
        let mut draft = Draft::typed(&Form::of("name=&agent=%27&instructions=kept"));
        assert_eq!(draft.read(false).map(|new| new.name), None);
        assert!(draft.name.problem.is_some() && draft.agent.problem.is_some() && draft.instructions == "kept");
        let mut draft = Draft::typed(&Form::of("name=a&tools=only&slot-gitlab=%00"));
        assert!(draft.read(false).is_none() && draft.problem.is_some());
        draft.refuse(&Problem::new(ProblemCode::Conflict, "Taken."));
        assert_eq!(draft.name.problem.as_deref(), Some("Taken."));
    }

    #[test]
    fn what_is_not_connected_is_left_out_at_first() {
        let mut draft = Draft::default();
        draft.choose_connected(&super::super::tests::integrations());
        let [gitlab, slack, jira] = [ProviderKind::GitLab, ProviderKind::Slack, ProviderKind::Jira];
        assert_eq!([gitlab, slack, jira].map(|provider| draft.slot(provider)), [AUTOMATIC, AUTOMATIC, NONE]);
        let mut narrowed = Draft::from(&assistant(1));
        narrowed.choose_connected(&[]);
        assert_eq!(narrowed, Draft::from(&assistant(1)), "what was chosen stays");
    }

    #[test]
    fn what_is_stored_is_what_the_form_sends_again() {
        let known = assistant(1);
        let mut draft = Draft::from(&known);
        let new = draft.read(false).unwrap();
        assert_eq!((new.name, new.agent.unwrap().command), (known.name, known.agent.unwrap()));
        let (_, gone) = known.tools.pins().find(|(provider, _)| *provider == ProviderKind::Jira).unwrap();
        let integration = gone.integration.as_str().parse().unwrap();
        assert_eq!(new.tools[&ProviderKind::Jira], NewSlot::Pinned { integration });
        assert_eq!(new.tools[&ProviderKind::GitHub], NewSlot::None);
    }
}
