//! Bitbucket Cloud by API token, access token or OAuth consumer.

mod account;
mod catalogue;
mod refusal;
#[cfg(test)]
mod tests;
mod wire;

use async_trait::async_trait;
use http::{Method, StatusCode, header};
use serde_json::json;
use url::Url;
use valetkey_model::{AuthMethod, InstanceUrl, ProviderKind, RepoUrl};

use crate::{
    Access, BranchInfo, CatalogueEntry, Checked, Credential, Forge, GitAuth, Provider, ProviderError, PullRequest,
    PullRequestDraft, RepositoryAccess, RepositoryInfo, Words,
    api::{Answer, Api},
    oauth::{ClientAuth, OAuthProfile, PkceUse, Rotation},
    paging::Paging,
    token,
};
use refusal::{APP_PASSWORD, refusal, repository_refusal, said};
use wire::{Branch, Membership, Pull, Repository};

/// Bitbucket Cloud.
pub(crate) struct Bitbucket;

/// The forms by which Atlassian's tokens can be told apart.
const APP_PASSWORD_PREFIX: &str = "ATBB";
const API_TOKEN_PREFIX: &str = "ATATT";
const ACCESS_TOKEN_PREFIX: &str = "ATCTT";

#[async_trait]
impl Provider for Bitbucket {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Bitbucket
    }

    fn catalogue(&self) -> CatalogueEntry {
        catalogue::entry()
    }

    fn words(&self) -> Words {
        Words {
            limits: "Bitbucket allows 1,000 requests per hour.",
            widen: "the scope 'write:repository:bitbucket' ('repository:write' for an access token)",
            seek_access: "An access token reaches only the repository, project or workspace that it was made for.",
            token_form: "a Bitbucket token has 20 to 4096 characters and no spaces.",
            why_invalid: "Bitbucket does not say whether it is mistyped, expired or revoked, or goes with another e-mail \
                          address.",
            push_scope: "write:repository:bitbucket",
            request: "pull",
        }
    }

    fn check_form(&self, _: &InstanceUrl, credential: &Credential) -> Result<(), ProviderError> {
        let starts = |prefix: &str| token::has_form(&credential.token, |text| text.starts_with(prefix));
        let fits = |text: &str| (20..=4096).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        let is_address = |login: &str| login.contains('@') && !login.contains(|c: char| c == ':' || c.is_control());
        match credential.method {
            _ if starts(APP_PASSWORD_PREFIX) => Err(APP_PASSWORD),
            _ if !token::has_form(&credential.token, fits) => Err(ProviderError::TokenMalformed),
            AuthMethod::Basic if starts(ACCESS_TOKEN_PREFIX) => Err(ProviderError::Unsuitable {
                why: "This is an access token of a repository, project or workspace, which goes without an e-mail address.",
                instead: "Connect it as an access token.",
            }),
            AuthMethod::Basic if !credential.login.as_deref().is_some_and(is_address) => {
                Err(ProviderError::Unsuitable {
                    why: "Bitbucket takes an API token only together with the e-mail address of the Atlassian account; user \
                      names do no more.",
                    instead: "Give the e-mail address with which you sign in at https://id.atlassian.com.",
                })
            }
            AuthMethod::Pat if starts(API_TOKEN_PREFIX) => Err(ProviderError::Unsuitable {
                why: "This is an API token, which Bitbucket takes only together with the account's e-mail address.",
                instead: "Connect it as an API token, with the e-mail address of the Atlassian account.",
            }),
            _ => Ok(()),
        }
    }

    async fn check(&self, at: Access<'_>) -> Result<Checked, ProviderError> {
        account::check(&api(at)?).await
    }

    fn forge(&self) -> Option<&dyn Forge> {
        Some(self)
    }

    /// Scopes are fixed on the consumer. Whether refresh tokens rotate is not documented; one that comes is kept.
    fn oauth(&self, instance: &InstanceUrl) -> Option<OAuthProfile> {
        let page = |name: &str| Url::parse(&format!("{instance}/site/oauth2/{name}")).ok();
        Some(OAuthProfile {
            client_auth: ClientAuth::Basic,
            pkce: PkceUse::Unsupported,
            rotation: Rotation::RefreshOnly,
            ..OAuthProfile::new(page("authorize")?, page("access_token")?)
        })
    }
}

