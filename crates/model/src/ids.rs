use std::{borrow::Cow, fmt, str::FromStr};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Entropy;

/// Why a name or id was refused. The text never repeats the input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {why}")]
pub struct NameError {
    what: &'static str,
    why: &'static str,
}

impl NameError {
    pub(crate) fn new(what: &'static str, why: &'static str) -> Self {
        Self { what, why }
    }
}

fn uuid_v7(now: Timestamp, entropy: &dyn Entropy) -> String {
    let mut random = [0; 10];
    entropy.fill(&mut random);
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A new id: a UUID of version 7, so ids sort by the time they were made.
            pub fn new(now: Timestamp, entropy: &dyn Entropy) -> Self {
                Self(uuid_v7(now, entropy))
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                uuid::Uuid::try_parse(text)
                    .map(|id| Self(id.to_string()))
                    .map_err(|_| NameError { what: $what, why: "is not a UUID" })
            }
        }

        text_type!($name);
    };
}

macro_rules! text_type {
    ($name:ident) => {
        impl $name {
            /// The text form.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string" })
            }
        }
    };
}

id!(
    /// Identifies an [`Integration`](crate::Integration).
    IntegrationId, "integration id"
);
id!(
    /// Identifies a [`Session`](crate::Session).
    SessionId, "session id"
);
id!(
    /// Identifies a [`Grant`](crate::Grant).
    GrantId, "grant id"
);
id!(
    /// Identifies an API token.
    TokenId, "token id"
);
id!(
    /// Identifies a secret that sessions are given.
    SecretId, "secret id"
);
id!(
    /// Identifies one run of a session engine (a process); sessions of an engine that died are found by it.
    EngineId, "engine id"
);

id!(
    /// Identifies an [`Assistant`](crate::Assistant).
    AssistantId, "assistant id"
);
id!(
    /// Identifies an authorization that a person was asked to give at a provider.
    OAuthAttemptId, "authorization id"
);
id!(
    /// Identifies an event in the life of an [`Integration`](crate::Integration).
    IntegrationEventId, "event id"
);
id!(
    /// Identifies a notification webhook of a project.
    WebhookId, "webhook id"
);
id!(
    /// Identifies a notification to one webhook: what its receiver knows as `webhook-id`.
    WebhookDeliveryId, "delivery id"
);

/// A person. Those who signed in by an identity provider have a UUID; the built-in administrator is [`UserId::admin`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(String);

impl UserId {
    /// The built-in administrator, `admin`.
    pub fn admin() -> Self {
        Self("admin".to_owned())
    }

    /// The id of somebody who signs in for the first time.
    pub fn new(now: Timestamp, entropy: &dyn Entropy) -> Self {
        Self(uuid_v7(now, entropy))
    }
}

impl FromStr for UserId {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        visible("user", text, 200)?;
        Ok(Self(text.to_owned()))
    }
}
text_type!(UserId);

/// A project's name: 1 to 63 of `a-z`, `0-9` and `-`, not at an end. Safe in URLs, paths and Kubernetes names.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProjectName(String);

impl ProjectName {
    /// The project that exists from the first start.
    pub fn default_project() -> Self {
        Self("default".to_owned())
    }
}

impl FromStr for ProjectName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError { what: "project name", why: "must be 1 to 63 of a-z, 0-9 and '-', not at an end" })
        }
    }
}
text_type!(ProjectName);

macro_rules! folded_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, reserved: $reserved:expr) => {
        $(#[$doc])*
        #[derive(Clone, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            const RESERVED: &[&str] = &$reserved;

            /// The form in which two are compared.
            pub fn folded(&self) -> String {
                self.0.to_lowercase()
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.folded() == other.folded()
            }
        }
        impl Eq for $name {}

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                let text = text.trim();
                visible($what, text, 100)?;
                if uuid::Uuid::try_parse(text).is_ok() {
                    return Err(NameError { what: $what, why: "must not look like an id" });
                }
                if Self::RESERVED.iter().any(|word| text.eq_ignore_ascii_case(word)) {
                    return Err(NameError { what: $what, why: "must not be a word that means something else" });
                }
                Ok(Self(text.to_owned()))
            }
        }
        text_type!($name);
    };
}

folded_name!(
    /// The name a person gives an integration. Compared ignoring case; at most 100 characters, all visible.
    Alias, "alias", reserved: [IntegrationChoice::NONE]
);
folded_name!(
    /// The name of an [`Assistant`](crate::Assistant). Compared ignoring case; at most 100 characters, all visible.
    AssistantName, "name", reserved: []
);

