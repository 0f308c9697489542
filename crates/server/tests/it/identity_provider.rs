//! People sign in at an OpenID provider.

use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};
use url::Url;
use valetkey_model::{Admission, ProjectName, Role};
use valetkey_providers::oidc::{RelyingParty, RelyingPartyConfig};
use valetkey_seal::Secret;
use valetkey_server::{IdentityProvider, SignIn};
use valetkey_store::{Member, MemberName};
use valetkey_testbed::ForgeBed;
use valetkey_twins::{Account, Consent, OAuthApp, OpenId, Service, User};

use crate::{
    browser::{Browser, location},
    harness::{PUBLIC_URL, Reply, TestServer, connect_body},
};

const BEGIN: &str = "/sign-in/oidc";
const ATTEMPT: &str = "valetkey_sign_in";
const SESSION: &str = "valetkey_session";

/// A server whose people sign in at a twin.
struct Bed {
    server: TestServer,
    twin: Service<OpenId>,
    app: OAuthApp,
}

impl Bed {
    async fn new() -> Self {
        Self::admitting(Admission::everybody()).await
    }

    async fn admitting(admission: Admission) -> Self {
        let server = TestServer::start().await;
        let twin = Service::<OpenId>::builder().start().await.expect("the twin starts");
        let callback = format!("{PUBLIC_URL}{BEGIN}/callback");
        let app = twin.oauth().register(OAuthApp::confidential(&callback));
        let config = RelyingPartyConfig {
            issuer: twin.url().parse().expect("an issuer"),
            client_id: app.client_id().to_owned(),
            client_secret: Some(Secret::from(app.client_secret())),
            scopes: vec!["openid".to_owned()],
            groups_claim: "groups".to_owned(),
        };
        let party = RelyingParty::new(server.bed.http.clone(), config);
        let provider = IdentityProvider { name: "Example".to_owned(), party, admission };
        let server = server.with_sign_in(SignIn { identity_provider: Some(provider), proxy: None });
        Self { server, twin, app }
    }

    fn person(&self, name: &str) -> Account {
        self.twin.user(User::new(name).name(name))
    }

    /// Leaves for the identity provider; the answer is where it sends the browser back to.
    async fn answered(&self, browser: &mut Browser, person: &Account) -> String {
        self.twin.oauth().consent(Consent::approve(person));
        let page = location(&browser.open(&format!("{PUBLIC_URL}{BEGIN}")).await);
        browser.visit(&self.server, self.twin.url(), &page).await
    }

    async fn arrives(&self, person: &Account) -> (Browser, Reply) {
        let mut browser = Browser::new(&self.server);
        let back = self.answered(&mut browser, person).await;
        let reply = browser.open(&back).await;
        (browser, reply)
    }

    async fn signed_in(&self, person: &Account) -> Browser {
        let (browser, reply) = self.arrives(person).await;
        assert_eq!(location(&reply), "/");
        browser
    }

    async fn is_refused(&self, person: &Account, part: &str) {
        let (browser, reply) = self.arrives(person).await;
        told(&reply, 403, part);
        assert!(browser.cookies().is_empty());
    }
}

async fn me(browser: &Browser) -> Value {
    browser.script().get("/api/v1/me").await.ok()
}

#[track_caller]
fn told(reply: &Reply, status: u16, part: &str) {
    assert_eq!(reply.status.as_u16(), status, "{}", reply.body);
    assert!(reply.body.contains(part) && reply.body.contains("Sign in with Example"), "{part:?} in {}", reply.body);
    let session =
        reply.headers.get_all("set-cookie").iter().any(|cookie| cookie.to_str().unwrap().starts_with(SESSION));
    assert!(!session, "nobody is signed in");
}

#[tokio::test]
async fn two_people_sign_in_and_see_only_their_own() {
    let (bed, forge) = (Bed::new().await, ForgeBed::gitlab().await);
    let (anna, bob) = (bed.signed_in(&bed.person("anna")).await, bed.signed_in(&bed.person("bob")).await);
    assert_ne!(me(&anna).await["id"], me(&bob).await["id"]);
    assert_eq!(
        (&me(&anna).await["name"], &me(&anna).await["email"], &me(&anna).await["administrator"]),
        (&json!("anna"), &json!("anna@example.test"), &json!(false))
    );
    let hers = anna.script().post("/api/v1/integrations", connect_body(&forge)).await.created();
    let his = bob.script().post("/api/v1/integrations", connect_body(&forge)).await.created();
    for (browser, own, foreign) in [(&anna, &hers, &his), (&bob, &his, &hers)] {
        let listed = browser.script().get("/api/v1/integrations").await.ok();
        assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["id"]), (1, &own["id"]));
        let foreign = format!("/api/v1/integrations/{}", foreign["id"].as_str().unwrap());
        browser.script().get(&foreign).await.refused(404, "not_found");
        browser.script().delete(&foreign).await.refused(404, "not_found");
        browser.script().get("/api/v1/people").await.refused(403, "forbidden");
    }
}

