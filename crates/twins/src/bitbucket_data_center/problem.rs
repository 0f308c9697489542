//! Data Center's error answers.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

pub(super) struct Problem {
    status: StatusCode,
    message: String,
    exception: Option<&'static str>,
    existing: Option<Value>,
}

impl Problem {
    fn new(status: StatusCode, exception: &'static str, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), exception: Some(exception), existing: None }
    }

    pub(super) fn no_such_route() -> Self {
        let message = "HTTP 404 Not Found".to_owned();
        Self { status: StatusCode::NOT_FOUND, message, exception: None, existing: None }
    }

    pub(super) fn useless_token() -> Self {
        let exception = "com.atlassian.bitbucket.auth.IncorrectPasswordAuthenticationException";
        let message = "Authentication failed. Please check your credentials and try again.";
        Self::new(StatusCode::UNAUTHORIZED, exception, message)
    }

    /// Also for somebody who is signed in: Data Center's 403 is for other things.
    pub(super) fn not_permitted() -> Self {
        let message = "You are not permitted to access this resource";
        Self::new(StatusCode::UNAUTHORIZED, "com.atlassian.bitbucket.AuthorisationException", message)
    }

    pub(super) fn no_repository(key: &str, slug: &str) -> Self {
        let message = format!("Repository {key}/{slug} does not exist.");
        Self::new(StatusCode::NOT_FOUND, "com.atlassian.bitbucket.repository.NoSuchRepositoryException", message)
    }

    pub(super) fn no_default_branch() -> Self {
        let message = "Repository has no default branch.";
        Self::new(StatusCode::NOT_FOUND, "com.atlassian.bitbucket.repository.NoDefaultBranchException", message)
    }

    pub(super) fn no_user(name: &str) -> Self {
        let message = format!("User {name} does not exist.");
        Self::new(StatusCode::NOT_FOUND, "com.atlassian.bitbucket.user.NoSuchUserException", message)
    }

    pub(super) fn no_branch(name: &str) -> Self {
        let message = format!("Branch \"{name}\" does not exist in this repository.");
        Self::new(StatusCode::NOT_FOUND, "com.atlassian.bitbucket.repository.NoSuchBranchException", message)
    }

    pub(super) fn no_pull_request(number: u64) -> Self {
        let message = format!("Pull request {number} does not exist.");
        Self::new(StatusCode::NOT_FOUND, "com.atlassian.bitbucket.pull.NoSuchPullRequestException", message)
    }

    pub(super) fn empty_pull_request(source: &str, target: &str) -> Self {
        let message = format!("Branch \"{source}\" is already up-to-date with branch \"{target}\".");
        Self::new(StatusCode::CONFLICT, "com.atlassian.bitbucket.pull.EmptyPullRequestException", message)
    }

    pub(super) fn duplicate(existing: Value) -> Self {
        let message = "Only one pull request may be open for a given source and target branch";
        let exception = "com.atlassian.bitbucket.pull.DuplicatePullRequestException";
        Self { existing: Some(existing), ..Self::new(StatusCode::CONFLICT, exception, message) }
    }

    pub(super) fn out_of_date() -> Self {
        let message = "You are attempting to modify a pull request based on out-of-date information.";
        Self::new(StatusCode::CONFLICT, "com.atlassian.bitbucket.pull.PullRequestOutOfDateException", message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "com.atlassian.bitbucket.validation.ArgumentValidationException", message)
    }

    pub(super) fn rate_limited() -> Self {
        let message = "You have been rate limited. Wait before you send more requests.".to_owned();
        Self { status: StatusCode::TOO_MANY_REQUESTS, message, exception: None, existing: None }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut error = json!({"context": null, "message": self.message, "exceptionName": self.exception});
        if let Some(existing) = self.existing {
            error["existingPullRequest"] = existing;
        }
        (self.status, Json(json!({"errors": [error]}))).into_response()
    }
}
