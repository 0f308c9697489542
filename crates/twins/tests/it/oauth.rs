//! The authorization server that every twin has, tried in GitLab's dialect.

use std::collections::BTreeMap;

use reqwest::Url;
use serde_json::{Value, json};
use valetkey_twins::{Consent, DeviceDecision, Forge, Mishap, OAuthApp, TokenLife};

use crate::support::{Answer, Fixture};

const BACK: &str = "https://valetkey.example.test/callback";
/// The pair of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A GitLab twin with an app that John consents to.
struct Flow {
    fixture: Fixture,
    app: OAuthApp,
}

impl Flow {
    async fn new() -> Self {
        let fixture = Fixture::new(Forge::GitLab).await;
        let app = OAuthApp::confidential(BACK).offers(["api", "read_user"]).device_flow();
        let app = fixture.twin.oauth().register(app);
        fixture.twin.oauth().consent_always(Consent::approve(&fixture.john));
        Self { fixture, app }
    }

    /// Where the authorize page sends the browser, as parameters; the changes replace or remove a parameter.
    async fn authorize(&self, changes: &[(&str, &str)]) -> BTreeMap<String, String> {
        let answer = self.authorize_page(changes).await;
        let address = Url::parse(answer.header("location").expect("a redirect")).expect("an address");
        assert!(address.as_str().starts_with(BACK), "{address}");
        address.query_pairs().into_owned().collect()
    }

