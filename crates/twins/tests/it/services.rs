//! A service, and a client that talks to it.

use std::collections::BTreeMap;

use reqwest::{Client, RequestBuilder, Url};
use serde_json::Value;
use valetkey_twins::{OAuthApp, Provider, Service};

use crate::support::{Answer, client};

pub(crate) const BACK: &str = "https://valetkey.example.test/callback";
/// The pair of RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) struct Fixture<P> {
    pub(crate) twin: Service<P>,
    pub(crate) http: Client,
}

impl<P: Provider> Fixture<P> {
    pub(crate) async fn new() -> Self {
        let twin = Service::builder().start().await.expect("the service starts");
        Self { twin, http: client("") }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.twin.url())
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.url(path))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(self.url(path))
    }

    /// An answer to a bearer token's `GET`.
    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Answer {
        sent(self.get(path).bearer_auth(token)).await
    }

    /// What the authorize page sends back, as parameters.
    pub(crate) async fn authorize(
        &self,
        path: &str,
        app: &OAuthApp,
        more: &[(&str, &str)],
    ) -> BTreeMap<String, String> {
        let asked = [("client_id", app.client_id()), ("redirect_uri", BACK), ("response_type", "code"), ("state", "s")];
        let url = Url::parse_with_params(&self.url(path), asked.iter().chain(more)).expect("a URL");
        let answer = sent(self.http.get(url)).await;
        let address = Url::parse(answer.header("location").expect("a redirect")).expect("an address");
        assert!(address.as_str().starts_with(BACK), "{address}");
        address.query_pairs().into_owned().collect()
    }
}

pub(crate) async fn sent(request: RequestBuilder) -> Answer {
    Answer::of(request.send().await.expect("the service answers")).await
}

/// A text in an answer.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
