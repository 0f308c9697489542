//! Runs a twin with a fixed set of data until standard input closes:
//! `cargo run -p valetkey-twins --example twin -- gitlab [--tls] [--listen 127.0.0.1:8929]`.
//!
//! The first line of output is JSON that says where the twin is and which tokens it knows.

use std::io::{self, Write as _};

use serde_json::{Value, json};
use valetkey_twins::{AccessLevel, Account, Forge, Repository, Token, TokenState, Twin, User};

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let forge = match arguments.first().map(String::as_str) {
        Some("gitlab") => Forge::GitLab,
        Some("github") => Forge::GitHub,
        _ => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "usage: twin gitlab|github [--tls] [--listen ADDR]",
            ));
        }
    };
    let listen = arguments.iter().skip_while(|argument| *argument != "--listen").nth(1);
    let twin = Twin::builder(forge)
        .tls(arguments.iter().any(|argument| argument == "--tls"))
        .listen(listen.map_or("127.0.0.1:0", String::as_str))
        .start()
        .await?;

    writeln!(io::stdout(), "{}", furnish(&twin))?;
    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    Ok(())
}

/// Fills the twin and describes what is in it.
fn furnish(twin: &Twin) -> Value {
    let (repository, scope) = match twin.forge() {
        Forge::GitLab => ("group/subgroup/project", "api"),
        Forge::GitHub => ("acme/project", "repo"),
    };
    let john = twin.user(User::new("john").name("John Doe").email("john@example.test"));
    let files = Repository::new().file("README.md", "# Project\n").file("src/main.rs", "fn main() {}\n");
    let many = (1..=120).fold(files, |repository, number| repository.branch(&format!("topic/{number:03}")));
    twin.repository(repository, many.protected_branch("main").member(&john, AccessLevel::Developer));
    twin.commit(repository, "topic/001", "CHANGES.md", "One more file.\n");

    let token =
        |state: TokenState| twin.token(&john, Token::generated().scopes([scope]).expires("2027-01-31").state(state));
    json!({
        "forge": format!("{:?}", twin.forge()).to_lowercase(),
        "url": twin.url(),
        "caPem": twin.ca_pem(),
        "username": john.username,
        "token": token(TokenState::Active),
        "expiresAt": "2027-01-31",
        "scopes": [scope],
        "repository": repository,
        "cloneUrl": twin.clone_url(repository),
        "branches": 121,
        "changedBranch": "topic/001",
        "otherTokens": {
            "expired": token(TokenState::Expired),
            "revoked": token(TokenState::Revoked),
            "rateLimited": token(TokenState::RateLimited { retry_after: Some(7) }),
            "readOnly": read_only(twin, &john),
        },
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
        },
    )
}
