//! Repositories as anybody may read them: git's own protocol without a credential, which every forge speaks.

use http::{HeaderName, StatusCode, header};
use valetkey_model::RepoUrl;

use crate::{Http, ProviderError, UpstreamBody, UpstreamResponse};

/// What a server of git's protocol answers to the first request of a fetch (gitprotocol-http).
const ADVERTISEMENT: &str = "application/x-git-upload-pack-advertisement";

/// Asks a repository's host whether anybody may read it.
///
/// # Errors
/// `RepositoryNotFound` for one that is not there or not for everybody, which hosts answer alike; `NotTheProvider` where
/// something else than git answers; why no answer came.
pub async fn readable_by_anybody(http: &Http, repo: &RepoUrl) -> Result<(), ProviderError> {
    let request = http::Request::get(format!("{}/info/refs?service=git-upload-pack", repo.clone_url()))
        // Whose first answer does not list every ref.
        .header(HeaderName::from_static("git-protocol"), "version=2")
        .body(UpstreamBody::default())
        .expect("a repository's address is a URI");
    let answer = http.stream(repo.instance(), request).await?;
    let path = || repo.path().to_owned();
    match answer.status() {
        StatusCode::OK if is_advertisement(&answer) => Ok(()),
        StatusCode::OK => Err(ProviderError::NotTheProvider { saw: "something that is not git's protocol".to_owned() }),
        // GitHub and GitLab ask for a password also where nothing is.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
            Err(ProviderError::RepositoryNotFound { path: path() })
        }
        StatusCode::TOO_MANY_REQUESTS => {
            let seconds = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            Err(ProviderError::RateLimited { retry_after_seconds: seconds })
        }
        status if status.is_redirection() => Err(ProviderError::RepositoryMoved { path: path() }),
        status => Err(ProviderError::Failed { status: status.as_u16(), said: String::new() }),
    }
}

fn is_advertisement(answer: &UpstreamResponse) -> bool {
    answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == ADVERTISEMENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Responder, answer, http};

    #[tokio::test]
    async fn a_host_is_asked_as_git_does_and_without_a_credential() {
        let server = Responder::start(|_| answer(200, &format!("Content-Type: {ADVERTISEMENT}"), "000e")).await;
        readable_by_anybody(&http(), &server.repo("team/app")).await.unwrap();
        let [seen] = server.requests().try_into().unwrap();
        assert_eq!(seen.line, "GET /team/app.git/info/refs?service=git-upload-pack");
        assert!(seen.head.contains("git-protocol: version=2"), "{}", seen.head);
        assert!(!seen.head.contains("authorization") && !seen.head.contains("cookie"), "{}", seen.head);
    }

    #[tokio::test]
    async fn what_is_not_for_everybody_is_an_error() {
        let not_found = ProviderError::RepositoryNotFound { path: "team/app".to_owned() };
        let saw = "something that is not git's protocol".to_owned();
        for (status, headers, error) in [
            (401, "WWW-Authenticate: Basic", not_found.clone()),
            (403, "", not_found.clone()),
            (404, "", not_found),
            (200, "Content-Type: text/html", ProviderError::NotTheProvider { saw }),
            (301, "Location: http://127.0.0.1:1/x", ProviderError::RepositoryMoved { path: "team/app".to_owned() }),
            (429, "Retry-After: 7", ProviderError::RateLimited { retry_after_seconds: Some(7) }),
            (503, "", ProviderError::Failed { status: 503, said: String::new() }),
        ] {
            let server = Responder::start(move |_| answer(status, headers, "")).await;
            assert_eq!(readable_by_anybody(&http(), &server.repo("team/app")).await, Err(error), "{status}");
        }
    }
}
