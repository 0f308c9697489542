//! gitlab.com and self-managed GitLab, CE and EE, by personal access token.

mod refusal;
#[cfg(test)]
mod tests;
mod wire;

use async_trait::async_trait;
use http::{HeaderName, StatusCode, header};
use serde_json::json;
use valetkey_model::{AuthMethod, ProviderKind, RepoUrl};
use valetkey_seal::Secret;

use crate::{
    Access, BranchInfo, CatalogueEntry, Checked, Provider, ProviderError, PullRequest, PullRequestDraft,
    RepositoryAccess,
    api::{Answer, Api},
    catalogue::{fields, scope_set},
    token,
};
use refusal::{project_refusal, refusal};
use wire::{Branch, Member, MergeRequest, Project, TokenInfo, User};

/// GitLab.
pub(crate) struct GitLab;

/// Together they let a session read and push; `api` covers them all.
const LEAST_SCOPES: [&str; 4] = ["read_api", "read_user", "read_repository", "write_repository"];

/// From this access level on ("Developer") an account may push to branches that are not protected.
const DEVELOPER: u8 = 30;

const PRIVATE_TOKEN: HeaderName = HeaderName::from_static("private-token");

#[async_trait]
impl Provider for GitLab {
    fn kind(&self) -> ProviderKind {
        ProviderKind::GitLab
    }

    fn catalogue(&self) -> CatalogueEntry {
        let kind = self.kind();
        CatalogueEntry {
            provider: kind,
            name: kind.name().to_owned(),
            default_instance: kind.default_instance(),
            fields: fields(
                "A personal, project or group access token (glpat-…).",
                "Where your GitLab is, without a path. Leave it empty for gitlab.com.",
            ),
            auth_methods: vec![AuthMethod::Pat],
            required_scopes: vec![
                scope_set("Covers everything, merge requests included.", &[("api", "read, push, open merge requests")]),
                scope_set(
                    "Without merge requests.",
                    &[
                        ("read_api", "see projects and what the account may do there"),
                        ("read_user", "see whose token it is"),
                        ("read_repository", "clone and fetch"),
                        ("write_repository", "push"),
                    ],
                ),
            ],
            token_path: "/-/user_settings/personal_access_tokens?name=Valetkey&scopes=api".to_owned(),
            oauth: false,
        }
    }

    fn check_form(&self, token: &Secret<String>) -> Result<(), ProviderError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let fits = |text: &str| (20..=255).contains(&text.len()) && text.bytes().all(plain);
        if token::has_form(token, fits) { Ok(()) } else { Err(ProviderError::TokenMalformed) }
    }

    async fn check(&self, at: Access<'_>) -> Result<Checked, ProviderError> {
        let api = api(at)?;
        let (user, token) = tokio::join!(current_user(&api), token_info(&api));
        let info = token?;
        let missing_scopes = info.as_ref().map(TokenInfo::missing_scopes).unwrap_or_default();
        let user = match user {
            // The provider hides the account from such a token; what exactly it lacks is known from the token itself.
            Err(ProviderError::InsufficientScope { .. }) if !missing_scopes.is_empty() => {
                return Err(ProviderError::InsufficientScope { missing: missing_scopes });
            }
            other => other?,
        };
        let notes = notes(info.as_ref());
        let (granted_scopes, expires_at) = info.map(TokenInfo::scopes_and_end).unwrap_or_default();
        Ok(Checked { account: user.into(), granted_scopes, expires_at, missing_scopes, notes })
    }

    async fn repository(&self, at: Access<'_>, repo: &RepoUrl) -> Result<RepositoryAccess, ProviderError> {
        let api = api(at)?;
        let answer = api.get(&project_path(&api, repo)?, &[]).await?;
        let project: Project = answer.or_refusal(|answer| project_refusal(&api, answer, repo))?.json()?;
        let mut level = project.direct_level();
        if level < DEVELOPER && !project.archived {
            // Access that comes from a parent group or a shared one is not in the project's own answer.
            level = level.max(effective_level(&api, project.id).await?);
        }
        let why_not_push = why_not_push(&project, level);
        Ok(RepositoryAccess {
            path: project.path_with_namespace,
            default_branch: project.default_branch.filter(|name| !name.is_empty()),
            archived: project.archived,
            can_push: why_not_push.is_none(),
            why_not_push,
        })
    }

    async fn open_pull_request(
        &self,
        at: Access<'_>,
        repo: &RepoUrl,
        draft: &PullRequestDraft,
    ) -> Result<PullRequest, ProviderError> {
        let api = api(at)?;
        let path = format!("{}/merge_requests", project_path(&api, repo)?);
        let body = json!({
            "source_branch": draft.head,
            "target_branch": draft.base,
            "title": draft.title,
            "description": draft.body,
        });
        let answer = api.post(&path, &body).await?;
        if answer.status == StatusCode::CONFLICT {
            return existing(&api, &path, repo, draft, &answer).await;
        }
        if matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY) {
            return Err(ProviderError::PullRequestRefused { said: answer.said() });
        }
        let opened: MergeRequest = answer.or_refusal(|answer| project_refusal(&api, answer, repo))?.json()?;
        Ok(PullRequest { url: opened.page(&api, repo), created: true })
    }

    async fn branches(&self, at: Access<'_>, repo: &RepoUrl) -> Result<Vec<BranchInfo>, ProviderError> {
        let api = api(at)?;
        let path = format!("{}/repository/branches", project_path(&api, repo)?);
        let all = api.pages::<Branch>(&path, |answer| project_refusal(&api, answer, repo)).await?;
        Ok(all.into_iter().map(BranchInfo::from).collect())
    }

    fn git_user(&self) -> &'static str {
        "oauth2"
    }
}

