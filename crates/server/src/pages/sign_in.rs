//! The way in and out.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderMap, header};
use serde::Serialize;
use valetkey_model::{Problem, ProblemCode};

use super::{
    form::{Form, ProblemView, refused},
    frame::{Did, Frame},
    render::{Page, View},
};
use crate::{App, auth, client::ClientAddress, extract::Params, problem::Answer, route::Row, sign_in};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::get("/sign-in", show).public().page(),
        Row::post("/sign-in", with_token).public().page(),
        Row::get("/sign-in/{token}", show_link).public().page(),
        Row::post("/sign-in/{token}", with_link).public().page(),
        Row::post("/sign-out", sign_out).public().page(),
    ]
}

#[derive(Debug, Default, Serialize)]
struct SignInView {
    problem: Option<ProblemView>,
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

async fn show(State(app): State<App>, Params(Did { did }): Params<Did>, headers: HeaderMap) -> Response {
    if auth::identify(&app, &headers).await.is_ok() {
        return Redirect::to("/").into_response();
    }
    Page::new(Frame::bare("Sign in").after(did.as_deref()), SignInView::default()).into_response()
}

async fn with_token(State(app): State<App>, from: ClientAddress, form: Form) -> Answer<Response> {
    let answer = sign_in::with_token(&app, form.get("token"), from).await;
    let answer = answer.map_err(|problem| match problem.code {
        ProblemCode::Unauthenticated => Problem::new(problem.code, "This API token is not valid, or has expired."),
        _ => problem,
    });
    admitted(answer)
}

async fn show_link(Path(_): Path<String>) -> impl IntoResponse {
    Page::new(Frame::bare("Sign in"), LinkView {})
}

async fn with_link(State(app): State<App>, from: ClientAddress, Path(token): Path<String>) -> Answer<Response> {
    admitted(sign_in::with_link(&app, &token, from).await)
}

fn admitted(answer: Result<http::HeaderValue, Problem>) -> Answer<Response> {
    match answer {
        Ok(cookie) => Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response()),
        Err(problem) if problem.code == ProblemCode::Unauthenticated => {
            let view = SignInView { problem: Some((&problem).into()) };
            Ok(Page::new(Frame::bare("Sign in"), view).with_status(refused(&problem)).into_response())
        }
        Err(problem) => Err(problem.into()),
    }
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
        let problem = Problem::new(ProblemCode::Unauthenticated, "This sign-in link was used already, or is too old.");
        vec![
            ("sign_in", html(SignInView::default())),
            ("sign_in_refused", html(SignInView { problem: Some((&problem).into()) })),
            ("sign_in_link", html(LinkView {})),
        ]
    }
}
