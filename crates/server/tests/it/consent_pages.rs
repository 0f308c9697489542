//! Connecting by consent through the pages, as a browser that is signed in.

use http::{Method, StatusCode};
use jiff::SignedDuration;
use valetkey_testbed::ForgeBed;
use valetkey_twins::{Consent, DeviceDecision, OAuthApp};

use crate::harness::{Client, PUBLIC_URL, Reply, TestServer};

async fn submit(client: &Client, path: &str, fields: &[(&str, &str)]) -> Reply {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    client.send(Method::POST, path, Some("application/x-www-form-urlencoded"), body.finish()).await
}

#[track_caller]
fn leads_to(reply: &Reply) -> String {
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    reply.header("location").to_owned()
}

fn cookie(reply: &Reply) -> String {
    reply.header("set-cookie").split(';').next().expect("a value").to_owned()
}

/// A server with a forge at which an app is registered by the form, and a browser that is signed in.
struct Bed {
    server: TestServer,
    forge: ForgeBed,
    session: String,
}

impl Bed {
    async fn new() -> Self {
        let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
        let link = server.app.sign_in_link().await.expect("a link");
        let reply = server.anonymous().press(link.strip_prefix(PUBLIC_URL).expect("our address")).await;
        let bed = Self { session: cookie(&reply), server, forge };
        let app = OAuthApp::confidential(&format!("{PUBLIC_URL}/oauth/callback")).device_flow();
        let app = bed.forge.twin.oauth().register(app);
        let fields = [
            ("instance", bed.forge.twin.url()),
            ("client_id", app.client_id()),
            ("client_secret", app.client_secret()),
        ];
        let reply = submit(&bed.browser(), "/settings/apps/gitlab", &fields).await;
        assert_eq!(leads_to(&reply), "/settings/apps?did=app-registered");
        bed
    }

    fn browser(&self) -> Client {
        self.server.anonymous().with("cookie", &self.session)
    }

    async fn ask(&self, how: &str) -> Reply {
        let fields = [("method", "oauth"), ("instanceUrl", self.forge.twin.url()), ("alias", "Work"), ("how", how)];
        submit(&self.browser(), "/integrations/connect/gitlab", &fields).await
    }
}

#[tokio::test]
async fn a_browser_is_led_to_the_provider_by_a_page_of_ours() {
    let bed = Bed::new().await;
    let start = leads_to(&bed.ask("web").await);
    assert!(start.starts_with("/oauth/start/"), "{start}");
    let page = bed.browser().get(&start).await;
    let body = page.body.replace("&#x2f;", "/");
    assert!(body.contains(&format!("url={}/oauth/authorize?", bed.forge.twin.url())), "{}", page.body);
}

#[tokio::test]
async fn a_program_is_sent_nowhere() {
    let bed = Bed::new().await;
    let fields = [("method", "oauth"), ("instanceUrl", bed.forge.twin.url()), ("how", "web")];
    let reply = submit(&bed.server.admin(), "/integrations/connect/gitlab", &fields).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert!(reply.body.contains("Only a signed-in browser"), "{}", reply.body);
}

#[tokio::test]
async fn a_code_is_shown_until_it_is_typed_in_elsewhere() {
    let bed = Bed::new().await;
    let reply = bed.ask("device").await;
    let (path, shown) = (leads_to(&reply), cookie(&reply));
    let browser = bed.server.anonymous().with("cookie", &format!("{}; {shown}", bed.session));
    let page = browser.get(&path).await;
    let code = page.body.split("data-copy=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a code");
    assert!(page.body.contains("data-wait="), "{}", page.body);
    assert!(!bed.browser().get(&path).await.body.contains(code), "another browser is shown no code");

    bed.forge.twin.oauth().device(code, DeviceDecision::Decide(Consent::approve(&bed.forge.john)));
    bed.server.bed.clock.advance(SignedDuration::from_secs(30));
    let done = leads_to(&browser.get(&path).await);
    assert!(done.starts_with("/integrations?did=connected#"), "{done}");
    let list = browser.get("/integrations").await;
    assert!(list.body.contains("Work") && list.body.contains("Consent in the browser"), "{}", list.body);
}

#[tokio::test]
async fn a_code_that_is_refused_elsewhere_says_so() {
    let bed = Bed::new().await;
    let reply = bed.ask("device").await;
    let (path, shown) = (leads_to(&reply), cookie(&reply));
    let browser = bed.server.anonymous().with("cookie", &format!("{}; {shown}", bed.session));
    let page = browser.get(&path).await;
    let code = page.body.split("data-copy=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a code");
    bed.forge.twin.oauth().device(code, DeviceDecision::Decide(Consent::Deny));
    bed.server.bed.clock.advance(SignedDuration::from_secs(30));
    let page = browser.get(&path).await;
    assert!(page.body.contains("was not connected") && !page.body.contains("data-wait="), "{}", page.body);
}

#[tokio::test]
async fn an_app_is_shown_without_its_secret_and_removed() {
    let bed = Bed::new().await;
    let page = bed.browser().get("/settings/apps").await;
    assert!(page.body.contains("client id"), "{}", page.body);
    let reply = submit(&bed.browser(), "/settings/apps/gitlab/remove", &[("instance", bed.forge.twin.url())]).await;
    assert_eq!(leads_to(&reply), "/settings/apps?did=app-removed");
    let form = bed.browser().get("/integrations/connect/gitlab?method=oauth").await;
    assert!(form.body.contains("no app is registered"), "{}", form.body);
}

#[tokio::test]
async fn the_form_that_makes_a_github_app_may_leave_for_that_github_only() {
    let bed = Bed::new().await;
    let fields = [("organisation", "acme"), ("instance", "https://github.example.com")];
    let reply = submit(&bed.browser(), "/settings/apps/github/create", &fields).await;
    assert_eq!(reply.status, StatusCode::OK);
    let policy = reply.header("content-security-policy");
    assert!(policy.contains("form-action 'self' https://github.example.com;"), "{policy}");
    assert!(reply.body.contains("https://github.example.com/organizations/acme/settings/apps/new?state="));
    let forged = bed.browser().get("/oauth/github/manifest?code=x&state=forged").await;
    assert_eq!(forged.status, StatusCode::BAD_REQUEST, "{}", forged.body);
    let foreign = bed.browser().get("/oauth/github/installed?installation_id=7&setup_action=install").await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN, "{}", foreign.body);
}
