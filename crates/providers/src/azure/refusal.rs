use http::StatusCode;
use valetkey_model::RepoUrl;

use super::wire::ANONYMOUS;
use crate::{
    ProviderError,
    api::{Answer, Api},
};

/// What an answer that is no success means. Who is not known is often shown the way to the sign-in page, with a status that
/// sounds like success.
pub(super) fn refusal(api: &Api<'_>, answer: &Answer) -> ProviderError {
    let web_page = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    match answer.status {
        StatusCode::UNAUTHORIZED if answer.body.contains("has expired") => ProviderError::TokenExpired,
        StatusCode::UNAUTHORIZED if names_a_user(&answer.said()) => {
            ProviderError::InsufficientScope { missing: Vec::new() }
        }
        StatusCode::UNAUTHORIZED | StatusCode::NON_AUTHORITATIVE_INFORMATION | StatusCode::FOUND => {
            ProviderError::TokenInvalid
        }
        StatusCode::OK if web_page => ProviderError::TokenInvalid,
        StatusCode::TOO_MANY_REQUESTS => {
            ProviderError::RateLimited { retry_after_seconds: answer.retry_after(api.at.now) }
        }
        status => answer.common_refusal().unwrap_or_else(|| match status {
            StatusCode::FORBIDDEN => ProviderError::Forbidden { said: answer.said() },
            _ => answer.other_refusal(),
        }),
    }
}

/// As [`refusal`], for a question about a repository.
pub(super) fn repository_refusal(api: &Api<'_>, answer: &Answer, repo: &RepoUrl) -> ProviderError {
    let path = || repo.path().to_owned();
    match refusal(api, answer) {
        ProviderError::Forbidden { .. } => ProviderError::RepositoryNotFound { path: path() },
        // A token of one organisation is unknown to the others.
        ProviderError::TokenInvalid | ProviderError::InsufficientScope { .. } if is_elsewhere(api, repo) => {
            ProviderError::RepositoryNotFound { path: path() }
        }
        other => api.about(repo, answer, other),
    }
}

/// Whether the account was recognised and may not: "TF400813: The user 'john@x.test' is not authorized to access this
/// resource". Of nobody the same is said.
fn names_a_user(said: &str) -> bool {
    let user = said.strip_prefix("TF400813: The user '").and_then(|rest| rest.split('\'').next());
    user.is_some_and(|user| !user.is_empty() && user != ANONYMOUS)
}

fn is_elsewhere(api: &Api<'_>, repo: &RepoUrl) -> bool {
    let organisation = repo.path().split('/').next().unwrap_or_default();
    api.at.credential.login.as_deref().is_some_and(|own| !own.eq_ignore_ascii_case(organisation))
}
