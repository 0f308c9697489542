use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use valetkey_model::RepoUrl;

use crate::{
    ProviderError,
    api::{Answer, Api, one_line},
};

/// Why app passwords do no more, and what does.
pub(super) const APP_PASSWORD: ProviderError = ProviderError::Unsuitable {
    why: "This is an app password; Bitbucket's app passwords ended in 2026.",
    instead: "Create an API token with scopes at https://id.atlassian.com/manage-profile/security/api-tokens and connect it \
              with your Atlassian account's e-mail address.",
};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Error,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Error {
    message: String,
    detail: Value,
}

impl Error {
    fn of(answer: &Answer) -> Self {
        serde_json::from_str::<Body>(&answer.body).unwrap_or_default().error
    }

    fn lacks_scopes(&self) -> bool {
        self.detail.get("required").is_some() || self.message.contains("privilege scopes")
    }

    /// Scopes that the error names.
    fn scopes(&self, which: &str) -> Vec<String> {
        let named = self.detail.get(which).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        named.map(one_line).filter(|name| !name.is_empty()).collect()
    }
}

/// What an answer that is no success means.
pub(super) fn refusal(api: &Api<'_>, answer: &Answer) -> ProviderError {
    let error = Error::of(answer);
    match answer.status {
        // Said without a body, too.
        StatusCode::UNAUTHORIZED if !is_web_page(answer) => return ProviderError::TokenInvalid,
        StatusCode::GONE if !error.message.contains("CHANGE-") && !is_web_page(answer) => return APP_PASSWORD,
        StatusCode::TOO_MANY_REQUESTS => {
            return ProviderError::RateLimited { retry_after_seconds: answer.retry_after(api.at.now) };
        }
        _ => {}
    }
    if let Some(common) = answer.common_refusal() {
        return common;
    }
    match answer.status {
        StatusCode::FORBIDDEN if error.lacks_scopes() => {
            ProviderError::InsufficientScope { missing: error.scopes("required") }
        }
        StatusCode::FORBIDDEN => ProviderError::Forbidden { said: said(answer) },
        StatusCode::NOT_FOUND => answer.other_refusal(),
        status => ProviderError::Failed { status: status.as_u16(), said: said(answer) },
    }
}

/// As [`refusal`], for a question about a repository. To an account without access some are forbidden, others not there.
pub(super) fn repository_refusal(api: &Api<'_>, answer: &Answer, repo: &RepoUrl) -> ProviderError {
    match refusal(api, answer) {
        ProviderError::Forbidden { .. } => ProviderError::RepositoryNotFound { path: repo.path().to_owned() },
        other => api.about(repo, answer, other),
    }
}

/// Bitbucket's own words.
pub(super) fn said(answer: &Answer) -> String {
    let error = Error::of(answer);
    let detail = error.detail.as_str().filter(|detail| !error.message.contains(detail));
    let words = [Some(&*error.message), detail].into_iter().flatten().filter(|words| !words.is_empty());
    one_line(&words.collect::<Vec<_>>().join(": "))
}

/// The scopes that a refusal says the token has.
pub(super) fn granted(answer: &Answer) -> Option<Vec<String>> {
    Some(Error::of(answer).scopes("granted")).filter(|scopes| !scopes.is_empty())
}

fn is_web_page(answer: &Answer) -> bool {
    answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"))
}
