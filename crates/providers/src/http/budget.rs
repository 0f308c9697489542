use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, Method, StatusCode};
use jiff::{Timestamp, ToSpan, fmt::rfc2822};
use url::Url;
use valetkey_seal::TokenHash;

use super::recent::Recent;

/// What providers said is left of each credential's limits, so that a call which is going to be refused is not made.
///
/// Nothing here waits, and nothing reads a clock.
pub(crate) struct Budgets(Mutex<Recent<TokenHash, Vec<Limit>>>);

/// The credentials that are kept in mind, and the limits of each.
const MOST_CREDENTIALS: usize = 1024;
const MOST_LIMITS: usize = 64;

/// No provider's window is longer; whoever names a longer time is asked again after this one.
const LONGEST_SECONDS: i64 = 3600;

/// What a limit counts.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Counted {
    /// Every call to the host.
    All,
    /// The calls of one kind that the provider counts apart; the empty name for the ordinary ones.
    Kind(String),
    /// The calls of one endpoint: the method and the path with its numbers and keys left out.
    Endpoint(String),
}

struct Limit {
    host: String,
    counted: Counted,
    window: Option<Window>,
    held_until: Option<Timestamp>,
}

#[derive(Clone, Copy)]
struct Window {
    remaining: u64,
    limit: Option<u64>,
    ends: Timestamp,
}

/// A call, as far as limits tell it from others.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    host: String,
    kind: String,
    endpoint: String,
}

impl Call {
    pub(crate) fn new(method: &Method, url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default().to_owned();
        Self { host, kind: kind(url.path()), endpoint: endpoint(method, url.path()) }
    }

    fn falls_under(&self, limit: &Limit) -> bool {
        limit.host == self.host
            && match &limit.counted {
                Counted::All => true,
                Counted::Kind(name) => *name == self.kind,
                Counted::Endpoint(name) => *name == self.endpoint,
            }
    }
}

/// GitHub counts searches and GraphQL apart, Slack each method.
fn kind(path: &str) -> String {
    let path = path.strip_prefix("/api/v3").unwrap_or(path);
    if path.starts_with("/search/code") {
        return "code_search".to_owned();
    }
    if path.starts_with("/search/") {
        return "search".to_owned();
    }
    if matches!(path, "/graphql" | "/api/graphql") {
        return "graphql".to_owned();
    }
    let method = path.strip_prefix("/api/").filter(|rest| !rest.contains('/') && rest.contains('.'));
    method.unwrap_or_default().to_owned()
}

fn endpoint(method: &Method, path: &str) -> String {
    let fixed = |segment: &str| !segment.bytes().any(|b| b.is_ascii_digit());
    let segments = path.split('/').map(|segment| if fixed(segment) { segment } else { "#" });
    format!("{method} {}", segments.collect::<Vec<_>>().join("/"))
}