#[async_trait]
impl Forge for Bitbucket {
    fn git_auth(&self, credential: &Credential) -> GitAuth {
        let user = match credential.method {
            AuthMethod::Basic => "x-bitbucket-api-token-auth",
            _ => "x-token-auth",
        };
        GitAuth::Basic { user: user.to_owned() }
    }

    async fn repository(&self, at: Access<'_>, repo: &RepoUrl) -> Result<RepositoryAccess, ProviderError> {
        let api = api(at)?;
        let (answer, mut repository) = ask_repository(&api, repo).await?;
        let why_not_push = why_not_push(&api, repo, &answer, &repository).await?;
        Ok(RepositoryAccess {
            default_branch: repository.default_branch(),
            path: repository.full_name,
            archived: false,
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
        let path = format!("{}/pullrequests", repository_path(&api, repo)?);
        if let Some(open) = find_open(&api, &path, repo, draft).await? {
            return update(&api, &format!("{path}/{}", open.id), repo, draft).await;
        }
        let body = json!({
            "title": draft.title,
            "description": draft.body,
            "source": { "branch": { "name": draft.head } },
            "destination": { "branch": { "name": draft.base } },
        });
        let opened = taken(&api, repo, &api.post(&path, &body).await?)?;
        Ok(PullRequest { url: opened.page(&api, repo), created: true })
    }

    async fn branches(&self, at: Access<'_>, repo: &RepoUrl) -> Result<Vec<BranchInfo>, ProviderError> {
        let api = api(at)?;
        let path = format!("{}/refs/branches", repository_path(&api, repo)?);
        let refused = |answer: &Answer| repository_refusal(&api, answer, repo);
        let (repository, all) = tokio::try_join!(
            ask_repository(&api, repo),
            api.list::<Branch>(&path, &[], Paging::bitbucket(), refused),
        )?;
        let (_, mut repository) = repository;
        let default = repository.default_branch();
        Ok(all.into_iter().map(|branch| branch.into_info(default.as_deref())).collect())
    }

    async fn search(&self, at: Access<'_>, text: &str, limit: usize) -> Result<Vec<RepositoryInfo>, ProviderError> {
        let api = api(at)?;
        let named = format!("name ~ {}", quoted(text));
        let mut query = vec![("role", "member"), ("sort", "-updated_on")];
        if !text.is_empty() {
            query.push(("q", &named));
        }
        let mut found = Vec::new();
        // Listings across workspaces are no more.
        for workspace in workspaces(&api).await? {
            let (path, left) = (format!("/repositories/{workspace}"), limit - found.len());
            if left == 0 {
                break;
            }
            let refused = |answer: &Answer| refusal(&api, answer);
            let some: Vec<Repository> = api.first(left, &path, &query, Paging::bitbucket(), refused).await?;
            found.extend(some.into_iter().filter_map(|repository| repository.into_info(at.instance)));
        }
        Ok(found)
    }
}

fn api(at: Access<'_>) -> Result<Api<'_>, ProviderError> {
    let credential = at.credential;
    let auth = match (credential.method, credential.login.as_deref()) {
        (AuthMethod::Basic, login) => credential.basic(login.unwrap_or_default())?,
        _ => credential.after("Bearer ")?,
    };
    let base = if ProviderKind::Bitbucket.is_public(at.instance) {
        "https://api.bitbucket.org/2.0".to_owned()
    } else {
        format!("{}/2.0", at.instance)
    };
    Api::new(at, &base, (header::AUTHORIZATION, auth), &[(header::ACCEPT, "application/json")])
}

fn repository_path(api: &Api<'_>, repo: &RepoUrl) -> Result<String, ProviderError> {
    Ok(format!("/repositories/{}", api.repository_id(ProviderKind::Bitbucket, repo)?))
}

async fn ask_repository(api: &Api<'_>, repo: &RepoUrl) -> Result<(Answer, Repository), ProviderError> {
    let answer = api.get(&repository_path(api, repo)?, &[]).await?;
    let repository = answer.or_refusal(|answer| repository_refusal(api, answer, repo))?.json()?;
    Ok((answer, repository))
}

/// The workspaces that the credential reaches.
async fn workspaces(api: &Api<'_>) -> Result<Vec<String>, ProviderError> {
    let refused = |answer: &Answer| refusal(api, answer);
    let all: Vec<Membership> = api.list("/user/workspaces", &[], Paging::bitbucket(), refused).await?;
    Ok(all.into_iter().filter_map(Membership::into_slug).collect())
}

async fn why_not_push(
    api: &Api<'_>,
    repo: &RepoUrl,
    answer: &Answer,
    repository: &Repository,
) -> Result<Option<String>, ProviderError> {
    let scopes = answer.header("x-oauth-scopes").map(wire::scope_list);
    if scopes.as_deref().is_some_and(|scopes| !account::may_push(scopes)) {
        return Ok(Some(format!("the token lacks the scope '{}'", account::push_scope(api.at.credential.method))));
    }
    let access_token = api.at.credential.method == AuthMethod::Pat;
    for role in ["contributor", "admin"] {
        match has_role(api, repo, role).await {
            Ok(true) => return Ok(None),
            Ok(false) => {}
            // Some access tokens may not ask this; they have no rights but their scopes.
            Err(
                ProviderError::TokenInvalid | ProviderError::Forbidden { .. } | ProviderError::InsufficientScope { .. },
            ) if access_token => return Ok(None),
            Err(other) => return Err(other),
        }
    }
    // Only an access token made for it can see a private repository.
    let made_for_it = access_token && repository.is_private;
    Ok((!made_for_it).then(|| "the account may only read it".to_owned()))
}

/// Whether the account has a role in a repository: then it is among those of its workspace.
async fn has_role(api: &Api<'_>, repo: &RepoUrl, role: &str) -> Result<bool, ProviderError> {
    let (workspace, slug) = repo.path().split_once('/').unwrap_or_default();
    let query = [("role", role), ("q", &*format!("slug = {}", quoted(&slug.to_ascii_lowercase())))];
    let refused = |answer: &Answer| refusal(api, answer);
    let found: Vec<Repository> =
        api.list(&format!("/repositories/{workspace}"), &query, Paging::bitbucket(), refused).await?;
    Ok(found.iter().any(|one| one.full_name.eq_ignore_ascii_case(repo.path())))
}

/// The open pull request from and to the same branches.
async fn find_open(
    api: &Api<'_>,
    path: &str,
    repo: &RepoUrl,
    draft: &PullRequestDraft,
) -> Result<Option<Pull>, ProviderError> {
    let (head, base) = (quoted(&draft.head), quoted(&draft.base));
    let filter = format!("source.branch.name = {head} AND destination.branch.name = {base} AND state = \"OPEN\"");
    let refused = |answer: &Answer| repository_refusal(api, answer, repo);
    let paging = Paging::bitbucket().of_at_most(50);
    let open: Vec<Pull> = api.list(path, &[("q", &*filter)], paging, refused).await?;
    Ok(open.into_iter().find(|pull| pull.is_own(repo)))
}

/// What an update does not name is reset, and listings leave reviewers out.
async fn update(
    api: &Api<'_>,
    path: &str,
    repo: &RepoUrl,
    draft: &PullRequestDraft,
) -> Result<PullRequest, ProviderError> {
    let open = taken(api, repo, &api.get(path, &[]).await?)?;
    let reviewers: Vec<_> = open.reviewers().map(|uuid| json!({ "uuid": uuid })).collect();
    let body = json!({
        "title": draft.title,
        "description": draft.body,
        "reviewers": reviewers,
        "close_source_branch": open.close_source_branch,
    });
    let updated = taken(api, repo, &api.change(Method::PUT, path, &[], &body).await?)?;
    Ok(PullRequest { url: updated.page(api, repo), created: false })
}

fn taken(api: &Api<'_>, repo: &RepoUrl, answer: &Answer) -> Result<Pull, ProviderError> {
    if matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::CONFLICT) {
        return Err(ProviderError::PullRequestRefused { said: said(answer) });
    }
    answer.or_refusal(|answer| repository_refusal(api, answer, repo))?.json()
}

/// A text in a filter.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
