//! Numbers for Prometheus. Labels come from our own tables, never from a request: their number is bounded.

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{Method, header};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _, text::encode},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        info::Info,
    },
    registry::Registry,
};
use valetkey_model::ProblemCode;
use valetkey_sessions::Engine;

use crate::{
    App,
    problem::{Answer, Failure},
    route::Row,
};

const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::get("/metrics", metrics)
            .public()
            .operation("Operation", "getMetrics", "Numbers for Prometheus, in the OpenMetrics text format")
            .answers_with(TEXT),
    ]
}

/// What is counted.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

impl Metrics {
    pub(crate) fn new(version: &str, engine: &Engine) -> Self {
        let mut registry = Registry::with_prefix("valetkey");
        let requests = Family::<RequestLabels, Counter>::default();
        registry.register("http_requests", "Requests answered, by route and status", requests.clone());
        registry.register("build", "The version", Info::new(vec![("version", version.to_owned())]));
        registry.register_collector(Box::new(Sessions(engine.clone())));
        Self { registry, requests }
    }
}

/// Asks the engine for its numbers whenever they are read.
#[derive(Debug)]
struct Sessions(Engine);

impl Collector for Sessions {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let help = "Sessions that this process has ended, by outcome";
        let mut family = encoder.encode_descriptor("sessions_ended", help, None, MetricType::Counter)?;
        for (phase, count) in self.0.ended() {
            ConstCounter::new(count).encode(family.encode_family(&[("outcome", phase.as_str())])?)?;
        }
        Ok(())
    }
}

/// Counts a request once it is answered.
pub(crate) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let method = known(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    tracing::debug!(method, route, status, "answered");
    app.metrics.requests.get_or_create(&RequestLabels { method, route, status }).inc();
    response
}

/// A client may make up methods; the label must not follow it.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

async fn metrics(State(app): State<App>) -> Answer<Response> {
    let mut text = String::new();
    encode(&mut text, &app.metrics.registry)
        .map_err(|_| Failure::new(ProblemCode::Internal, "The metrics could not be written."))?;
    Ok(([(header::CONTENT_TYPE, TEXT)], text).into_response())
}
