use valetkey_model::{AuthMethod, ProviderKind};

use crate::{
    CatalogueEntry, ConnectMethod, Field, ScopeChoice, Words,
    catalogue::{choice, scope_set},
};

const KIND: ProviderKind = ProviderKind::GitHub;
const ENTERPRISE: &str = "Where your GitHub Enterprise Server is, without a path. Leave it empty for github.com.";

pub(super) const WORDS: Words = Words {
    limits: "GitHub.com allows 5,000 requests per hour.",
    widen: "the scope 'repo', or with these permissions if it is fine-grained,",
    seek_access: "A fine-grained token must also name the repository or its organisation, and a GitHub App be installed on it.",
    token_form: "a GitHub token starts with ghp_, gho_, ghu_, ghs_ or github_pat_.",
    why_invalid: "GitHub does not say whether it is mistyped, expired or revoked.",
    push_scope: "repo",
    request: "pull",
};

pub(super) fn entry() -> CatalogueEntry {
    CatalogueEntry {
        provider: KIND,
        name: KIND.name().to_owned(),
        summary: "github.com and GitHub Enterprise Server".to_owned(),
        default_instance: KIND.default_instance(),
        git: true,
        methods: vec![personal_token(), consent(), app()],
    }
}

fn personal_token() -> ConnectMethod {
    ConnectMethod::new(
        AuthMethod::Pat,
        "Personal access token",
        "Works at once. A fine-grained token can be kept to some repositories.",
    )
    .fields([
        Field::instance(ENTERPRISE),
        Field::token("Personal access token", "Classic (ghp_…) or fine-grained (github_pat_…)."),
    ])
    .scopes([
        scope_set("For a classic token.", &[("repo", "read, push, open pull requests")]),
        scope_set(
            "For a fine-grained token, on the repositories it is for.",
            &[
                ("contents=write", "clone, fetch and push"),
                ("pull_requests=write", "open pull requests"),
                ("metadata=read", "see repositories; always granted"),
            ],
        ),
    ])
    .page("/settings/tokens/new?description=Valetkey&scopes=repo")
}

fn consent() -> ConnectMethod {
    let mut method = ConnectMethod::new(
        AuthMethod::OAuth,
        "OAuth",
        "Consent in the browser, or by a code from a terminal. It reaches everything that the account reaches.",
    )
    .fields([Field::instance(ENTERPRISE)])
    .scopes([scope_set(
        "For an OAuth app. A GitHub App's permissions are fixed by the app.",
        &[("repo", "read, push, open pull requests; GitHub has no narrower scope that reaches private repositories")],
    )]);
    method.choices = choices();
    method.device = true;
    method
}

fn choices() -> Vec<ScopeChoice> {
    vec![
        choice(
            "read:org",
            "Organisations and teams",
            "See organisations and teams: several commands of gh fail without it, such as those for reviews.",
            true,
        ),
        choice(
            "workflow",
            "Workflow files",
            "Push commits that change .github/workflows. What is put there runs with the repository's secrets.",
            false,
        ),
    ]
}

fn app() -> ConnectMethod {
    ConnectMethod::new(
        AuthMethod::App,
        "GitHub App",
        "Each session gets a token for its own repositories that ends after an hour. An owner of each account chooses the \
         repositories when installing it.",
    )
    .fields([Field::instance(ENTERPRISE)])
    .scopes([scope_set(
        "What owners grant when they install the app that this server registers.",
        &[
            ("metadata=read", "see repositories; always granted"),
            ("contents=write", "clone, fetch and push"),
            ("pull_requests=write", "open and change pull requests"),
            ("issues=write", "comment on issues and pull requests"),
            ("workflows=write", "push commits that change .github/workflows, only where a session asks for it"),
        ],
    )])
}
