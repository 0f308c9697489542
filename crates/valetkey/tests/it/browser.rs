//! A person's browser, and a program's client.

use std::collections::BTreeMap;

use reqwest::{
    Client, RequestBuilder, Response,
    header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE},
    redirect::Policy,
};
use serde_json::Value;
use url::Url;

/// As much of a browser as forms need: it keeps cookies, and says where a form was.
pub(crate) struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self { client: client(), cookies: BTreeMap::new() }
    }

    pub(crate) async fn get(&mut self, url: &str) -> Response {
        self.send(self.client.get(url)).await
    }

    pub(crate) async fn submit<F: serde::Serialize + ?Sized>(&mut self, url: &str, form: &F) -> Response {
        self.send(self.client.post(url).header(ORIGIN, origin(url)).form(form)).await
    }

    pub(crate) async fn post_json(&mut self, url: &str, body: &Value) -> Response {
        self.send(self.client.post(url).header(ORIGIN, origin(url)).json(body)).await
    }

    pub(crate) async fn send(&mut self, request: RequestBuilder) -> Response {
        let kept: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header(COOKIE, kept.join("; ")).send().await.unwrap();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "it calls what is under test, and servers that others wrote, on this machine"
)]
pub(crate) fn client() -> Client {
    Client::builder().redirect(Policy::none()).no_proxy().build().unwrap()
}

fn origin(url: &str) -> String {
    Url::parse(url).unwrap().origin().ascii_serialization()
}

/// Where an answer leads, if anywhere.
pub(crate) fn place(answer: &Response) -> Option<Url> {
    let to = answer.headers().get(LOCATION)?.to_str().ok()?;
    answer.url().join(to).ok()
}
