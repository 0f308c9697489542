use jiff::Timestamp;
use serde::Serialize;
use url::form_urlencoded;
use valetkey_model::{
    Actor, AuthMethod, Installation, InstallationState, Integration, Level, OwnerScope, ProviderKind, Site, Status,
};
use valetkey_providers::provider;

use crate::pages::words::{Badge, Moment, until};

/// A connected account as the list shows it.
#[derive(Debug, Serialize)]
pub(super) struct Card {
    id: String,
    alias: String,
    is_default: bool,
    level: Option<String>,
    username: String,
    person: Option<String>,
    host: String,
    instance: String,
    version: Option<String>,
    team: Option<String>,
    method: String,
    status: Badge,
    reason: Option<String>,
    advice: Option<&'static str>,
    fix: Fix,
    fix_wanted: bool,
    sites: Vec<Site>,
    scopes: Vec<String>,
    withheld: Vec<String>,
    notes: Vec<String>,
    installations: Vec<InstallationView>,
    install_page: Option<String>,
    expiry: Expiry,
    checked: Moment,
    used: Option<Moment>,
    /// Whether the person may have it tested, and change it.
    testable: bool,
    manageable: bool,
    /// Where the same account is connected for a project, so that its members need none of their own.
    share: Option<String>,
}

/// When a credential ends.
#[derive(Debug, Serialize)]
struct Expiry {
    label: &'static str,
    day: Option<Moment>,
    words: String,
}

/// An account on which an app is installed.
#[derive(Debug, Serialize)]
struct InstallationView {
    account: String,
    state: Badge,
    reach: String,
    repositories: Vec<String>,
    advice: Option<&'static str>,
}

/// The way to a credential that works: what the button says, and where it leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::pages) struct Fix {
    word: &'static str,
    href: String,
    dialog: bool,
}

impl Card {
    /// `install_page` is where the app by which it was connected is installed on more accounts.
    pub(super) fn new(integration: Integration, install_page: Option<String>, by: &Actor, now: Timestamp) -> Self {
        let (status, reason) = integration.status(now);
        let (expiry, fix) = (Expiry::new(&integration, now), Fix::of(&integration));
        let (manageable, share) = (by.manages(&integration), share(&integration, by));
        let testable = manageable || integration.scope.project().is_some_and(|project| by.uses(&integration, project));
        let (method, details) = (integration.auth_method, integration.details);
        Self {
            id: integration.id.to_string(),
            alias: integration.alias.to_string(),
            is_default: integration.is_default,
            level: level(&integration.scope),
            username: integration.account.username,
            person: integration.account.name,
            host: integration.instance_url.authority(),
            instance: integration.instance_url.to_string(),
            version: details.version,
            team: details.team,
            method: method_words(integration.provider, method),
            status: status.into(),
            reason,
            advice: advice(status, method),
            fix,
            fix_wanted: matches!(status, Status::Disconnected | Status::InsufficientScope | Status::Expiring),
            sites: details.sites,
            scopes: integration.granted_scopes,
            withheld: details.withheld_scopes,
            notes: details.notes,
            installations: details.installations.into_iter().map(InstallationView::new).collect(),
            install_page: install_page.filter(|_| method == AuthMethod::App),
            expiry,
            checked: Moment::past(now, integration.last_checked_at),
            used: integration.last_used_at.map(|at| Moment::past(now, at)),
            testable,
            manageable,
            share,
        }
    }
}

impl Expiry {
    fn new(integration: &Integration, now: Timestamp) -> Self {
        let consented = integration.auth_method.is_by_consent();
        let label = if consented { "Consent ends" } else { "Token ends" };
        let (day, words) = match integration.ends_at() {
            None if consented => {
                return Self { label: "Valid", day: None, words: "until you connect again".to_owned() };
            }
            None => (None, "No end announced".to_owned()),
            Some(end) if end <= now => (Some(Moment::day(end)), format!("expired {}", until(now, end))),
            Some(end) => (Some(Moment::day(end)), until(now, end)),
        };
        Self { label, day, words }
    }
}

