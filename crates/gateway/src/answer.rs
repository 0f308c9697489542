use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use valetkey_model::{Problem, ProblemCode, ProviderKind, RepoUrl};
use valetkey_providers::{ProviderError, provider as of};

use crate::address::Service;

/// A refusal in words: git shows the lines of a plain-text answer behind `remote:`.
pub(crate) fn refuse(status: StatusCode, text: &str) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, Body::from(format!("{}\n", text.trim_end()))).into_response()
}

/// A refusal of our own.
///
/// Never 401: git would ask for a password that it must not have.
pub(crate) fn problem(problem: &Problem) -> Response {
    let status = match problem.code {
        ProblemCode::NotFound | ProblemCode::RepositoryNotFound => StatusCode::NOT_FOUND,
        ProblemCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ProblemCode::ProviderUnreachable | ProblemCode::TlsNotTrusted | ProblemCode::NotTheProvider => {
            StatusCode::BAD_GATEWAY
        }
        ProblemCode::Internal | ProblemCode::SealBroken => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::FORBIDDEN,
    };
    let mut text = problem.detail.clone();
    if let Some(remedy) = &problem.remediation {
        text = format!("{text}\n{remedy}");
    }
    refuse(status, &text)
}

/// An upstream's refusal.
pub(crate) struct Refusal<'a> {
    pub(crate) status: StatusCode,
    pub(crate) provider: ProviderKind,
    pub(crate) repository: &'a RepoUrl,
    pub(crate) retry_after_seconds: Option<u64>,
}

impl Refusal<'_> {
    /// What it means for a request with a credential, in words of ours and, where it gave any, its own.
    pub(crate) fn of_account(&self, service: Service, said: &str) -> Response {
        let Self { provider, repository, .. } = self;
        let (status, text) = match self.status {
            StatusCode::UNAUTHORIZED => (
                StatusCode::FORBIDDEN,
                format!(
                    "Authentication failed: {provider} no longer accepts the token for {}. Reconnect with `{}`.",
                    repository.instance(),
                    provider.connect_command(repository.instance())
                ),
            ),
            StatusCode::FORBIDDEN if service == Service::ReceivePack => {
                (StatusCode::FORBIDDEN, push_forbidden(*provider))
            }
            StatusCode::FORBIDDEN => {
                (StatusCode::FORBIDDEN, format!("{provider} refused to let this account read {repository}."))
            }
            StatusCode::NOT_FOUND => (
                StatusCode::NOT_FOUND,
                format!("{repository} does not exist at {provider}, or the connected account may not see it."),
            ),
            _ => self.in_any_case(),
        };
        refuse(status, &format!("{text}\n{said}"))
    }

    /// The same for a request as anybody's.
    pub(crate) fn of_anybody(&self, said: &str) -> Response {
        let (status, text) = match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => (
                StatusCode::NOT_FOUND,
                format!(
                    "{} is not there, or not for everybody to read, and this session uses no integration for it.",
                    self.repository
                ),
            ),
            _ => self.in_any_case(),
        };
        refuse(status, &format!("{text}\n{said}"))
    }

    fn in_any_case(&self) -> (StatusCode, String) {
        let Self { provider, repository, retry_after_seconds, .. } = self;
        match self.status {
            s if s.is_redirection() => (
                StatusCode::BAD_GATEWAY,
                format!(
                    "{provider} says that {repository} has moved. Redirects are not followed; use its new address."
                ),
            ),
            StatusCode::TOO_MANY_REQUESTS => {
                let limited = ProviderError::RateLimited { retry_after_seconds: *retry_after_seconds };
                (StatusCode::TOO_MANY_REQUESTS, limited.into_problem(*provider, repository.instance()).detail)
            }
            other => (StatusCode::BAD_GATEWAY, format!("{provider} answered {} to git.", other.as_u16())),
        }
    }
}

/// The contract's text for a push that the provider refused.
fn push_forbidden(provider: ProviderKind) -> String {
    let scope = of(provider).words().push_scope;
    format!(
        "{provider} push failed: Insufficient permissions. Ensure your {provider} token has '{scope}' scope. You can update your token by reconnecting your {provider} account with the required permissions."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_refused_push_is_the_contracts() {
        assert_eq!(
            push_forbidden(ProviderKind::GitLab),
            "GitLab push failed: Insufficient permissions. Ensure your GitLab token has 'write_repository' scope. You can update your token by reconnecting your GitLab account with the required permissions."
        );
    }
}
