//! Self-managed Bitbucket Data Center by HTTP access token.

mod account;
mod refusal;
#[cfg(test)]
mod tests;
mod wire;

use async_trait::async_trait;
use http::{Method, StatusCode, header};
use serde_json::json;
use valetkey_model::{AuthMethod, InstanceUrl, ProviderKind, RepoUrl};

use crate::{
    Access, BranchInfo, CatalogueEntry, Checked, ConnectMethod, Credential, Field, Forge, GitAuth, Provider,
    ProviderError, PullRequest, PullRequestDraft, RepositoryAccess, RepositoryInfo, Words,
    api::{Answer, Api},
    catalogue::scope_set,
    paging::Paging,
    token,
};
use refusal::{refusal, repository_refusal};
use wire::{Branch, Pull, Repository};

/// Bitbucket Data Center.
pub(crate) struct BitbucketDataCenter;

#[async_trait]
impl Provider for BitbucketDataCenter {
    fn kind(&self) -> ProviderKind {
        ProviderKind::BitbucketDataCenter
    }

    fn catalogue(&self) -> CatalogueEntry {
        let kind = self.kind();
        let token = ConnectMethod::new(
            AuthMethod::Pat,
            "HTTP access token",
            "Your own, or for bots a project's or a repository's. It ends on the day that was chosen for it, if any.",
        )
        .fields([
            Field::own_instance("Where your Bitbucket is, without a path.", "https://bitbucket.example.com"),
            Field::token("HTTP access token", "From Manage account, or from a project's or repository's settings."),
        ])
        .scopes([scope_set(
            "Choose 'Write' for repositories when creating the token.",
            &[("REPO_WRITE", "clone, fetch, push and open pull requests")],
        )])
        .page("/plugins/servlet/access-tokens/manage");
        CatalogueEntry {
            provider: kind,
            name: kind.name().to_owned(),
            summary: "self-managed Bitbucket".to_owned(),
            default_instance: kind.default_instance(),
            git: true,
            methods: vec![token],
        }
    }

    fn words(&self) -> Words {
        Words {
            limits: "The limit is its administrator's to set.",
            widen: "the permission to write to repositories",
            seek_access: "A project's or repository's token reaches only that one.",
            token_form: "a Bitbucket Data Center token has 20 to 255 letters, digits and '+', '/', '=', '-' or '_'.",
            why_invalid: "Bitbucket does not say whether it is mistyped, expired or revoked.",
            push_scope: "REPO_WRITE",
            request: "pull",
        }
    }

    fn check_form(&self, _: &InstanceUrl, credential: &Credential) -> Result<(), ProviderError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_');
        let fits = |text: &str| (20..=255).contains(&text.len()) && text.bytes().all(plain);
        if token::has_form(&credential.token, fits) { Ok(()) } else { Err(ProviderError::TokenMalformed) }
    }

    async fn check(&self, at: Access<'_>) -> Result<Checked, ProviderError> {
        account::check(&api(at)?).await
    }

    fn forge(&self) -> Option<&dyn Forge> {
        Some(self)
    }
}

#[async_trait]
impl Forge for BitbucketDataCenter {
    /// The tokens of projects and repositories work in no other way.
    fn git_auth(&self, _: &Credential) -> GitAuth {
        GitAuth::Bearer
    }

    async fn repository(&self, at: Access<'_>, repo: &RepoUrl) -> Result<RepositoryAccess, ProviderError> {
        let api = api(at)?;
        let path = repository_path(&api, repo)?;
        let answer = api.get(&path, &[]).await?;
        let repository: Repository = answer.or_refusal(|answer| repository_refusal(&api, answer, repo))?.json()?;
        let (default_branch, writable) =
            tokio::try_join!(default_branch(&api, &path, repo), is_writable(&api, repo, &repository))?;
        let why_not_push = if repository.archived {
            Some("the repository is archived".to_owned())
        } else {
            (!writable).then(|| "the account may only read it".to_owned())
        };
        Ok(RepositoryAccess { path: repository.path(), default_branch, archived: repository.archived, why_not_push })
    }

