use jiff::SignedDuration;
use serde_json::{Value, json};
use url::Url;
use valetkey_testbed::ForgeBed;
use valetkey_twins::{Consent, DeviceDecision, OAuthApp, User};

use crate::{
    browser::{Browser, callback, location, registered},
    harness::{Client, PUBLIC_URL, Reply, TestServer},
};

const AUTHORIZE: &str = "/api/v1/oauth/authorize";
const INTEGRATIONS: &str = "/api/v1/integrations";

/// A server, a forge where John consents to whatever he is asked, and our app there.
async fn consenting() -> (TestServer, ForgeBed) {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    registered(&server, &forge, OAuthApp::confidential(&callback()).device_flow()).await;
    forge.twin.oauth().consent_always(Consent::approve(&forge.john));
    (server, forge)
}

fn asking(forge: &ForgeBed) -> Value {
    json!({"provider": forge.kind().slug(), "instanceUrl": forge.twin.url()})
}

async fn begin(client: &Client, forge: &ForgeBed) -> Value {
    client.post(AUTHORIZE, asking(forge)).await.ok()
}

fn url(begun: &Value) -> &str {
    begun["authorizeUrl"].as_str().expect("an address")
}

async fn outcome(server: &TestServer, begun: &Value) -> Value {
    server.admin().get(&format!("/api/v1/oauth/attempts/{}", begun["attempt"].as_str().unwrap())).await.ok()
}

async fn nothing_is_connected(server: &TestServer) {
    assert_eq!(server.admin().get(INTEGRATIONS).await.ok()["items"], json!([]));
}

/// The words of a refusal, which a browser is shown as a page.
#[track_caller]
fn told(reply: &Reply, status: u16, part: &str) {
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (status, "text/html; charset=utf-8"));
    assert!(reply.body.contains(part), "{part:?} in {}", reply.body);
}

#[tokio::test]
async fn a_person_connects_an_account_in_the_browser_that_they_are_signed_in_with() {
    let (server, forge) = consenting().await;
    let mut browser = Browser::signed_in(&server).await;
    let begun = begin(&browser.script(), &forge).await;
    let page = Url::parse(url(&begun)).unwrap();
    let asked = |name: &str| page.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    assert_eq!(asked("redirect_uri"), Some(callback()));
    assert_eq!((asked("scope").as_deref(), asked("code_challenge_method").as_deref()), (Some("api"), Some("S256")));
    assert_eq!(outcome(&server, &begun).await, json!({"state": "pending"}));

    let back = browser.consent(&server, &forge, page.as_str()).await;
    assert_eq!(location(&browser.open(&back).await), "/integrations?did=connected");
    let connected = outcome(&server, &begun).await;
    assert_eq!(
        (&connected["state"], &connected["integration"]["account"]["username"]),
        (&json!("connected"), &json!("john"))
    );
    assert_eq!(
        (&connected["integration"]["authMethod"], &connected["integration"]["status"]),
        (&json!("oauth"), &json!("connected"))
    );
    assert_eq!(server.admin().get(INTEGRATIONS).await.ok()["items"], json!([connected["integration"]]));
}

#[tokio::test]
async fn a_page_of_ours_leads_to_the_provider_without_a_redirect_behind_a_form() {
    let (server, forge) = consenting().await;
    let mut browser = Browser::signed_in(&server).await;
    let begun = begin(&browser.script(), &forge).await;
    let start = format!("{PUBLIC_URL}/oauth/start/{}", begun["attempt"].as_str().unwrap());
    let page = browser.open(&start).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("http-equiv=\"refresh\"") && page.body.contains("code_challenge"), "{}", page.body);
    told(&Browser::new(&server).open(&start).await, 400, "not valid");
}

#[tokio::test]
async fn a_program_gets_an_address_for_whichever_browser_opens_it() {
    let (server, forge) = consenting().await;
    let begun = begin(&server.admin(), &forge).await;
    assert!(url(&begun).starts_with(&format!("{PUBLIC_URL}/oauth/start/")), "{begun}");
    let mut browser = Browser::new(&server);
    let sent_on = browser.open(url(&begun)).await;
    let cookie = sent_on.header("set-cookie").to_owned();
    for part in ["valetkey_oauth=", "HttpOnly", "SameSite=Lax", "Path=/oauth", "Max-Age=600"] {
        assert!(cookie.contains(part), "{part} in {cookie}");
    }
    assert!(!cookie.contains("Secure"), "this server is reached without TLS");
    let back = browser.consent(&server, &forge, &location(&sent_on)).await;
    let done = browser.open(&back).await;
    assert_eq!(done.status, 200);
    for part in ["Connected", "John Doe", "/assets/consent.js", "href=\"/integrations\""] {
        assert!(done.body.contains(part), "{part} in {}", done.body);
    }
    assert!(!done.body.contains("<script>") && !done.body.contains(" onload="), "nothing inline");
    assert!(browser.cookies().is_empty(), "the ticket is of no more use");
    assert_eq!(outcome(&server, &begun).await["state"], "connected");
}

