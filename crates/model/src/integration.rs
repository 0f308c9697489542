use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Alias, InstanceUrl, IntegrationId, ProblemCode, ProjectName, ProviderKind, UserId};

/// A connected account at a provider: everything about it but the credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Integration {
    /// Its id; also the identity under which the credential is sealed.
    pub id: IntegrationId,
    /// The kind of service.
    pub provider: ProviderKind,
    /// Who may use it, and where. Never changes.
    pub scope: OwnerScope,
    /// Who connected it.
    pub owner: UserId,
    /// The name its owner gave it.
    pub alias: Alias,
    /// The one place its credential may be sent to.
    pub instance_url: InstanceUrl,
    /// The account, as the provider names it.
    pub account: Account,
    /// How it was connected.
    pub auth_method: AuthMethod,
    /// The scopes the provider says the credential has; empty where it doesn't say.
    pub granted_scopes: Vec<String>,
    /// When the credential ends, where the provider says so.
    pub expires_at: Option<Timestamp>,
    /// When it can be refreshed no more and a person must consent again, where that is known.
    pub refresh_expires_at: Option<Timestamp>,
    /// What else the provider tells of it.
    pub details: Details,
    /// What the provider last said of it.
    pub outcome: CheckOutcome,
    /// Why the provider could not be asked the last time, if it couldn't.
    pub unreachable: Option<String>,
    /// The one to take where several would do.
    pub is_default: bool,
    /// Counts the credentials this integration has had; a grant names the one it was written for.
    pub generation: i64,
    /// Disconnected, but kept for the sessions that still hold a grant; hidden from everything else.
    pub removing: bool,
    /// When it was connected.
    pub created_at: Timestamp,
    /// When anything of it last changed.
    pub updated_at: Timestamp,
    /// When the provider was last asked.
    pub last_checked_at: Timestamp,
    /// When a request last carried its credential.
    pub last_used_at: Option<Timestamp>,
}

/// Who may use an integration, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "scope", content = "project", rename_all = "snake_case")]
pub enum OwnerScope {
    /// Its owner, in one project.
    User(ProjectName),
    /// Its owner, everywhere.
    UserGlobal,
    /// Every member of one project.
    Project(ProjectName),
}

impl OwnerScope {
    /// The word in JSON and the database: `user`, `user_global`, `project`.
    pub fn as_str(&self) -> &'static str {
        self.level().as_str()
    }

    /// Its level, without the project.
    pub fn level(&self) -> Level {
        match self {
            Self::User(_) => Level::User,
            Self::UserGlobal => Level::UserGlobal,
            Self::Project(_) => Level::Project,
        }
    }

    /// The project it is bound to, if any.
    pub fn project(&self) -> Option<&ProjectName> {
        match self {
            Self::User(project) | Self::Project(project) => Some(project),
            Self::UserGlobal => None,
        }
    }
}

/// One of the three levels of integrations, in the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// One person's, in one project.
    User,
    /// One person's, everywhere.
    UserGlobal,
    /// A project's, for all its members.
    Project,
}

impl Level {
    /// The word in JSON and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::UserGlobal => "user_global",
            Self::Project => "project",
        }
    }
}

/// An account at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The provider's id of it, as text.
    pub id: String,
    /// The login name.
    pub username: String,
    /// The person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The address for commits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// How an integration was connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// A token by itself: personal, project, group, repository or workspace access token, bot token.
    Pat,
    /// A token that goes with a user name or e-mail address.
    Basic,
    /// A secret in a header of its own.
    Header,
    /// Consent in the browser or by a device code; kept alive by refreshing.
    #[serde(rename = "oauth")]
    OAuth,
    /// An app that was installed on accounts; its tokens are made for each use.
    App,
}

impl AuthMethod {
    /// The word in JSON and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pat => "pat",
            Self::Basic => "basic",
            Self::Header => "header",
            Self::OAuth => "oauth",
            Self::App => "app",
        }
    }

    /// Whether it is kept alive by what a person consented to, so that it is not the token but the consent that ends.
    pub fn is_by_consent(self) -> bool {
        matches!(self, Self::OAuth | Self::App)
    }
}

/// What a provider tells of an integration beyond account, scopes and end. Nothing of it is secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Details {
    /// What its owner should know, in sentences.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The kind and version of the software that answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The team, workspace or organisation that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The sites that it reaches.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<Site>,
    /// The accounts on which the app is installed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub installations: Vec<Installation>,
    /// Scopes that were asked for and not granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub withheld_scopes: Vec<String>,
}

