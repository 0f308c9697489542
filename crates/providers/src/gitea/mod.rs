//! Gitea and Forgejo, such as gitea.com and codeberg.org, by access token or by consent.

mod catalogue;
mod check;
mod pull_request;
mod refusal;
mod scopes;
#[cfg(test)]
mod tests;
mod wire;

use async_trait::async_trait;
use http::header;
use url::Url;
use valetkey_model::{AuthMethod, InstanceUrl, ProviderKind, RepoUrl};

use crate::{
    Access, BranchInfo, CatalogueEntry, Checked, Credential, Forge, GitAuth, Provider, ProviderError, PullRequest,
    PullRequestDraft, RepositoryAccess, RepositoryInfo, Words,
    api::Api,
    oauth::{OAuthProfile, Rotation},
    paging::Paging,
    token,
};
use refusal::{refusal, repository_refusal};
use wire::{Branch, Repository, User};

/// Gitea, and Forgejo, which came from it.
pub(crate) struct Gitea;

#[async_trait]
impl Provider for Gitea {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Gitea
    }

    fn catalogue(&self) -> CatalogueEntry {
        catalogue::entry(self.kind())
    }

    fn words(&self) -> Words {
        Words {
            limits: "Gitea itself sets no limit, but a proxy before it may.",
            widen: "the scopes 'read:user' and 'write:repository'",
            seek_access: "A token for chosen repositories must name this one, and one for public repositories opens no other.",
            token_form: "a token of Gitea or Forgejo is 40 hexadecimal digits.",
            why_invalid: "Gitea does not say whether it is mistyped or was deleted.",
            push_scope: scopes::PUSH,
            request: "pull",
        }
    }

    fn check_form(&self, _: &InstanceUrl, credential: &Credential) -> Result<(), ProviderError> {
        let has = |fits: fn(&str) -> bool| token::has_form(&credential.token, fits);
        let fits = match credential.method {
            AuthMethod::OAuth => has(is_web_token),
            _ if has(|text| text.starts_with("gto_")) => {
                return Err(ProviderError::Unsuitable {
                    why: "This is the secret of an OAuth application, not an access token.",
                    instead: "Create an access token under Settings → Applications.",
                });
            }
            _ => has(|text| text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())),
        };
        if fits { Ok(()) } else { Err(ProviderError::TokenMalformed) }
    }

    async fn check(&self, at: Access<'_>) -> Result<Checked, ProviderError> {
        check::check(&api(at)?).await
    }

    /// There is no revocation: an app's access ends in the account's settings.
    fn oauth(&self, instance: &InstanceUrl) -> Option<OAuthProfile> {
        let url = |path: &str| Url::parse(&format!("{instance}/login/oauth/{path}")).ok();
        Some(OAuthProfile {
            rotation: Rotation::None,
            // Said of refresh tokens that are used up, and of what is none.
            dead_grant_words: &["unauthorized_client"],
            ..OAuthProfile::new(url("authorize")?, url("access_token")?)
        })
    }

    fn forge(&self) -> Option<&dyn Forge> {
        Some(self)
    }
}

#[async_trait]
impl Forge for Gitea {
    /// Any name does. The account's own would have Gitea try a dead token as that account's password.
    fn git_auth(&self, _: &Credential) -> GitAuth {
        GitAuth::Basic { user: "x-access-token".to_owned() }
    }

    async fn repository(&self, at: Access<'_>, repo: &RepoUrl) -> Result<RepositoryAccess, ProviderError> {
        Ok(repository(&api(at)?, repo).await?.into_access())
    }

    async fn open_pull_request(
        &self,
        at: Access<'_>,
        repo: &RepoUrl,
        draft: &PullRequestDraft,
    ) -> Result<PullRequest, ProviderError> {
        let api = api(at)?;
        let path = format!("{}/pulls", repository_path(&api, repo)?);
        pull_request::open(&api, &path, repo, draft).await
    }

    async fn branches(&self, at: Access<'_>, repo: &RepoUrl) -> Result<Vec<BranchInfo>, ProviderError> {
        let api = api(at)?;
        // The listing does not say which is the default one, and of an empty repository it is no list.
        let repository = repository(&api, repo).await?;
        if repository.empty {
            return Ok(Vec::new());
        }
        let path = format!("{}/branches", repository_path(&api, repo)?);
        let refused = |answer: &_| repository_refusal(&api, answer, repo);
        let all = api.list::<Branch>(&path, &[], Paging::gitea(""), refused).await?;
        Ok(all.into_iter().map(|branch| branch.into_info(&repository)).collect())
    }

    /// Gitea's own listing of an account's repositories takes no words; its search takes both words and an account.
    async fn search(&self, at: Access<'_>, text: &str, limit: usize) -> Result<Vec<RepositoryInfo>, ProviderError> {
        let api = api(at)?;
        let refused = |answer: &_| refusal(answer, at.now);
        let mut query = vec![("q", text), ("sort", "updated"), ("order", "desc")];
        let id = match current_user(&api).await {
            Ok(user) => Some(user.id.to_string()),
            // A token for chosen repositories finds those.
            Err(ProviderError::InsufficientScope { .. }) => None,
            Err(other) => return Err(other),
        };
        query.extend(id.iter().map(|id| ("uid", id.as_str())));
        let found = api.first::<Repository>(limit, "/repos/search", &query, Paging::gitea("/data"), refused).await?;
        let own = found.into_iter().filter(|repository| id.is_some() || repository.may_push());
        Ok(own.filter_map(|repository| repository.into_info(at.instance)).collect())
    }
}

fn api(at: Access<'_>) -> Result<Api<'_>, ProviderError> {
    let scheme = if at.credential.method == AuthMethod::OAuth { "Bearer " } else { "token " };
    let auth = (header::AUTHORIZATION, at.credential.after(scheme)?);
    Api::new(at, &format!("{}/api/v1", at.instance), auth, &[(header::ACCEPT, "application/json")])
}

async fn current_user(api: &Api<'_>) -> Result<User, ProviderError> {
    let answer = api.get("/user", &[]).await?;
    answer.or_refusal(|answer| refusal(answer, api.at.now))?.json()
}

async fn repository(api: &Api<'_>, repo: &RepoUrl) -> Result<Repository, ProviderError> {
    let answer = api.get(&repository_path(api, repo)?, &[]).await?;
    answer.or_refusal(|answer| repository_refusal(api, answer, repo))?.json()
}

fn repository_path(api: &Api<'_>, repo: &RepoUrl) -> Result<String, ProviderError> {
    Ok(format!("/repos/{}", api.repository_id(ProviderKind::Gitea, repo)?))
}

/// The tokens of a consent are JWTs of about a kilobyte.
fn is_web_token(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (20..=16_384).contains(&text.len()) && text.bytes().all(plain)
}
