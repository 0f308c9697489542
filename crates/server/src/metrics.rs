//! Numbers for Prometheus. Labels come from our own tables, never from a request: their number is bounded.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{Method, header};
use jiff::{SignedDuration, Timestamp};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _, text::encode},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::ConstGauge,
        info::Info,
    },
    registry::Registry,
};
use valetkey_integrations::{Counts, Integrations};
use valetkey_model::{Integration, ProblemCode};
use valetkey_sessions::Engine;
use valetkey_store::{Census, Store, StoreError};

use crate::{
    App,
    problem::{Answer, Failure},
    route::Row,
};

/// How old the count of integrations may be.
const CENSUS_HOLDS: SignedDuration = SignedDuration::from_mins(1);

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
    census: LastCensus,
    counted_at: tokio::sync::Mutex<Option<Timestamp>>,
}

/// The integrations as they were last counted.
#[derive(Debug, Clone, Default)]
struct LastCensus(Arc<Mutex<Vec<Census>>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

impl Metrics {
    pub(crate) fn new(version: &str, engine: &Engine, integrations: &Integrations) -> Self {
        let mut registry = Registry::with_prefix("valetkey");
        let requests = Family::<RequestLabels, Counter>::default();
        registry.register("http_requests", "Requests answered, by route and status", requests.clone());
        registry.register("build", "The version", Info::new(vec![("version", version.to_owned())]));
        registry.register_collector(Box::new(Sessions(engine.clone())));
        registry.register_collector(Box::new(Credentials(integrations.clone())));
        let census = LastCensus::default();
        registry.register_collector(Box::new(census.clone()));
        Self { registry, requests, census, counted_at: tokio::sync::Mutex::default() }
    }

    /// Counts the integrations, unless they were counted a moment ago: anybody may read the metrics.
    async fn count_integrations(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let mut counted_at = self.counted_at.lock().await;
        if counted_at.is_some_and(|at| now.duration_since(at) < CENSUS_HOLDS) {
            return Ok(());
        }
        let census = store.census(now, now + Integration::EXPIRING).await?;
        *self.census.0.lock().unwrap_or_else(PoisonError::into_inner) = census;
        *counted_at = Some(now);
        Ok(())
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

impl Collector for LastCensus {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let help = "Connected accounts, by provider and status, counted within the last minute";
        let mut family = encoder.encode_descriptor("integrations", help, None, MetricType::Gauge)?;
        for Census { provider, status, count } in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            let labels = [("provider", provider.slug()), ("status", status.as_str())];
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            ConstGauge::new(count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// Asks the integrations for their numbers whenever they are read.
#[derive(Debug)]
struct Credentials(Integrations);

impl Collector for Credentials {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Counts { checks, refreshes, limited_calls } = self.0.counts();
        for (name, help, counts) in [
            ("credential_checks", "Checks of credentials by this process, by outcome", checks),
            ("credential_refreshes", "Renewals of access tokens by this process, by outcome", refreshes),
            ("provider_calls_limited", "Calls of this process that met a provider's limit", limited_calls),
        ] {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (outcome, count) in counts {
                ConstCounter::new(count).encode(family.encode_family(&[("outcome", outcome)])?)?;
            }
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
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

async fn metrics(State(app): State<App>) -> Answer<Response> {
    if let Err(error) = app.metrics.count_integrations(&app.store, app.now()).await {
        // What else there is to say is wanted most when the database does not answer.
        tracing::warn!(error = &error as &dyn std::error::Error, "the integrations could not be counted");
    }
    let mut text = String::new();
    encode(&mut text, &app.metrics.registry)
        .map_err(|_| Failure::new(ProblemCode::Internal, "The metrics could not be written."))?;
    Ok(([(header::CONTENT_TYPE, TEXT)], text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_ours_is_counted_under_its_name() {
        for route in crate::summaries() {
            assert_eq!(known(&route.method), route.method.as_str(), "{}", route.path);
        }
    }
}
