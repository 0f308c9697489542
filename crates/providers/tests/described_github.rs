//! Our calls to GitHub, held against GitHub's own description of its API: `cargo xtask peers` starts a server that answers
//! with the description's examples, refuses what the description does not allow, and is named in `VALETKEY_TEST_PRISM`.

use std::env;

use aws_lc_rs::{
    encoding::AsDer as _,
    rsa::{KeyPair, KeySize},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::json;
use valetkey_model::{AuthMethod, InstanceUrl, Place, ProviderKind, RepoUrl};
use valetkey_providers::{
    Access, AddressPolicy, Credential, Forge, Http, HttpConfig, Provider, PullRequestDraft, UpstreamBody, forge,
    github_app::{AppClient, AppKey, Permissions, convert_manifest, installations_of_user, revoke_installation_token},
    oauth::{OAuthApp, OAuthClient, Revoked},
    provider,
};
use valetkey_seal::Secret;

struct Described {
    instance: InstanceUrl,
    http: Http,
    credential: Credential,
}

impl Described {
    fn by(method: AuthMethod, token: &str) -> Option<Self> {
        let Ok(address) = env::var("VALETKEY_TEST_PRISM") else {
            eprintln!("skipped: GitHub's description of its API (VALETKEY_TEST_PRISM is not set)");
            return None;
        };
        let addresses = AddressPolicy::new(true, "").unwrap();
        let http = Http::new(HttpConfig { extra_ca_pem: None, addresses, proxy: None }).unwrap();
        let credential = Credential { method, ..Credential::pat(token.into()) };
        Some(Self { instance: address.parse().unwrap(), http, credential })
    }

    fn with_token() -> Option<Self> {
        Self::by(AuthMethod::Pat, "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")
    }

    fn with_app_users_token() -> Option<Self> {
        Self::by(AuthMethod::App, "ghu_16C7e42F292c6912E7710c838347Ae178B4a")
    }

    fn at(&self) -> Access<'_> {
        Access { http: &self.http, instance: &self.instance, credential: &self.credential, now: now() }
    }

    fn repo(&self) -> RepoUrl {
        format!("{}/octocat/Hello-World", self.instance).parse().unwrap()
    }

    fn app<'a>(&'a self, private_key: &'a Secret<String>) -> AppClient<'a> {
        let key = AppKey { client_id: "Iv1.8a61f9b3a7aba766", private_key };
        AppClient { http: &self.http, instance: &self.instance, key, slug: None, now: now() }
    }

    /// The status of a request that none of our calls makes.
    async fn status_of(&self, method: &str, path: &str, body: serde_json::Value) -> u16 {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.instance))
            .header("content-type", "application/json")
            .body(UpstreamBody::from(body.to_string()))
            .unwrap();
        self.http.stream(&self.instance, request).await.unwrap().status().as_u16()
    }
}

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn github() -> &'static dyn Provider {
    provider(ProviderKind::GitHub)
}

fn repositories() -> &'static dyn Forge {
    forge(ProviderKind::GitHub).unwrap()
}

fn private_key() -> Secret<String> {
    let der = KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
    Secret::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref())))
}

#[tokio::test]
async fn what_the_description_does_not_allow_is_refused() {
    let Some(described) = Described::with_token() else { return };
    assert_eq!(described.status_of("GET", "/api/v3/user/repos?sort=fame", json!({})).await, 422);
    let mint = "/api/v3/app/installations/1/access_tokens";
    assert_eq!(described.status_of("POST", mint, json!({ "permissions": { "contents": "all" } })).await, 422);
    assert_eq!(described.status_of("POST", mint, json!({ "permissions": { "contents": "read" } })).await, 201);
}

#[tokio::test]
async fn a_token_is_checked_and_revoked() {
    let Some(described) = Described::with_token() else { return };
    assert_eq!(github().check(described.at()).await.unwrap().account.username, "octocat");
    assert_eq!(github().revoke(described.at()).await, Ok(Revoked::Done));
}

#[tokio::test]
async fn repositories_are_read_listed_and_found() {
    let Some(described) = Described::with_token() else { return };
    let access = repositories().repository(described.at(), &described.repo()).await.unwrap();
    assert_eq!(access.path, "octocat/Hello-World");
    assert!(!repositories().branches(described.at(), &described.repo()).await.unwrap().is_empty());
    for text in ["", "hello", "octocat/hello-world"] {
        assert_eq!(repositories().search(described.at(), text, 5).await.unwrap().len(), 1, "{text}");
    }
}

#[tokio::test]
async fn what_is_in_a_repository_is_read() {
    let Some(described) = Described::with_token() else { return };
    // To the description a path is one part of the address.
    let (revision, path) = ("main".parse().unwrap(), "README.md".parse().unwrap());
    let contents = repositories().contents().unwrap();
    let tree = contents.tree(described.at(), &Place { repo: described.repo(), revision, path }).await.unwrap();
    assert_eq!(tree.entries.len(), 1);
}

#[tokio::test]
async fn a_pull_request_is_opened() {
    let Some(described) = Described::with_token() else { return };
    let draft = PullRequestDraft { head: "topic".into(), base: "main".into(), title: "T".into(), body: "B".into() };
    let opened = repositories().open_pull_request(described.at(), &described.repo(), &draft).await.unwrap();
    assert!(opened.created);
    // The examples hold no pull request that is open already: the call that changes one, as we make it.
    let change = json!({ "title": "T", "body": "B" });
    assert_eq!(described.status_of("PATCH", "/api/v3/repos/octocat/Hello-World/pulls/1", change).await, 200);
}

#[tokio::test]
async fn an_app_is_registered_and_mints_tokens() {
    let Some(described) = Described::with_token() else { return };
    let code = "a180b1a3d263c81bc6441d7b990bae27d4c10679".into();
    let app = convert_manifest(&described.http, &described.instance, now(), &code).await.unwrap();
    assert!(app.app_id > 0);

    let key = private_key();
    let client = described.app(&key);
    assert_eq!(client.installation(1).await.unwrap().id, 1);
    assert_eq!(client.installation_for(&described.repo()).await.unwrap().unwrap().id, 1);
    assert!(client.pending_for(0).await.unwrap().is_empty());
    for permissions in [Permissions::READ, Permissions::PUSH, Permissions::SESSION] {
        let minted = client.mint(1, &[described.repo()], permissions).await.unwrap();
        assert_eq!(minted.repositories, ["octocat/Hello-World"]);
    }
    assert_eq!(revoke_installation_token(described.at()).await, Ok(Revoked::Done));
}

#[tokio::test]
async fn a_person_sees_installations() {
    let Some(described) = Described::with_app_users_token() else { return };
    let installations = installations_of_user(described.at()).await.unwrap();
    assert_eq!(installations[0].repositories, ["octocat/Hello-World"]);
    let checked = github().check(described.at()).await.unwrap();
    assert_eq!(checked.details.installations, installations);
    assert!(!repositories().search(described.at(), "hello", 5).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_consent_is_ended() {
    let Some(described) = Described::with_app_users_token() else { return };
    let (profile, secret) = (github().oauth(&described.instance).unwrap(), Secret::from("secret"));
    let app = OAuthApp {
        client_id: "Iv1.8a61f9b3a7aba766",
        client_secret: Some(&secret),
        redirect_uri: "https://keys.test/oauth/callback",
    };
    let client = OAuthClient { http: &described.http, profile: &profile, app, now: now() };
    assert_eq!(client.revoke(&described.credential.token, None).await, Ok(Revoked::Done));
}
