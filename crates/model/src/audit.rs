use std::{collections::BTreeMap, fmt, net::IpAddr, str::FromStr};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AuditHash, NameError, ProblemCode, ProjectName, SessionId, UserId};

/// Something that happened, as the audit trail has it: who, for whom, what, from where, and how it ended. Never holds a
/// secret, nor what a person named something that is theirs alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// When, to the millisecond.
    pub at: Timestamp,
    /// Who: a person's id, `system`, or none for somebody who did not prove who they are.
    #[serde(default, skip_serializing_if = "AuditActor::is_anonymous")]
    pub actor: AuditActor,
    /// For whom, where the system acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<UserId>,
    /// What.
    pub action: AuditAction,
    /// To what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<AuditObject>,
    /// In which project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectName>,
    /// By or in which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The address that it came from over the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The kind of problem, where it did not go well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ProblemCode>,
    /// What else is worth knowing, in a few short words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: BTreeMap<String, String>,
}

/// An event in its place in the audit trail. Its hash covers all of it, and with `previous` all before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Its number; each is one more than the one before.
    pub seq: i64,
    /// What happened.
    #[serde(flatten)]
    pub event: AuditEvent,
    /// The hash of the entry before.
    pub previous: AuditHash,
    /// Its own.
    pub hash: AuditHash,
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "Option<String>", into = "Option<String>")]
pub enum AuditActor {
    /// A person.
    Person(UserId),
    /// Valetkey, by itself.
    System,
    /// Somebody who did not prove who they are.
    #[default]
    Anonymous,
}

impl AuditActor {
    const SYSTEM: &str = "system";

    /// The word in the database and in JSON: a person's id, `system`, or none.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Person(id) => Some(id.as_str()),
            Self::System => Some(Self::SYSTEM),
            Self::Anonymous => None,
        }
    }

    fn is_anonymous(&self) -> bool {
        *self == Self::Anonymous
    }
}

impl TryFrom<Option<String>> for AuditActor {
    type Error = NameError;
    fn try_from(text: Option<String>) -> Result<Self, NameError> {
        match text {
            Some(text) if text == Self::SYSTEM => Ok(Self::System),
            Some(text) => text.parse().map(Self::Person),
            None => Ok(Self::Anonymous),
        }
    }
}

impl From<AuditActor> for Option<String> {
    fn from(actor: AuditActor) -> Self {
        actor.as_str().map(str::to_owned)
    }
}

impl JsonSchema for AuditActor {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AuditActor".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string" })
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AuditAction {
    /// Somebody signed in.
    SignIn,
    /// Somebody signed out.
    SignOut,
    /// An account was connected, or its credential replaced by connecting it again.
    IntegrationConnect,
    /// An integration's credential was replaced, by a person or by its provider.
    IntegrationRotate,
    /// An integration and its credential were removed.
    IntegrationDisconnect,
    /// A credential was given out: put on a git request, or handed to a session or to a person's own git.
    CredentialUse,
    /// An access token was renewed at its provider.
    CredentialRefresh,
    /// A session was started.
    SessionCreate,
    /// A session was asked to stop.
    SessionStop,
    /// A session came to its end.
    SessionEnd,
    /// A session that was over was deleted, with its log and its workspace.
    SessionDelete,
    /// An API token was made.
    TokenCreate,
    /// An API token was ended.
    TokenRevoke,
    /// The audit trail was exported.
    AuditExport,
    /// Old entries of the audit trail were forgotten, as the settings ask.
    AuditPurge,
    /// Anything else: the API operation's id, or method and path of a page.
    Route(RouteName),
}

impl AuditAction {
    /// All that have a word of their own.
    pub const NAMED: [Self; 15] = [
        Self::SignIn,
        Self::SignOut,
        Self::IntegrationConnect,
        Self::IntegrationRotate,
        Self::IntegrationDisconnect,
        Self::CredentialUse,
        Self::CredentialRefresh,
        Self::SessionCreate,
        Self::SessionStop,
        Self::SessionEnd,
        Self::SessionDelete,
        Self::TokenCreate,
        Self::TokenRevoke,
        Self::AuditExport,
        Self::AuditPurge,
    ];

    /// The word in the database and in JSON, stable.
    pub fn as_str(&self) -> &str {
        match self {
            Self::SignIn => "sign_in",
            Self::SignOut => "sign_out",
            Self::IntegrationConnect => "integration.connect",
            Self::IntegrationRotate => "integration.rotate",
            Self::IntegrationDisconnect => "integration.disconnect",
            Self::CredentialUse => "credential.use",
            Self::CredentialRefresh => "credential.refresh",
            Self::SessionCreate => "session.create",
            Self::SessionStop => "session.stop",
            Self::SessionEnd => "session.end",
            Self::SessionDelete => "session.delete",
            Self::TokenCreate => "token.create",
            Self::TokenRevoke => "token.revoke",
            Self::AuditExport => "audit.export",
            Self::AuditPurge => "audit.purge",
            Self::Route(name) => &name.0,
        }
    }
}

