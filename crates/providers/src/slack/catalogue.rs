use valetkey_model::{AuthMethod, ProviderKind};

use crate::{CatalogueEntry, ConnectMethod, Field, ScopeChoice, catalogue::scope_set};

pub(super) const NEEDED: [(&str, &str); 1] = [("chat:write", "post messages where the app was invited")];

/// Name, name for people, what it lets agents do.
const CHOICES: [(&str, &str, &str); 4] = [
    ("channels:read", "See public channels", "list public channels and who is in them"),
    ("channels:history", "Read public channels", "read messages in public channels where the app was invited"),
    ("users:read", "See people", "look up members by their id"),
    ("files:read", "Read files", "open files that were shared where the app was invited"),
];

pub(super) fn entry() -> CatalogueEntry {
    let kind = ProviderKind::Slack;
    CatalogueEntry {
        provider: kind,
        name: kind.name().to_owned(),
        summary: "messages, channels and files of a Slack workspace".to_owned(),
        default_instance: kind.default_instance(),
        git: false,
        methods: vec![token(), consent()],
    }
}

fn token() -> ConnectMethod {
    ConnectMethod::new(
        AuthMethod::Pat,
        "Bot token",
        "Of an app that you created and installed in your workspace. Works at once.",
    )
    .fields([
        Field::token("Token", "The app's bot token (xoxb-…), on its page 'OAuth & Permissions'."),
        Field::instance("Leave it empty for slack.com."),
    ])
    .scopes([scope_set("Bot token scopes.", &NEEDED)])
    .page("https://api.slack.com/apps")
}

fn consent() -> ConnectMethod {
    let choice = |(name, label, why): (&str, &str, &str)| ScopeChoice {
        name: name.to_owned(),
        label: label.to_owned(),
        why: why.to_owned(),
        preselected: matches!(name, "channels:read" | "channels:history" | "users:read"),
    };
    let method = ConnectMethod::new(
        AuthMethod::OAuth,
        "Add to Slack",
        "Installs the app in a workspace, through the browser. Some workspaces want an administrator's approval.",
    )
    .fields([Field::instance("Leave it empty for slack.com.")])
    .scopes([scope_set("Always asked for.", &NEEDED)]);
    ConnectMethod { choices: CHOICES.into_iter().map(choice).collect(), ..method }
}
