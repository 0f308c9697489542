use serde_json::{Value, json};
use valetkey_twins::{Consent, OAuthApp, OpenId, User};

use crate::services::{BACK, CHALLENGE, Fixture, VERIFIER};

fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let body = token.split('.').nth(1).expect("three parts");
    let body = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(body).expect("base64");
    serde_json::from_slice(&body).expect("JSON")
}

#[tokio::test]
async fn a_code_gives_an_id_token_with_the_nonce_and_what_is_said_of_the_person() {
    let it = Fixture::<OpenId>::new().await;
    let anna = it.twin.user(User::new("anna").name("Anna"));
    it.twin.groups(&anna, ["dev"]);
    let app = it.twin.oauth().register(OAuthApp::confidential(BACK));
    it.twin.oauth().consent(Consent::approve(&anna));
    let asked = [
        ("client_id", app.client_id()),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "openid profile"),
        ("nonce", "n-1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let page = reqwest::Url::parse_with_params(&it.url("/authorize"), asked).unwrap();
    let page = it.http.get(page).send().await.unwrap();
    let back = reqwest::Url::parse(page.headers()["location"].to_str().unwrap()).unwrap();
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let form =
        [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK), ("code_verifier", VERIFIER)];
    let asked = it.post("/token").basic_auth(app.client_id(), Some(app.client_secret())).form(&form);
    let tokens: Value = asked.send().await.unwrap().json().await.unwrap();

    let said = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!((&said["iss"], &said["aud"]), (&json!(it.twin.url()), &json!(app.client_id())));
    assert_eq!((&said["nonce"], &said["name"], &said["groups"]), (&json!("n-1"), &json!("Anna"), &json!(["dev"])));
    let told = it.get("/userinfo").bearer_auth(tokens["access_token"].as_str().unwrap());
    let told: Value = told.send().await.unwrap().json().await.unwrap();
    assert_eq!((&told["sub"], &told["email"]), (&said["sub"], &json!("anna@example.test")));
    assert_eq!(it.get("/userinfo").send().await.unwrap().status(), 401);

    let keys = async || -> Value { it.get("/jwks").send().await.unwrap().json().await.unwrap() };
    let old = keys().await;
    it.twin.rotate_key();
    assert_ne!(keys().await["keys"][0]["kid"], old["keys"][0]["kid"]);
    it.twin.claim(&anna, "aud", json!("another"));
    assert_eq!(claims(&it.twin.access_token(&anna, "valetkey"))["aud"], "another");
}