#[tokio::test]
async fn the_cookie_of_an_attempt_is_short_lived_and_gone_with_its_answer() {
    let bed = Bed::new().await;
    let mut browser = Browser::new(&bed.server);
    let page = browser.open(&format!("{PUBLIC_URL}/sign-in")).await;
    assert!(
        page.body.contains("Sign in with Example") && page.body.contains("href=\"/sign-in/oidc\""),
        "{}",
        page.body
    );
    let sent = browser.open(&format!("{PUBLIC_URL}{BEGIN}")).await;
    let attributes: Vec<_> = sent.header("set-cookie").split("; ").skip(1).map(str::to_owned).collect();
    assert_eq!(attributes, ["Path=/sign-in/oidc", "HttpOnly", "SameSite=Lax", "Max-Age=600"]);
    // What ties the two together is not in the address, but what is made of it.
    let value = browser.cookie(ATTEMPT).split('.').next().unwrap();
    assert!(!location(&sent).contains(value));

    bed.twin.oauth().consent(Consent::approve(&bed.person("anna")));
    let back = browser.visit(&bed.server, bed.twin.url(), &location(&sent)).await;
    assert_eq!(location(&browser.open(&back).await), "/");
    assert_eq!(browser.cookies(), [SESSION]);
    // Somebody who is signed in is not asked again.
    assert_eq!(location(&browser.open(&format!("{PUBLIC_URL}/sign-in")).await), "/");
}

#[tokio::test]
async fn an_answer_counts_once_and_in_the_browser_that_asked() {
    let bed = Bed::new().await;
    let anna = bed.person("anna");
    let mut browser = Browser::new(&bed.server);
    let back = bed.answered(&mut browser, &anna).await;

    // Another browser: one without an attempt, and one with its own (a forged sign-in as somebody else).
    told(&Browser::new(&bed.server).open(&back).await, 400, "does not belong");
    let mut victim = Browser::new(&bed.server);
    victim.open(&format!("{PUBLIC_URL}{BEGIN}")).await;
    told(&victim.open(&back).await, 400, "does not belong");
    assert!(victim.cookies().is_empty(), "an attempt ends with its first answer");

    // A forged state, and a tampered cookie.
    let kept = browser.cookie(ATTEMPT).to_owned();
    let forged = back.replace("state=", "state=x");
    told(&browser.open(&forged).await, 400, "does not belong");
    let mut parts: Vec<_> = kept.split('.').map(str::to_owned).collect();
    parts[1] = (parts[1].parse::<i64>().unwrap() + 1).to_string();
    for tampered in [parts.join("."), format!("{kept}x"), kept.replace('.', ""), "..".to_owned(), "a.b.c".to_owned()] {
        browser.set_cookie(ATTEMPT, &tampered);
        told(&browser.open(&back).await, 400, "does not belong");
    }

    browser.set_cookie(ATTEMPT, &kept);
    assert_eq!(location(&browser.open(&back).await), "/");
    // Again: without the cookie, which is gone, and with it.
    told(&browser.open(&back).await, 400, "does not belong");
    browser.set_cookie(ATTEMPT, &kept);
    told(&browser.open(&back).await, 400, "authorization code was not accepted");
}

#[tokio::test]
async fn an_attempt_ends_after_ten_minutes() {
    let bed = Bed::new().await;
    let mut browser = Browser::new(&bed.server);
    let back = bed.answered(&mut browser, &bed.person("anna")).await;
    bed.server.bed.clock.advance(SignedDuration::from_mins(10));
    told(&browser.open(&back).await, 400, "does not belong");
}

#[tokio::test]
async fn whoever_declines_is_not_signed_in() {
    let bed = Bed::new().await;
    let mut browser = Browser::new(&bed.server);
    bed.twin.oauth().consent(Consent::Deny);
    let page = location(&browser.open(&format!("{PUBLIC_URL}{BEGIN}")).await);
    let back = browser.visit(&bed.server, bed.twin.url(), &page).await;
    told(&browser.open(&back).await, 403, "declined");
}

