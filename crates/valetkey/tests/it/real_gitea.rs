//! The program against a real Gitea. `cargo xtask peers` builds one, starts it, and says in a file what is on it.

use std::{collections::BTreeSet, env, fs};

use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;
use valetkey_twins::Forge;

use crate::{
    browser::{Browser, client, place},
    server::Server,
    support::{EDITS, Person, Said},
};

/// What is on the Gitea.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gitea {
    url: String,
    username: String,
    name: String,
    password: String,
    /// Everything that a session needs, and the right to register OAuth applications.
    token: String,
    /// It may read the account and nothing else.
    poor_token: String,
    /// The person's own, private, with one file.
    repository: String,
    clone_url: String,
    repositories: usize,
    branches: usize,
}

impl Gitea {
    fn at_hand() -> Option<Self> {
        let Some(facts) = env::var_os("VALETKEY_TEST_GITEA") else {
            eprintln!("skipped: no real Gitea (VALETKEY_TEST_GITEA names none; run `cargo xtask peers`)");
            return None;
        };
        Some(serde_json::from_str(&fs::read_to_string(facts).unwrap()).unwrap())
    }

    /// Somebody with an account here.
    async fn person(&self) -> Person {
        let mut person = Person::at(Forge::GitLab).await;
        person.token.clone_from(&self.token);
        person
    }

    async fn connect(&self, person: &Person, token: &str) -> Said {
        person.run_with(&["connect", "gitea", "--instance", &self.url, "--token-stdin"], token).await
    }

    /// What Gitea itself says.
    async fn api(&self, path: &str) -> Value {
        let url = format!("{}/api/v1/{path}", self.url);
        document(client().get(url).bearer_auth(&self.token)).await
    }

    /// Registers an OAuth application.
    async fn application(&self, redirect_uri: &str) -> Application {
        let wanted = json!({"name": "Valetkey", "confidential_client": true, "redirect_uris": [redirect_uri]});
        let url = format!("{}/api/v1/user/applications/oauth2", self.url);
        let made = document(client().post(url).bearer_auth(&self.token).json(&wanted)).await;
        serde_json::from_value(made).unwrap()
    }

    /// Signs in and consents as a person does. The answer is where Gitea sends the browser in the end.
    async fn consent(&self, browser: &mut Browser, authorize_url: &str) -> Url {
        let asked = browser.get(authorize_url).await;
        let sign_in = place(&asked).expect("Gitea asks who it is");
        assert_eq!(sign_in.path(), "/user/login", "{asked:?}");
        let account = [("user_name", self.username.as_str()), ("password", self.password.as_str())];
        let signed_in = browser.submit(sign_in.as_str(), &account).await;
        let back = place(&signed_in).expect("back to where it was asked");
        assert_eq!(back.path(), "/login/oauth/authorize", "{signed_in:?}");

        let page = browser.get(back.as_str()).await;
        assert_eq!(page.status(), StatusCode::OK, "{page:?}");
        let mut fields = hidden_fields(&page.text().await.unwrap());
        fields.push(("granted".to_owned(), "true".to_owned()));
        let granted = browser.submit(&format!("{}/login/oauth/grant", self.url), &fields).await;
        place(&granted).expect("back to who asked")
    }
}

/// A registered OAuth application.
#[derive(Debug, Deserialize)]
struct Application {
    client_id: String,
    client_secret: String,
}

async fn document(request: RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("no JSON ({e}): {text}"))
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// The fields that a page fills in itself.
fn hidden_fields(page: &str) -> Vec<(String, String)> {
    let attribute = |tag: &str, name: &str| {
        let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
        Some(rest.split_once('"')?.0.replace("&#43;", "+").replace("&amp;", "&"))
    };
    page.split("<input type=\"hidden\"")
        .skip(1)
        .filter_map(|rest| {
            let tag = rest.split_once('>')?.0;
            Some((attribute(tag, "name")?, attribute(tag, "value")?))
        })
        .collect()
}

