//! The API, called the same way wherever it is: over HTTP on another machine, or inside this process on the data directory.

mod events;

use std::{fmt, pin::Pin, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use http::{Method, Request, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tower::ServiceExt as _;
use valetkey_model::{InstanceUrl, Problem, ProblemCode};
use valetkey_providers::{Http, UpstreamBody};
use valetkey_seal::Secret;

use crate::{
    settings::Settings,
    wiring::{self, Foundation, House},
};

pub(crate) use events::Events;

/// More than any answer that is not a stream.
const LARGEST_ANSWER: usize = 64 << 20;
/// How many items a listing is asked for at a time.
const PAGE: usize = 100;

/// A caller of the API.
pub(crate) struct Client {
    transport: Transport,
}

enum Transport {
    Remote { http: Http, server: InstanceUrl, token: Secret<String> },
    Embedded { house: Box<House>, router: Router },
}

/// The body of an answer as it comes.
pub(crate) type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, Problem>> + Send>>;

struct Answer {
    status: StatusCode,
    body: Chunks,
}

impl Client {
    /// A client of a server on some machine.
    pub(crate) fn remote(settings: &Settings, server: InstanceUrl, token: Secret<String>) -> Result<Self, Problem> {
        let http = wiring::outbound_to_server(settings)?;
        Ok(Self { transport: Transport::Remote { http, server, token } })
    }

    /// A client of the data directory: the server's own routes, in this process, as the administrator.
    pub(crate) async fn embedded(settings: Settings) -> Result<Self, Problem> {
        let listen = settings.listen;
        Ok(Self::inside(House::build(Foundation::lay(settings).await?, listen).await?))
    }

    /// A client of what runs in this process, as the administrator.
    pub(crate) fn inside(house: House) -> Self {
        let router = valetkey_server::as_admin(valetkey_server::router(house.app.clone()));
        Self { transport: Transport::Embedded { house: Box::new(house), router } }
    }

    /// Ends the client; what sessions it runs in this process are stopped, within `patience`.
    pub(crate) async fn close(&self, patience: Duration) {
        if let Transport::Embedded { house, .. } = &self.transport {
            house.close(patience).await;
        }
    }

    /// Reads a resource.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Problem> {
        self.call(Method::GET, path, None).await
    }

    /// Makes a resource or asks for something to be done.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Problem> {
        self.call(Method::POST, path, Some(body_of(body)?)).await
    }

    /// Changes a part of a resource.
    pub(crate) async fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Problem> {
        self.call(Method::PATCH, path, Some(body_of(body)?)).await
    }

    /// Deletes a resource.
    pub(crate) async fn delete(&self, path: &str) -> Result<Value, Problem> {
        self.call(Method::DELETE, path, None).await
    }

    /// Makes a resource or puts it in the place of one. A refusal is the whole document: it may hold more than the problem.
    pub(crate) async fn submit(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Result<Value, Value>, Problem> {
        let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
        let answer = self.send(request, body_of(body)?).await?;
        let (status, bytes) = (answer.status, self.collect(answer.body).await?);
        let document = serde_json::from_slice(&bytes)
            .map_err(|e| self.strange(&format!("HTTP {status} and a body that can't be read ({e})")))?;
        Ok(if status.is_success() { Ok(document) } else { Err(document) })
    }

    /// All items of a listing, page by page. `path` has no query yet.
    pub(crate) async fn all(&self, path: &str) -> Result<Vec<Value>, Problem> {
        self.first(path, usize::MAX).await
    }

    /// The first items of a listing, `limit` at most, page by page. `path` has no query yet.
    pub(crate) async fn first(&self, path: &str, limit: usize) -> Result<Vec<Value>, Problem> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            items: Vec<Value>,
            next_cursor: Option<String>,
        }
        let (mut items, mut next) = (Vec::new(), String::new());
        while items.len() < limit {
            let most = PAGE.min(limit - items.len());
            let page: Page = self.get(&format!("{path}?limit={most}{next}")).await?;
            items.extend(page.items);
            let Some(cursor) = page.next_cursor else { break };
            next = format!("&cursor={}", percent_encoded(&cursor));
        }
        Ok(items)
    }

    /// Opens an answer that is read while it comes, and may be of any length.
    pub(crate) async fn download(&self, path: &str) -> Result<Chunks, Problem> {
        let answer = self.send(Request::get(path), Vec::new()).await?;
        if answer.status.is_success() { Ok(answer.body) } else { Err(self.refusal(answer).await) }
    }

    /// Opens an event stream behind event number `after`.
    pub(crate) async fn events(&self, path: &str, after: i64) -> Result<Events, Problem> {
        let mut request = Request::get(path).header(header::ACCEPT, "text/event-stream");
        if after > 0 {
            request = request.header("last-event-id", after);
        }
        let answer = self.send(request, Vec::new()).await?;
        if answer.status.is_success() { Ok(Events::new(answer.body)) } else { Err(self.refusal(answer).await) }
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<T, Problem> {
        let mut request = Request::builder().method(method).uri(path).header(header::ACCEPT, "application/json");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let answer = self.send(request, body.unwrap_or_default()).await?;
        if !answer.status.is_success() {
            return Err(self.refusal(answer).await);
        }
        let bytes = self.collect(answer.body).await?;
        let json = if bytes.is_empty() { b"null".as_slice() } else { &bytes };
        serde_json::from_slice(json).map_err(|e| self.strange(&format!("an answer that can't be read ({e})")))
    }

    async fn send(&self, request: http::request::Builder, body: Vec<u8>) -> Result<Answer, Problem> {
        match &self.transport {
            Transport::Remote { http, server, token } => remote(http, server, token, request, body).await,
            Transport::Embedded { router, .. } => {
                let request = request.body(Body::from(body)).map_err(|e| invalid(&e))?;
                let response = router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
                let status = response.status();
                let body = response.into_body().into_data_stream().map_err(|e| broken(&e));
                Ok(Answer { status, body: body.boxed() })
            }
        }
    }

    async fn collect(&self, mut body: Chunks) -> Result<Vec<u8>, Problem> {
        let mut bytes = Vec::new();
        while let Some(chunk) = body.try_next().await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > LARGEST_ANSWER {
                return Err(self.strange("more than 64 MiB"));
            }
        }
        Ok(bytes)
    }

    async fn refusal(&self, answer: Answer) -> Problem {
        match self.collect(answer.body).await {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| self.strange(&format!("HTTP {} and no reason that can be read", answer.status))),
            Err(problem) => problem,
        }
    }

    fn strange(&self, what: &str) -> Problem {
        match &self.transport {
            Transport::Remote { server, .. } => {
                Problem::new(ProblemCode::ProviderUnreachable, format!("The server at {server} answered with {what}."))
                    .remedy("See that --server is a Valetkey server of this version.")
            }
            Transport::Embedded { .. } => {
                Problem::new(ProblemCode::Internal, format!("Valetkey answered with {what}."))
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the server's token is put on requests to it")]
async fn remote(
    http: &Http,
    server: &InstanceUrl,
    token: &Secret<String>,
    request: http::request::Builder,
    body: Vec<u8>,
) -> Result<Answer, Problem> {
    let mut bearer = header::HeaderValue::try_from(format!("Bearer {}", token.expose())).map_err(|_| {
        Problem::new(ProblemCode::Unauthenticated, "VALETKEY_TOKEN holds characters that no token has.")
    })?;
    bearer.set_sensitive(true);
    let mut request =
        request.header(header::AUTHORIZATION, bearer).body(UpstreamBody::from(body)).map_err(|e| invalid(&e))?;
    let url = format!("{server}{}", request.uri());
    *request.uri_mut() = url.parse().map_err(|e: http::uri::InvalidUri| invalid(&e))?;
    let response = http.stream(server, request).await.map_err(|e| {
        Problem::new(ProblemCode::ProviderUnreachable, format!("The server at {server} did not answer: {e}."))
            .remedy("See that it runs, and that --server or VALETKEY_SERVER is right.")
    })?;
    let status = response.status();
    Ok(Answer { status, body: response.bytes_stream().map_err(|e| broken(&e)).boxed() })
}

fn body_of(body: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(body).map_err(|e| invalid(&e))
}

fn invalid(error: &dyn fmt::Display) -> Problem {
    Problem::new(ProblemCode::InvalidInput, format!("The request can't be made: {error}."))
}

fn broken(error: &dyn fmt::Display) -> Problem {
    Problem::new(ProblemCode::ProviderUnreachable, format!("The answer broke off: {error}."))
}

/// A text for a path segment or a query value: everything but letters, digits and `-._~` percent-encoded.
pub(crate) fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}
