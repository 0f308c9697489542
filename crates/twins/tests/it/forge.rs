//! A forge with John, one repository with the branches `main` and `topic`, and a token for all of it.

use reqwest::{Client, Method};
use serde_json::Value;
use tempfile::TempDir;
use valetkey_twins::{AccessLevel, Account, Forge, Repository, Token, Twin, User};

use crate::support::{Answer, Ran, git_in, http_client};

/// How a credential goes into a request, or into a URL for git.
pub(crate) enum Credential<'a> {
    None,
    Bearer(&'a str),
    Basic(&'a str, &'a str),
}

pub(crate) struct Site {
    pub(crate) twin: Twin,
    pub(crate) john: Account,
    pub(crate) token: String,
    pub(crate) repository: &'static str,
    http: Client,
    folder: TempDir,
}

impl Site {
    pub(crate) async fn new(forge: Forge, repository: &'static str, scopes: &[&str]) -> Self {
        let twin = Twin::builder(forge).start().await.expect("the twin starts");
        let john = twin.user(User::new("john").name("John Doe").email("john@example.test"));
        let token = twin.token(&john, Token::generated().scopes(scopes.iter().copied()));
        let content = Repository::new().file("README.md", "# Project\n").branch("topic").protected_branch("main");
        twin.repository(repository, content.member(&john, AccessLevel::Developer));
        let http = http_client(&twin);
        Self { twin, john, token, repository, http, folder: TempDir::new().expect("a folder") }
    }

    /// Another token of John's.
    pub(crate) fn token_with(&self, scopes: &[&str]) -> String {
        self.twin.token(&self.john, Token::generated().scopes(scopes.iter().copied()))
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        credential: Credential<'_>,
        body: Option<Value>,
    ) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.twin.url()));
        request = match credential {
            Credential::None => request,
            Credential::Bearer(token) => request.bearer_auth(token),
            Credential::Basic(user, password) => request.basic_auth(user, Some(password)),
        };
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::of(request.send().await.expect("the twin answers")).await
    }

    pub(crate) async fn get(&self, path: &str, credential: Credential<'_>) -> Answer {
        self.call(Method::GET, path, credential, None).await
    }

    /// `git ls-remote` with these options, user name and password.
    pub(crate) async fn ls_remote(&self, options: &[&str], (user, password): (&str, &str)) -> Ran {
        let url = self.url(user, password);
        git_in(self.folder.path(), &[options, &["ls-remote", &url]].concat()).await
    }

    /// Pushes a new commit to a branch.
    pub(crate) async fn push(&self, branch: &str, (user, password): (&str, &str)) -> Ran {
        let folder = self.folder.path();
        let clone = folder.join("clone");
        if !clone.exists() {
            let bare = self.twin.clone_url(self.repository);
            let url = self.url(user, password);
            git_in(folder, &["clone", "--quiet", &url, "clone"]).await.succeeded();
            assert!(url.ends_with(bare.rsplit('/').next().expect("a last part")));
        }
        git_in(&clone, &["commit", "--quiet", "--allow-empty", "--message", "Change"]).await.succeeded();
        git_in(&clone, &["push", &self.url(user, password), &format!("HEAD:{branch}")]).await
    }

    fn url(&self, user: &str, password: &str) -> String {
        let encoded = |text: &str| text.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
        let pair = format!("{}:{}@", encoded(user), encoded(password));
        let pair = if pair == ":@" { String::new() } else { pair };
        self.twin.clone_url(self.repository).replacen("://", &format!("://{pair}"), 1)
    }
}

#[tokio::test]
async fn each_forges_branch_link_leads_to_a_page() {
    for (forge, repository, page) in [
        (Forge::Bitbucket, "acme/project", "/acme/project/branch/topic"),
        (Forge::Bitbucket, "acme/project", "/acme/project/src/topic"),
        (Forge::BitbucketDataCenter, "scm/ACME/project", "/projects/ACME/repos/project/browse?at=refs%2Fheads%2Ftopic"),
        (Forge::Gitea, "acme/project", "/acme/project/src/branch/topic"),
        (Forge::AzureDevOps, "acme/team/_git/project", "/acme/team/_git/project?version=GBtopic"),
    ] {
        let site = Site::new(forge, repository, &[]).await;
        site.twin.commit(repository, "topic", "only-here.txt", "text");
        let shown = site.get(page, Credential::None).await;
        assert!(shown.status == 200 && shown.text.contains("only-here.txt"), "{page}");
        assert_eq!(site.get(&format!("{page}-none"), Credential::None).await.status, 404, "{page}");
    }
}