#[tokio::test]
async fn a_token_of_another_sign_in_counts_for_nothing() {
    let bed = Bed::new().await;
    let anna = bed.person("anna");
    for (claim, value) in [
        ("nonce", json!("another")),
        ("aud", json!("another")),
        ("iss", json!("https://evil.test")),
        ("exp", json!(1)),
        ("sub", Value::Null),
    ] {
        bed.twin.claim(&anna, claim, value);
        let (browser, reply) = bed.arrives(&anna).await;
        told(&reply, 401, "refused");
        assert!(browser.cookies().is_empty());
        bed.twin.claim(&anna, claim, Value::Null);
    }
}

#[tokio::test]
async fn afterwards_they_go_on_where_they_were_and_nowhere_else() {
    let bed = Bed::new().await;
    let anna = bed.person("anna");
    for (asked, goes) in [
        ("%2Fsessions%3Fphase%3Dfailed", "/sessions?phase=failed"),
        ("%2F%2Fevil.test", "/"),
        ("https%3A%2F%2Fevil.test", "/"),
        ("%2F%5Cevil.test", "/"),
        ("%2F%09%2Fevil.test", "/"),
    ] {
        let mut browser = Browser::new(&bed.server);
        bed.twin.oauth().consent(Consent::approve(&anna));
        let page = location(&browser.open(&format!("{PUBLIC_URL}{BEGIN}?return_to={asked}")).await);
        let back = browser.visit(&bed.server, bed.twin.url(), &page).await;
        assert_eq!(location(&browser.open(&back).await), goes, "{asked}");
    }
}

#[tokio::test]
async fn a_page_that_asks_for_a_sign_in_is_shown_after_it() {
    let bed = Bed::new().await;
    let mut browser = Browser::new(&bed.server);
    let asked = location(&browser.open(&format!("{PUBLIC_URL}/sessions?phase=failed")).await);
    let page = browser.open(&format!("{PUBLIC_URL}{asked}")).await.body;
    let link = page.split("href=\"").find(|rest| rest.starts_with(BEGIN)).unwrap().split('"').next().unwrap();
    bed.twin.oauth().consent(Consent::approve(&bed.person("anna")));
    let there = location(&browser.open(&format!("{PUBLIC_URL}{link}")).await);
    let back = browser.visit(&bed.server, bed.twin.url(), &there).await;
    assert_eq!(location(&browser.open(&back).await), "/sessions?phase=failed");
    // A form that was sent is not sent again.
    let form = bed.server.anonymous().press("/settings/people/x").await;
    assert_eq!(form.header("location"), "/sign-in");
}

#[tokio::test]
async fn domains_and_groups_decide_who_comes_in_and_who_administers() {
    let list = |item: &str| [item.to_owned()];
    let admission = Admission::everybody()
        .only_domains(list("example.test"))
        .only_groups(list("dev"))
        .administrators([], list("ops"));
    let bed = Bed::admitting(admission).await;
    let anna = bed.person("anna");
    bed.is_refused(&anna, "none of the groups").await;
    bed.twin.groups(&anna, ["dev"]);
    let browser = bed.signed_in(&anna).await;
    assert_eq!(me(&browser).await["administrator"], false);

    bed.twin.groups(&anna, ["dev", "ops"]);
    let again = bed.signed_in(&anna).await;
    assert_eq!(me(&again).await["administrator"], true);
    assert_eq!(me(&browser).await["administrator"], true, "what they may do is asked with each request");

    bed.twin.claim(&anna, "email_verified", json!(false));
    bed.is_refused(&anna, "verified e-mail address").await;
    let eve = bed.twin.user(User::new("eve").email("eve@example.test.evil.test"));
    bed.twin.groups(&eve, ["dev"]);
    bed.is_refused(&eve, "domain").await;
}

#[tokio::test]
async fn roles_follow_the_groups_of_the_last_sign_in() {
    let bed = Bed::new().await;
    let anna = bed.person("anna");
    let (project, now) = (ProjectName::default_project(), valetkey_model::Clock::now(&*bed.server.bed.clock));
    let member = Member { name: MemberName::Group("dev".to_owned()), role: Role::Viewer, added_at: now };
    bed.server.bed.store.set_member(&project, &member).await.unwrap();
    let browser = bed.signed_in(&anna).await;
    browser.script().get("/api/v1/projects/default").await.refused(404, "not_found");
    bed.twin.groups(&anna, ["dev"]);
    bed.signed_in(&anna).await;
    assert_eq!(me(&browser).await["roles"], json!({ "default": "viewer" }));
    browser.script().get("/api/v1/projects/default").await.ok();
    bed.twin.groups(&anna, []);
    bed.signed_in(&anna).await;
    browser.script().get("/api/v1/projects/default").await.refused(404, "not_found");
}

