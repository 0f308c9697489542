//! gitlab.com and self-managed GitLab, CE and EE, by access token or by consent.

mod catalogue;
mod check;
mod contents;
mod life;
mod merge_request;
mod refusal;
#[cfg(test)]
mod tests;
mod wire;

use async_trait::async_trait;
use http::{HeaderName, StatusCode, header};
use url::Url;
use valetkey_model::{AuthMethod, InstanceUrl, ProviderKind, RepoUrl};

use crate::{
    Access, BranchInfo, CatalogueEntry, Checked, Contents, Credential, Forge, GitAuth, Provider, ProviderError,
    PullRequest, PullRequestDraft, RepositoryAccess, RepositoryInfo, Rotated, Words,
    api::Api,
    oauth::{OAuthProfile, Revocation, Revoked, Rotation},
    paging::Paging,
    token,
};
use refusal::{project_refusal, refusal};
use wire::{Branch, Member, Project, User};

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
        catalogue::entry(self.kind())
    }

    fn words(&self) -> Words {
        Words {
            limits: "GitLab.com allows 300 requests per minute.",
            widen: "the scope 'api', which covers the others,",
            seek_access: "",
            token_form: "a GitLab token has 20 to 255 characters, all of them letters, digits, '.', '_' or '-'.",
            why_invalid: "",
            push_scope: "write_repository",
            request: "merge",
        }
    }

    fn check_form(&self, _: &InstanceUrl, credential: &Credential) -> Result<(), ProviderError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let fits = |text: &str| (20..=255).contains(&text.len()) && text.bytes().all(plain);
        if token::has_form(&credential.token, fits) { Ok(()) } else { Err(ProviderError::TokenMalformed) }
    }

    async fn check(&self, at: Access<'_>) -> Result<Checked, ProviderError> {
        check::check(at).await
    }

    fn oauth(&self, instance: &InstanceUrl) -> Option<OAuthProfile> {
        let url = |path: &str| Url::parse(&format!("{instance}/oauth/{path}")).ok();
        Some(OAuthProfile {
            device_url: url("authorize_device"),
            revocation: Some(Revocation::Standard { url: url("revoke")? }),
            rotation: Rotation::KillsAccess,
            refresh_wants_redirect_uri: true,
            ..OAuthProfile::new(url("authorize")?, url("token")?)
        })
    }

    async fn rotate(&self, at: Access<'_>) -> Result<Option<Rotated>, ProviderError> {
        match at.credential.method {
            AuthMethod::OAuth => Ok(None),
            _ => life::rotate(at).await,
        }
    }

    /// Consents are ended by the OAuth client, which knows the app.
    async fn revoke(&self, at: Access<'_>) -> Result<Revoked, ProviderError> {
        match at.credential.method {
            AuthMethod::OAuth => Ok(Revoked::NotOffered),
            _ => life::revoke(at).await,
        }
    }

    fn forge(&self) -> Option<&dyn Forge> {
        Some(self)
    }
}

#[async_trait]
impl Forge for GitLab {
    fn git_auth(&self, _: &Credential) -> GitAuth {
        GitAuth::Basic { user: "oauth2".to_owned() }
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
        merge_request::open(&api, &path, repo, draft).await
    }

    async fn branches(&self, at: Access<'_>, repo: &RepoUrl) -> Result<Vec<BranchInfo>, ProviderError> {
        let api = api(at)?;
        let path = format!("{}/repository/branches", project_path(&api, repo)?);
        let all = api.pages::<Branch>(&path, |answer| project_refusal(&api, answer, repo)).await?;
        Ok(all.into_iter().map(BranchInfo::from).collect())
    }

    async fn search(&self, at: Access<'_>, text: &str, limit: usize) -> Result<Vec<RepositoryInfo>, ProviderError> {
        let api = api(at)?;
        // GitLab hands out numbered pages up to its 50,000th entry; a listing of ours ends before that.
        let query = [("membership", "true"), ("search", text), ("order_by", "last_activity_at")];
        let refused = |answer: &_| refusal(answer, at.now);
        let found = api.first::<Project>(limit, "/projects", &query, Paging::numbered(""), refused).await?;
        Ok(found.into_iter().filter_map(|project| project.into_info(at.instance)).collect())
    }

    fn contents(&self) -> Option<&dyn Contents> {
        Some(self)
    }
}

fn api(at: Access<'_>) -> Result<Api<'_>, ProviderError> {
    api_at(at, &format!("{}/api/v4", at.instance))
}

fn api_at<'a>(at: Access<'a>, base: &str) -> Result<Api<'a>, ProviderError> {
    let auth = match at.credential.method {
        AuthMethod::OAuth => (header::AUTHORIZATION, at.credential.after("Bearer ")?),
        _ => (PRIVATE_TOKEN, at.credential.after("")?),
    };
    Api::new(at, base, auth, &[(header::ACCEPT, "application/json")])
}

fn project_path(api: &Api<'_>, repo: &RepoUrl) -> Result<String, ProviderError> {
    Ok(format!("/projects/{}", api.repository_id(ProviderKind::GitLab, repo)?))
}

async fn current_user(api: &Api<'_>) -> Result<User, ProviderError> {
    let answer = api.get("/user", &[]).await?;
    answer.or_refusal(|answer| refusal(answer, api.at.now))?.json()
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
