//! Connecting by consent: the test is the person's browser, or their other device.

use reqwest::{Client, Url, header, redirect::Policy};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr},
    time::timeout,
};
use valetkey_twins::{Consent, DeviceDecision, Forge, OAuthApp};

use crate::{
    server::{Server, signed_in},
    support::{PATIENCE, Person},
};

/// Somebody whose server knows an app of a forge, which sends browsers back to that server.
async fn with_app(app: OAuthApp) -> (Person, Server) {
    let person = Person::at(Forge::GitLab).await;
    let server = Server::start(&person).await;
    let app = person.twin.oauth().register(app.redirect(&format!("{}/oauth/callback", server.url)));
    person.twin.oauth().consent_always(Consent::approve(&person.account));
    let person = signed_in(person, &server).await;
    let body = json!({
        "provider": "gitlab",
        "instanceUrl": person.twin.url(),
        "clientId": app.client_id(),
        "clientSecret": app.client_secret(),
    });
    let token = person.variable("VALETKEY_TOKEN");
    let request = browser().post(format!("{}/api/v1/provider-apps", server.url)).bearer_auth(token).json(&body);
    assert_eq!(request.send().await.unwrap().status(), 201);
    (person, server)
}

fn app() -> OAuthApp {
    OAuthApp::confidential("https://elsewhere.example.test/callback").device_flow()
}

#[expect(clippy::disallowed_methods, reason = "the person's browser")]
fn browser() -> Client {
    Client::builder().redirect(Policy::none()).no_proxy().build().unwrap()
}

/// A command that waits for somebody.
struct Waiting {
    child: Child,
    said: Lines<BufReader<ChildStderr>>,
}

impl Waiting {
    fn start(person: &Person, args: &[&str]) -> Self {
        let place = ["connect", "gitlab", "--instance", person.twin.url(), "-o", "json"];
        let mut child = person.command(place.iter().chain(args)).spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, said }
    }

    /// The next line that begins with this.
    async fn line(&mut self, start: &str) -> String {
        let mut before = Vec::new();
        loop {
            let line = timeout(PATIENCE, self.said.next_line()).await.expect("a line in time").unwrap();
            let line = line.unwrap_or_else(|| panic!("it ended without {start:?}: {before:?}"));
            if line.trim_start().starts_with(start) {
                return line.trim().to_owned();
            }
            before.push(line);
        }
    }

    async fn end(mut self) -> (i32, String) {
        let mut stdout = String::new();
        let mut out = self.child.stdout.take().unwrap();
        let status = async {
            out.read_to_string(&mut stdout).await.unwrap();
            self.child.wait().await.unwrap()
        };
        let status = timeout(PATIENCE, status).await.expect("it ends in time");
        (status.code().unwrap(), stdout)
    }
}

/// Goes where a browser goes: to the start, to the provider, back. The last page's text is the answer.
async fn visit(start: &str) -> String {
    let browser = browser();
    let there = browser.get(start).send().await.unwrap();
    let cookie = there.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let to = |headers: &header::HeaderMap| headers[header::LOCATION].to_str().unwrap().parse::<Url>().unwrap();
    let back = browser.get(to(there.headers())).send().await.unwrap();
    let request = browser.get(to(back.headers())).header(header::COOKIE, cookie).header(header::ACCEPT, "text/html");
    request.send().await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_connected_in_the_browser_through_a_server() {
    let (person, _server) = with_app(app()).await;
    let mut waiting = Waiting::start(&person, &["--web", "--alias", "work"]);
    let page = visit(&waiting.line("http://").await).await;
    assert!(page.contains("Ada Lovelace"), "{page}");
    let (code, stdout) = waiting.end().await;
    assert_eq!(code, 0, "{stdout}");
    let connected: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&connected["alias"], &connected["authMethod"]), (&json!("work"), &json!("oauth")));

    let shown = person.run(&["integrations", "show", "work"]).await.ok();
    assert!(shown.stdout.contains("connected by:") && shown.stdout.contains("kept alive by itself"), "{shown:?}");
    person.run(&["integrations", "rotate", "work"]).await.failed(1, "Consent again");
    let gone = person.run(&["integrations", "disconnect", "work"]).await.ok();
    assert!(gone.stdout.contains("GitLab has revoked it"), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_connected_in_the_browser_without_a_server() {
    let (mut person, mut server) = with_app(app()).await;
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    person.set("VALETKEY_SERVER", "");
    person.set("VALETKEY_LISTEN", &address);
    let args = ["connect", "gitlab", "--instance", person.twin.url(), "--web"];
    let said = person.run(&args).await.failed(1, "can't listen");
    assert!(said.stderr.contains("--server"), "{said:?}");

    server.end().await;
    let mut waiting = Waiting::start(&person, &["--web", "--no-browser"]);
    visit(&waiting.line("http://").await).await;
    let (code, stdout) = waiting.end().await;
    assert_eq!(code, 0, "{stdout}");
    let list = person.run(&["integrations", "-o", "json"]).await.ok().json();
    assert_eq!(list["items"][0]["account"]["username"], "ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn denying_ends_the_wait_with_the_reason() {
    let (person, _server) = with_app(app()).await;
    person.twin.oauth().consent(Consent::Deny);
    let mut waiting = Waiting::start(&person, &["--web"]);
    let page = visit(&waiting.line("http://").await).await;
    assert!(page.contains("Nothing was connected"), "{page}");
    let (code, stdout) = waiting.end().await;
    assert_eq!(code, 3, "{stdout}");
    let problem: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(problem["code"], "consent_denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_connected_with_a_code_on_another_device() {
    let (mut person, _server) = with_app(app()).await;
    person.set("VALETKEY_SERVER", "");
    let mut waiting = Waiting::start(&person, &["--device"]);
    waiting.line("Open ").await;
    assert_eq!(waiting.line("").await, "");
    let code = waiting.line("").await;
    person.twin.oauth().device(&code, DeviceDecision::Decide(Consent::approve(&person.account)));
    let (ended, stdout) = waiting.end().await;
    assert_eq!(ended, 0, "{stdout}");
    assert!(stdout.contains("\"username\": \"ada\""), "{stdout}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_app_it_says_who_can_help() {
    let person = Person::at(Forge::GitLab).await;
    for way in ["--web", "--device"] {
        let mut person_at_home = person.command(["connect", "gitlab", "--instance", person.twin.url(), way]);
        let child = person_at_home.env("VALETKEY_LISTEN", "127.0.0.1:0").spawn().unwrap();
        person.end(child).await.failed(3, "An administrator registers one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ways_that_do_not_go_together_are_refused() {
    let person = Person::at(Forge::GitLab).await;
    for wrong in [
        ["--web", "--device"].as_slice(),
        &["--web", "--token-stdin"],
        &["--device", "--username", "ada"],
        &["--username", "ada", "--header", "X-Api-Key"],
        &["--no-browser"],
    ] {
        let args: Vec<&str> = ["connect", "gitlab"].into_iter().chain(wrong.iter().copied()).collect();
        assert_eq!(person.run(&args).await.code, 2, "{wrong:?}");
    }
    person.run(&["connect", "gitlab", "--username", "ada", "--token-stdin"]).await.failed(2, "--username");
    person.run(&["connect", "azure-devops", "--token-stdin"]).await.failed(2, "Add --username");
    person.run(&["connect", "bitbucket-dc", "--token-stdin"]).await.failed(2, "--instance");
    assert!(person.twin.journal().is_empty(), "nothing was sent anywhere");
}
