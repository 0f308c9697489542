//! Runs a twin with a fixed set of data until standard input closes:
//! `cargo run -p valetkey-twins --example twin -- gitlab [--tls] [--listen 127.0.0.1:8929] [--redirect URL]`.
//!
//! The first line of output is JSON that says where the twin is and which tokens it knows.

use std::io::{self, Write as _};

use serde_json::{Value, json};
use valetkey_twins::{
    AccessLevel, Account, Consent, Forge, Install, OAuthApp, Repository, Token, TokenState, Twin, User,
};

const FORGES: [(&str, Forge); 7] = [
    ("gitlab", Forge::GitLab),
    ("github", Forge::GitHub),
    ("bitbucket", Forge::Bitbucket),
    ("bitbucket-data-center", Forge::BitbucketDataCenter),
    ("gitea", Forge::Gitea),
    ("forgejo", Forge::Forgejo),
    ("azure-devops", Forge::AzureDevOps),
];

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let named = arguments.first().and_then(|name| FORGES.iter().find(|(known, _)| known == name));
    let Some((_, forge)) = named.copied() else {
        let names = FORGES.map(|(name, _)| name).join("|");
        let usage = format!("usage: twin {names} [--tls] [--listen ADDR] [--redirect URL]");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, usage));
    };
    let after = |name: &str| arguments.iter().skip_while(|argument| *argument != name).nth(1).map(String::as_str);
    let twin = Twin::builder(forge)
        .tls(arguments.iter().any(|argument| argument == "--tls"))
        .listen(after("--listen").unwrap_or("127.0.0.1:0"))
        .start()
        .await?;

    writeln!(io::stdout(), "{}", furnish(&twin, after("--redirect").unwrap_or(BACK)))?;
    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    Ok(())
}

/// Where apps send browsers back to, unless another address is given.
const BACK: &str = "https://client.example.test/callback";

const BITBUCKET_SCOPES: [&str; 6] = [
    "read:user:bitbucket",
    "read:workspace:bitbucket",
    "read:repository:bitbucket",
    "write:repository:bitbucket",
    "read:pullrequest:bitbucket",
    "write:pullrequest:bitbucket",
];

/// Fills the twin and describes what is in it.
fn furnish(twin: &Twin, back: &str) -> Value {
    let (repository, scopes): (_, &[&str]) = match twin.forge() {
        Forge::GitLab => ("group/subgroup/project", &["api"]),
        Forge::GitHub => ("acme/project", &["repo"]),
        Forge::Bitbucket => ("acme/project", &BITBUCKET_SCOPES),
        Forge::BitbucketDataCenter => ("scm/ACME/project", &["PROJECT_READ", "REPO_WRITE"]),
        Forge::Gitea | Forge::Forgejo => ("acme/project", &["read:user", "write:repository"]),
        Forge::AzureDevOps => ("acme/team/_git/project", &["vso.code_write"]),
    };
    let john = twin.user(User::new("john").name("John Doe").email("john@example.test"));
    let files = Repository::new().file("README.md", "# Project\n").file("src/main.rs", "fn main() {}\n");
    let many = (1..=120).fold(files, |repository, number| repository.branch(&format!("topic/{number:03}")));
    twin.repository(repository, many.protected_branch("main").member(&john, AccessLevel::Developer));
    twin.commit(repository, "topic/001", "CHANGES.md", "One more file.\n");

    let public = (twin.forge() == Forge::GitLab).then(|| {
        twin.repository("group/handbook", Repository::new().public().file("README.md", "# For everybody\n"));
        twin.clone_url("group/handbook")
    });

    let token = |state: TokenState| {
        twin.token(&john, Token::generated().scopes(scopes.iter().copied()).expires("2027-01-31").state(state))
    };
    let (oauth, app) = match twin.forge() {
        Forge::GitLab => (oauth_app(twin, &john, back), Value::Null),
        Forge::GitHub => (oauth_app(twin, &john, back), github_app(twin)),
        _ => (Value::Null, Value::Null),
    };
    json!({
        "oauth": oauth,
        "app": app,
        "forge": format!("{:?}", twin.forge()).to_lowercase(),
        "url": twin.url(),
        "caPem": twin.ca_pem(),
        "username": john.username,
        "token": token(TokenState::Active),
        "expiresAt": "2027-01-31",
        "email": "john@example.test",
        "scopes": scopes,
        "repository": repository,
        "cloneUrl": twin.clone_url(repository),
        "publicCloneUrl": public,
        "branches": 121,
        "changedBranch": "topic/001",
        "otherTokens": {
            "expired": token(TokenState::Expired),
            "revoked": token(TokenState::Revoked),
            "rateLimited": token(TokenState::RateLimited { retry_after: Some(7) }),
            "readOnly": read_only(twin, &john),
            "rotatable": token(TokenState::Active),
            "another": token(TokenState::Active),
        },
    })
}

/// An app to which John always consents.
fn oauth_app(twin: &Twin, john: &Account, back: &str) -> Value {
    let app = twin.oauth().register(OAuthApp::confidential(back).device_flow());
    twin.oauth().consent_always(Consent::approve(john));
    json!({"clientId": app.client_id(), "clientSecret": app.client_secret(), "redirectUri": back})
}

/// A GitHub App that is installed on an organization with more repositories than fit on a page.
fn github_app(twin: &Twin) -> Value {
    const REPOSITORIES: usize = 35;
    for number in 1..=REPOSITORIES {
        twin.repository(&format!("many/project-{number:02}"), Repository::new().empty());
    }
    let permissions = [("contents", "write"), ("pull_requests", "write"), ("metadata", "read")];
    let app = twin.github_apps().register("Peer", permissions, BACK, "https://client.example.test/setup");
    let installation = twin.github_apps().install(app.id, Install::on("many"));
    json!({
        "id": app.id, "slug": app.slug, "clientId": app.client_id, "pem": app.pem,
        "installation": installation, "organization": "many", "repositories": REPOSITORIES,
    })
}

/// A token that reads what its owner reads and writes nothing.
fn read_only(twin: &Twin, account: &Account) -> String {
    let token = Token::generated();
    twin.token(
        account,
        match twin.forge() {
            Forge::GitLab => token.scopes(["read_api", "read_user", "read_repository"]),
            Forge::GitHub => token.fine_grained([("contents", "read"), ("metadata", "read")]),
            Forge::Bitbucket => token.scopes(["read:user:bitbucket", "read:repository:bitbucket"]),
            Forge::BitbucketDataCenter => token.scopes(["REPO_READ"]),
            Forge::Gitea | Forge::Forgejo => token.scopes(["read:user", "read:repository"]),
            Forge::AzureDevOps => token.scopes(["vso.code"]),
        },
    )
}
