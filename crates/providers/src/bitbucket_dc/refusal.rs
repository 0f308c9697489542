use http::StatusCode;
use url::form_urlencoded;
use valetkey_model::RepoUrl;

use crate::{
    ProviderError,
    api::{Answer, Api},
};

/// What an answer that is no success means.
pub(super) fn refusal(api: &Api<'_>, answer: &Answer) -> ProviderError {
    if let Some(common) = answer.common_refusal() {
        return common;
    }
    match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if answer.said().contains("CAPTCHA") => {
            ProviderError::LockedOut
        }
        // Also said to an account that was recognised and may not.
        StatusCode::UNAUTHORIZED if user_name(answer).is_none() => ProviderError::TokenInvalid,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ProviderError::Forbidden { said: answer.said() },
        StatusCode::TOO_MANY_REQUESTS => {
            ProviderError::RateLimited { retry_after_seconds: answer.retry_after(api.at.now) }
        }
        _ => answer.other_refusal(),
    }
}

/// As [`refusal`], for a question about a repository; the forbidden ones can't be told from those that are not there.
pub(super) fn repository_refusal(api: &Api<'_>, answer: &Answer, repo: &RepoUrl) -> ProviderError {
    match refusal(api, answer) {
        ProviderError::Forbidden { .. } => ProviderError::RepositoryNotFound { path: repo.path().to_owned() },
        other => api.about(repo, answer, other),
    }
}

/// Whom Bitbucket took the credential for: every answer says it.
pub(super) fn user_name(answer: &Answer) -> Option<String> {
    let stated = answer.header("x-ausername").filter(|name| !name.is_empty() && *name != "anonymous")?;
    // Percent signs only: a plus is a plus.
    let form = format!("name={}", stated.replace('+', "%2B"));
    form_urlencoded::parse(form.as_bytes()).next().map(|(_, name)| name.into_owned())
}