/// How a person names an integration: by its id or by its alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum IntegrationRef {
    /// By id.
    Id(IntegrationId),
    /// By alias, ignoring case.
    Alias(Alias),
}

impl FromStr for IntegrationRef {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) => text.parse().map(Self::Alias),
        }
    }
}

impl fmt::Display for IntegrationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Alias(alias) => alias.fmt(f),
        }
    }
}

/// What a person chose to serve a repository: text that is an integration's id or alias, or `none`. Without a choice, [`resolve`](fn@crate::resolve) decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum IntegrationChoice {
    /// This one.
    Integration(IntegrationRef),
    /// No integration, `none`: the repository is read as anybody may read it, and nothing is pushed to it.
    NoIntegration,
}

impl IntegrationChoice {
    /// The word for [`NoIntegration`](Self::NoIntegration).
    pub const NONE: &str = "none";
}

impl TryFrom<String> for IntegrationChoice {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<IntegrationChoice> for String {
    fn from(choice: IntegrationChoice) -> Self {
        choice.to_string()
    }
}

impl JsonSchema for IntegrationChoice {
    fn schema_name() -> Cow<'static, str> {
        "IntegrationChoice".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "An integration by its id or alias, or `none`: the repository is then read as anybody may read it, and nothing is pushed to it.",
        })
    }
}

impl FromStr for IntegrationChoice {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.trim().eq_ignore_ascii_case(Self::NONE) {
            return Ok(Self::NoIntegration);
        }
        text.parse().map(Self::Integration)
    }
}

impl fmt::Display for IntegrationChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integration(which) => which.fmt(f),
            Self::NoIntegration => f.write_str(Self::NONE),
        }
    }
}

/// How a person names an assistant: by its id or by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AssistantRef {
    /// By id.
    Id(AssistantId),
    /// By name, ignoring case.
    Name(AssistantName),
}

impl FromStr for AssistantRef {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) => text.parse().map(Self::Name),
        }
    }
}

impl fmt::Display for AssistantRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// Characters that change how surrounding text is shown: control, bidirectional overrides, zero-width.
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}')
}

fn visible(what: &'static str, text: &str, max: usize) -> Result<(), NameError> {
    let err = |why| Err(NameError { what, why });
    if text.is_empty() {
        return err("must not be empty");
    }
    if text.chars().count() > max {
        return err("is too long");
    }
    if text.chars().any(is_deceptive) {
        return err("must not hold control, zero-width or text-direction characters");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zeros;
    impl Entropy for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    #[test]
    fn ids_sort_by_time_and_come_back_from_text() {
        let a = SessionId::new(Timestamp::from_second(1_000).unwrap(), &Zeros);
        let b = SessionId::new(Timestamp::from_second(2_000).unwrap(), &Zeros);
        assert!(a < b);
        assert_eq!(a.as_str().parse::<SessionId>().unwrap(), a);
        assert!("../../etc".parse::<SessionId>().is_err());
    }

    #[test]
    fn aliases_are_compared_ignoring_case_and_hold_no_hidden_characters() {
        assert_eq!("Work".parse::<Alias>().unwrap(), " wORK ".parse::<Alias>().unwrap());
        for bad in ["", "a\nb", "a\u{202e}b", "a\u{200b}", "\0", "018f0000-0000-7000-8000-000000000000"] {
            assert!(bad.parse::<Alias>().is_err(), "{bad:?}");
        }
        assert!("x".repeat(101).parse::<Alias>().is_err());
    }

    #[test]
    fn project_names_are_safe_in_paths() {
        for good in ["default", "a", "team-7"] {
            assert!(good.parse::<ProjectName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a/b", "..", "a b", "a\u{301}", &"x".repeat(64)] {
            assert!(bad.parse::<ProjectName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_reference_is_an_id_or_an_alias() {
        let id = "018f0000-0000-7000-8000-000000000000";
        assert!(matches!(id.parse(), Ok(IntegrationRef::Id(_))));
        assert!(matches!("work".parse(), Ok(IntegrationRef::Alias(_))));
    }

    #[test]
    fn none_is_a_choice_and_no_alias() {
        for text in ["none", "None", " NONE "] {
            assert_eq!(text.parse(), Ok(IntegrationChoice::NoIntegration));
            assert!(text.parse::<Alias>().is_err(), "{text}");
        }
        assert!("none".parse::<AssistantName>().is_ok());
        for text in ["nonesuch", "018f0000-0000-7000-8000-000000000001"] {
            let choice: IntegrationChoice = text.parse().unwrap();
            assert_eq!(choice, IntegrationChoice::Integration(text.parse().unwrap()));
            assert_eq!(serde_json::to_value(&choice).unwrap(), text);
        }
    }
}