#[tokio::test]
async fn whoever_is_disabled_is_out_at_once() {
    let bed = Bed::new().await;
    let anna = bed.person("anna");
    let browser = bed.signed_in(&anna).await;
    let id = me(&browser).await["id"].as_str().unwrap().to_owned();
    let token = browser.script().post("/api/v1/tokens", json!({ "name": "ci" })).await.created();
    let program = bed.server.bearer(token["token"].as_str().unwrap());
    let access = bed.server.bearer(&bed.twin.access_token(&anna, bed.app.client_id()));
    for client in [&program, &access] {
        assert_eq!(client.get("/api/v1/me").await.ok()["id"], id);
    }
    let disabled = json!({ "disabled": true });
    bed.server.admin().patch(&format!("/api/v1/people/{id}"), disabled).await.ok();
    for client in [&browser.script(), &program, &access] {
        client.get("/api/v1/me").await.refused(401, "unauthenticated");
    }
    bed.is_refused(&anna, "disabled").await;

    bed.server.admin().patch(&format!("/api/v1/people/{id}"), json!({ "disabled": false })).await.ok();
    program.get("/api/v1/me").await.ok();
    browser.script().get("/api/v1/me").await.refused(401, "unauthenticated");
    bed.signed_in(&anna).await;
}

#[tokio::test]
async fn access_tokens_for_us_speak_for_people_who_have_signed_in() {
    let bed = Bed::new().await;
    let anna = bed.person("anna");
    let token = |audience: &str| bed.server.bearer(&bed.twin.access_token(&anna, audience));
    let ours = token(bed.app.client_id());
    let refused = ours.get("/api/v1/me").await.refused(401, "unauthenticated");
    assert!(refused["detail"].as_str().unwrap().contains("has not signed in"), "{refused}");
    bed.signed_in(&anna).await;
    assert_eq!(ours.get("/api/v1/me").await.ok()["name"], "anna");

    token("another").get("/api/v1/me").await.refused(401, "unauthenticated");
    let jwt = bed.twin.access_token(&anna, bed.app.client_id());
    let (signed, _) = jwt.rsplit_once('.').unwrap();
    for forged in [format!("{signed}."), format!("{signed}.AAAA"), format!("{jwt}A")] {
        bed.server.bearer(&forged).get("/api/v1/me").await.refused(401, "unauthenticated");
    }
    // An ID token is none.
    bed.twin.claim(&anna, "nonce", json!("n"));
    token(bed.app.client_id()).get("/api/v1/me").await.refused(401, "unauthenticated");
    bed.twin.claim(&anna, "nonce", Value::Null);
    // It is no way to a browser session that outlives it.
    let form = format!("token={jwt}");
    let media_type = Some("application/x-www-form-urlencoded");
    let reply = bed.server.anonymous().send(http::Method::POST, "/sign-in", media_type, form).await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);

    bed.server.bed.clock.advance(SignedDuration::from_mins(62));
    ours.get("/api/v1/me").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn new_keys_of_the_issuer_count_after_a_minute() {
    let bed = Bed::new().await;
    let anna = bed.person("anna");
    bed.signed_in(&anna).await;
    bed.twin.rotate_key();
    told(&bed.arrives(&anna).await.1, 401, "no such key");
    bed.server.bed.clock.advance(SignedDuration::from_mins(1));
    bed.signed_in(&anna).await;
}

#[tokio::test]
async fn where_no_identity_provider_is_set_there_is_no_way_through_one() {
    let server = TestServer::start().await;
    for path in [BEGIN, "/sign-in/oidc/callback?code=x&state=y"] {
        assert_eq!(server.anonymous().get(path).await.status, StatusCode::NOT_FOUND);
    }
    let page = server.anonymous().get("/sign-in").await;
    assert!(page.body.contains("API token") && !page.body.contains("Sign in with"), "{}", page.body);
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_leaves_the_other_ways_in() {
    let bed = Bed::new().await;
    bed.twin.switch(valetkey_twins::Switch::Down);
    let mut browser = Browser::new(&bed.server);
    let reply = browser.open(&format!("{PUBLIC_URL}{BEGIN}")).await;
    told(&reply, 502, "API token");
    assert_eq!(Url::parse(bed.twin.url()).unwrap().scheme(), "http");
}
