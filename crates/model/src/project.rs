use std::{borrow::Cow, str::FromStr};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Actor, Problem, ProblemCode, ProjectName, PushPattern, ids::NameError};

/// A project: repositories, people and what is shared between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its name, which is its key.
    pub name: ProjectName,
    /// What it is for; may be empty.
    pub description: Description,
    /// What its sessions begin with.
    pub settings: ProjectSettings,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a project's sessions begin with when they do not say otherwise, and must keep to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProjectSettings {
    /// The agent of sessions that name none: program and arguments. The server's own if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_agent: Option<Vec<String>>,
    /// How push branches are named: that of a session which names none, and a rule for those that are named. With none
    /// they are `valetkey/…`, and any may be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_pattern: Option<PushPattern>,
}

/// What people say of a project: at most 1,000 characters on any number of lines, nothing hidden.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Description(String);

const LONGEST_DESCRIPTION: usize = 1000;

impl Description {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Description {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let text = text.trim().replace("\r\n", "\n");
        if text.chars().count() > LONGEST_DESCRIPTION {
            return Err(NameError::new("description", "must be at most 1000 characters"));
        }
        if text.chars().any(|c| c != '\n' && crate::is_deceptive(c)) {
            return Err(NameError::new(
                "description",
                "must not hold control, zero-width or text-direction characters",
            ));
        }
        Ok(Self(text))
    }
}

impl TryFrom<String> for Description {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Description> for String {
    fn from(description: Description) -> String {
        description.0
    }
}

impl JsonSchema for Description {
    fn schema_name() -> Cow<'static, str> {
        "Description".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "maxLength": LONGEST_DESCRIPTION })
    }
}

/// Who may make projects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProjectCreation {
    /// Whoever is signed in.
    #[default]
    Everyone,
    /// Administrators of the instance.
    Administrators,
}

impl ProjectCreation {
    /// Refuses whoever may not make a project.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn require(self, by: &Actor) -> Result<(), Problem> {
        let forbidden = |detail: &str| Err(Problem::new(ProblemCode::Forbidden, detail));
        if by.limits().project.is_some() {
            return forbidden("This token is for one project alone; it can't make another.");
        }
        if self == Self::Administrators && !by.is_administrator() {
            return forbidden("Only an administrator may make projects here. Ask one of them.");
        }
        Ok(())
    }
}

impl FromStr for ProjectCreation {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text {
            "everyone" => Ok(Self::Everyone),
            "administrators" => Ok(Self::Administrators),
            _ => Err(NameError::new("project_creation", "must be everyone or administrators")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn a_description_may_have_lines_but_nothing_hidden() {
        assert_eq!(" Two\r\nlines ".parse::<Description>().unwrap().as_str(), "Two\nlines");
        for bad in ["a\u{202e}b", "a\u{1b}[2J", "a\u{200b}", &"x".repeat(1001)] {
            assert!(bad.parse::<Description>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn who_may_make_projects() {
        let eve = Actor::new("eve".parse().unwrap(), false, std::collections::BTreeMap::new());
        assert!(ProjectCreation::Everyone.require(&eve).is_ok());
        assert!(ProjectCreation::Administrators.require(&eve).is_err());
        assert!(ProjectCreation::Administrators.require(&Actor::admin()).is_ok());
        let token = Actor::admin().limited(Limits { project: Some("p".parse().unwrap()), read_only: false });
        assert!(ProjectCreation::Everyone.require(&token).is_err());
    }

    #[test]
    fn settings_that_are_not_made_are_not_written() {
        assert_eq!(serde_json::to_string(&ProjectSettings::default()).unwrap(), "{}");
        let text = r#"{"defaultAgent":["a","{task}"],"pushPattern":"agents/{session}"}"#;
        let settings: ProjectSettings = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&settings).unwrap(), text);
        assert!(serde_json::from_str::<ProjectSettings>(r#"{"pushPattern":"agents"}"#).is_err());
    }
}
