//! The tools of an assistant as the form and the lists show them.

use serde::Serialize;
use valetkey_model::{
    Actor, Assistant, Integration, OwnerScope, ProjectName, ProviderKind, Slot, SlotState, SlotStatus, Tools,
};

/// What the form sends for a slot that is not pinned.
pub(super) const AUTOMATIC: &str = "automatic";
pub(super) const NONE: &str = "none";

/// A tool in a list.
#[derive(Debug, Serialize)]
pub(super) struct Tool {
    slug: &'static str,
    name: &'static str,
    status: SlotStatus,
    /// The integration that the caller's sessions would use.
    alias: Option<String>,
    why: Option<String>,
}

/// The tools that an assistant lists, without those that are not for it.
pub(super) fn tools(of: &Assistant, all: &[Integration], by: &Actor) -> Vec<Tool> {
    let tool = |(provider, _): (ProviderKind, &Slot)| {
        let state = of.tools.state(provider, all, by, &of.project);
        let alias = match &state {
            SlotState::Ready { integration, .. } => Some(integration.alias.to_string()),
            _ => None,
        };
        let (status, why) = (state.status(), state.why().map(str::to_owned));
        Tool { slug: provider.slug(), name: provider.name(), status, alias, why }
    };
    of.tools.listed().map(tool).filter(|tool| tool.status != SlotStatus::Off).collect()
}

/// A slot in the form.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    slug: &'static str,
    name: &'static str,
    /// What automatic comes to now, for an option of the choice.
    automatic: String,
    /// Why it comes to that.
    why: Option<String>,
    options: Vec<Choice>,
    /// What is chosen.
    value: String,
    /// What is wrong with what is chosen.
    problem: Option<String>,
}

/// An integration to pin.
#[derive(Debug, Serialize)]
pub(super) struct Choice {
    id: String,
    words: String,
}

/// Where the rows stand: what is stored, and what the caller's sessions could use.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) by: &'a Actor,
    pub(super) project: &'a ProjectName,
    pub(super) all: &'a [Integration],
    pub(super) known: &'a Tools,
}

impl Row {
    /// `value` is what is chosen: a word of the form, or an integration's id.
    pub(super) fn new(provider: ProviderKind, value: &str, on: Ground<'_>) -> Self {
        let automatic = Tools::default().state(provider, on.all, on.by, on.project);
        let usable = on.all.iter().filter(|it| it.provider == provider && on.by.uses(it, on.project));
        let mut options: Vec<_> = usable.map(Choice::new).collect();
        let mut problem = None;
        if ![AUTOMATIC, NONE].contains(&value) && options.iter().all(|choice| choice.id != value) {
            // What is pinned stays, whoever edits the rest.
            let state = on.known.state(provider, on.all, on.by, on.project);
            let words = if state.status() == SlotStatus::Missing {
                "Missing integration"
            } else {
                "Somebody's own integration"
            };
            options.push(Choice { id: value.to_owned(), words: words.to_owned() });
            problem = state.why().map(str::to_owned);
        }
        let words = match &automatic {
            SlotState::Ready { integration, .. } => format!("Automatic: {}", integration.alias),
            SlotState::Several => "Automatic: by the repository's host".to_owned(),
            SlotState::Off | SlotState::Missing(_) | SlotState::Unusable(_) => "Automatic: nothing yet".to_owned(),
        };
        Self {
            slug: provider.slug(),
            name: provider.name(),
            automatic: words,
            why: automatic.why().map(str::to_owned),
            options,
            value: value.to_owned(),
            problem,
        }
    }
}

impl Choice {
    fn new(integration: &Integration) -> Self {
        let Integration { id, alias, scope, .. } = integration;
        let whose = match scope {
            OwnerScope::Project(_) => "the project's",
            OwnerScope::User(_) | OwnerScope::UserGlobal => "yours alone",
        };
        Self { id: id.to_string(), words: format!("{alias} ({whose})") }
    }
}

/// What the form has chosen for a provider's slot.
pub(super) fn chosen(tools: &Tools, provider: ProviderKind) -> String {
    match tools.slot(provider) {
        Slot::Automatic => AUTOMATIC.to_owned(),
        Slot::None => NONE.to_owned(),
        Slot::Pinned(pin) => pin.integration.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use valetkey_model::{Pin, Role};

    use super::{
        super::tests::{assistant, integrations},
        *,
    };

    fn row(all: &[Integration], known: &Tools, provider: ProviderKind, value: &str) -> Row {
        let (by, project) = (Actor::admin(), ProjectName::default_project());
        Row::new(provider, value, Ground { by: &by, project: &project, all, known })
    }

    #[test]
    fn a_row_offers_what_the_caller_could_use_and_says_what_automatic_is() {
        let all = integrations();
        let row = row(&all, &Tools::default(), ProviderKind::GitLab, AUTOMATIC);
        let words: Vec<_> = row.options.iter().map(|choice| &*choice.words).collect();
        assert_eq!(words, ["john@gitlab.com (yours alone)", "Release bot (the project's)"]);
        assert_eq!((&*row.automatic, row.problem), ("Automatic: john@gitlab.com", None));
    }

    #[test]
    fn what_is_pinned_stays_chosen_when_it_is_gone_or_not_the_callers() {
        let known = assistant(1).tools;
        let gone = chosen(&known, ProviderKind::Jira);
        let missing = row(&integrations(), &known, ProviderKind::Jira, &gone);
        assert_eq!((&*missing.options[0].id, &*missing.options[0].words), (&*gone, "Missing integration"));
        assert!(missing.problem.unwrap().contains("was disconnected"));

        let mut anns = integrations().remove(0);
        anns.owner = "ann".parse().unwrap();
        let known = Tools::new([(ProviderKind::GitLab, Slot::Pinned(Pin::to(&anns)))].into());
        let foreign = row(&[], &known, ProviderKind::GitLab, anns.id.as_str());
        assert_eq!(foreign.options[0].words, "Somebody's own integration");
        assert!(!foreign.problem.unwrap().contains(anns.alias.as_str()), "its name is not told");
    }

    #[test]
    fn a_list_shows_the_tools_that_are_for_the_assistant() {
        let viewer = Actor::new("eve".parse().unwrap(), false, [(ProjectName::default_project(), Role::Viewer)].into());
        let shown = tools(&assistant(1), &integrations(), &Actor::admin());
        let states: Vec<_> = shown.iter().map(|tool| (tool.slug, tool.status)).collect();
        assert_eq!(
            states,
            [("gitlab", SlotStatus::Ready), ("jira", SlotStatus::Missing), ("slack", SlotStatus::Ready)]
        );
        let shown = tools(&assistant(1), &integrations(), &viewer);
        assert!(shown.iter().all(|tool| tool.status == SlotStatus::Unusable && tool.alias.is_none()));
    }
}