    async fn authorize_page(&self, changes: &[(&str, &str)]) -> Answer {
        let mut asked = BTreeMap::from([
            ("client_id", self.app.client_id()),
            ("redirect_uri", BACK),
            ("response_type", "code"),
            ("scope", "api"),
            ("state", "s t&te"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        asked.extend(changes.iter().copied());
        let url = Url::parse_with_params(&format!("{}/oauth/authorize", self.fixture.twin.url()), asked).unwrap();
        Answer::of(self.fixture.http.get(url).send().await.unwrap()).await
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form =
            BTreeMap::from([("client_id", self.app.client_id()), ("client_secret", self.app.client_secret())]);
        form.extend(fields.iter().copied());
        let url = format!("{}{path}", self.fixture.twin.url());
        Answer::of(self.fixture.http.post(url).form(&form).send().await.unwrap()).await
    }

    async fn redeem(&self, code: &str) -> Answer {
        let code = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", BACK)];
        self.post("/oauth/token", &[&code[..], &[("code_verifier", VERIFIER)]].concat()).await
    }

    async fn refresh(&self, token: &Value) -> Answer {
        let token = token.as_str().expect("a refresh token");
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("redirect_uri", BACK)];
        self.post("/oauth/token", &fields).await
    }

    async fn tokens(&self) -> Value {
        let code = self.authorize(&[]).await["code"].clone();
        let answer = self.redeem(&code).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    fn life(&self, token: &Value) -> Option<TokenLife> {
        self.fixture.twin.oauth().life(token.as_str().expect("a token"))
    }
}

#[tokio::test]
async fn a_consent_ends_in_a_code_and_the_state_that_was_sent() {
    let flow = Flow::new().await;
    let back = flow.authorize(&[]).await;
    assert_eq!(back["state"], "s t&te");
    let tokens = flow.redeem(&back["code"]).await;
    let body = tokens.json();
    assert_eq!((tokens.status, tokens.header("cache-control")), (200, Some("no-store")));
    assert_eq!(
        (&body["token_type"], &body["expires_in"], &body["scope"]),
        (&json!("Bearer"), &json!(7200), &json!("api"))
    );
    assert_eq!(flow.life(&body["access_token"]), Some(TokenLife::Live));
}

#[tokio::test]
async fn a_code_works_once_for_its_app_its_address_and_its_verifier() {
    let flow = Flow::new().await;
    let code = flow.authorize(&[]).await["code"].clone();
    assert_eq!(flow.redeem(&code).await.status, 200);
    let again = flow.redeem(&code).await;
    assert_eq!((again.status, again.json()["error"].as_str()), (400, Some("invalid_grant")));

    let other = flow.fixture.twin.oauth().register(OAuthApp::confidential(BACK));
    let wrong = [
        vec![("redirect_uri", "https://valetkey.example.test/other")],
        vec![("code_verifier", "guessed")],
        vec![("client_id", other.client_id()), ("client_secret", other.client_secret())],
    ];
    for change in wrong {
        let code = flow.authorize(&[]).await["code"].clone();
        let mut fields = vec![("grant_type", "authorization_code"), ("code", code.as_str())];
        fields.extend([("redirect_uri", BACK), ("code_verifier", VERIFIER)]);
        fields.extend(change);
        assert_eq!(flow.post("/oauth/token", &fields).await.json()["error"], "invalid_grant");
    }
    let code = flow.authorize(&[]).await["code"].clone();
    flow.fixture.twin.oauth().expire_codes();
    assert_eq!(flow.redeem(&code).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn a_wrong_client_or_address_is_never_redirected() {
    let flow = Flow::new().await;
    assert_eq!(flow.authorize_page(&[("client_id", "unknown")]).await.status, 401);
    let elsewhere = flow.authorize_page(&[("redirect_uri", "https://attacker.example.test/")]).await;
    assert_eq!((elsewhere.status, elsewhere.header("location")), (400, None));
    let below = flow.authorize_page(&[("redirect_uri", &format!("{BACK}/below"))]).await;
    assert_eq!(below.status, 400);
}

#[tokio::test]
async fn the_person_may_deny_and_give_less_or_be_somebody_else() {
    let flow = Flow::new().await;
    let oauth = flow.fixture.twin.oauth();
    oauth.consent(Consent::Deny);
    oauth.consent(Consent::approve_only(&flow.fixture.john, ["read_user"]));
    let denied = flow.authorize(&[]).await;
    assert_eq!((denied["error"].as_str(), denied["state"].as_str()), ("access_denied", "s t&te"));
    assert_eq!(flow.tokens().await["scope"], "read_user");
    for (change, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("scope", "sudo"), "invalid_scope"),
        (("code_challenge_method", "plain"), "invalid_request"),
    ] {
        assert_eq!(flow.authorize(&[change]).await["error"], error);
    }
}

#[tokio::test]
async fn an_app_proves_who_it_is_and_a_public_one_by_pkce() {
    let flow = Flow::new().await;
    for change in [("client_secret", "wrong"), ("client_secret", ""), ("client_id", "unknown")] {
        let refused = flow.post("/oauth/token", &[("grant_type", "refresh_token"), change]).await;
        assert_eq!((refused.status, refused.json()["error"].as_str()), (401, Some("invalid_client")));
    }
    let public = flow.fixture.twin.oauth().register(OAuthApp::public(BACK));
    let bare = [("client_id", public.client_id()), ("code_challenge", ""), ("scope", "")];
    assert_eq!(flow.authorize(&bare).await["error"], "invalid_request");
    let code = flow.authorize(&bare[..1]).await["code"].clone();
    let mut fields = vec![("client_id", public.client_id()), ("client_secret", ""), ("code", &code)];
    fields.extend([("grant_type", "authorization_code"), ("redirect_uri", BACK), ("code_verifier", VERIFIER)]);
    assert_eq!(flow.post("/oauth/token", &fields).await.status, 200);
}

#[tokio::test]
async fn a_refresh_ends_both_tokens_before_it() {
    let flow = Flow::new().await;
    let old = flow.tokens().await;
    let new = flow.refresh(&old["refresh_token"]).await.json();
    assert_eq!(flow.life(&old["access_token"]), Some(TokenLife::Revoked));
    assert_eq!(flow.life(&old["refresh_token"]), Some(TokenLife::Revoked));
    assert_eq!(flow.life(&new["access_token"]), Some(TokenLife::Live));
    assert_eq!(flow.fixture.twin.oauth().refreshes(), 1);
}

#[tokio::test]
async fn a_refresh_token_that_comes_again_ends_its_family() {
    let flow = Flow::new().await;
    let (old, bystander) = (flow.tokens().await, flow.tokens().await);
    let new = flow.refresh(&old["refresh_token"]).await.json();
    assert_eq!(flow.refresh(&old["refresh_token"]).await.json()["error"], "invalid_grant");
    assert_eq!(flow.life(&new["access_token"]), Some(TokenLife::Revoked));
    assert_eq!(flow.refresh(&new["refresh_token"]).await.json()["error"], "invalid_grant");
    assert_eq!(flow.life(&bystander["access_token"]), Some(TokenLife::Live));
}

#[tokio::test]
async fn tokens_end_when_the_test_says_so() {
    let flow = Flow::new().await;
    let tokens = flow.tokens().await;
    let oauth = flow.fixture.twin.oauth();
    oauth.expire(tokens["access_token"].as_str().unwrap());
    assert_eq!(flow.life(&tokens["access_token"]), Some(TokenLife::Expired));
    oauth.lifetimes(Some(1), None);
    let new = flow.refresh(&tokens["refresh_token"]).await.json();
    assert_eq!(new["expires_in"], 1);
    oauth.revoke(new["access_token"].as_str().unwrap());
    assert_eq!(flow.refresh(&new["refresh_token"]).await.status, 400);
}

#[tokio::test]
async fn revocation_answers_the_same_for_every_token() {
    let flow = Flow::new().await;
    let tokens = flow.tokens().await;
    let other = flow.fixture.twin.oauth().register(OAuthApp::confidential(BACK));
    let access = tokens["access_token"].as_str().unwrap();
    let as_other = [("token", access), ("client_id", other.client_id()), ("client_secret", other.client_secret())];
    assert_eq!(flow.post("/oauth/revoke", &as_other).await.status, 200);
    assert_eq!(flow.life(&tokens["access_token"]), Some(TokenLife::Live), "it is another app's token");
    for token in [access, "unknown"] {
        let revoked = flow.post("/oauth/revoke", &[("token", token)]).await;
        assert_eq!((revoked.status, revoked.json()), (200, json!({})));
    }
    assert_eq!(flow.life(&tokens["refresh_token"]), Some(TokenLife::Revoked));
    assert_eq!(flow.post("/oauth/revoke", &[("token", access), ("client_secret", "wrong")]).await.status, 401);
}

#[tokio::test]
async fn a_device_waits_for_the_person_and_does_as_it_is_told() {
    let flow = Flow::new().await;
    let oauth = flow.fixture.twin.oauth();
    let start = flow.post("/oauth/authorize_device", &[("scope", "api")]).await.json();
    let (code, user_code) = (start["device_code"].as_str().unwrap(), start["user_code"].as_str().unwrap());
    let fields = [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", code)];
    let poll = || flow.post("/oauth/token", &fields);
    assert_eq!((&start["interval"], &start["expires_in"]), (&json!(5), &json!(300)));
    assert_eq!(poll().await.json()["error"], "authorization_pending");
    oauth.device(user_code, DeviceDecision::SlowDown);
    assert_eq!(poll().await.json()["error"], "slow_down");
    oauth.device(user_code, DeviceDecision::Decide(Consent::Deny));
    assert_eq!(poll().await.json()["error"], "access_denied");
    oauth.device(user_code, DeviceDecision::Expire);
    assert_eq!(poll().await.json()["error"], "expired_token");
    oauth.device(user_code, DeviceDecision::Decide(Consent::approve(&flow.fixture.john)));
    let tokens = poll().await.json();
    assert_eq!(tokens["scope"], "api");
    assert_eq!(poll().await.json()["error"], "invalid_grant", "a device code works once");
}

#[tokio::test]
async fn a_lost_answer_has_had_its_effect_and_a_refused_request_has_not() {
    let flow = Flow::new().await;
    let old = flow.tokens().await;
    flow.fixture.twin.mishap("POST", "/oauth/token", Mishap::Refuse { status: 503, retry_after: Some(7) });
    let busy = flow.refresh(&old["refresh_token"]).await;
    assert_eq!((busy.status, busy.header("retry-after")), (503, Some("7")));
    assert_eq!(flow.fixture.twin.oauth().refreshes(), 0);

    flow.fixture.twin.mishap("POST", "/oauth/token", Mishap::LoseAnswer);
    let fields = [
        ("client_id", flow.app.client_id()),
        ("client_secret", flow.app.client_secret()),
        ("grant_type", "refresh_token"),
        ("refresh_token", old["refresh_token"].as_str().unwrap()),
        ("redirect_uri", BACK),
    ];
    let url = format!("{}/oauth/token", flow.fixture.twin.url());
    assert!(flow.fixture.http.post(url).form(&fields).send().await.is_err());
    assert_eq!(flow.fixture.twin.oauth().refreshes(), 1);
    assert_eq!(flow.life(&old["access_token"]), Some(TokenLife::Revoked));
    assert_eq!(flow.fixture.twin.journal().last().unwrap().status, None);
}
