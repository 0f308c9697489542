//! github.com and GitHub Enterprise Server: personal access tokens, OAuth apps, GitHub Apps.

pub mod app;
mod catalogue;
mod check;
mod contents;
mod oauth;
mod pull_request;
mod refusal;
mod revoke;
mod search;
#[cfg(test)]
mod tests;
mod wire;

use async_trait::async_trait;
use http::{HeaderName, header};
use valetkey_model::{AuthMethod, InstanceUrl, ProviderKind, RepoUrl};

use crate::{
    Access, BranchInfo, CatalogueEntry, Checked, Contents, Credential, Forge, GitAuth, Provider, ProviderError,
    PullRequest, PullRequestDraft, RepositoryAccess, RepositoryInfo, Words,
    api::{Answer, Api},
    oauth::{OAuthProfile, Revoked},
    token,
};
use refusal::repository_refusal;
use wire::{Branch, Repository};

/// GitHub.
pub(crate) struct GitHub;

const TOKEN_PREFIXES: [&str; 5] = ["github_pat_", "ghp_", "gho_", "ghu_", "ghs_"];

const FIXED_HEADERS: [(HeaderName, &str); 2] =
    [(header::ACCEPT, "application/vnd.github+json"), (HeaderName::from_static("x-github-api-version"), "2022-11-28")];

#[async_trait]
impl Provider for GitHub {
    fn kind(&self) -> ProviderKind {
        ProviderKind::GitHub
    }

    fn catalogue(&self) -> CatalogueEntry {
        catalogue::entry()
    }

    fn words(&self) -> Words {
        catalogue::WORDS
    }

    fn check_form(&self, _: &InstanceUrl, credential: &Credential) -> Result<(), ProviderError> {
        // Installation tokens are JWTs of some 520 characters; GitHub asks to leave room.
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let fits = |text: &str| {
            let rest = TOKEN_PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix));
            rest.is_some_and(|rest| (20..=4096).contains(&rest.len()) && rest.bytes().all(plain))
        };
        if token::has_form(&credential.token, fits) { Ok(()) } else { Err(ProviderError::TokenMalformed) }
    }

    async fn check(&self, at: Access<'_>) -> Result<Checked, ProviderError> {
        check::check(at).await
    }

    fn forge(&self) -> Option<&dyn Forge> {
        Some(self)
    }

    fn oauth(&self, instance: &InstanceUrl) -> Option<OAuthProfile> {
        Some(oauth::profile(instance))
    }

    async fn revoke(&self, at: Access<'_>) -> Result<Revoked, ProviderError> {
        revoke::revoke(at).await
    }
}

#[async_trait]
impl Forge for GitHub {
    fn git_auth(&self, _: &Credential) -> GitAuth {
        GitAuth::Basic { user: "x-access-token".to_owned() }
    }

    async fn repository(&self, at: Access<'_>, repo: &RepoUrl) -> Result<RepositoryAccess, ProviderError> {
        let api = api(at)?;
        let (answer, repository) = ask_repository(&api, repo).await?;
        let why_not_push = why_not_push(&api, &answer, &repository);
        Ok(RepositoryAccess {
            path: repository.full_name,
            default_branch: repository.default_branch.filter(|name| !name.is_empty()),
            archived: repository.archived,
            why_not_push,
        })
    }

    async fn open_pull_request(
        &self,
        at: Access<'_>,
        repo: &RepoUrl,
        draft: &PullRequestDraft,
    ) -> Result<PullRequest, ProviderError> {
        pull_request::open(&api(at)?, repo, draft).await
    }

    async fn branches(&self, at: Access<'_>, repo: &RepoUrl) -> Result<Vec<BranchInfo>, ProviderError> {
        let api = api(at)?;
        let path = format!("{}/branches", repository_path(&api, repo)?);
        let (repository, all) = tokio::try_join!(
            ask_repository(&api, repo),
            api.pages::<Branch>(&path, |answer| repository_refusal(&api, answer, repo)),
        )?;
        let default = repository.1.default_branch;
        Ok(all.into_iter().map(|branch| branch.into_info(default.as_deref())).collect())
    }

    async fn search(&self, at: Access<'_>, text: &str, limit: usize) -> Result<Vec<RepositoryInfo>, ProviderError> {
        search::search(&api(at)?, text, limit).await
    }

    fn contents(&self) -> Option<&dyn Contents> {
        Some(self)
    }
}

fn api(at: Access<'_>) -> Result<Api<'_>, ProviderError> {
    let auth = (header::AUTHORIZATION, at.credential.after("Bearer ")?);
    Api::new(at, &api_base(at.instance), auth, &FIXED_HEADERS)
}

/// The public service has its API on a host of its own.
fn api_base(instance: &InstanceUrl) -> String {
    if ProviderKind::GitHub.is_public(instance) {
        "https://api.github.com".to_owned()
    } else {
        format!("{instance}/api/v3")
    }
}

fn repository_path(api: &Api<'_>, repo: &RepoUrl) -> Result<String, ProviderError> {
    Ok(format!("/repos/{}", api.repository_id(ProviderKind::GitHub, repo)?))
}

async fn ask_repository(api: &Api<'_>, repo: &RepoUrl) -> Result<(Answer, Repository), ProviderError> {
    let answer = api.get(&repository_path(api, repo)?, &[]).await?;
    let repository = answer.or_refusal(|answer| repository_refusal(api, answer, repo))?.json()?;
    Ok((answer, repository))
}

/// Whether a credential is of a GitHub App, which has permissions where others have scopes.
fn is_of_app(credential: &Credential) -> bool {
    credential.method == AuthMethod::App
        || token::has_form(&credential.token, |token| token.starts_with("ghu_") || token.starts_with("ghs_"))
}

/// The permissions are the account's; a classic token may have fewer.
fn why_not_push(api: &Api<'_>, answer: &Answer, repository: &Repository) -> Option<String> {
    if repository.archived {
        return Some("the repository is archived".to_owned());
    }
    if !repository.permissions.as_ref().is_some_and(|permissions| permissions.push) {
        return Some("the account may only read it".to_owned());
    }
    if is_of_app(api.at.credential) {
        return None;
    }
    let scopes = answer.header("x-oauth-scopes").map(wire::scope_list)?;
    let enough = |scope: &String| scope == "repo" || (scope == "public_repo" && !repository.private);
    (!scopes.iter().any(enough)).then(|| "the token lacks the scope 'repo'".to_owned())
}
