use valetkey_model::{AuthMethod, ProviderKind};

use crate::{CatalogueEntry, ConnectMethod, Field, catalogue::scope_set};

pub(super) fn entry() -> CatalogueEntry {
    let kind = ProviderKind::Bitbucket;
    CatalogueEntry {
        provider: kind,
        name: kind.name().to_owned(),
        summary: "bitbucket.org".to_owned(),
        default_instance: kind.default_instance(),
        git: true,
        methods: vec![api_token(), access_token(), consumer()],
    }
}

fn api_token() -> ConnectMethod {
    ConnectMethod::new(
        AuthMethod::Basic,
        "API token",
        "Works at once and acts as you. It ends on the day that was chosen for it, after a year at most. App passwords ended \
         in 2026.",
    )
    .fields([
        Field::username("E-mail address", "The one of your Atlassian account; Bitbucket's user name does no more."),
        Field::token("API token", "An API token with scopes, for the app Bitbucket (ATATT…)."),
    ])
    .scopes([scope_set(
        "Choose the app Bitbucket when creating the token, then these.",
        &[
            ("read:user:bitbucket", "see whose token it is"),
            ("read:workspace:bitbucket", "find repositories"),
            ("read:repository:bitbucket", "clone and fetch"),
            ("write:repository:bitbucket", "push"),
            ("read:pullrequest:bitbucket", "find an open pull request"),
            ("write:pullrequest:bitbucket", "open pull requests"),
        ],
    )])
    .page("https://id.atlassian.com/manage-profile/security/api-tokens")
}

fn access_token() -> ConnectMethod {
    ConnectMethod::new(
        AuthMethod::Pat,
        "Access token",
        "For bots: reaches one repository, project or workspace, and acts as a user of its own. Created in that one's settings.",
    )
    .fields([Field::token("Access token", "A repository, project or workspace access token (ATCTT…).")])
    .scopes([scope_set("Each covers the reading of the same.", &SCOPES)])
}

fn consumer() -> ConnectMethod {
    ConnectMethod::new(
        AuthMethod::OAuth,
        "Sign in with Bitbucket",
        "Nothing to copy, and kept alive by itself. An administrator registers an OAuth consumer once; what it may do is fixed \
         there.",
    )
    .scopes([scope_set(
        "To be ticked on the consumer.",
        &[("account", "see who signs in, and in which workspaces"), ("email", "commit under that address"), SCOPES[0], SCOPES[1]],
    )])
}

const SCOPES: [(&str, &str); 2] =
    [("repository:write", "clone, fetch and push"), ("pullrequest:write", "open pull requests")];