fn api(at: Access<'_>) -> Result<Api<'_>, ProviderError> {
    let auth = (PRIVATE_TOKEN, token::header("", at.token)?);
    Api::new(at, &format!("{}/api/v4", at.instance), auth, &[(header::ACCEPT, "application/json")])
}

fn project_path(api: &Api<'_>, repo: &RepoUrl) -> Result<String, ProviderError> {
    Ok(format!("/projects/{}", api.repository_id(ProviderKind::GitLab, repo)?))
}

async fn current_user(api: &Api<'_>) -> Result<User, ProviderError> {
    let answer = api.get("/user", &[]).await?;
    answer.or_refusal(|answer| refusal(answer, api.at.now))?.json()
}

/// What the token says of itself; none where the instance is too old to say it or the token is of another kind.
async fn token_info(api: &Api<'_>) -> Result<Option<TokenInfo>, ProviderError> {
    let answer = api.get("/personal_access_tokens/self", &[]).await?;
    if answer.status.is_success() {
        return answer.json().map(Some);
    }
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    match refusal(&answer, api.at.now) {
        // Also said to OAuth tokens; `GET /user` tells whether the token works.
        ProviderError::TokenInvalid => Ok(None),
        other => Err(other),
    }
}

fn notes(info: Option<&TokenInfo>) -> Vec<String> {
    let note = match info {
        None => "GitLab does not say which scopes this token has; a lack shows when it is used.",
        Some(info) if info.has("api") || !info.missing_scopes().is_empty() => return Vec::new(),
        Some(_) => "Opening merge requests needs the scope 'api', which this token lacks.",
    };
    vec![note.to_owned()]
}

/// The account's level in a project, wherever it comes from; 0 if it is no member.
async fn effective_level(api: &Api<'_>, project: u64) -> Result<u8, ProviderError> {
    let user = current_user(api).await?;
    let answer = api.get(&format!("/projects/{project}/members/all/{}", user.id), &[]).await?;
    match answer.status {
        StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => Ok(0),
        _ => Ok(answer.or_refusal(|answer| refusal(answer, api.at.now))?.json::<Member>()?.access_level),
    }
}

fn why_not_push(project: &Project, level: u8) -> Option<String> {
    let role = match level {
        _ if project.archived => return Some("the project is archived".to_owned()),
        DEVELOPER.. => return None,
        0 => return Some("the account is not a member and may only read it".to_owned()),
        20.. => "Reporter",
        15.. => "Planner",
        10.. => "Guest",
        _ => "Minimal Access",
    };
    Some(format!("the account's role is {role}; pushing needs Developer or higher"))
}

/// The open merge request from and to the same branches, which is why a second one was refused.
async fn existing(
    api: &Api<'_>,
    path: &str,
    repo: &RepoUrl,
    draft: &PullRequestDraft,
    refused: &Answer,
) -> Result<PullRequest, ProviderError> {
    let query = [("state", "opened"), ("source_branch", &*draft.head), ("target_branch", &*draft.base)];
    let answer = api.get(path, &query).await?;
    let open: Vec<MergeRequest> = answer.or_refusal(|answer| project_refusal(api, answer, repo))?.json()?;
    // A fork's branch may have the same name.
    let own = open.into_iter().find(|request| request.source_project_id == request.target_project_id);
    let own = own.ok_or_else(|| ProviderError::PullRequestRefused { said: refused.said() })?;
    Ok(PullRequest { url: own.page(api, repo), created: false })
}