#[tokio::test]
async fn the_ticket_s_cookie_is_for_tls_alone_where_there_is_tls() {
    let (server, forge) = (TestServer::with_url("https://valetkey.example.test").await, ForgeBed::gitlab().await);
    registered(&server, &forge, OAuthApp::confidential("https://valetkey.example.test/oauth/callback")).await;
    let begun = begin(&server.admin(), &forge).await;
    let path = url(&begun).strip_prefix("https://valetkey.example.test").unwrap().to_owned();
    assert!(server.anonymous().get(&path).await.header("set-cookie").contains("; Secure"));
}

#[tokio::test]
async fn without_an_app_nobody_can_consent() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    for path in [AUTHORIZE, "/api/v1/oauth/device"] {
        let problem = admin.post(path, asking(&forge)).await.refused(503, "oauth_not_configured");
        assert!(problem["remediation"].as_str().unwrap().contains("administrator"), "{problem}");
    }
}

#[tokio::test]
async fn what_can_not_be_asked_for_is_refused() {
    let (server, forge) = consenting().await;
    let admin = server.admin();
    let with = |change: Value| {
        let mut body = asking(&forge);
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    };
    for wrong in [
        with(json!({"scope": "project"})),
        with(json!({"project": "default"})),
        with(json!({"method": "pat"})),
        with(json!({"choices": ["sudo"]})),
        with(json!({"redirectUri": "https://evil.test"})),
        with(json!({"owner": "victim"})),
        json!({"provider": "azure-devops"}),
    ] {
        admin.post(AUTHORIZE, wrong).await.refused(400, "invalid_input");
    }
}

#[tokio::test]
async fn denied_is_denied() {
    let (server, forge) = consenting().await;
    let mut browser = Browser::signed_in(&server).await;
    let begun = begin(&browser.script(), &forge).await;
    forge.twin.oauth().consent(Consent::Deny);
    let back = browser.consent(&server, &forge, url(&begun)).await;
    told(&browser.open(&back).await, 403, "Nothing was connected");
    assert_eq!(outcome(&server, &begun).await["problem"]["code"], "consent_denied");
    nothing_is_connected(&server).await;
}

#[tokio::test]
async fn fewer_scopes_than_needed_are_named() {
    let (server, forge) = consenting().await;
    let mut browser = Browser::signed_in(&server).await;
    let begun = begin(&browser.script(), &forge).await;
    forge.twin.oauth().consent(Consent::approve_only(&forge.john, ["read_user"]));
    let back = browser.consent(&server, &forge, url(&begun)).await;
    told(&browser.open(&back).await, 422, "scope");
    assert_eq!(outcome(&server, &begun).await["problem"]["code"], "insufficient_scope");
    nothing_is_connected(&server).await;
}

#[tokio::test]
async fn another_account_does_not_take_the_place_of_the_one_that_is_connected_again() {
    let (server, forge) = consenting().await;
    let mut browser = Browser::signed_in(&server).await;
    let begun = begin(&browser.script(), &forge).await;
    let back = browser.consent(&server, &forge, url(&begun)).await;
    location(&browser.open(&back).await);
    let john = outcome(&server, &begun).await["integration"].clone();

    let mut again = asking(&forge);
    again["reconnect"] = john["id"].clone();
    let jane = forge.twin.user(User::new("jane"));
    forge.twin.oauth().consent(Consent::approve(&jane));
    let begun = browser.script().post(AUTHORIZE, again.clone()).await.ok();
    let back = browser.consent(&server, &forge, url(&begun)).await;
    told(&browser.open(&back).await, 409, "belongs to jane");
    assert_eq!(server.admin().get(INTEGRATIONS).await.ok()["items"][0]["account"], john["account"]);

    let begun = browser.script().post(AUTHORIZE, again).await.ok();
    let back = browser.consent(&server, &forge, url(&begun)).await;
    location(&browser.open(&back).await);
    let items = server.admin().get(INTEGRATIONS).await.ok()["items"].clone();
    assert_eq!((items.as_array().unwrap().len(), &items[0]["id"]), (1, &john["id"]));
}

