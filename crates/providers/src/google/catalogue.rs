use valetkey_model::{AuthMethod, ProviderKind};

use super::wire::SCOPE;
use crate::{CatalogueEntry, ConnectMethod, Field, ScopeChoice, catalogue::scope_set};

/// The end of its name, name for people, what it lets agents do, whether it is chosen at first.
const CHOICES: [(&str, &str, &str, bool); 8] = [
    ("drive.readonly", "Drive: read everything", "find, open and download every file of yours", true),
    (
        "drive.file",
        "Drive: files it creates",
        "create files, and change those that it created or that you opened with it",
        false,
    ),
    ("drive", "Drive: everything", "read, change and delete every file of yours", false),
    ("calendar.readonly", "Calendar: read", "see your calendars and their events", true),
    ("calendar.events", "Calendar: events", "create, change and delete events", false),
    ("gmail.readonly", "Gmail: read", "search and read all your mail", false),
    ("gmail.send", "Gmail: send", "send mail as you", false),
    ("gmail.modify", "Gmail: everything but deleting for good", "read, write, send, label and bin mail", false),
];

pub(super) fn entry() -> CatalogueEntry {
    let kind = ProviderKind::Google;
    CatalogueEntry {
        provider: kind,
        name: kind.name().to_owned(),
        summary: "Google Drive, Calendar and Gmail".to_owned(),
        default_instance: kind.default_instance(),
        git: false,
        methods: vec![consent()],
    }
}

fn consent() -> ConnectMethod {
    let choice = |(name, label, why, preselected): (&str, &str, &str, bool)| ScopeChoice {
        name: format!("{SCOPE}{name}"),
        label: label.to_owned(),
        why: why.to_owned(),
        preselected,
    };
    let method = ConnectMethod::new(
        AuthMethod::OAuth,
        "Sign in with Google",
        "You choose here what agents may use, and can still leave some of it out on Google's own page.",
    )
    .fields([Field::instance("Leave it empty for Google.")])
    .scopes([scope_set(
        "Always asked for.",
        &[
            ("openid", "see whose account it is"),
            ("email", "see its e-mail address"),
            ("profile", "see the person's name"),
        ],
    )]);
    ConnectMethod { choices: CHOICES.into_iter().map(choice).collect(), ..method }
}
