//! An integration as a person reads it.

use std::io;

use jiff::Timestamp;
use valetkey_model::{Installation, InstallationState, IntegrationView, Site, Status};

use crate::{
    output::{self, Style},
    wiring,
};

/// Everything about it.
pub(super) fn describe(view: &IntegrationView) -> String {
    let now = wiring::now();
    let name = view.account.name.as_ref().filter(|name| **name != view.account.username);
    let status = style_of(view.status)(Style::of(&io::stdout()), view.status.as_str());
    let scope = view.project.as_ref().map_or_else(|| view.scope.clone(), |p| format!("{} ({p})", view.scope));
    let details = &view.details;
    let head = format!("{:17} {status}", "status:");
    let rest = output::fields([
        ("reason", view.status_reason.clone()),
        ("name", Some(view.alias.to_string())),
        ("provider", Some(view.provider.to_string())),
        ("instance", Some(view.instance_url.to_string())),
        ("version", details.version.clone()),
        ("account", Some(view.account.username.clone())),
        ("person", name.cloned()),
        ("team", details.team.clone()),
        ("sites", listed(&details.sites, site)),
        ("installations", listed(&details.installations, installation)),
        ("connected by", Some(view.auth_method.as_str().to_owned())),
        ("scopes", listed(&view.granted_scopes, String::clone)),
        ("not granted", listed(&details.withheld_scopes, String::clone)),
        (if view.auth_method.is_by_consent() { "consent again" } else { "expires" }, Some(end_of(view, now))),
        ("for", Some(scope)),
        ("default", view.is_default.then(|| "yes".to_owned())),
        ("checked", Some(output::when(view.last_checked_at, now))),
        ("last used", Some(view.last_used_at.map_or_else(|| "never".to_owned(), |at| output::when(at, now)))),
        ("note", Some(details.notes.join(" ")).filter(|notes| !notes.is_empty())),
        ("id", Some(view.id.to_string())),
    ]);
    format!("{head}\n{rest}")
}

/// When its credential ends, or the consent behind it, in words.
pub(super) fn end_of(view: &IntegrationView, now: Timestamp) -> String {
    match view.expires_at {
        Some(end) if end <= now => format!("expired on {}", output::day(end)),
        Some(end) => {
            let (day, when) = (output::day(end), output::when(end, now));
            if day == when { day } else { format!("{day} ({when})") }
        }
        None if view.auth_method.is_by_consent() => "not needed: kept alive by itself".to_owned(),
        None => "no end".to_owned(),
    }
}

fn style_of(status: Status) -> fn(Style, &str) -> String {
    match status {
        Status::Connected => Style::green,
        Status::Expiring | Status::Unreachable => Style::yellow,
        Status::InsufficientScope | Status::Disconnected => Style::red,
    }
}

/// All of them on one line; nothing if there are none.
fn listed<T>(all: &[T], one: impl Fn(&T) -> String) -> Option<String> {
    let words: Vec<String> = all.iter().map(one).collect();
    if words.is_empty() { None } else { Some(words.join(", ")) }
}

fn site(site: &Site) -> String {
    format!("{} ({})", site.name, site.url)
}

fn installation(installation: &Installation) -> String {
    let covers = match installation.repositories.len() {
        _ if installation.all_repositories => "all repositories".to_owned(),
        1 => "1 repository".to_owned(),
        n => format!("{n} repositories"),
    };
    let state = match installation.state {
        InstallationState::Active => "",
        InstallationState::Suspended => ", suspended",
        InstallationState::PendingApproval => ", waits for an owner's approval",
        InstallationState::Removed => ", removed",
    };
    format!("{} ({covers}{state})", installation.account)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn an_installation_says_what_it_covers_and_how_it_stands() {
        let one = Installation {
            id: 1,
            account: "acme".to_owned(),
            state: InstallationState::Active,
            all_repositories: false,
            repositories: vec!["acme/app".to_owned()],
            permissions: BTreeMap::new(),
        };
        assert_eq!(installation(&one), "acme (1 repository)");
        let all = Installation { all_repositories: true, state: InstallationState::Suspended, ..one };
        assert_eq!(installation(&all), "acme (all repositories, suspended)");
    }
}
