//! How Gitea and Forgejo are connected.

use valetkey_model::{AuthMethod, ProviderKind};

use crate::{CatalogueEntry, ConnectMethod, Field, catalogue::scope_set};

const SCOPES: [(&str, &str); 2] =
    [("read:user", "see whose token it is"), ("write:repository", "read, push, open pull requests")];

pub(super) fn entry(kind: ProviderKind) -> CatalogueEntry {
    CatalogueEntry {
        provider: kind,
        name: kind.name().to_owned(),
        summary: "Gitea and Forgejo, such as gitea.com and codeberg.org".to_owned(),
        default_instance: kind.default_instance(),
        git: true,
        methods: vec![token(), consent()],
    }
}

fn token() -> ConnectMethod {
    ConnectMethod::new(
        AuthMethod::Pat,
        "Access token",
        "Works at once and has no end of its own. Delete it in the account's settings when it is no longer wanted.",
    )
    .fields([instance(), Field::token("Access token", "From Settings → Applications; 40 hexadecimal digits.")])
    .scopes([
        scope_set("In the form these are user: read, and repository: read and write.", &SCOPES),
        scope_set(
            "For a Forgejo token that is kept to chosen repositories, which can't have the other.",
            &[("write:repository", "read, push, open pull requests")],
        ),
    ])
    .page("/user/settings/applications")
}

fn consent() -> ConnectMethod {
    ConnectMethod::new(
        AuthMethod::OAuth,
        "Sign in with Gitea",
        "Nothing to copy, and it is kept alive by itself. An administrator sets it up once for each server.",
    )
    .fields([instance()])
    .scopes([scope_set("Gitea before 1.23 grants full access, whatever is asked for.", &SCOPES)])
}

fn instance() -> Field {
    Field::instance("Where your Gitea or Forgejo is, without a path. Leave it empty for gitea.com.")
}
