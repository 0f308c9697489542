//! Faults of the real world, turned on and off while a twin runs.

use std::mem::discriminant;
use std::sync::Mutex;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::listener::Lines;
use crate::rules::ForgeRules;
use crate::smart_http::GitRequest;
use crate::world::locked;

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switch {
    /// The limit is used up: GitLab's 429 in plain text, GitHub's primary limit.
    RateLimited {
        /// Seconds until the next request is welcome; left out of the answer when `None`.
        retry_after: Option<u64>,
    },
    /// GitHub's secondary limit; GitLab's application limit, a 429 without the headers.
    SecondaryRateLimited {
        /// Seconds until the next request is welcome; left out of the answer when `None`.
        retry_after: Option<u64>,
    },
    /// Connections are closed at once, those that are open too.
    Down,
    /// A proxy's 502 page.
    ServerError,
    /// Answers wait this long.
    Slow(Duration),
    /// Somebody else's web server: an HTML page for everything.
    NotTheForge,
    /// The API wants a scope that the token lacks.
    InsufficientScope,
    /// Git pushes get a 403 whatever the API said.
    PushForbidden,
    /// Everything is elsewhere, at this base URL: 302 for `GET` and `HEAD`, 307 otherwise.
    RedirectTo(String),
    /// A fetched pack breaks off and the connection with it.
    TruncatePack,
    /// A fetched pack breaks off, and the answer ends as if it were whole.
    ShortPack,
    /// A success whose JSON body is 1 GiB long.
    HugeBody,
    /// GitHub's organization wants single sign-on; GitLab has no such answer.
    SsoRequired,
    /// The status that a useless credential gets, where a forge has more than one: Azure DevOps's 302 or 401 in place
    /// of its 203, Bitbucket Cloud's 410 for an app password in place of its 401.
    BadCredentialStatus(u16),
}

impl Switch {
    /// Where the fault strikes unless told otherwise.
    fn home(&self) -> Surface {
        match self {
            Self::RateLimited { .. } | Self::SecondaryRateLimited { .. } | Self::InsufficientScope | Self::HugeBody => {
                Surface::Api
            }
            Self::PushForbidden | Self::TruncatePack | Self::ShortPack => Surface::Git,
            Self::Down
            | Self::ServerError
            | Self::Slow(_)
            | Self::NotTheForge
            | Self::RedirectTo(_)
            | Self::SsoRequired
            | Self::BadCredentialStatus(_) => Surface::Everywhere,
        }
    }
}

/// A part of a forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// API, git and web pages.
    Everywhere,
    /// The REST API.
    Api,
    /// Git over HTTP.
    Git,
}

impl Surface {
    /// The surface of a request; `None` is a web page.
    pub(crate) fn of(rules: &dyn ForgeRules, uri: &Uri) -> Option<Self> {
        if rules.is_api(uri.path()) { Some(Self::Api) } else { GitRequest::parse(uri).map(|_| Self::Git) }
    }
}

/// How a provider words its refusals.
pub trait Voice {
    /// The usual limit is used up.
    fn limited(&self, retry_after: Option<u64>) -> Response;
    /// A second kind of limit is used up.
    fn limited_otherwise(&self, retry_after: Option<u64>) -> Response;
    /// The credential works, but not for this.
    fn lacks_scope(&self) -> Response;
}

/// The faults that are on.
pub(crate) struct Faults {
    on: Mutex<Vec<(Surface, Switch)>>,
    lines: Lines,
}

impl Faults {
    pub(crate) fn new(lines: Lines) -> Self {
        Self { on: Mutex::default(), lines }
    }

    /// A fault replaces an earlier one of its kind.
    pub(crate) fn turn_on(&self, surface: Option<Surface>, switch: Switch) {
        if switch == Switch::Down {
            self.lines.take_down();
        }
        let mut on = locked(&self.on);
        on.retain(|(_, other)| discriminant(other) != discriminant(&switch));
        on.push((surface.unwrap_or_else(|| switch.home()), switch));
    }

    pub(crate) fn turn_all_off(&self) {
        self.lines.bring_up();
        locked(&self.on).clear();
    }

    pub(crate) fn is_on(&self, surface: Surface, switch: &Switch) -> bool {
        self.at(Some(surface)).contains(switch)
    }

    pub(crate) fn bad_credential_status(&self) -> Option<StatusCode> {
        let mut statuses = self.at(Some(Surface::Everywhere)).into_iter().filter_map(|switch| match switch {
            Switch::BadCredentialStatus(status) => StatusCode::from_u16(status).ok(),
            _ => None,
        });
        statuses.next_back()
    }

    fn at(&self, surface: Option<Surface>) -> Vec<Switch> {
        let strikes = |at: Surface| at == Surface::Everywhere || Some(at) == surface;
        locked(&self.on).iter().filter(|(at, _)| strikes(*at)).map(|(_, switch)| switch.clone()).collect()
    }

    /// The answer that a fault gives in place of the provider's own.
    pub(crate) async fn answer(
        &self,
        voice: &(impl Voice + ?Sized),
        surface: Option<Surface>,
        method: &Method,
        uri: &Uri,
    ) -> Option<Response> {
        for switch in self.at(surface) {
            let answer = match switch {
                Switch::Slow(delay) => {
                    tokio::time::sleep(delay).await;
                    continue;
                }
                Switch::RateLimited { retry_after } => voice.limited(retry_after),
                Switch::SecondaryRateLimited { retry_after } => voice.limited_otherwise(retry_after),
                Switch::ServerError => (StatusCode::BAD_GATEWAY, Html(BAD_GATEWAY)).into_response(),
                Switch::NotTheForge => Html(SOMEBODY_ELSE).into_response(),
                Switch::InsufficientScope => voice.lacks_scope(),
                Switch::RedirectTo(base) => redirect(method, &base, uri),
                Switch::HugeBody => huge_body(),
                Switch::Down
                | Switch::PushForbidden
                | Switch::TruncatePack
                | Switch::ShortPack
                | Switch::SsoRequired
                | Switch::BadCredentialStatus(_) => continue,
            };
            return Some(answer);
        }
        None
    }
}

const BAD_GATEWAY: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
    <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

const SOMEBODY_ELSE: &str =
    "<!doctype html>\n<html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>\n";

fn redirect(method: &Method, base: &str, uri: &Uri) -> Response {
    let safe = method == Method::GET || method == Method::HEAD;
    let status = if safe { StatusCode::FOUND } else { StatusCode::TEMPORARY_REDIRECT };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    (status, [(LOCATION, format!("{}{path}", base.trim_end_matches('/')))]).into_response()
}

fn huge_body() -> Response {
    const CHUNK: usize = 1 << 16;
    let padding = stream::repeat(Bytes::from(vec![b' '; CHUNK])).take((1 << 30) / CHUNK);
    let whole = stream::once(async { Bytes::from_static(b"{") }).chain(padding);
    let body = Body::from_stream(whole.map(Ok::<_, std::convert::Infallible>));
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
