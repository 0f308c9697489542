use http::{Method, StatusCode};
use serde_json::json;
use valetkey_model::RepoUrl;

use super::{refusal::repository_refusal, repository_path, wire::Pull};
use crate::{ProviderError, PullRequest, PullRequestDraft, api::Api};

/// Opens a pull request; an open one of the same branches gets the new title and description.
pub(super) async fn open(
    api: &Api<'_>,
    repo: &RepoUrl,
    draft: &PullRequestDraft,
) -> Result<PullRequest, ProviderError> {
    let path = format!("{}/pulls", repository_path(api, repo)?);
    let body = json!({ "head": draft.head, "base": draft.base, "title": draft.title, "body": draft.body });
    let answer = api.post(&path, &body).await?;
    if answer.status == StatusCode::UNPROCESSABLE_ENTITY && answer.common_refusal().is_none() {
        let said = answer.said();
        if said.to_ascii_lowercase().contains("pull request already exists") {
            return update(api, &path, repo, draft, said).await;
        }
        return Err(ProviderError::PullRequestRefused { said });
    }
    let opened: Pull = answer.or_refusal(|answer| repository_refusal(api, answer, repo))?.json()?;
    Ok(PullRequest { url: opened.page(api, repo), created: true })
}

/// The open pull request from and to the same branches, which is why a second one was refused.
async fn update(
    api: &Api<'_>,
    path: &str,
    repo: &RepoUrl,
    draft: &PullRequestDraft,
    said: String,
) -> Result<PullRequest, ProviderError> {
    let owner = repo.path().split('/').next().unwrap_or_default();
    let head = format!("{owner}:{}", draft.head);
    let query = [("state", "open"), ("head", &*head), ("base", &*draft.base)];
    let answer = api.get(path, &query).await?;
    let open: Vec<Pull> = answer.or_refusal(|answer| repository_refusal(api, answer, repo))?.json()?;
    let first = open.into_iter().next().ok_or(ProviderError::PullRequestRefused { said })?;

    let words = json!({ "title": draft.title, "body": draft.body });
    let answer = api.change(Method::PATCH, &format!("{path}/{}", first.number), &[], &words).await?;
    if answer.status == StatusCode::UNPROCESSABLE_ENTITY && answer.common_refusal().is_none() {
        return Err(ProviderError::PullRequestRefused { said: answer.said() });
    }
    answer.or_refusal(|answer| repository_refusal(api, answer, repo))?;
    Ok(PullRequest { url: first.page(api, repo), created: false })
}
