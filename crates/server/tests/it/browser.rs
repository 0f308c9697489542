//! A person's browser: keeps cookies, follows addresses here and at the providers' pages.

use std::collections::BTreeMap;

use http::{Request, StatusCode, header};
use valetkey_providers::UpstreamBody;
use valetkey_testbed::ForgeBed;
use valetkey_twins::OAuthApp;

use crate::harness::{Client, PUBLIC_URL, Reply, TestServer};

/// Where providers send browsers back to.
pub(crate) fn callback() -> String {
    format!("{PUBLIC_URL}/oauth/callback")
}

/// An app of ours at a forge's, registered here too.
pub(crate) async fn registered(server: &TestServer, forge: &ForgeBed, app: OAuthApp) -> OAuthApp {
    let app = forge.twin.oauth().register(app);
    let body = serde_json::json!({
        "provider": forge.kind().slug(),
        "instanceUrl": forge.twin.url(),
        "clientId": app.client_id(),
        "clientSecret": Some(app.client_secret()).filter(|secret| !secret.is_empty()),
    });
    server.admin().post("/api/v1/provider-apps", body).await.created();
    app
}

/// A browser with its cookies.
pub(crate) struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// One that nobody has signed in with.
    pub(crate) fn new(server: &TestServer) -> Self {
        Self { client: server.anonymous(), cookies: BTreeMap::new() }
    }

    /// One in which the administrator is signed in.
    pub(crate) async fn signed_in(server: &TestServer) -> Self {
        let link = server.app.sign_in_link().await.unwrap();
        let mut browser = Self::new(server);
        let reply = browser.client.press(link.strip_prefix(PUBLIC_URL).unwrap()).await;
        browser.keep(&reply);
        assert!(browser.cookies.contains_key("valetkey_session"));
        browser
    }

    /// Sends a request of a script on one of our pages.
    pub(crate) fn script(&self) -> Client {
        let pairs = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies = pairs.collect::<Vec<_>>().join("; ");
        let client = self.client.clone().with("sec-fetch-site", "same-origin");
        if cookies.is_empty() { client } else { client.with("cookie", &cookies) }
    }

    /// Opens an address of ours.
    pub(crate) async fn open(&mut self, address: &str) -> Reply {
        let path = address.strip_prefix(PUBLIC_URL).unwrap_or_else(|| panic!("not ours: {address}"));
        let reply = self.script().with("sec-fetch-site", "cross-site").with("accept", "text/html").get(path).await;
        self.keep(&reply);
        reply
    }

    /// Opens a page of a provider's, where the twin decides for the person; the answer is where it sends the browser.
    pub(crate) async fn consent(&self, server: &TestServer, forge: &ForgeBed, page: &str) -> String {
        self.visit(server, forge.twin.url(), page).await
    }

    /// The same at any twin.
    pub(crate) async fn visit(&self, server: &TestServer, origin: &str, page: &str) -> String {
        let request = Request::get(page).body(UpstreamBody::from(Vec::new())).unwrap();
        let instance = origin.parse().unwrap();
        let answer = server.bed.http.stream(&instance, request).await.unwrap();
        assert!(answer.status().is_redirection(), "{answer:?}");
        answer.headers()[header::LOCATION].to_str().unwrap().to_owned()
    }

    fn keep(&mut self, reply: &Reply) {
        for cookie in reply.headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// The value of what it keeps under a name.
    pub(crate) fn cookie(&self, name: &str) -> &str {
        &self.cookies[name]
    }

    /// Keeps a value, whoever it is from.
    pub(crate) fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.insert(name.to_owned(), value.to_owned());
    }

    /// The names of what it keeps.
    pub(crate) fn cookies(&self) -> Vec<&str> {
        self.cookies.keys().map(String::as_str).collect()
    }
}

/// Where a redirect leads.
#[track_caller]
pub(crate) fn location(reply: &Reply) -> String {
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    reply.header("location").to_owned()
}