/// A site of a provider whose accounts span several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Site {
    /// The provider's id of it: a cloud id.
    pub id: String,
    /// Its address.
    pub url: String,
    /// Its name.
    pub name: String,
    /// What was granted there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// An account on which an app is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Installation {
    /// The provider's number of it.
    pub id: u64,
    /// The person or organisation.
    pub account: String,
    /// How it stands.
    pub state: InstallationState,
    /// Whether it covers all repositories of the account.
    pub all_repositories: bool,
    /// The repositories that it covers, as far as they were listed; the first hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    /// What it may do: `contents` → `write`.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub permissions: std::collections::BTreeMap<String, String>,
}

/// How an installation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstallationState {
    /// It works.
    Active,
    /// Its owner, or the provider, has suspended it.
    Suspended,
    /// An owner of the organisation must approve it first.
    PendingApproval,
    /// It was there, and is no more.
    Removed,
}

/// What the provider last said of a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum CheckOutcome {
    /// It works.
    Connected,
    /// It is alive but lacks scopes.
    InsufficientScope {
        /// What is missing, in words.
        reason: String,
    },
    /// It was refused.
    Disconnected {
        /// Expired, revoked, unknown …
        code: ProblemCode,
        /// The same in words.
        reason: String,
    },
}

/// What people see of an integration's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The provider accepted the credential when last asked.
    Connected,
    /// As connected, but it ends within seven days.
    Expiring,
    /// The credential lacks scopes that Valetkey needs.
    InsufficientScope,
    /// Expired, revoked or refused.
    Disconnected,
    /// The provider did not answer; what was last known still stands.
    Unreachable,
}

impl Status {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Expiring => "expiring",
            Self::InsufficientScope => "insufficient_scope",
            Self::Disconnected => "disconnected",
            Self::Unreachable => "unreachable",
        }
    }
}

impl Integration {
    /// How long before its end a credential is shown as expiring.
    pub const EXPIRING: SignedDuration = SignedDuration::from_hours(7 * 24);

    /// When it ends for people: a credential that is refreshed does not end with its present token, but when it can be
    /// refreshed no more.
    pub fn ends_at(&self) -> Option<Timestamp> {
        match self.auth_method {
            AuthMethod::OAuth | AuthMethod::App => self.refresh_expires_at,
            AuthMethod::Pat | AuthMethod::Basic | AuthMethod::Header => self.expires_at,
        }
    }

    /// The status and its reason as of `now`: what the provider last said, and the end it announced.
    pub fn status(&self, now: Timestamp) -> (Status, Option<String>) {
        if let CheckOutcome::Disconnected { reason, .. } = &self.outcome {
            return (Status::Disconnected, Some(reason.clone()));
        }
        let ends_at = self.ends_at();
        if let Some(end) = ends_at.filter(|end| *end <= now) {
            let reason = match self.auth_method {
                AuthMethod::OAuth | AuthMethod::App => {
                    format!("The consent ended on {}. Connect again.", day(end))
                }
                _ => format!("The token expired on {}. Reconnect with a new one.", day(end)),
            };
            return (Status::Disconnected, Some(reason));
        }
        if let Some(reason) = &self.unreachable {
            return (Status::Unreachable, Some(reason.clone()));
        }
        if let CheckOutcome::InsufficientScope { reason } = &self.outcome {
            return (Status::InsufficientScope, Some(reason.clone()));
        }
        match self.expires_soon(now) {
            Some(end) => (Status::Expiring, Some(format!("The {} on {}.", self.what_ends(), day(end)))),
            None => (Status::Connected, None),
        }
    }

    /// Its end, if that is near and it still works, whatever else there is to say of it.
    pub fn expires_soon(&self, now: Timestamp) -> Option<Timestamp> {
        let refused = matches!(self.outcome, CheckOutcome::Disconnected { .. });
        self.ends_at().filter(|end| !refused && *end > now && end.duration_since(now) < Self::EXPIRING)
    }