    async fn open_pull_request(
        &self,
        at: Access<'_>,
        repo: &RepoUrl,
        draft: &PullRequestDraft,
    ) -> Result<PullRequest, ProviderError> {
        let api = api(at)?;
        let path = format!("{}/pull-requests", repository_path(&api, repo)?);
        let (head, base) = (format!("refs/heads/{}", draft.head), format!("refs/heads/{}", draft.base));
        let open = find_open(&api, &path, repo, (&head, &base)).await?;
        let created = open.is_none();
        let answer = match open {
            // Reviewers that an update does not name are removed.
            Some(open) => {
                let body = json!({
                    "version": open.version,
                    "title": draft.title,
                    "description": draft.body,
                    "reviewers": open.reviewers(),
                });
                api.change(Method::PUT, &format!("{path}/{}", open.id), &[], &body).await?
            }
            None => {
                let body = json!({
                    "title": draft.title,
                    "description": draft.body,
                    "fromRef": { "id": head },
                    "toRef": { "id": base },
                });
                api.post(&path, &body).await?
            }
        };
        if matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::CONFLICT) {
            return Err(ProviderError::PullRequestRefused { said: answer.said() });
        }
        let pull: Pull = answer.or_refusal(|answer| repository_refusal(&api, answer, repo))?.json()?;
        Ok(PullRequest { url: pull.page(&api, repo, &api.repository_id(self.kind(), repo)?), created })
    }

    async fn branches(&self, at: Access<'_>, repo: &RepoUrl) -> Result<Vec<BranchInfo>, ProviderError> {
        let api = api(at)?;
        let path = format!("{}/branches", repository_path(&api, repo)?);
        let refused = |answer: &Answer| repository_refusal(&api, answer, repo);
        let all: Vec<Branch> = api.list(&path, &[], Paging::bitbucket_data_center(), refused).await?;
        Ok(all.into_iter().map(BranchInfo::from).collect())
    }

    async fn search(&self, at: Access<'_>, text: &str, limit: usize) -> Result<Vec<RepositoryInfo>, ProviderError> {
        let api = api(at)?;
        let query = if text.is_empty() { Vec::new() } else { vec![("name", text)] };
        let refused = |answer: &Answer| refusal(&api, answer);
        let paging = Paging::bitbucket_data_center();
        let found: Vec<Repository> = api.first(limit, REPOSITORIES, &query, paging, refused).await?;
        Ok(found.into_iter().filter_map(|repository| repository.into_info(at.instance)).collect())
    }
}

const REPOSITORIES: &str = "/rest/api/latest/repos";

fn api(at: Access<'_>) -> Result<Api<'_>, ProviderError> {
    let auth = (header::AUTHORIZATION, at.credential.after("Bearer ")?);
    Api::new(at, &at.instance.to_string(), auth, &[(header::ACCEPT, "application/json")])
}

fn repository_path(api: &Api<'_>, repo: &RepoUrl) -> Result<String, ProviderError> {
    Ok(format!("/rest/api/latest/{}", api.repository_id(ProviderKind::BitbucketDataCenter, repo)?))
}

/// None while the repository is empty.
async fn default_branch(api: &Api<'_>, path: &str, repo: &RepoUrl) -> Result<Option<String>, ProviderError> {
    let answer = api.get(&format!("{path}/default-branch"), &[]).await?;
    if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::NO_CONTENT) {
        return Ok(None);
    }
    let branch: Branch = answer.or_refusal(|answer| repository_refusal(api, answer, repo))?.json()?;
    Ok(Some(branch.name).filter(|name| !name.is_empty()))
}

/// Whether a repository is among those that the account may write to.
async fn is_writable(api: &Api<'_>, repo: &RepoUrl, repository: &Repository) -> Result<bool, ProviderError> {
    let path = repository.path();
    let key = path.split('/').nth(1).unwrap_or_default();
    let query = [("name", &*repository.name), ("projectkey", key), ("permission", "REPO_WRITE")];
    let refused = |answer: &Answer| repository_refusal(api, answer, repo);
    let found: Vec<Repository> = api.list(REPOSITORIES, &query, Paging::bitbucket_data_center(), refused).await?;
    Ok(found.iter().any(|one| one.path() == path))
}

/// The open pull request from and to these refs.
async fn find_open(
    api: &Api<'_>,
    path: &str,
    repo: &RepoUrl,
    (head, base): (&str, &str),
) -> Result<Option<Pull>, ProviderError> {
    let query = [("state", "OPEN"), ("direction", "OUTGOING"), ("at", head)];
    let refused = |answer: &Answer| repository_refusal(api, answer, repo);
    let open: Vec<Pull> = api.list(path, &query, Paging::bitbucket_data_center(), refused).await?;
    Ok(open.into_iter().find(|pull| pull.joins(head, base)))
}
