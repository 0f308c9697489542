use http::{Method, StatusCode};
use serde_json::json;
use valetkey_model::RepoUrl;

use super::{refusal::project_refusal, wire::MergeRequest};
use crate::{
    ProviderError, PullRequest, PullRequestDraft,
    api::{Answer, Api},
};

/// Opens a merge request in the listing at `path`, or changes the one that is open already.
pub(super) async fn open(
    api: &Api<'_>,
    path: &str,
    repo: &RepoUrl,
    draft: &PullRequestDraft,
) -> Result<PullRequest, ProviderError> {
    let body = json!({
        "source_branch": draft.head,
        "target_branch": draft.base,
        "title": draft.title,
        "description": draft.body,
    });
    let answer = api.post(path, &body).await?;
    if answer.status == StatusCode::CONFLICT {
        let open = existing(api, path, repo, draft, &answer).await?;
        return update(api, &format!("{path}/{}", open.iid), repo, draft).await;
    }
    Ok(PullRequest { url: accepted(api, repo, &answer)?.page(api, repo), created: true })
}

async fn update(
    api: &Api<'_>,
    path: &str,
    repo: &RepoUrl,
    draft: &PullRequestDraft,
) -> Result<PullRequest, ProviderError> {
    let body = json!({ "title": draft.title, "description": draft.body });
    let answer = api.change(Method::PUT, path, &[], &body).await?;
    Ok(PullRequest { url: accepted(api, repo, &answer)?.page(api, repo), created: false })
}

fn accepted(api: &Api<'_>, repo: &RepoUrl, answer: &Answer) -> Result<MergeRequest, ProviderError> {
    if matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY) {
        return Err(ProviderError::PullRequestRefused { said: answer.said() });
    }
    answer.or_refusal(|answer| project_refusal(api, answer, repo))?.json()
}

/// The open merge request from and to the same branches, which is why a second one was refused.
async fn existing(
    api: &Api<'_>,
    path: &str,
    repo: &RepoUrl,
    draft: &PullRequestDraft,
    refused: &Answer,
) -> Result<MergeRequest, ProviderError> {
    let query = [("state", "opened"), ("source_branch", &*draft.head), ("target_branch", &*draft.base)];
    let answer = api.get(path, &query).await?;
    let open: Vec<MergeRequest> = answer.or_refusal(|answer| project_refusal(api, answer, repo))?.json()?;
    // A fork's branch may have the same name.
    let own = open.into_iter().find(|request| request.source_project_id == request.target_project_id);
    own.ok_or_else(|| ProviderError::PullRequestRefused { said: refused.said() })
}