impl Budgets {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Recent::new(MOST_CREDENTIALS)))
    }

    /// The seconds until the call may be made; none if it may be made now.
    pub(crate) fn wait(&self, credential: &TokenHash, call: &Call, now: Timestamp) -> Option<u64> {
        self.with(|all| {
            let limits = all.get(credential)?.iter().filter(|limit| call.falls_under(limit));
            limits.filter_map(|limit| limit.exhausted_until(now)).max().map(|until| seconds_between(now, until))
        })
    }

    /// Takes in what an answer says of limits.
    pub(crate) fn note(
        &self,
        credential: &TokenHash,
        call: &Call,
        status: StatusCode,
        headers: &HeaderMap,
        now: Timestamp,
    ) {
        let said = Said::new(headers, now);
        if let Some(window) = said.window() {
            self.change(credential, &call.host, said.counted(call), |limit| limit.narrow(window));
        }
        if let Some(until) = said.hold(status) {
            self.change(credential, &call.host, said.held(call), |limit| limit.hold(until));
        }
    }

    /// Holds back the calls of this one's kind for so long, where a provider says so in a body.
    pub(crate) fn hold(&self, credential: &TokenHash, call: &Call, seconds: u64, now: Timestamp) {
        let until = later(now, i64::try_from(seconds).unwrap_or(i64::MAX));
        let kind = Counted::Kind(call.kind.clone());
        self.change(credential, &call.host, kind, |limit| limit.hold(until));
    }

    /// Whether less than so many percent are left of a limit of ordinary calls.
    pub(crate) fn is_low(&self, credential: &TokenHash, percent: u64, now: Timestamp) -> bool {
        self.with(|all| {
            all.peek(credential).is_some_and(|limits| limits.iter().any(|limit| limit.is_low(percent, now)))
        })
    }

    pub(crate) fn forget(&self, credential: &TokenHash) {
        self.with(|all| all.remove(credential));
    }

    fn change(&self, credential: &TokenHash, host: &str, counted: Counted, change: impl FnOnce(&mut Limit)) {
        self.with(|all| {
            if all.peek(credential).is_none() {
                all.insert(credential.clone(), Vec::new(), 1);
            }
            let Some(limits) = all.get(credential) else { return };
            let known = limits.iter().position(|limit| limit.host == host && limit.counted == counted);
            let mut limit = known.map_or_else(|| Limit::new(host, counted), |at| limits.remove(at));
            change(&mut limit);
            if limits.len() == MOST_LIMITS {
                limits.remove(0);
            }
            limits.push(limit);
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut Recent<TokenHash, Vec<Limit>>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Limit {
    fn new(host: &str, counted: Counted) -> Self {
        Self { host: host.to_owned(), counted, window: None, held_until: None }
    }

    /// Answers may come in another order than they were given: within one window what is left only shrinks.
    fn narrow(&mut self, said: Window) {
        let same = self.window.filter(|known| known.ends == said.ends);
        let remaining = same.map_or(said.remaining, |known| known.remaining.min(said.remaining));
        self.window = Some(Window { remaining, ..said });
    }

    fn hold(&mut self, until: Timestamp) {
        self.held_until = self.held_until.max(Some(until));
    }

    fn exhausted_until(&self, now: Timestamp) -> Option<Timestamp> {
        let spent = self.window.filter(|window| window.remaining == 0).map(|window| window.ends);
        spent.max(self.held_until).filter(|until| *until > now)
    }

    fn is_low(&self, percent: u64, now: Timestamp) -> bool {
        let few = |window: &Window| {
            let limit = window.limit.map_or(0, |limit| limit.saturating_mul(percent));
            window.ends > now && window.remaining.saturating_mul(100) < limit
        };
        let ordinary = match &self.counted {
            Counted::All => true,
            Counted::Kind(name) => name.is_empty(),
            Counted::Endpoint(_) => false,
        };
        ordinary && (self.exhausted_until(now).is_some() || self.window.as_ref().is_some_and(few))
    }
}

/// What an answer's headers say of limits.
struct Said<'a> {
    headers: &'a HeaderMap,
    now: Timestamp,
}

impl<'a> Said<'a> {
    fn new(headers: &'a HeaderMap, now: Timestamp) -> Self {
        Self { headers, now }
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// `X-RateLimit-…` of most, `RateLimit-…` of GitLab.
    fn of_limit(&self, name: &str) -> Option<&'a str> {
        self.text(&format!("x-ratelimit-{name}")).or_else(|| self.text(&format!("ratelimit-{name}")))
    }

    fn window(&self) -> Option<Window> {
        let remaining = self.of_limit("remaining")?.parse().ok()?;
        let limit = self.of_limit("limit").and_then(|limit| limit.parse().ok());
        Some(Window { remaining, limit, ends: self.end_of_window()? })
    }

    /// Given in seconds since 1970, or in ISO 8601 by Atlassian. It is the provider's time, which need not be ours.
    fn end_of_window(&self) -> Option<Timestamp> {
        let text = self.of_limit("reset")?;
        let ends = match text.parse() {
            Ok(seconds) => Timestamp::from_second(seconds).ok()?,
            Err(_) => iso(text)?,
        };
        let their_now = self.text("date").and_then(date).unwrap_or(self.now);
        Some(later(self.now, ends.duration_since(their_now).as_secs()))
    }

    /// Until when to stay away: `Retry-After` of a refusal, or of an answer that names limits, as Azure DevOps adds it to
    /// answers that it held back.
    fn hold(&self, status: StatusCode) -> Option<Timestamp> {
        let limits = self.reason().is_some() || self.of_limit("remaining").is_some();
        let counts = match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::FORBIDDEN => true,
            StatusCode::SERVICE_UNAVAILABLE => self.reason().is_some(),
            status => status.is_success() && limits,
        };
        let text = self.text("retry-after").filter(|_| counts)?;
        let their_now = self.text("date").and_then(date).unwrap_or(self.now);
        let seconds = || date(text).map(|at| at.duration_since(their_now).as_secs());
        text.parse().ok().or_else(seconds).map(|seconds| later(self.now, seconds))
    }

    /// Atlassian's word for the limit that was hit.
    fn reason(&self) -> Option<&'a str> {
        self.text("ratelimit-reason")
    }

    /// What the limit in the headers counts.
    fn counted(&self, call: &Call) -> Counted {
        let kind = || Counted::Kind(call.kind.clone());
        let endpoint = || Counted::Endpoint(call.endpoint.clone());
        match (self.text("x-ratelimit-resource"), self.text("ratelimit-name"), self.reason()) {
            (Some("core"), ..) => Counted::Kind(String::new()),
            (Some(name @ ("search" | "code_search" | "graphql")), ..) => Counted::Kind(name.to_owned()),
            (_, Some("throttle_authenticated_api" | "throttle_unauthenticated_api"), _) => kind(),
            // Named for something that no path tells: at least the same question is held back.
            (Some(_), ..) | (_, Some(_), _) => endpoint(),
            (_, _, Some(reason)) if !reason.contains("quota") => endpoint(),
            // Atlassian's figures are those of the endpoint, save for the reason above.
            _ if iso(self.of_limit("reset").unwrap_or_default()).is_some() && self.reason().is_none() => endpoint(),
            _ => kind(),
        }
    }

    /// What is held back by a `Retry-After`.
    fn held(&self, call: &Call) -> Counted {
        let spent = self.of_limit("remaining") == Some("0");
        match (self.reason(), self.text("x-ratelimit-resource")) {
            (Some(reason), _) if reason.contains("quota") => Counted::All,
            (Some(_), _) => Counted::Endpoint(call.endpoint.clone()),
            // GitHub's secondary limits, which show in none of its figures.
            (None, Some(_)) if !spent => Counted::All,
            // GitLab's limits of single features, likewise.
            (None, None) if !spent && self.text("ratelimit-name").is_some() => Counted::Endpoint(call.endpoint.clone()),
            _ => self.counted(call),
        }
    }
}

fn date(text: &str) -> Option<Timestamp> {
    rfc2822::parse(text).ok().map(|at| at.timestamp())
}

/// Also without seconds, as in Atlassian's `2026-11-20T12:30Z`.
fn iso(text: &str) -> Option<Timestamp> {
    let (minutes, zone) = text.split_at_checked(16).unwrap_or_default();
    text.parse().ok().or_else(|| format!("{minutes}:00{zone}").parse().ok())
}

fn later(now: Timestamp, seconds: i64) -> Timestamp {
    now.saturating_add(seconds.clamp(0, LONGEST_SECONDS).seconds()).unwrap_or(now)
}

/// Rounded up: whoever comes back then is not too early.
fn seconds_between(now: Timestamp, until: Timestamp) -> u64 {
    let left = until.duration_since(now);
    u64::try_from(left.as_secs()).unwrap_or(0) + u64::from(left.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests;