    fn what_ends(&self) -> &'static str {
        match self.auth_method {
            AuthMethod::OAuth | AuthMethod::App => "consent ends",
            AuthMethod::Pat | AuthMethod::Basic | AuthMethod::Header => "token expires",
        }
    }

    /// What the API answers for it.
    pub fn view(&self, now: Timestamp) -> IntegrationView {
        let (status, status_reason) = self.status(now);
        IntegrationView {
            id: self.id.clone(),
            provider: self.provider,
            scope: self.scope.as_str().to_owned(),
            project: self.scope.project().cloned(),
            alias: self.alias.clone(),
            instance_url: self.instance_url.clone(),
            account: self.account.clone(),
            auth_method: self.auth_method,
            granted_scopes: self.granted_scopes.clone(),
            expires_at: self.ends_at(),
            details: self.details.clone(),
            status,
            status_reason,
            is_default: self.is_default,
            created_at: self.created_at,
            updated_at: self.updated_at,
            last_checked_at: self.last_checked_at,
            last_used_at: self.last_used_at,
        }
    }
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// An [`Integration`] as the API answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IntegrationView {
    /// Its id.
    pub id: IntegrationId,
    /// The kind of service.
    pub provider: ProviderKind,
    /// `user`, `user_global` or `project`.
    pub scope: String,
    /// The project, for scopes that have one.
    pub project: Option<ProjectName>,
    /// The name its owner gave it.
    pub alias: Alias,
    /// Where the provider lives.
    pub instance_url: InstanceUrl,
    /// The account.
    pub account: Account,
    /// How it was connected.
    pub auth_method: AuthMethod,
    /// The scopes that the provider says it has.
    pub granted_scopes: Vec<String>,
    /// When the credential ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// What else the provider tells of it.
    #[serde(default)]
    pub details: Details,
    /// Its health.
    pub status: Status,
    /// Why it is not `connected`.
    pub status_reason: Option<String>,
    /// The one taken where several would do.
    pub is_default: bool,
    /// When it was connected.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When the provider was last asked.
    pub last_checked_at: Timestamp,
    /// When a request last carried its credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Entropy;

    struct Counter(std::cell::Cell<u8>);
    // SAFETY is not at stake: `Cell` is only used by one test thread through a fresh value.
    impl Entropy for std::sync::Mutex<Counter> {
        fn fill(&self, bytes: &mut [u8]) {
            let counter = self.lock().unwrap();
            counter.0.set(counter.0.get().wrapping_add(1));
            bytes.fill(counter.0.get());
        }
    }

    pub(crate) fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A healthy integration; `n` makes its id.
    pub(crate) fn integration(n: u8, instance: &str) -> Integration {
        let entropy = std::sync::Mutex::new(Counter(std::cell::Cell::new(n)));
        Integration {
            id: IntegrationId::new(at(i64::from(n)), &entropy),
            provider: ProviderKind::GitLab,
            scope: OwnerScope::UserGlobal,
            owner: UserId::admin(),
            alias: format!("alias {n}").parse().unwrap(),
            instance_url: instance.parse().unwrap(),
            account: Account { id: "7".into(), username: "john".into(), name: None, email: None },
            auth_method: AuthMethod::Pat,
            granted_scopes: vec!["api".into()],
            expires_at: None,
            refresh_expires_at: None,
            details: Details::default(),
            outcome: CheckOutcome::Connected,
            unreachable: None,
            is_default: false,
            generation: 1,
            removing: false,
            created_at: at(0),
            updated_at: at(0),
            last_checked_at: at(0),
            last_used_at: None,
        }
    }

    #[test]
    fn status_is_what_the_provider_last_said() {
        let now = at(1_000_000);
        let mut it = integration(1, "https://gitlab.com");
        assert_eq!(it.status(now), (Status::Connected, None));
        it.expires_at = Some(now + SignedDuration::from_hours(24 * 7));
        assert_eq!(it.status(now).0, Status::Connected);
        it.expires_at = Some(now + SignedDuration::from_hours(24 * 7 - 1));
        assert_eq!(it.status(now).0, Status::Expiring);
        it.unreachable = Some("no answer".into());
        assert_eq!(it.status(now).0, Status::Unreachable);
        it.outcome = CheckOutcome::InsufficientScope { reason: "lacks api".into() };
        assert_eq!(it.status(now).0, Status::Unreachable);
        it.unreachable = None;
        assert_eq!(it.status(now), (Status::InsufficientScope, Some("lacks api".into())));
        it.expires_at = Some(now);
        assert_eq!(it.status(now).0, Status::Disconnected);
        it.expires_at = None;
        it.outcome = CheckOutcome::Disconnected { code: ProblemCode::TokenRevoked, reason: "revoked".into() };
        it.unreachable = Some("no answer".into());
        assert_eq!(it.status(now), (Status::Disconnected, Some("revoked".into())));
    }
}
