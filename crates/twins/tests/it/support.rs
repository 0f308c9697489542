//! A git client, an HTTP client, and twins with something in them.

use std::path::{Path, PathBuf};

use reqwest::{Certificate, Client, redirect};
use serde_json::Value;
use tempfile::TempDir;
use valetkey_twins::{AccessLevel, Account, Forge, Repository, Token, Twin, User};

pub(crate) const PROJECT: &str = "group/project";

/// A twin with John, who may push to [`PROJECT`], and a token of his that may do everything.
pub(crate) struct Fixture {
    pub(crate) twin: Twin,
    pub(crate) john: Account,
    pub(crate) token: String,
    pub(crate) http: Client,
    folder: TempDir,
}

impl Fixture {
    pub(crate) async fn new(forge: Forge) -> Self {
        Self::with(forge, |repository| repository).await
    }

    pub(crate) async fn with(forge: Forge, shape: impl FnOnce(Repository) -> Repository) -> Self {
        let twin = Twin::builder(forge).start().await.expect("the twin starts");
        let john = twin.user(User::new("john").name("John Doe").email("john@example.test"));
        let token = twin.token(&john, Token::generated().scopes(["api", "repo"]).expires("2027-01-31"));
        let repository = Repository::new().file("README.md", "# Project\n").member(&john, AccessLevel::Developer);
        twin.repository(PROJECT, shape(repository));
        let http = http_client(&twin);
        Self { twin, john, token, http, folder: TempDir::new().expect("a folder") }
    }

    /// A path in the fixture's own folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The project's URL with this token in it, as a person might give it to git.
    pub(crate) fn url_with(&self, token: &str) -> String {
        self.twin.clone_url(PROJECT).replacen("://", &format!("://any:{token}@"), 1)
    }

    pub(crate) fn url(&self) -> String {
        self.url_with(&self.token)
    }

    pub(crate) async fn git(&self, arguments: &[&str]) -> Ran {
        git_in(self.folder.path(), arguments).await
    }

    /// A clone with one new commit on its branch `main`.
    pub(crate) async fn clone_with_change(&self, content: &[u8]) -> PathBuf {
        let clone = self.path("clone");
        let path = clone.to_str().expect("a plain path");
        self.git(&["clone", "--quiet", &self.url(), path]).await.succeeded();
        std::fs::write(clone.join("change.bin"), content).expect("the clone is writable");
        git_in(&clone, &["add", "."]).await.succeeded();
        git_in(&clone, &["commit", "--quiet", "--message", "Change something"]).await.succeeded();
        clone
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_as(&self.token, path).await
    }

    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Answer {
        let request = self.http.get(format!("{}{path}", self.twin.url())).bearer_auth(token);
        Answer::of(request.send().await.expect("the twin answers")).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        let request = self.http.post(format!("{}{path}", self.twin.url())).bearer_auth(&self.token).json(&body);
        Answer::of(request.send().await.expect("the twin answers")).await
    }
}

/// A client that trusts the twin's authority and follows nothing.
pub(crate) fn http_client(twin: &Twin) -> Client {
    client(twin.ca_pem())
}

/// A client that trusts this authority, if there is one, and follows nothing.
#[expect(clippy::disallowed_methods, reason = "a test of a server needs a client")]
pub(crate) fn client(ca_pem: &str) -> Client {
    let mut client = Client::builder().no_proxy().redirect(redirect::Policy::none()).user_agent("valetkey-tests");
    if !ca_pem.is_empty() {
        let authority = Certificate::from_pem(ca_pem.as_bytes()).expect("the authority is PEM");
        client = client.tls_certs_only([authority]);
    }
    client.build().expect("a client")
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.expect("a whole body") }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a plain header"))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// What became of a git command.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) success: bool,
    pub(crate) output: String,
    pub(crate) complaint: String,
}

impl Ran {
    pub(crate) fn succeeded(self) -> String {
        assert!(self.success, "git failed: {}", self.complaint);
        self.output
    }

    /// What git said when it failed.
    pub(crate) fn failed(self) -> String {
        assert!(!self.success, "git should have failed: {}{}", self.output, self.complaint);
        self.complaint
    }
}

#[expect(clippy::disallowed_methods, reason = "the twin is tried with a real git")]
pub(crate) async fn git_in(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = tokio::process::Command::new("git");
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Ann").env(format!("GIT_{role}_EMAIL"), "ann@example.test");
    }
    let output = command.current_dir(folder).args(arguments).output().await.expect("git is installed");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { success: output.status.success(), output: text(&output.stdout), complaint: text(&output.stderr) }
}