/// From RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

#[tokio::test]
async fn gitea_gives_tokens_for_a_code_and_its_verifier_only() {
    let Some(gitea) = Gitea::at_hand() else { return };
    let redirect_uri = "http://127.0.0.1:1/oauth/callback";
    let application = gitea.application(redirect_uri).await;
    let mut authorize = Url::parse(&format!("{}/login/oauth/authorize", gitea.url)).unwrap();
    authorize
        .query_pairs_mut()
        .append_pair("client_id", &application.client_id)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("response_type", "code")
        .append_pair("state", "a+b&c")
        .append_pair("scope", "read:user write:repository")
        .append_pair("code_challenge", CHALLENGE)
        .append_pair("code_challenge_method", "S256");
    let back = gitea.consent(&mut Browser::new(), authorize.as_str()).await;
    assert!(back.as_str().starts_with(redirect_uri), "{back}");
    assert_eq!(parameter(&back, "state").as_deref(), Some("a+b&c"));

    let code = parameter(&back, "code").unwrap();
    let exchange = |verifier| {
        client().post(format!("{}/login/oauth/access_token", gitea.url)).form(&[
            ("grant_type", "authorization_code"),
            ("client_id", &application.client_id),
            ("client_secret", &application.client_secret),
            ("redirect_uri", redirect_uri),
            ("code", &code),
            ("code_verifier", verifier),
        ])
    };
    let refused = exchange("another").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    let tokens = document(exchange(VERIFIER)).await;
    assert_eq!(tokens["token_type"], "bearer");
    assert!(tokens["refresh_token"].is_string());
    let account =
        client().get(format!("{}/api/v1/user", gitea.url)).bearer_auth(tokens["access_token"].as_str().unwrap());
    assert_eq!(document(account).await["login"], gitea.username.as_str());
    assert_eq!(exchange(VERIFIER).send().await.unwrap().status(), StatusCode::BAD_REQUEST, "a code works once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_token_connects_and_is_listed() {
    let Some(gitea) = Gitea::at_hand() else { return };
    let person = gitea.person().await;
    let said = gitea.connect(&person, &gitea.token).await.ok();
    let who = format!("Connected Gitea as {} ({})", gitea.username, gitea.name);
    assert!(said.stdout.contains(&who), "{said:?}");
    let list = person.run(&["integrations", "-o", "json"]).await.ok().json();
    let found = &list["items"][0];
    assert_eq!(found["provider"], "gitea");
    assert_eq!(found["status"], "connected");
    assert_eq!(found["instanceUrl"].as_str().unwrap().trim_end_matches('/'), gitea.url);
    assert_eq!(found["account"]["username"], gitea.username.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_cannot_push_is_refused() {
    let Some(gitea) = Gitea::at_hand() else { return };
    let person = gitea.person().await;
    gitea.connect(&person, &gitea.poor_token).await.failed(3, "repository");
    gitea.connect(&person, &"0".repeat(40)).await.failed(3, "Authentication failed");
    let list = person.run(&["integrations", "-o", "json"]).await.ok().json();
    assert_eq!(list["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_pushed_and_proposed() {
    let Some(gitea) = Gitea::at_hand() else { return };
    let person = gitea.person().await;
    gitea.connect(&person, &gitea.token).await.ok();
    let run =
        ["run", "--repo", &gitea.clone_url, "--push-branch", "feature/x", "--pr", "--agent", EDITS, "Add feature X"];
    let said = person.run(&run).await.ok();
    let page = format!("{}/{}/src/branch/feature/x", gitea.url, gitea.repository);
    assert!(said.stdout.contains(&format!("View changes in Gitea:\n{page}\n")), "{said:?}");

    let branch = gitea.api(&format!("repos/{}/branches/feature%2Fx", gitea.repository)).await;
    assert_eq!(branch["commit"]["author"]["name"], gitea.name.as_str());
    let proposed = || async { gitea.api(&format!("repos/{}/pulls?state=open", gitea.repository)).await };
    let pulls = proposed().await;
    assert_eq!(pulls.as_array().unwrap().len(), 1);
    assert_eq!((&pulls[0]["head"]["ref"], &pulls[0]["base"]["ref"]), (&json!("feature/x"), &json!("main")));

    person.run(&run).await.ok();
    assert_eq!(proposed().await.as_array().unwrap().len(), 1, "the open one is kept");
}

/// A server of the person's, and a token of its API.
async fn serve(person: &Person) -> (Server, String) {
    let server = Server::start(person).await;
    let made = person.run(&["tokens", "create", "--name", "test"]).await.ok();
    (server, made.stdout.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_and_branches_are_listed_past_one_page() {
    let Some(gitea) = Gitea::at_hand() else { return };
    let person = gitea.person().await;
    gitea.connect(&person, &gitea.token).await.ok();
    let (server, token) = serve(&person).await;
    let lists = format!("{}/api/v1/projects/default/repositories", server.url);

    // A search comes in one piece; Gitea itself hands out no more than fifty at once.
    let search = format!("{lists}/search?provider=gitea&q=&limit=100");
    let found = document(client().get(search).bearer_auth(&token)).await;
    let names: Vec<_> = found["items"].as_array().unwrap().iter().map(|item| item["path"].to_string()).collect();
    assert_eq!(names.len(), gitea.repositories);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "none twice");

    let mut url = Url::parse(&format!("{lists}/branches")).unwrap();
    url.query_pairs_mut().append_pair("url", &gitea.clone_url);
    let found = document(client().get(url).bearer_auth(&token)).await;
    let branches = found["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap());
    let branches: BTreeSet<_> = branches.filter(|name| name.starts_with("topic/") || *name == "main").collect();
    assert_eq!(branches.len(), gitea.branches);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_connected_by_consent() {
    let Some(gitea) = Gitea::at_hand() else { return };
    let person = gitea.person().await;
    let (server, token) = serve(&person).await;
    let mut browser = Browser::new();
    let signed_in = browser.submit(&format!("{}/sign-in", server.url), &[("token", &token)]).await;
    assert_eq!(place(&signed_in).unwrap().path(), "/", "{signed_in:?}");
    let application = gitea.application(&format!("{}/oauth/callback", server.url)).await;
    set_up(&server, &token, &gitea, &application).await;

    let asked = json!({"provider": "gitea", "instanceUrl": gitea.url, "scope": "user_global"});
    let answer = browser.post_json(&format!("{}/api/v1/oauth/authorize", server.url), &asked).await;
    assert_eq!(answer.status(), StatusCode::OK, "{answer:?}");
    let answer: Value = answer.json().await.unwrap();
    let back = gitea.consent(&mut browser, answer["authorizeUrl"].as_str().unwrap()).await;
    assert!(back.as_str().starts_with(&format!("{}/oauth/callback?", server.url)), "{back}");
    let done = browser.get(back.as_str()).await;
    assert!(done.status().is_success() || done.status().is_redirection(), "{done:?}");

    let list = document(client().get(format!("{}/api/v1/integrations", server.url)).bearer_auth(&token)).await;
    let found = &list["items"][0];
    assert_eq!(found["status"], "connected", "{list}");
    assert_eq!(found["account"]["username"], gitea.username.as_str());
    assert!(browser.get(back.as_str()).await.status().is_client_error(), "a state works once");
}

/// Tells the server, as its administrator, which OAuth application it is at this Gitea.
async fn set_up(server: &Server, token: &str, gitea: &Gitea, application: &Application) {
    let app = json!({
        "provider": "gitea",
        "instanceUrl": gitea.url,
        "clientId": application.client_id,
        "clientSecret": application.client_secret,
    });
    document(client().post(format!("{}/api/v1/provider-apps", server.url)).bearer_auth(token).json(&app)).await;
}