#[tokio::test]
async fn an_answer_is_good_once() {
    let (server, forge) = consenting().await;
    let mut browser = Browser::signed_in(&server).await;
    let begun = begin(&browser.script(), &forge).await;
    let back = browser.consent(&server, &forge, url(&begun)).await;
    location(&browser.open(&back).await);
    told(&browser.open(&back).await, 400, "used already");
    assert_eq!(outcome(&server, &begun).await["state"], "connected", "the replay changes nothing");
    assert_eq!(server.admin().get(INTEGRATIONS).await.ok()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_refused() {
    let (server, forge) = consenting().await;
    let mut browser = Browser::signed_in(&server).await;
    let begun = begin(&browser.script(), &forge).await;
    let back = browser.consent(&server, &forge, url(&begun)).await;
    server.bed.clock.advance(SignedDuration::from_mins(10));
    told(&browser.open(&back).await, 400, "too late");
    assert_eq!(outcome(&server, &begun).await["state"], "failed");
    let begun = begin(&server.admin(), &forge).await;
    server.bed.clock.advance(SignedDuration::from_mins(10));
    told(&Browser::new(&server).open(url(&begun)).await, 400, "no longer");
    nothing_is_connected(&server).await;
}

#[tokio::test]
async fn a_state_that_was_made_up_is_refused() {
    let (server, forge) = consenting().await;
    let mut browser = Browser::signed_in(&server).await;
    begin(&browser.script(), &forge).await;
    for query in
        ["", "?code=x", "?state=x", "?code=x&state=made-up", "?error=access_denied&state=made-up", "?code=x&state=%00"]
    {
        told(&browser.open(&format!("{}{query}", callback())).await, 400, "Nothing was connected");
    }
    nothing_is_connected(&server).await;
}

/// An attacker has a victim's browser finish what the attacker began, or the other way round.
#[tokio::test]
async fn an_answer_counts_only_in_the_browser_that_asked() {
    let (server, forge) = consenting().await;
    let asked = forge.twin.journal().len();
    for other in [Browser::new(&server), Browser::signed_in(&server).await] {
        let mut other = other;
        let browser = Browser::signed_in(&server).await;
        let begun = begin(&browser.script(), &forge).await;
        let back = browser.consent(&server, &forge, url(&begun)).await;
        told(&other.open(&back).await, 400, "another browser");
        assert_eq!(outcome(&server, &begun).await["problem"]["code"], "oauth_state_invalid");
        let mut browser = browser;
        told(&browser.open(&back).await, 400, "used already");
    }
    let requests = forge.twin.journal();
    assert!(!requests.iter().skip(asked).any(|request| request.path == "/oauth/token"), "the code was never redeemed");
    nothing_is_connected(&server).await;
}

#[tokio::test]
async fn a_ticket_is_for_its_own_attempt() {
    let (server, forge) = consenting().await;
    let (one, two) = (begin(&server.admin(), &forge).await, begin(&server.admin(), &forge).await);
    let (start, _) = url(&one).split_once('?').unwrap();
    let (_, ticket) = url(&two).split_once('?').unwrap();
    for wrong in [
        format!("{start}?{ticket}"),
        start.to_owned(),
        format!("{start}?ticket="),
        format!("{start}?ticket=%0d%0aSet-Cookie"),
    ] {
        let reply = Browser::new(&server).open(&wrong).await;
        assert!(reply.headers.get("set-cookie").is_none());
        told(&reply, 400, "not valid");
    }
}

#[tokio::test]
async fn a_ticket_is_for_the_browser_that_brings_it_first() {
    let (server, forge) = consenting().await;
    let begun = begin(&server.admin(), &forge).await;
    let mut first = Browser::new(&server);
    assert!(first.open(url(&begun)).await.headers.get("set-cookie").is_some());
    told(&Browser::new(&server).open(url(&begun)).await, 400, "not valid");
    assert_eq!(first.open(url(&begun)).await.status.as_u16(), 303, "a reload is fine");
}

#[tokio::test]
async fn nobody_else_learns_how_an_attempt_stands() {
    let (server, forge) = consenting().await;
    let begun = begin(&server.admin(), &forge).await;
    let device = server.admin().post("/api/v1/oauth/device", asking(&forge)).await.ok();
    let eve = server.somebody("eve").await;
    for attempt in [&begun["attempt"], &device["attempt"]] {
        let path = format!("/api/v1/oauth/attempts/{}", attempt.as_str().unwrap());
        eve.get(&path).await.refused(400, "oauth_state_invalid");
        eve.post("/api/v1/oauth/device/poll", json!({"attempt": attempt})).await.refused(400, "oauth_state_invalid");
    }
}

#[tokio::test]
async fn a_code_without_its_verifier_is_worth_nothing() {
    let (server, forge) = consenting().await;
    let browser = Browser::signed_in(&server).await;
    let begun = begin(&browser.script(), &forge).await;
    // What an attacker who sees the address can do: begin an attempt of their own with another verifier.
    let mut stolen = Url::parse(url(&begun)).unwrap();
    let pairs: Vec<_> = stolen.query_pairs().into_owned().collect();
    stolen.query_pairs_mut().clear().extend_pairs(pairs.iter().map(|(name, value)| {
        let value = if name == "code_challenge" { "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" } else { value };
        (name.as_str(), value)
    }));
    let back = browser.consent(&server, &forge, stolen.as_str()).await;
    let mut browser = browser;
    told(&browser.open(&back).await, 400, "Connect again");
    nothing_is_connected(&server).await;
}

#[tokio::test]
async fn an_app_that_the_provider_does_not_accept_is_the_administrator_s_to_mend() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let app = registered(&server, &forge, OAuthApp::confidential(&callback())).await;
    let wrong = json!({"provider": "gitlab", "instanceUrl": forge.twin.url(), "clientId": app.client_id(), "clientSecret": "old"});
    server.admin().post("/api/v1/provider-apps", wrong).await.created();
    forge.twin.oauth().consent(Consent::approve(&forge.john));
    let mut browser = Browser::signed_in(&server).await;
    let begun = begin(&browser.script(), &forge).await;
    let back = browser.consent(&server, &forge, url(&begun)).await;
    told(&browser.open(&back).await, 422, "administrator");
    nothing_is_connected(&server).await;
}

#[tokio::test]
async fn consent_is_given_on_another_device() {
    let (server, forge) = consenting().await;
    let admin = server.admin();
    let code = admin.post("/api/v1/oauth/device", asking(&forge)).await.ok();
    assert!(code["verificationUri"].as_str().unwrap().starts_with(forge.twin.url()), "{code}");
    let poll = async || admin.post("/api/v1/oauth/device/poll", json!({"attempt": code["attempt"]})).await;
    let wait = || server.bed.clock.advance(SignedDuration::from_secs(code["interval"].as_i64().unwrap()));

    let asked = forge.twin.journal().len();
    assert_eq!(poll().await.ok(), json!({"state": "pending", "interval": code["interval"]}));
    assert_eq!(forge.twin.journal().len(), asked, "the provider is not asked sooner than it wants");
    wait();
    assert_eq!(poll().await.ok()["state"], "pending");
    forge
        .twin
        .oauth()
        .device(code["userCode"].as_str().unwrap(), DeviceDecision::Decide(Consent::approve(&forge.john)));
    wait();
    let done = poll().await.ok();
    assert_eq!((&done["state"], &done["integration"]["account"]["username"]), (&json!("connected"), &json!("john")));
    assert_eq!(poll().await.ok(), done, "asked again it says the same");
    assert_eq!(outcome(&server, &code).await, done);
}

#[tokio::test]
async fn a_denied_or_forgotten_device_code_is_told_once_and_for_all() {
    for (decision, status, code) in [
        (DeviceDecision::Decide(Consent::Deny), 403, "consent_denied"),
        (DeviceDecision::Expire, 400, "oauth_state_invalid"),
    ] {
        let (server, forge) = consenting().await;
        let admin = server.admin();
        let begun = admin.post("/api/v1/oauth/device", asking(&forge)).await.ok();
        forge.twin.oauth().device(begun["userCode"].as_str().unwrap(), decision);
        server.bed.clock.advance(SignedDuration::from_secs(begun["interval"].as_i64().unwrap()));
        for _ in 0..2 {
            admin.post("/api/v1/oauth/device/poll", json!({"attempt": begun["attempt"]})).await.refused(status, code);
        }
        nothing_is_connected(&server).await;
    }
}

#[tokio::test]
async fn github_is_asked_in_the_browser_and_on_another_device_too() {
    let (server, forge) = (TestServer::start().await, ForgeBed::github().await);
    registered(&server, &forge, OAuthApp::confidential(&callback()).device_flow().without_expiry()).await;
    forge.twin.oauth().consent_always(Consent::approve(&forge.john));
    let mut browser = Browser::signed_in(&server).await;
    let begun = begin(&browser.script(), &forge).await;
    let back = browser.consent(&server, &forge, url(&begun)).await;
    assert_eq!(location(&browser.open(&back).await), "/integrations?did=connected");
    let connected = outcome(&server, &begun).await["integration"].clone();
    assert_eq!((&connected["provider"], &connected["account"]["username"]), (&json!("github"), &json!("john")));

    let admin = server.admin();
    let code = admin.post("/api/v1/oauth/device", asking(&forge)).await.ok();
    forge
        .twin
        .oauth()
        .device(code["userCode"].as_str().unwrap(), DeviceDecision::Decide(Consent::approve(&forge.john)));
    server.bed.clock.advance(SignedDuration::from_secs(code["interval"].as_i64().unwrap()));
    let done = admin.post("/api/v1/oauth/device/poll", json!({"attempt": code["attempt"]})).await.ok();
    assert_eq!(done["integration"]["id"], connected["id"], "the same account again");
}