impl fmt::Display for AuditAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AuditAction {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        match Self::NAMED.into_iter().find(|action| action.as_str() == text) {
            Some(named) => Ok(named),
            None => text.parse().map(Self::Route),
        }
    }
}

impl TryFrom<String> for AuditAction {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<AuditAction> for String {
    fn from(action: AuditAction) -> Self {
        action.as_str().to_owned()
    }
}

impl JsonSchema for AuditAction {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AuditAction".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "examples": ["sign_in", "integration.connect", "createProject"] })
    }
}

/// The name of a route: `createProject`, `POST /settings/apps/{provider}`. From our own table, never from a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteName(String);

impl RouteName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RouteName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = (1..=160).contains(&text.len()) && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::new("action", "must be 1 to 160 visible characters"))
        }
    }
}

/// What something was done to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditObject {
    /// The kind of thing: `integration`, `session`, `token` …
    pub kind: String,
    /// Which.
    pub id: String,
}

impl AuditObject {
    /// The thing of this kind with this id.
    pub fn new(kind: impl Into<String>, id: &(impl ToString + ?Sized)) -> Self {
        Self { kind: kind.into(), id: id.to_string() }
    }
}

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// It was done.
    Allowed,
    /// Whoever asked may not.
    Refused,
    /// They may, but it did not come about.
    Failed,
}

impl AuditOutcome {
    /// All.
    pub const ALL: [Self; 3] = [Self::Allowed, Self::Refused, Self::Failed];

    /// The word in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// What a problem of this kind means: a refusal is about who asks, everything else about what they ask for.
    pub fn of(code: ProblemCode) -> Self {
        match code.http_status() {
            401 | 403 | 404 => Self::Refused,
            _ => Self::Failed,
        }
    }
}

impl FromStr for AuditOutcome {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let found = Self::ALL.into_iter().find(|outcome| outcome.as_str() == text);
        found.ok_or_else(|| NameError::new("outcome", "must be allowed, refused or failed"))
    }
}

impl AuditEvent {
    /// Something that was done, with nothing said of it yet but that.
    pub fn new(at: Timestamp, actor: AuditActor, action: AuditAction) -> Self {
        Self {
            at,
            actor,
            on_behalf_of: None,
            action,
            object: None,
            project: None,
            session: None,
            from: None,
            outcome: AuditOutcome::Allowed,
            code: None,
            detail: BTreeMap::new(),
        }
    }

    /// To what.
    #[must_use]
    pub fn to(mut self, kind: &str, id: &(impl ToString + ?Sized)) -> Self {
        self.object = Some(AuditObject::new(kind, id));
        self
    }

    /// Adds a detail: our own words, never a person's.
    #[must_use]
    pub fn with(mut self, name: &str, value: &(impl ToString + ?Sized)) -> Self {
        self.detail.insert(name.to_owned(), value.to_string());
        self
    }

    /// It ended with this problem.
    #[must_use]
    pub fn ended_with(mut self, code: ProblemCode) -> Self {
        (self.outcome, self.code) = (AuditOutcome::of(code), Some(code));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_comes_back_from_its_word() {
        for action in AuditAction::NAMED {
            assert_eq!(action.as_str().parse::<AuditAction>().unwrap(), action);
        }
        let route: AuditAction = "POST /settings/apps/{provider}".parse().unwrap();
        assert!(matches!(&route, AuditAction::Route(_)));
        for bad in ["", "a\nb", "é", &"x".repeat(161)] {
            assert!(bad.parse::<AuditAction>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_actor_is_a_person_the_system_or_nobody() {
        for (actor, json) in [
            (AuditActor::Person(UserId::admin()), "\"admin\""),
            (AuditActor::System, "\"system\""),
            (AuditActor::Anonymous, "null"),
        ] {
            assert_eq!(serde_json::to_string(&actor).unwrap(), json);
            assert_eq!(serde_json::from_str::<AuditActor>(json).unwrap(), actor);
        }
    }

    #[test]
    fn a_refusal_is_about_who_asks() {
        assert_eq!(AuditOutcome::of(ProblemCode::Unauthenticated), AuditOutcome::Refused);
        assert_eq!(AuditOutcome::of(ProblemCode::NotFound), AuditOutcome::Refused);
        assert_eq!(AuditOutcome::of(ProblemCode::TokenExpired), AuditOutcome::Failed);
    }
}
