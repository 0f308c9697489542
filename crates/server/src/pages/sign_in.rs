//! The way in and out.

use axum::{
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;
use valetkey_model::{Problem, ProblemCode};

use super::{
    form::{Form, ProblemView, refused},
    frame::Frame,
    render::{Page, View},
};
use crate::{
    App, auth,
    client::ClientAddress,
    extract::Params,
    problem::Answer,
    route::Row,
    sign_in::{self, Arrival, Departure, LocalPath},
};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::get("/sign-in", show).public().page(),
        Row::post("/sign-in", with_token).public().page(),
        Row::get("/sign-in/oidc", go_to_identity_provider).public().page(),
        Row::get("/sign-in/oidc/callback", come_from_identity_provider).public().page(),
        Row::get("/sign-in/{token}", show_link).public().page(),
        Row::post("/sign-in/{token}", with_link).public().page(),
        Row::post("/sign-out", sign_out).public().page(),
    ]
}

#[derive(Debug, Default, Serialize)]
struct SignInView {
    problem: Option<ProblemView>,
    /// Whether the problem is one of a token.
    by_token: bool,
    /// The identity provider's name, where one is set.
    identity_provider: Option<String>,
    /// Where to go on, if somebody was on their way.
    return_to: Option<String>,
    /// The same as a query.
    way_on: String,
}

impl SignInView {
    fn new(app: &App) -> Self {
        let provider = app.sign_in.identity_provider.as_ref().map(|provider| provider.name.clone());
        Self { identity_provider: provider, ..Self::default() }
    }

    fn refusing(self, problem: &Problem) -> Self {
        Self { problem: Some(problem.into()), ..self }
    }

    fn going_on_to(self, path: &LocalPath) -> Self {
        let return_to = Some(path.as_str()).filter(|_| *path != LocalPath::default()).map(str::to_owned);
        Self { way_on: way_on(path), return_to, ..self }
    }
}

/// The query with which the way on is kept; empty for the start page.
fn way_on(path: &LocalPath) -> String {
    if *path == LocalPath::default() {
        return String::new();
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    format!("?{}", query.append_pair("return_to", path.as_str()).finish())
}

/// The page where somebody signs in who wanted to look at something, and is to see it then.
pub(crate) fn way_in(method: &Method, uri: &Uri) -> String {
    let wanted = uri.path_and_query().filter(|_| *method == Method::GET).map(|wanted| LocalPath::of(wanted.as_str()));
    format!("/sign-in{}", way_on(&wanted.unwrap_or_default()))
}

/// Where to go on after the sign-in.
#[derive(Debug, Deserialize)]
struct Way {
    #[serde(default)]
    return_to: LocalPath,
    did: Option<String>,
}

impl View for SignInView {
    const TEMPLATE: &'static str = "sign_in.html";
}

/// A one-time link is used up by pressing a button: programs that fetch links to preview them press none.
#[derive(Debug, Serialize)]
struct LinkView {}

impl View for LinkView {
    const TEMPLATE: &'static str = "sign_in_link.html";
}

async fn show(State(app): State<App>, Params(way): Params<Way>, headers: HeaderMap) -> Response {
    let Way { return_to, did } = way;
    if auth::identify(&app, &headers).await.is_ok() {
        return Redirect::to(return_to.as_str()).into_response();
    }
    let view = SignInView::new(&app).going_on_to(&return_to);
    Page::new(Frame::bare("Sign in").after(did.as_deref()), view).into_response()
}

async fn go_to_identity_provider(State(app): State<App>, Params(way): Params<Way>) -> Answer<Response> {
    match sign_in::begin_at_identity_provider(&app, way.return_to).await {
        Ok(Departure { cookie, url }) => {
            Ok(([(header::SET_COOKIE, cookie)], Redirect::to(url.as_str())).into_response())
        }
        Err(problem) => not_admitted(SignInView::new(&app), problem),
    }
}

async fn come_from_identity_provider(
    State(app): State<App>,
    from: ClientAddress,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Response> {
    let Arrival { outcome, dropped } =
        sign_in::finish_at_identity_provider(&app, &headers, &query.unwrap_or_default(), from).await;
    let mut response = match outcome {
        Ok((cookie, path)) => ([(header::SET_COOKIE, cookie)], Redirect::to(path.as_str())).into_response(),
        Err(problem) => not_admitted(SignInView::new(&app), problem)?,
    };
    response.headers_mut().append(header::SET_COOKIE, dropped);
    Ok(response)
}

async fn with_token(State(app): State<App>, from: ClientAddress, form: Form) -> Answer<Response> {
    let answer = sign_in::with_token(&app, form.get("token"), from).await;
    let answer = answer.map_err(|problem| match problem.code {
        ProblemCode::Unauthenticated => Problem::new(problem.code, "This API token is not valid, or has expired."),
        _ => problem,
    });
    admitted(&app, answer, &LocalPath::of(form.get("return_to")))
}

async fn show_link(Path(_): Path<String>) -> impl IntoResponse {
    Page::new(Frame::bare("Sign in"), LinkView {})
}

async fn with_link(State(app): State<App>, from: ClientAddress, Path(token): Path<String>) -> Answer<Response> {
    admitted(&app, sign_in::with_link(&app, &token, from).await, &LocalPath::default())
}

fn admitted(app: &App, answer: Result<HeaderValue, Problem>, path: &LocalPath) -> Answer<Response> {
    match answer {
        Ok(cookie) => Ok(([(header::SET_COOKIE, cookie)], Redirect::to(path.as_str())).into_response()),
        Err(problem) if problem.code == ProblemCode::Unauthenticated => {
            not_admitted(SignInView { by_token: true, ..SignInView::new(app).going_on_to(path) }, problem)
        }
        Err(problem) => Err(problem.into()),
    }
}

/// The way in again, with why it did not lead in; our own faults are told on a page of their own.
fn not_admitted(view: SignInView, problem: Problem) -> Answer<Response> {
    if matches!(problem.code, ProblemCode::Internal | ProblemCode::NotFound) {
        return Err(problem.into());
    }
    let page = Page::new(Frame::bare("Sign in"), view.refusing(&problem));
    Ok(page.with_status(refused(&problem)).into_response())
}

async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Answer<Response> {
    let cookie = sign_in::end(&app, &headers).await?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/sign-in?did=signed-out")).into_response())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::pages::render::tests::html;

    pub(crate) fn samples() -> Vec<(&'static str, String)> {
        let with = |name: &str| SignInView { identity_provider: Some(name.to_owned()), ..SignInView::default() };
        let problem = Problem::new(ProblemCode::Unauthenticated, "This sign-in link was used already, or is too old.");
        vec![
            ("sign_in", html(SignInView::default())),
            ("sign_in_refused", html(SignInView::default().refusing(&problem))),
            ("sign_in_with", html(with("Example & Co").going_on_to(&LocalPath::of("/sessions/1?a=b")))),
            ("sign_in_with_refused", html(SignInView { by_token: true, ..with("Example") }.refusing(&problem))),
            ("sign_in_link", html(LinkView {})),
        ]
    }

    #[test]
    fn the_way_on_is_kept() {
        let page = &samples()[2].1;
        assert!(page.contains("href=\"/sign-in/oidc?return_to=%2Fsessions%2F1%3Fa%3Db\""), "{page}");
        assert!(page.contains("Sign in with Example &amp; Co"), "{page}");
    }
}
