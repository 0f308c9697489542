//! github.com and GitHub Enterprise Server, by classic or fine-grained personal access token.

mod refusal;
#[cfg(test)]
mod tests;
mod wire;

use async_trait::async_trait;
use http::{HeaderName, StatusCode, header};
use serde_json::json;
use valetkey_model::{Account, AuthMethod, InstanceUrl, ProviderKind, RepoUrl};
use valetkey_seal::Secret;

use crate::{
    Access, BranchInfo, CatalogueEntry, Checked, Provider, ProviderError, PullRequest, PullRequestDraft,
    RepositoryAccess,
    account::Described,
    api::{Answer, Api},
    catalogue::{fields, scope_set},
    token,
};
use refusal::{refusal, repository_refusal};
use wire::{Branch, Pull, Repository, User};

/// GitHub.
pub(crate) struct GitHub;

const TOKEN_PREFIXES: [&str; 5] = ["github_pat_", "ghp_", "gho_", "ghu_", "ghs_"];

const API_VERSION: (HeaderName, &str) = (HeaderName::from_static("x-github-api-version"), "2022-11-28");

#[async_trait]
impl Provider for GitHub {
    fn kind(&self) -> ProviderKind {
        ProviderKind::GitHub
    }

    fn catalogue(&self) -> CatalogueEntry {
        let kind = self.kind();
        CatalogueEntry {
            provider: kind,
            name: kind.name().to_owned(),
            default_instance: kind.default_instance(),
            fields: fields(
                "A personal access token: classic (ghp_…) or fine-grained (github_pat_…).",
                "Where your GitHub Enterprise Server is, without a path. Leave it empty for github.com.",
            ),
            auth_methods: vec![AuthMethod::Pat],
            required_scopes: vec![
                scope_set("For a classic token.", &[("repo", "read, push, open pull requests")]),
                scope_set(
                    "For a fine-grained token, on the repositories it is for.",
                    &[
                        ("contents=write", "clone, fetch and push"),
                        ("pull_requests=write", "open pull requests"),
                        ("metadata=read", "see repositories; always granted"),
                    ],
                ),
            ],
            token_path: "/settings/tokens/new?description=Valetkey&scopes=repo".to_owned(),
            oauth: false,
        }
    }

    fn check_form(&self, token: &Secret<String>) -> Result<(), ProviderError> {
        // Installation tokens are JWTs of some 520 characters; GitHub asks to leave room.
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let fits = |text: &str| {
            let rest = TOKEN_PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix));
            rest.is_some_and(|rest| (20..=4096).contains(&rest.len()) && rest.bytes().all(plain))
        };
        if token::has_form(token, fits) { Ok(()) } else { Err(ProviderError::TokenMalformed) }
    }

    async fn check(&self, at: Access<'_>) -> Result<Checked, ProviderError> {
        let api = api(at)?;
        let answer = api.get("/user", &[]).await?;
        let user: User = answer.or_refusal(|answer| refusal(&api, answer))?.json()?;
        let scopes = answer.header("x-oauth-scopes").map(wire::scope_list);
        let (missing_scopes, notes) = judge(scopes.as_deref());
        Ok(Checked {
            account: account(&user, at.instance),
            granted_scopes: scopes.unwrap_or_default(),
            expires_at: answer
                .header("github-authentication-token-expiration")
                .and_then(|text| wire::expiration(text, at.now)),
            missing_scopes,
            notes,
        })
    }

    async fn repository(&self, at: Access<'_>, repo: &RepoUrl) -> Result<RepositoryAccess, ProviderError> {
        let api = api(at)?;
        let (answer, repository) = ask_repository(&api, repo).await?;
        let why_not_push = why_not_push(&answer, &repository);
        Ok(RepositoryAccess {
            path: repository.full_name,
            default_branch: repository.default_branch.filter(|name| !name.is_empty()),
            archived: repository.archived,
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
        let path = format!("{}/pulls", repository_path(&api, repo)?);
        let body = json!({ "head": draft.head, "base": draft.base, "title": draft.title, "body": draft.body });
        let answer = api.post(&path, &body).await?;
        if answer.status == StatusCode::UNPROCESSABLE_ENTITY {
            let said = answer.said();
            if said.to_ascii_lowercase().contains("pull request already exists") {
                return existing(&api, &path, repo, draft, said).await;
            }
            return Err(ProviderError::PullRequestRefused { said });
        }
        let opened: Pull = answer.or_refusal(|answer| repository_refusal(&api, answer, repo))?.json()?;
        Ok(PullRequest { url: opened.page(&api, repo), created: true })
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

    fn git_user(&self) -> &'static str {
        "x-access-token"
    }
}

fn api(at: Access<'_>) -> Result<Api<'_>, ProviderError> {
    let auth = (header::AUTHORIZATION, token::header("Bearer ", at.token)?);
    Api::new(at, &api_base(at.instance), auth, &[(header::ACCEPT, "application/vnd.github+json"), API_VERSION])
}

/// The public service has its API on a host of its own.
fn api_base(instance: &InstanceUrl) -> String {
    if *instance == InstanceUrl::github_com() {
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

/// Who commits: where GitHub hides the address, the one that it keeps for that.
fn account(user: &User, instance: &InstanceUrl) -> Account {
    let hidden = (*instance == InstanceUrl::github_com())
        .then(|| format!("{}+{}@users.noreply.github.com", user.id, user.login));
    Account::from(Described {
        id: user.id,
        username: &user.login,
        name: user.name.as_deref(),
        emails: &[user.email.as_deref(), hidden.as_deref()],
    })
}

/// What a classic token lacks, and what to know of any token.
fn judge(scopes: Option<&[String]>) -> (Vec<String>, Vec<String>) {
    let has = |wanted: &str| scopes.is_some_and(|scopes| scopes.iter().any(|scope| scope == wanted));
    if scopes.is_none() {
        let note = "GitHub does not say what this token may do; each repository is asked before a session.";
        (Vec::new(), vec![note.to_owned()])
    } else if has("repo") {
        (Vec::new(), Vec::new())
    } else if has("public_repo") {
        let note = "The scope 'public_repo' suffices for public repositories only; private ones need 'repo'.";
        (Vec::new(), vec![note.to_owned()])
    } else {
        (vec!["repo".to_owned()], Vec::new())
    }
}

/// The permissions are the account's; a classic token may have fewer.
fn why_not_push(answer: &Answer, repository: &Repository) -> Option<String> {
    if repository.archived {
        return Some("the repository is archived".to_owned());
    }
    if !repository.permissions.as_ref().is_some_and(|permissions| permissions.push) {
        return Some("the account may only read it".to_owned());
    }
    let scopes = answer.header("x-oauth-scopes").map(wire::scope_list)?;
    let enough = |scope: &String| scope == "repo" || (scope == "public_repo" && !repository.private);
    (!scopes.iter().any(enough)).then(|| "the token lacks the scope 'repo'".to_owned())
}

/// The open pull request from and to the same branches, which is why a second one was refused.
async fn existing(
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
    Ok(PullRequest { url: first.page(api, repo), created: false })
}
