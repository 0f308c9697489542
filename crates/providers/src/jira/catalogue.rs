use valetkey_model::{AuthMethod, ProviderKind};

use crate::{CatalogueEntry, ConnectMethod, Field, catalogue::scope_set};

/// What a consent or a token with scopes must cover.
pub(super) const NEEDED: [(&str, &str); 3] = [
    ("read:jira-work", "read projects, issues and comments"),
    ("write:jira-work", "create and change issues, comment, move them on"),
    ("read:jira-user", "see whose account it is, and who is meant in issues"),
];

pub(super) fn entry() -> CatalogueEntry {
    let kind = ProviderKind::Jira;
    CatalogueEntry {
        provider: kind,
        name: kind.name().to_owned(),
        summary: "Jira Cloud and Jira Data Center".to_owned(),
        default_instance: kind.default_instance(),
        git: false,
        methods: vec![api_token(), consent(), personal_token()],
    }
}

fn api_token() -> ConnectMethod {
    ConnectMethod::new(
        AuthMethod::Basic,
        "API token",
        "For Jira Cloud. Works at once; tokens with and without scopes both do. It ends after a year at most.",
    )
    .fields([
        Field::own_instance("The address of your Jira site, without a path.", "https://team.atlassian.net"),
        Field::username("E-mail address", "The address with which you sign in at Atlassian."),
        Field::token("API token", "Starts with ATATT."),
    ])
    .scopes([
        scope_set("A token without scopes may do whatever its account may.", &[]),
        scope_set("A token with scopes.", &NEEDED),
    ])
    .page("https://id.atlassian.com/manage-profile/security/api-tokens")
}

fn consent() -> ConnectMethod {
    let mut asked = NEEDED.to_vec();
    asked.push(("offline_access", "stay connected for more than an hour"));
    ConnectMethod::new(
        AuthMethod::OAuth,
        "Sign in with Atlassian",
        "For Jira Cloud, and all sites that you choose there. It ends after a year, or when unused for 90 days.",
    )
    .fields([Field::instance("Leave it empty for Jira Cloud.")])
    .scopes([scope_set("What Atlassian asks you to allow.", &asked)])
}

fn personal_token() -> ConnectMethod {
    ConnectMethod::new(AuthMethod::Pat, "Personal access token", "For a Jira Data Center that your organisation runs.")
        .fields([
            Field::own_instance("Where your Jira is, without a path.", "https://jira.example.com"),
            Field::token("Personal access token", "It may do whatever its account may."),
        ])
        .scopes([scope_set("These tokens have no scopes.", &[])])
        .page("/secure/ViewProfile.jspa?selectedTab=com.atlassian.pats.pats-plugin:jira-user-personal-access-tokens")
}
