//! Azure DevOps's error answers.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

pub(super) struct Problem {
    status: StatusCode,
    type_key: &'static str,
    message: String,
}

impl Problem {
    fn new(status: StatusCode, type_key: &'static str, message: impl Into<String>) -> Self {
        Self { status, type_key, message: message.into() }
    }

    pub(super) fn no_such_route() -> Self {
        let message = "The controller for this path was not found or does not implement IController.";
        Self::new(StatusCode::NOT_FOUND, "HttpException", message)
    }

    pub(super) fn unauthorized(user: &str) -> Self {
        let message = format!("TF400813: The user '{user}' is not authorized to access this resource.");
        Self::new(StatusCode::UNAUTHORIZED, "UnauthorizedRequestException", message)
    }

    pub(super) fn no_version(method: &str) -> Self {
        let message = format!(
            "No api-version was supplied for the \"{method}\" request. The version must be supplied either as part \
             of the Accept header (e.g. \"application/json; api-version=1.0\") or as a query parameter (e.g. \
             \"?api-version=1.0\")."
        );
        Self::new(StatusCode::BAD_REQUEST, "VssVersionNotSpecifiedException", message)
    }

    pub(super) fn no_project(name: &str) -> Self {
        let message = format!(
            "TF200016: The following project does not exist: {name}. Verify that the name of the project is correct \
             and that the project exists on the specified Azure DevOps Server."
        );
        Self::new(StatusCode::NOT_FOUND, "ProjectDoesNotExistWithNameException", message)
    }

    pub(super) fn no_repository(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "GitRepositoryNotFoundException", no_repository(name))
    }

    pub(super) fn needs(permission: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "GitNeedsPermissionException", needs(permission))
    }

    pub(super) fn no_pull_request() -> Self {
        let message = "TF401180: The requested pull request was not found.";
        Self::new(StatusCode::NOT_FOUND, "GitPullRequestNotFoundException", message)
    }

    pub(super) fn no_branch() -> Self {
        let message = "TF401398: The pull request cannot be activated because the source and/or the target branch no \
            longer exists, or the requested branch is not a valid pull request branch";
        Self::new(StatusCode::BAD_REQUEST, "GitPullRequestCannotBeActivated", message)
    }

    pub(super) fn duplicate() -> Self {
        let message = "TF401179: An active pull request for the source and target branch already exists.";
        Self::new(StatusCode::CONFLICT, "GitPullRequestExistsException", message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidArgumentValueException", message)
    }

    pub(super) fn rate_limited() -> Self {
        let message = "TF400733: The request has been canceled: Request was blocked due to exceeding usage of \
            resource 'Concurrency' in namespace 'User'.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "RequestBlockedException", message)
    }
}

pub(super) fn no_repository(name: &str) -> String {
    format!(
        "TF401019: The Git repository with name or identifier {name} does not exist or you do not have permissions \
         for the operation you are attempting."
    )
}

pub(super) fn needs(permission: &str) -> String {
    format!("TF401027: You need the Git '{permission}' permission to perform this action.")
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let name = format!("Microsoft.TeamFoundation.{}, Microsoft.TeamFoundation", self.type_key);
        let body = json!({
            "$id": "1", "innerException": null, "message": self.message, "typeName": name, "typeKey": self.type_key,
            "errorCode": 0, "eventId": 3000,
        });
        (self.status, Json(body)).into_response()
    }
}
