//! GitHub's OAuth and GitHub Apps.

use std::collections::BTreeMap;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use reqwest::{RequestBuilder, Url};
use serde_json::{Value, json};
use valetkey_twins::{AccessLevel, Consent, Forge, GitHubApp, Install, OAuthApp, Repository};

use crate::support::{Answer, Fixture, PROJECT};

const BACK: &str = "https://valetkey.example.test/callback";
const SETUP: &str = "https://valetkey.example.test/setup";

async fn sent(request: RequestBuilder) -> Answer {
    Answer::of(request.send().await.expect("the twin answers")).await
}

fn returned(answer: &Answer) -> BTreeMap<String, String> {
    let address = Url::parse(answer.header("location").expect("a redirect")).expect("an address");
    address.query_pairs().into_owned().collect()
}

/// A JSON web token of an app's, whose times are relative to now.
#[expect(clippy::disallowed_methods, reason = "a token's times are about now")]
fn jwt(pem: &str, issuer: &Value, issued: i64, end: i64) -> String {
    let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let key = RsaKeyPair::from_der(&STANDARD.decode(text).expect("base64")).expect("a PKCS#1 key");
    let now = Timestamp::now().as_second();
    let claims = json!({"iss": issuer, "iat": now + issued, "exp": now + end}).to_string();
    let signed =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT"}"#), URL_SAFE_NO_PAD.encode(claims));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).expect("a signature");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A GitHub twin with an app that is installed on `group`, which has three repositories.
struct Apps {
    fixture: Fixture,
    app: GitHubApp,
    installation: u64,
}

impl Apps {
    async fn new() -> Self {
        let fixture = Fixture::with(Forge::GitHub, |repository| repository.branch("topic")).await;
        fixture.twin.repository("group/other", Repository::new().file("README.md", "# Other\n"));
        fixture.twin.repository("group/third", Repository::new().member(&fixture.john, AccessLevel::PULL));
        let apps = fixture.twin.github_apps();
        let permissions = [("contents", "write"), ("pull_requests", "write"), ("metadata", "read")];
        let app = apps.register("Valet Key", permissions, BACK, SETUP);
        let installation = apps.install(app.id, Install::on("group"));
        Self { fixture, app, installation }
    }

    fn jwt(&self) -> String {
        jwt(&self.app.pem, &json!(self.app.client_id), -60, 540)
    }

    async fn token(&self, body: Value) -> Answer {
        let url = format!("{}/api/v3/app/installations/{}/access_tokens", self.fixture.twin.url(), self.installation);
        sent(self.fixture.http.post(url).bearer_auth(self.jwt()).json(&body)).await
    }
}

#[tokio::test]
async fn an_app_is_made_from_a_manifest_by_a_code_that_works_once() {
    let fixture = Fixture::new(Forge::GitHub).await;
    let manifest = json!({
        "name": "Valet Key 7", "url": "https://valetkey.example.test", "redirect_url": BACK, "callback_urls": [BACK],
        "setup_url": SETUP, "default_permissions": {"contents": "write"}, "default_events": ["push"],
    });
    let form = BTreeMap::from([("manifest", manifest.to_string())]);
    let page = format!("{}/organizations/acme/settings/apps/new?state=s1", fixture.twin.url());
    let back = returned(&sent(fixture.http.post(&page).form(&form)).await);
    assert_eq!(back["state"], "s1");
    let conversion = format!("{}/api/v3/app-manifests/{}/conversions", fixture.twin.url(), back["code"]);
    let made = sent(fixture.http.post(&conversion)).await;
    let body = made.json();
    assert_eq!((made.status, &body["slug"], &body["owner"]["login"]), (201, &json!("valet-key-7"), &json!("acme")));
    assert!(body["client_id"].as_str().unwrap().starts_with("Iv"));
    assert_eq!(sent(fixture.http.post(&conversion)).await.status, 404);
    assert_eq!(sent(fixture.http.post(&page).form(&form)).await.status, 422, "the name is taken");

    let token = jwt(body["pem"].as_str().unwrap(), &body["id"], -60, 540);
    assert_eq!(fixture.get_as(&token, "/api/v3/app").await.json()["slug"], "valet-key-7");
}

#[tokio::test]
async fn an_app_proves_itself_by_its_key_and_for_ten_minutes_at_most() {
    let apps = Apps::new().await;
    let (id, pem) = (json!(apps.app.client_id), &apps.app.pem);
    assert_eq!(apps.fixture.get_as(&apps.jwt(), "/api/v3/app").await.json()["id"], apps.app.id);
    let other = apps.fixture.twin.github_apps().register("Other", [], BACK, SETUP);
    for (token, message) in [
        (jwt(&other.pem, &id, -60, 540), "A JSON web token could not be decoded"),
        (jwt(pem, &json!("unknown"), -60, 540), "Integration not found"),
        (jwt(pem, &id, -60, 900), "'Expiration time' claim ('exp') is too far in the future"),
        (apps.fixture.token.clone(), "A JSON web token could not be decoded"),
    ] {
        let refused = apps.fixture.get_as(&token, "/api/v3/app").await;
        assert_eq!((refused.status, refused.json()["message"].as_str()), (401, Some(message)));
    }
    for (issued, end) in [(120, 300), (-900, -300)] {
        assert_eq!(apps.fixture.get_as(&jwt(pem, &id, issued, end), "/api/v3/app").await.status, 401);
    }
}

#[tokio::test]
async fn installations_are_found_by_repository_and_owner() {
    let apps = Apps::new().await;
    for route in ["app/installations/ID", "repos/group/project/installation", "orgs/group/installation"] {
        let route = format!("/api/v3/{}", route.replace("ID", &apps.installation.to_string()));
        assert_eq!(apps.fixture.get_as(&apps.jwt(), &route).await.json()["id"], apps.installation, "{route}");
    }
    let listed = apps.fixture.get_as(&apps.jwt(), "/api/v3/app/installations").await.json();
    assert_eq!((&listed[0]["account"]["login"], &listed[0]["suspended_at"]), (&json!("group"), &Value::Null));
    assert_eq!(apps.fixture.get_as(&apps.jwt(), "/api/v3/users/john/installation").await.status, 404);
    apps.fixture.twin.github_apps().uninstall(apps.installation);
    assert_eq!(apps.fixture.get_as(&apps.jwt(), "/api/v3/app/installations").await.json(), json!([]));
}

#[tokio::test]
async fn the_install_page_returns_to_the_setup_address() {
    let apps = Apps::new().await;
    let page = format!("{}/apps/{}/installations/new?state=s%202", apps.fixture.twin.url(), apps.app.slug);
    let handle = apps.fixture.twin.github_apps();
    handle.next_install(Install::on("acme").repositories(["acme/one"]).permissions([("contents", "read")]));
    handle.next_install(Install::on("big").needs_approval());
    let back = returned(&sent(apps.fixture.http.get(&page)).await);
    assert_eq!((back["setup_action"].as_str(), back["state"].as_str()), ("install", "s 2"));
    let made =
        apps.fixture.get_as(&apps.jwt(), &format!("/api/v3/app/installations/{}", back["installation_id"])).await;
    assert_eq!(made.json()["repository_selection"], "selected");
    let waiting = returned(&sent(apps.fixture.http.get(&page)).await);
    assert_eq!((waiting["setup_action"].as_str(), waiting.get("installation_id")), ("request", None));
}

#[tokio::test]
async fn an_installation_token_is_narrowed_and_never_widened() {
    let apps = Apps::new().await;
    let whole = apps.token(json!({})).await;
    let body = whole.json();
    let value = body["token"].as_str().unwrap();
    assert_eq!((whole.status, &body["repository_selection"]), (201, &json!("all")));
    assert!(
        value.starts_with(&format!("ghs_{}_", apps.app.id)) && (500..560).contains(&value.len()),
        "{}",
        value.len()
    );
    assert_eq!(value.matches('.').count(), 2);

    let narrow = json!({"repositories": ["project"], "permissions": {"contents": "read"}});
    let narrow = apps.token(narrow).await.json();
    assert_eq!(
        (&narrow["permissions"], &narrow["repositories"][0]["full_name"]),
        (&json!({"contents": "read"}), &json!(PROJECT))
    );
    for wider in [
        json!({"repositories": ["none"]}),
        json!({"repository_ids": [1]}),
        json!({"permissions": {"issues": "read"}}),
        json!({"permissions": {"contents": "admin"}}),
        json!({"repository_ids": vec![101; 501]}),
    ] {
        assert_eq!(apps.token(wider.clone()).await.status, 422, "{wider}");
    }
    apps.fixture.twin.github_apps().suspend(apps.installation, true);
    let refused = apps.token(json!({})).await;
    assert_eq!(
        (refused.status, refused.json()["message"].as_str()),
        (403, Some("This installation has been suspended"))
    );
    assert_eq!(apps.fixture.get_as(value, "/api/v3/installation/repositories").await.status, 403);
    apps.fixture.twin.github_apps().suspend(apps.installation, false);
    assert_eq!(apps.fixture.get_as(value, "/api/v3/installation/repositories").await.json()["total_count"], 3);
}

#[tokio::test]
async fn an_installation_token_works_in_its_repositories_and_within_its_permissions() {
    let apps = Apps::new().await;
    apps.fixture.twin.commit(PROJECT, "topic", "file", "text");
    let issue = async |body| apps.token(body).await.json()["token"].as_str().unwrap().to_owned();
    let writer = issue(json!({"repositories": ["project"]})).await;
    let reader = issue(json!({"repositories": ["project"], "permissions": {"contents": "read"}})).await;

    let clone = apps.fixture.clone_with_change(b"change").await;
    let folder = clone.to_str().unwrap();
    let push = async |token: &str| {
        let url = apps.fixture.url_with(token);
        apps.fixture.git(&["-C", folder, "push", "--quiet", &url, "HEAD:refs/heads/new"]).await
    };
    assert!(push(&reader).await.failed().contains("Write access to repository not granted"));
    push(&writer).await.succeeded();
    let other = apps.fixture.twin.clone_url("group/other").replacen("://", &format!("://x-access-token:{writer}@"), 1);
    assert!(apps.fixture.git(&["ls-remote", &other]).await.failed().contains("not found"));

    let pull = json!({"head": "topic", "base": "main", "title": "T"});
    let pulls = format!("{}/api/v3/repos/{PROJECT}/pulls", apps.fixture.twin.url());
    let refused = sent(apps.fixture.http.post(&pulls).bearer_auth(&reader).json(&pull)).await;
    assert_eq!(
        (refused.status, refused.json()["message"].as_str()),
        (403, Some("Resource not accessible by integration"))
    );
    assert_eq!(apps.fixture.get_as(&reader, &format!("/api/v3/repos/{PROJECT}/pulls")).await.status, 403);
    assert_eq!(sent(apps.fixture.http.post(&pulls).bearer_auth(&writer).json(&pull)).await.status, 201);
    assert_eq!(apps.fixture.get_as(&writer, "/api/v3/repos/group/other").await.status, 404);
    assert_eq!(apps.fixture.get_as(&writer, "/api/v3/user").await.status, 403);
    assert_eq!(apps.fixture.get_as(&writer, "/api/v3/user").await.header("x-oauth-scopes"), None);

    let give_back = apps.fixture.http.delete(format!("{}/api/v3/installation/token", apps.fixture.twin.url()));
    assert_eq!(sent(give_back.bearer_auth(&writer)).await.status, 204);
    assert_eq!(apps.fixture.get_as(&writer, "/api/v3/installation/repositories").await.status, 401);
}

/// Exchanges John's consent for tokens, as JSON.
async fn tokens(fixture: &Fixture, id: &str, secret: &str, scope: &str) -> Value {
    fixture.twin.oauth().consent(Consent::approve(&fixture.john));
    let authorize = format!("{}/login/oauth/authorize", fixture.twin.url());
    let asked = [("client_id", id), ("redirect_uri", BACK), ("scope", scope), ("state", "s")];
    let page = Url::parse_with_params(&authorize, asked).unwrap();
    let code = returned(&sent(fixture.http.get(page)).await)["code"].clone();
    let form = BTreeMap::from([("client_id", id), ("client_secret", secret), ("code", &code)]);
    sent(fixture.http.post(token_url(fixture)).header("accept", "application/json").form(&form)).await.json()
}

fn token_url(fixture: &Fixture) -> String {
    format!("{}/login/oauth/access_token", fixture.twin.url())
}

#[tokio::test]
async fn a_users_token_of_an_app_sees_what_both_may() {
    let apps = Apps::new().await;
    let fixture = &apps.fixture;
    let issued = tokens(fixture, &apps.app.client_id, &apps.app.client_secret, "repo").await;
    let token = issued["access_token"].as_str().unwrap();
    assert!(token.starts_with("ghu_") && issued["refresh_token"].as_str().unwrap().starts_with("ghr_"));
    assert_eq!((&issued["scope"], &issued["expires_in"]), (&json!(""), &json!(28_800)));
    let seen = fixture.get_as(token, "/api/v3/user/installations").await.json();
    assert_eq!((&seen["total_count"], &seen["installations"][0]["id"]), (&json!(1), &json!(apps.installation)));
    let route = format!("/api/v3/user/installations/{}/repositories?per_page=1", apps.installation);
    let page = fixture.get_as(token, &route).await;
    assert_eq!((&page.json()["total_count"], page.header("link").is_some()), (&json!(2), true));
    assert_eq!(fixture.get_as(token, "/api/v3/repos/group/other").await.status, 404, "John may not see it");
    assert_eq!(fixture.get_as(token, "/api/v3/user").await.json()["login"], "john");
    assert_eq!(fixture.get("/api/v3/user/installations").await.status, 403);
}

#[tokio::test]
async fn errors_are_successes_in_form_unless_json_is_asked_for() {
    let fixture = Fixture::new(Forge::GitHub).await;
    let app = fixture.twin.oauth().register(OAuthApp::confidential(BACK));
    let form = [("client_id", app.client_id()), ("client_secret", app.client_secret()), ("code", "wrong")];
    let refused = sent(fixture.http.post(token_url(&fixture)).form(&form)).await;
    assert_eq!(refused.status, 200);
    assert!(refused.text.starts_with("error=bad_verification_code&"), "{}", refused.text);
    for (change, error) in [
        (("client_secret", "wrong"), "incorrect_client_credentials"),
        (("grant_type", "refresh_token"), "bad_refresh_token"),
        (("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), "device_flow_disabled"),
    ] {
        let mut form = BTreeMap::from(form);
        form.extend([("refresh_token", "ghr_x"), ("device_code", "x"), change]);
        let asked = fixture.http.post(token_url(&fixture)).header("accept", "application/json").form(&form);
        let refused = sent(asked).await;
        assert_eq!((refused.status, refused.json()["error"].as_str()), (200, Some(error)));
    }
}

#[tokio::test]
async fn an_oauth_apps_token_has_scopes_and_is_ended_by_the_app_or_by_anybody() {
    let fixture = Fixture::new(Forge::GitHub).await;
    let app = fixture.twin.oauth().register(OAuthApp::confidential(BACK).without_expiry());
    let (id, secret) = (app.client_id(), app.client_secret());
    let issued = tokens(&fixture, id, secret, "repo").await;
    assert_eq!((issued.get("expires_in"), issued.get("refresh_token")), (None, None));
    let token = issued["access_token"].as_str().unwrap();
    assert!(token.starts_with("gho_"));
    assert_eq!(fixture.get_as(token, "/api/v3/user").await.header("x-oauth-scopes"), Some("repo"));
    fixture.git(&["ls-remote", &fixture.url_with(token)]).await.succeeded();

    let route = format!("{}/api/v3/applications/{id}/token", fixture.twin.url());
    let named = json!({"access_token": token});
    let checked = sent(fixture.http.post(&route).basic_auth(id, Some(secret)).json(&named)).await;
    assert_eq!((checked.status, &checked.json()["user"]["login"]), (200, &json!("john")));
    assert_eq!(sent(fixture.http.post(&route).basic_auth(id, Some("wrong")).json(&named)).await.status, 401);
    assert_eq!(sent(fixture.http.delete(&route).basic_auth(id, Some(secret)).json(&named)).await.status, 204);
    assert_eq!(sent(fixture.http.post(&route).basic_auth(id, Some(secret)).json(&named)).await.status, 404);

    let leaked = json!({"credentials": [fixture.token]});
    let revoke = fixture.http.post(format!("{}/api/v3/credentials/revoke", fixture.twin.url())).json(&leaked);
    assert_eq!(sent(revoke).await.status, 202);
    assert_eq!(fixture.get("/api/v3/user").await.status, 401);
}

#[tokio::test]
async fn a_list_that_has_not_changed_is_not_sent_again() {
    let fixture = Fixture::new(Forge::GitHub).await;
    let tag = fixture.get("/api/v3/user/repos").await.header("etag").expect("a tag").to_owned();
    let url = format!("{}/api/v3/user/repos", fixture.twin.url());
    let again = || fixture.http.get(&url).bearer_auth(&fixture.token).header("if-none-match", &tag);
    let unchanged = sent(again()).await;
    assert_eq!((unchanged.status, unchanged.text.as_str(), unchanged.header("etag")), (304, "", Some(tag.as_str())));
    fixture.twin.repository("group/new", Repository::new().member(&fixture.john, AccessLevel::PULL));
    assert_eq!(sent(again()).await.status, 200);
}
