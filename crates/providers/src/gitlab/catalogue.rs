//! How GitLab is connected.

use valetkey_model::{AuthMethod, ProviderKind};

use crate::{CatalogueEntry, ConnectMethod, Field, catalogue::scope_set};

pub(super) fn entry(kind: ProviderKind) -> CatalogueEntry {
    CatalogueEntry {
        provider: kind,
        name: kind.name().to_owned(),
        summary: "gitlab.com and self-managed GitLab".to_owned(),
        default_instance: kind.default_instance(),
        git: true,
        methods: vec![token(), consent()],
    }
}

fn token() -> ConnectMethod {
    ConnectMethod::new(
        AuthMethod::Pat,
        "Access token",
        "Works at once, for bots too. It ends on the day that was chosen for it.",
    )
    .fields([instance(), Field::token("Access token", "A personal, project or group access token (glpat-…).")])
    .scopes([
        scope_set("Covers everything, merge requests included.", &[("api", "read, push, open merge requests")]),
        scope_set(
            "Without merge requests.",
            &[
                ("read_api", "see projects and what the account may do there"),
                ("read_user", "see whose token it is"),
                ("read_repository", "clone and fetch"),
                ("write_repository", "push"),
            ],
        ),
    ])
    .page("/-/user_settings/personal_access_tokens?name=Valetkey&scopes=api")
}

fn consent() -> ConnectMethod {
    let method = ConnectMethod::new(
        AuthMethod::OAuth,
        "Sign in with GitLab",
        "Nothing to copy, and it is kept alive by itself. An administrator sets it up once for each GitLab.",
    )
    .fields([instance()])
    .scopes([scope_set(
        "GitLab has no smaller scope that opens merge requests.",
        &[("api", "read, push, open merge requests")],
    )]);
    ConnectMethod { device: true, ..method }
}

fn instance() -> Field {
    Field::instance("Where your GitLab is, without a path. Leave it empty for gitlab.com.")
}