impl InstallationView {
    fn new(installation: Installation) -> Self {
        let Installation { account, state, all_repositories, repositories, .. } = installation;
        let count = i64::try_from(repositories.len()).unwrap_or(i64::MAX);
        let reach = match (all_repositories, count) {
            (true, _) => "all repositories".to_owned(),
            (false, 0) => "chosen repositories".to_owned(),
            (false, 1) => "1 repository".to_owned(),
            (false, _) => format!("{count} repositories"),
        };
        let advice = match state {
            InstallationState::Active => None,
            InstallationState::Suspended => Some("An owner of the account resumes it in its settings."),
            InstallationState::PendingApproval => Some("An owner of the organisation has to approve it."),
            InstallationState::Removed => Some("Install the app again to reach its repositories."),
        };
        let repositories = if all_repositories { Vec::new() } else { repositories };
        Self { account, state: state.into(), reach, repositories, advice }
    }
}

impl Fix {
    pub(super) fn of(integration: &Integration) -> Self {
        let id = &integration.id;
        if integration.auth_method.is_by_consent() {
            let (slug, method) = (integration.provider.slug(), integration.auth_method.as_str());
            let href = format!("/integrations/connect/{slug}?method={method}&reconnect={id}");
            return Self { word: "Connect again", href, dialog: true };
        }
        Self { word: "Replace token", href: format!("/integrations/{id}/token"), dialog: true }
    }

    pub(super) fn href(&self) -> &str {
        &self.href
    }
}

/// What somebody should look at.
#[derive(Debug, Serialize)]
pub(in crate::pages) struct Trouble {
    id: String,
    alias: String,
    provider: &'static str,
    status: Badge,
    reason: String,
    fix: Fix,
}

/// Whether somebody should look at an integration, and what they could do.
pub(in crate::pages) fn in_trouble(integration: &Integration, now: Timestamp) -> Option<Trouble> {
    let (status, reason) = integration.status(now);
    let fix = match status {
        Status::Connected => return None,
        // Another credential would not help.
        Status::Unreachable => {
            Fix { word: "Look at it", href: format!("/integrations#{}", integration.id), dialog: false }
        }
        Status::Expiring | Status::InsufficientScope | Status::Disconnected => Fix::of(integration),
    };
    Some(Trouble {
        id: integration.id.to_string(),
        alias: integration.alias.to_string(),
        provider: integration.provider.name(),
        status: status.into(),
        reason: reason.unwrap_or_default(),
        fix,
    })
}

/// A level never changes: who wants to share an account connects it once more. The account and place are filled in.
fn share(integration: &Integration, by: &Actor) -> Option<String> {
    let own = integration.scope.level() != Level::Project;
    let project = by.administered()?;
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("method", integration.auth_method.as_str())
        .append_pair("level", &format!("project:{project}"))
        .append_pair("instance", &integration.instance_url.to_string())
        .finish();
    own.then(|| format!("/integrations/connect/{}?{query}", integration.provider.slug()))
}

/// Who may use it, where that is not simply its owner.
fn level(scope: &OwnerScope) -> Option<String> {
    match scope {
        OwnerScope::UserGlobal => None,
        OwnerScope::User(project) => Some(format!("you, in {project}")),
        OwnerScope::Project(project) => Some(format!("everybody in {project}")),
    }
}

/// How it was connected.
fn method_words(kind: ProviderKind, method: AuthMethod) -> String {
    match method {
        AuthMethod::OAuth => "Consent in the browser".to_owned(),
        _ => provider(kind).catalogue().method(method).map_or_else(|| "Token".to_owned(), |known| known.label.clone()),
    }
}

/// What to do about a status.
fn advice(status: Status, method: AuthMethod) -> Option<&'static str> {
    Some(match (status, method) {
        (Status::Connected, _) => return None,
        (Status::Unreachable, _) => "What was last known still stands. Test again when the provider answers.",
        (Status::Expiring, AuthMethod::OAuth | AuthMethod::App) => {
            "Connect again before then; running sessions are not disturbed."
        }
        (Status::Expiring, _) => {
            "Create a new token and put it in before this one ends; running sessions are not disturbed."
        }
        (Status::InsufficientScope, AuthMethod::OAuth) => "Connect again, and allow what is missing.",
        (Status::InsufficientScope, AuthMethod::App) => "An owner of the account grants the app what is missing.",
        (Status::InsufficientScope, _) => "Create a token with the missing scopes and replace this one.",
        (Status::Disconnected, AuthMethod::OAuth | AuthMethod::App) => "Sessions can't use it. Connect again.",
        (Status::Disconnected, _) => "Sessions can't use it. Create a new token and replace this one.",
    })
}

#[cfg(test)]
#[path = "card_tests.rs"]
pub(in crate::pages) mod tests;
