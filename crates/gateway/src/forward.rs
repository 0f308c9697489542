use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};
use http::{HeaderMap, Method, StatusCode, header};
use valetkey_integrations::Authorized;
use valetkey_model::{IntegrationId, Problem, ProblemCode, ProviderKind};
use valetkey_providers::{UpstreamBody, UpstreamResponse};

use crate::{
    address::Address,
    answer::Refusal,
    credential,
    listener::Parts,
    stream::{BodyError, Loss, until},
};

/// How much of an upstream's refusal is read for its words.
const REFUSAL_TEXT: usize = 2048;

/// What git may tell the host. Not among them: cookies, authorization, anything that names this machine.
const FORWARDED: [header::HeaderName; 4] =
    [header::ACCEPT, header::ACCEPT_LANGUAGE, header::USER_AGENT, header::HeaderName::from_static("git-protocol")];

/// What describes a body goes with one only. A length without a body would make the host take the next request on the
/// same connection, perhaps another session's, for that body.
const OF_A_BODY: [header::HeaderName; 3] = [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LENGTH];

/// One request that is allowed, for as long as nothing is lost.
pub(crate) struct Exchange {
    pub(crate) parts: Parts,
    pub(crate) address: Address,
    pub(crate) authorized: Authorized,
    pub(crate) headers: HeaderMap,
    pub(crate) lost: Loss,
}

impl Exchange {
    /// A request body that goes on only while the credential that it goes with may be used. It outlives the wait for the
    /// answer: a connection may carry it on when nobody waits any more.
    pub(crate) fn guarded<S, E>(&self, body: S) -> UpstreamBody
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BodyError>,
    {
        UpstreamBody::wrap_stream(until(body, self.lost.clone()))
    }

    /// Sends the request upstream with the credential and streams the answer back.
    pub(crate) async fn forward(&self, body: Option<UpstreamBody>) -> Result<Response, Problem> {
        let repository = &self.authorized.repository;
        let url = format!("{}{}", repository.clone_url(), self.address.endpoint.suffix());
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut request = http::Request::builder().method(method).uri(url);
        for name in FORWARDED.iter().chain(if body.is_some() { &OF_A_BODY[..] } else { &[] }) {
            for value in self.headers.get_all(name) {
                request = request.header(name, value);
            }
        }
        if let Some(lent) = &self.authorized.lent {
            request = request.header(header::AUTHORIZATION, credential::header(lent, repository.instance())?);
        }
        let request = request
            .body(body.unwrap_or_default())
            .map_err(|_| Problem::new(ProblemCode::InvalidInput, "The request can't be forwarded."))?;
        let upstream = self.parts.http.stream(repository.instance(), request).await;
        let upstream = upstream.map_err(|e| e.into_problem(self.provider(), repository.instance()))?;
        Ok(if upstream.status().is_success() { self.passed_on(upstream) } else { self.refused(upstream).await })
    }

    fn provider(&self) -> ProviderKind {
        let Authorized { repository, lent, .. } = &self.authorized;
        lent.as_ref().map_or_else(|| ProviderKind::presumed(repository.instance().host()), |lent| lent.provider)
    }

    fn passed_on(&self, upstream: UpstreamResponse) -> Response {
        let mut response = Response::builder().status(upstream.status());
        for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::CACHE_CONTROL] {
            if let Some(value) = upstream.headers().get(&name) {
                response = response.header(name, value);
            }
        }
        let body = until(upstream.bytes_stream(), self.lost.clone());
        response.body(Body::from_stream(body)).unwrap_or_else(|_| StatusCode::BAD_GATEWAY.into_response())
    }

    async fn refused(&self, upstream: UpstreamResponse) -> Response {
        let Authorized { repository, lent, .. } = &self.authorized;
        let refusal = Refusal {
            status: upstream.status(),
            provider: self.provider(),
            repository,
            retry_after_seconds: upstream
                .headers()
                .get(header::RETRY_AFTER)
                .and_then(|v| v.to_str().ok()?.parse().ok()),
        };
        let said = words(upstream).await;
        let Some(lent) = lent else { return refusal.of_anybody(&credential::plain(&said)) };
        if refusal.status == StatusCode::UNAUTHORIZED {
            self.recheck(lent.integration.clone());
        }
        let said = credential::strike_out(lent, repository.instance(), &said);
        refusal.of_account(self.address.endpoint.service(), &said)
    }

    /// After a 401 the provider is asked what it thinks of the token, so that the status shown is its last word.
    fn recheck(&self, id: IntegrationId) {
        let integrations = self.parts.integrations.clone();
        self.parts.rechecks.start(&id.clone(), async move {
            if let Err(problem) = integrations.recheck(&id).await {
                tracing::warn!(integration = %id, %problem, "the check after a refusal failed");
            }
        });
    }
}

/// The upstream's own words, if it answered in plain text and not at length.
async fn words(upstream: UpstreamResponse) -> Vec<u8> {
    let plain = upstream.headers().get(header::CONTENT_TYPE).is_some_and(|v| v.as_bytes().starts_with(b"text/plain"));
    if !plain || upstream.status().is_redirection() {
        return Vec::new();
    }
    let mut text = Vec::new();
    let mut stream = upstream.bytes_stream();
    while let Ok(Some(chunk)) = stream.try_next().await {
        text.extend_from_slice(&chunk);
        if text.len() > REFUSAL_TEXT {
            return Vec::new();
        }
    }
    text
}
