//! Consent on another device: a code to type in there, and a page that waits.

use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};
use url::Url;
use valetkey_integrations::{ConsentRequest, DeviceCode, DeviceProgress};
use valetkey_model::{OAuthAttemptId, Problem, ProblemCode, ProviderKind};

use super::{connected, start_again};
use crate::{
    App,
    auth::Caller,
    extract::Id,
    pages::{
        form::ProblemView,
        frame::{Frame, Section},
        render::{Page, View},
    },
    problem::Answer,
    route::Row,
};

pub(super) fn rows() -> Vec<Row> {
    vec![Row::get("/integrations/device/{attempt}", wait).owner().page()]
}

/// What the page shows again after a reload. The browser keeps it: here only the hash of the code is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Shown {
    provider: ProviderKind,
    code: String,
    page: Url,
    /// The page with the code already in it.
    direct: Option<Url>,
}

#[derive(Debug, Serialize)]
struct DeviceView {
    name: &'static str,
    start_again: String,
    code: Option<String>,
    page: Option<Url>,
    direct: Option<Url>,
    host: Option<String>,
    /// The seconds between two looks; none when it is over.
    every: Option<u64>,
    problem: Option<ProblemView>,
}

impl View for DeviceView {
    const TEMPLATE: &'static str = "device.html";
}

impl DeviceView {
    fn new(shown: Option<Shown>, progress: Result<u64, &Problem>) -> Self {
        let kind = shown.as_ref().map(|shown| shown.provider);
        let shown = shown.filter(|_| progress.is_ok());
        Self {
            name: kind.map_or("the provider", ProviderKind::name),
            start_again: start_again(kind),
            host: shown.as_ref().and_then(|shown| shown.page.host_str().map(str::to_owned)),
            code: shown.as_ref().map(|shown| shown.code.clone()),
            direct: shown.as_ref().and_then(|shown| shown.direct.clone()),
            page: shown.map(|shown| shown.page),
            every: progress.ok(),
            problem: progress.err().map(ProblemView::from),
        }
    }
}

/// Gets a code and leads to the page that shows it.
pub(super) async fn begin(app: &App, wanted: ConsentRequest) -> Result<Response, Problem> {
    let provider = wanted.provider;
    let DeviceCode { attempt, user_code, verification_uri, verification_uri_complete, expires_at, .. } =
        app.integrations.begin_device(wanted).await?;
    let web = |url: &Url| matches!(url.scheme(), "http" | "https");
    if !web(&verification_uri) {
        return Err(Problem::new(
            ProblemCode::NotTheProvider,
            format!("{provider} names a page that is none of the web."),
        ));
    }
    let direct = verification_uri_complete.filter(web);
    let shown = Shown { provider, code: user_code, page: verification_uri, direct };
    let path = format!("/integrations/device/{attempt}");
    let seconds = expires_at.duration_since(app.now()).as_secs().max(0);
    let cookie = shown.to_cookie(&path, seconds, app.config.public_url.scheme() == "https");
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&path)).into_response())
}

async fn wait(
    State(app): State<App>,
    caller: Caller,
    Id(attempt): Id<OAuthAttemptId>,
    headers: HeaderMap,
) -> Answer<Response> {
    let (integrations, user) = (app.integrations.clone(), caller.actor.clone());
    // In a task of its own: an account whose tokens have come is connected, even if the browser goes away.
    let asked = tokio::spawn(async move { integrations.poll_device(&user, &attempt).await }).await;
    let asked = asked.map_err(|_| Problem::new(ProblemCode::Internal, "The server is shutting down."))?;
    let shown = Shown::from_cookie(&headers);
    let view = match &asked {
        Ok(DeviceProgress::Connected(integration)) => return Ok(connected(&integration.id).into_response()),
        Ok(DeviceProgress::Pending { interval }) => DeviceView::new(shown, Ok(interval.as_secs().clamp(2, 30))),
        Err(problem) => DeviceView::new(shown, Err(problem)),
    };
    let frame = Frame::new(&app, &caller, Section::Integrations, "Connect by a code");
    Ok(Page::new(frame, view).into_response())
}

const COOKIE: &str = "valetkey_device=";

impl Shown {
    fn to_cookie(&self, path: &str, seconds: i64, secure: bool) -> HeaderValue {
        let value = serde_urlencoded::to_string(self).expect("plain strings");
        let secure = if secure { "; Secure" } else { "" };
        let text = format!("{COOKIE}{value}; Path={path}; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
        let mut value = HeaderValue::try_from(text).expect("what is encoded for an address has no odd characters");
        value.set_sensitive(true);
        value
    }

    fn from_cookie(headers: &HeaderMap) -> Option<Self> {
        let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let value = all.flat_map(|value| value.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE))?;
        serde_urlencoded::from_str(value).ok()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pages::render::tests::html;

    fn shown() -> Shown {
        Shown {
            provider: ProviderKind::GitLab,
            code: "ABCD-1234".to_owned(),
            page: "https://gitlab.com/oauth/device".parse().unwrap(),
            direct: Some("https://gitlab.com/oauth/device?user_code=ABCD-1234".parse().unwrap()),
        }
    }

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let denied = Problem::new(ProblemCode::ConsentDenied, "GitLab at https://gitlab.com: consent was denied.");
        vec![
            ("device", html(DeviceView::new(Some(shown()), Ok(5)))),
            ("device_over", html(DeviceView::new(Some(shown()), Err(&denied)))),
            ("device_elsewhere", html(DeviceView::new(None, Ok(5)))),
        ]
    }

    #[test]
    fn the_browser_gives_back_what_it_was_shown() {
        let cookie = shown().to_cookie("/integrations/device/x", 600, true);
        assert!(cookie.is_sensitive());
        let text = cookie.to_str().unwrap();
        assert!(text.contains("; Path=/integrations/device/x; HttpOnly; SameSite=Strict; Max-Age=600; Secure"));
        let headers = [(header::COOKIE, text.split(';').next().unwrap().parse().unwrap())].into_iter().collect();
        assert_eq!(Shown::from_cookie(&headers), Some(shown()));
        assert_eq!(Shown::from_cookie(&HeaderMap::new()), None);
    }

    #[test]
    fn the_page_waits_with_and_without_a_script_until_it_is_over() {
        let waiting = html(DeviceView::new(Some(shown()), Ok(5)));
        assert!(waiting.contains(r#"<noscript><meta http-equiv="refresh" content="5"></noscript>"#), "{waiting}");
        assert!(waiting.contains(r#"data-wait="5""#) && waiting.contains("ABCD-1234"), "{waiting}");
        let over = &samples()[1].1;
        assert!(!over.contains("http-equiv") && !over.contains("data-wait=") && !over.contains("ABCD-1234"), "{over}");
        assert!(over.contains("/integrations/connect/gitlab"), "{over}");
    }
}
