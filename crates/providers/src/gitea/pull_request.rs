use http::{Method, StatusCode};
use serde_json::json;
use valetkey_model::RepoUrl;

use super::{
    refusal::{lacks_scope, repository_refusal},
    wire::Pull,
};
use crate::{
    ProviderError, PullRequest, PullRequestDraft,
    api::{Answer, Api},
    paging::Paging,
};

/// Opens a pull request in the listing at `path`, or changes the one that is open already.
pub(super) async fn open(
    api: &Api<'_>,
    path: &str,
    repo: &RepoUrl,
    draft: &PullRequestDraft,
) -> Result<PullRequest, ProviderError> {
    let body = json!({ "head": draft.head, "base": draft.base, "title": draft.title, "body": draft.body });
    let answer = api.post(path, &body).await?;
    if answer.status != StatusCode::CONFLICT {
        return Ok(PullRequest { url: accepted(api, repo, &answer)?.page(api, repo), created: true });
    }
    let open = existing(api, path, repo, draft, &answer).await?;
    let body = json!({ "title": draft.title, "body": draft.body });
    let answer = api.change(Method::PATCH, &format!("{path}/{}", open.number), &[], &body).await?;
    Ok(PullRequest { url: accepted(api, repo, &answer)?.page(api, repo), created: false })
}

fn accepted(api: &Api<'_>, repo: &RepoUrl, answer: &Answer) -> Result<Pull, ProviderError> {
    let refused = match answer.status {
        // Also said where a branch is missing.
        StatusCode::NOT_FOUND => answer.common_refusal().is_none(),
        StatusCode::FORBIDDEN => !lacks_scope(answer),
        status => [400, 409, 412, 422, 423].contains(&status.as_u16()),
    };
    if refused {
        return Err(ProviderError::PullRequestRefused { said: answer.said() });
    }
    answer.or_refusal(|answer| repository_refusal(api, answer, repo))?.json()
}

/// The open pull request from and to the same branches, which is why a second one was refused.
///
/// Gitea's question for the one of two branches may answer with one that was closed.
async fn existing(
    api: &Api<'_>,
    path: &str,
    repo: &RepoUrl,
    draft: &PullRequestDraft,
    refused: &Answer,
) -> Result<Pull, ProviderError> {
    // Older servers leave the branch out of account.
    let query = [("state", "open"), ("base_branch", &*draft.base)];
    let refusal = |answer: &_| repository_refusal(api, answer, repo);
    let open: Vec<Pull> = api.list(path, &query, Paging::gitea(""), refusal).await?;
    let own = open.into_iter().find(|pull| pull.is_between(&draft.head, &draft.base));
    own.ok_or_else(|| ProviderError::PullRequestRefused { said: refused.said() })
}
