//! Refusals as pages, for whoever came with a browser.

use axum::{
    body::to_bytes,
    extract::Request,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use valetkey_model::Problem;

use super::{
    form::ProblemView,
    frame::Frame,
    render::{Page, View},
};
use crate::sign_in;

/// More than any problem document has.
const MAX_DOCUMENT: usize = 64 * 1024;

#[derive(Debug, Serialize)]
pub(crate) struct ErrorView {
    status: u16,
    heading: &'static str,
    problem: ProblemView,
    sign_in: bool,
}

impl View for ErrorView {
    const TEMPLATE: &'static str = "error.html";
}

impl ErrorView {
    fn new(status: StatusCode, problem: &Problem) -> Self {
        let sign_in = status == StatusCode::UNAUTHORIZED;
        Self { status: status.as_u16(), heading: heading(status), problem: problem.into(), sign_in }
    }
}

fn heading(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::UNAUTHORIZED => "Please sign in",
        StatusCode::FORBIDDEN => "This is not allowed",
        StatusCode::CONFLICT => "That no longer fits",
        _ if status.is_server_error() => "Something went wrong",
        _ => "That did not work",
    }
}

/// Shows problem documents as pages to browsers that ask for a page.
pub(crate) async fn for_people(request: Request, next: Next) -> Response {
    let wanted = wants_page(request.uri().path(), request.headers());
    let known = sign_in::cookie(request.headers()).is_some();
    let response = next.run(request).await;
    if wanted && is_problem(&response) { as_page(response, known).await } else { response }
}

fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepts.contains("text/html") && !path.starts_with("/api/")
}

fn is_problem(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == "application/problem+json")
}

async fn as_page(response: Response, known: bool) -> Response {
    let (mut parts, body) = response.into_parts();
    let document = to_bytes(body, MAX_DOCUMENT).await.unwrap_or_default();
    let Ok(problem) = serde_json::from_slice::<Problem>(&document) else {
        return (parts.status, parts.headers, document).into_response();
    };
    let view = ErrorView::new(parts.status, &problem);
    let frame = Frame::bare(view.heading);
    let frame = if known && !view.sign_in { frame.with_navigation() } else { frame };
    let page = Page::new(frame, view).with_status(parts.status).into_response();
    parts.headers.remove(header::CONTENT_TYPE);
    parts.headers.remove(header::CONTENT_LENGTH);
    let mut response = page;
    response.headers_mut().extend(parts.headers);
    response
}

#[cfg(test)]
impl ErrorView {
    pub(crate) fn sample() -> Self {
        use valetkey_model::ProblemCode;
        let problem = Problem::new(ProblemCode::NotFound, "You have no session 018f.")
            .remedy("`valetkey sessions list` shows yours.");
        Self::new(StatusCode::NOT_FOUND, &problem)
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, middleware, routing::get};
    use tower::ServiceExt as _;
    use valetkey_model::ProblemCode;

    use super::*;
    use crate::problem::Failure;

    async fn ask(path: &str, accept: &str) -> (StatusCode, String, String) {
        let refuse = async || Failure::new(ProblemCode::NotFound, "No <b>session</b>.");
        let router = Router::new()
            .route("/sessions/x", get(refuse))
            .route("/api/x", get(refuse))
            .layer(middleware::from_fn(for_people));
        let request = Request::get(path).header(header::ACCEPT, accept).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let media_type = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let status = response.status();
        let body = to_bytes(response.into_body(), MAX_DOCUMENT).await.unwrap();
        (status, media_type, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_browser_is_shown_a_page() {
        let (status, media_type, body) = ask("/sessions/x", "text/html,*/*;q=0.8").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(media_type, "text/html; charset=utf-8");
        assert!(body.contains("No &lt;b&gt;session&lt;"), "{body}");
    }

    #[tokio::test]
    async fn a_program_keeps_its_problem_document() {
        for (path, accept) in [("/sessions/x", "*/*"), ("/api/x", "text/html")] {
            let (status, media_type, _) = ask(path, accept).await;
            assert_eq!((status, &*media_type), (StatusCode::NOT_FOUND, "application/problem+json"));
        }
    }
}
