//! Azure DevOps by personal access token of an organisation, or by Entra token.

mod refusal;
#[cfg(test)]
mod tests;
mod wire;

use async_trait::async_trait;
use http::{Method, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::json;
use valetkey_model::{AuthMethod, Details, InstanceUrl, ProviderKind, RepoUrl};

use crate::{
    Access, BranchInfo, CatalogueEntry, Checked, ConnectMethod, Credential, Field, Forge, GitAuth, Provider,
    ProviderError, PullRequest, PullRequestDraft, RepositoryAccess, RepositoryInfo, Words,
    api::{Answer, Api},
    catalogue::scope_set,
    paging::Paging,
    token,
};
use refusal::{refusal, repository_refusal};
use wire::{ConnectionData, Listed, Pull, Ref, Repository};

/// Azure DevOps.
pub(crate) struct AzureDevOps;

/// With which every call but the first states what it expects.
const VERSION: (&str, &str) = ("api-version", "7.1");

/// The namespace of git's permissions, and in it the bit that lets an account push.
const MAY_PUSH: &str = "_apis/permissions/2e9eb7ed-3c0a-47d4-87c1-0ffdd275fd87/4";

/// Longer ones are refused.
const LONGEST_TITLE: usize = 400;
const LONGEST_DESCRIPTION: usize = 4000;

#[async_trait]
impl Provider for AzureDevOps {
    fn kind(&self) -> ProviderKind {
        ProviderKind::AzureDevOps
    }

    fn catalogue(&self) -> CatalogueEntry {
        let kind = self.kind();
        let token = ConnectMethod::new(
            AuthMethod::Basic,
            "Personal access token",
            "For one organisation: created under User settings, Personal access tokens. Tokens for all organisations stop working \
             on 2026-12-01. An Entra access token will do, too; it lives for about an hour.",
        )
        .fields([
            Field::username("Organisation", "The first part of your addresses: ORGANISATION in dev.azure.com/ORGANISATION."),
            Field::token("Personal access token", "A token of that organisation, or an Entra access token (eyJ…)."),
        ])
        .scopes([scope_set(
            "Called 'Code: Read & write' when creating the token.",
            &[("vso.code_write", "clone, fetch, push and open pull requests")],
        )]);
        CatalogueEntry {
            provider: kind,
            name: kind.name().to_owned(),
            summary: "dev.azure.com, for git".to_owned(),
            default_instance: kind.default_instance(),
            git: true,
            methods: vec![token],
        }
    }

    fn words(&self) -> Words {
        Words {
            limits: "Azure DevOps slows down and then refuses whoever uses much more than others.",
            widen: "the scope 'Code: Read & write'",
            seek_access: "A personal access token reaches only the organisation that it was made for.",
            token_form: "an Azure DevOps token has 52 or more letters and digits, an Entra token starts with eyJ.",
            why_invalid: "Azure DevOps does not say whether it is mistyped, revoked, or of another organisation.",
            push_scope: "vso.code_write",
            request: "pull",
        }
    }

    fn check_form(&self, _: &InstanceUrl, credential: &Credential) -> Result<(), ProviderError> {
        let plain = |b: u8| b.is_ascii_alphanumeric();
        let fits = |text: &str| match is_entra(text) {
            true => text.len() <= 8192 && text.bytes().all(|b| plain(b) || matches!(b, b'.' | b'-' | b'_')),
            false => (52..=255).contains(&text.len()) && text.bytes().all(plain),
        };
        if !token::has_form(&credential.token, fits) {
            return Err(ProviderError::TokenMalformed);
        }
        organisation(credential).map(|_| ())
    }

    async fn check(&self, at: Access<'_>) -> Result<Checked, ProviderError> {
        let (api, organisation) = (api(at)?, organisation(at.credential)?);
        let answer = api.get(&format!("/{organisation}/_apis/connectionData"), &[]).await?;
        let data: ConnectionData = read(&answer, |answer| refusal(&api, answer))?;
        let account = data.into_account().ok_or(ProviderError::TokenInvalid)?;
        let note = "Azure DevOps does not say what this token may do and when it ends; each repository is asked before a session.";
        let details =
            Details { notes: vec![note.to_owned()], team: Some(organisation.to_owned()), ..Details::default() };
        Ok(Checked { account, granted_scopes: Vec::new(), expires_at: None, missing_scopes: Vec::new(), details })
    }

    fn forge(&self) -> Option<&dyn Forge> {
        Some(self)
    }
}

#[async_trait]
impl Forge for AzureDevOps {
    fn git_auth(&self, credential: &Credential) -> GitAuth {
        if token::has_form(&credential.token, is_entra) {
            GitAuth::Bearer
        } else {
            GitAuth::Basic { user: String::new() }
        }
    }

    async fn repository(&self, at: Access<'_>, repo: &RepoUrl) -> Result<RepositoryAccess, ProviderError> {
        let api = api(at)?;
        let repository = ask_repository(&api, repo).await?;
        let why_not_push = if repository.is_disabled {
            Some("the repository is disabled".to_owned())
        } else {
            (!may_push(&api, repo, &repository).await?).then(|| "the account may only read it".to_owned())
        };
        Ok(RepositoryAccess {
            path: repository.path(organisation_of(repo)),
            default_branch: repository.default_branch(),
            archived: repository.is_disabled,
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
        let (head, base) = (format!("refs/heads/{}", draft.head), format!("refs/heads/{}", draft.base));
        let (title, description) = (cut(&draft.title, LONGEST_TITLE), cut(&draft.body, LONGEST_DESCRIPTION));
        let open = find_open(&api, &path, repo, (&head, &base)).await?;
        let answer = match &open {
            Some(open) => {
                let body = json!({ "title": title, "description": description });
                api.change(Method::PATCH, &format!("{path}/{}", open.id), &[VERSION], &body).await?
            }
            None => {
                let body = json!({
                    "sourceRefName": head,
                    "targetRefName": base,
                    "title": title,
                    "description": description,
                });
                api.change(Method::POST, &path, &[VERSION], &body).await?
            }
        };
        if matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::CONFLICT) {
            return Err(ProviderError::PullRequestRefused { said: answer.said() });
        }
        let pull: Pull = read(&answer, |answer| repository_refusal(&api, answer, repo))?;
        Ok(PullRequest { url: pull.page(repo), created: open.is_none() })
    }

    async fn branches(&self, at: Access<'_>, repo: &RepoUrl) -> Result<Vec<BranchInfo>, ProviderError> {
        let api = api(at)?;
        let path = format!("{}/refs", repository_path(&api, repo)?);
        let refused = |answer: &Answer| repository_refusal(&api, answer, repo);
        let default = ask_repository(&api, repo).await?.default_branch();
        let all: Vec<Ref> =
            api.list(&path, &[("filter", "heads/"), VERSION], Paging::azure_continued(), refused).await?;
        Ok(all.into_iter().map(|branch| branch.into_info(default.as_deref())).collect())
    }

    async fn search(&self, at: Access<'_>, text: &str, limit: usize) -> Result<Vec<RepositoryInfo>, ProviderError> {
        let (api, organisation) = (api(at)?, organisation(at.credential)?);
        let path = format!("/{organisation}/_apis/git/repositories");
        let all: Listed<Repository> = read(&api.get(&path, &[VERSION]).await?, |answer| refusal(&api, answer))?;
        let wanted = text.to_lowercase();
        let named = all.value.into_iter().filter(|repository| repository.is_named(&wanted));
        Ok(named.filter_map(|repository| repository.into_info(at.instance, organisation)).take(limit).collect())
    }
}

fn is_entra(token: &str) -> bool {
    token.starts_with("eyJ")
}

/// The organisation that the credential is for.
fn organisation(credential: &Credential) -> Result<&str, ProviderError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let fits = |name: &&str| (1..=50).contains(&name.len()) && !name.starts_with('-') && name.bytes().all(plain);
    credential.login.as_deref().filter(fits).ok_or(ProviderError::Unsuitable {
        why: "Azure DevOps has its accounts by organisation, and none was named, or by no name that one can have.",
        instead: "Give the organisation's name: the first part of its addresses, as in https://dev.azure.com/ORGANISATION.",
    })
}

fn organisation_of(repo: &RepoUrl) -> &str {
    repo.path().split('/').next().unwrap_or_default()
}

fn api(at: Access<'_>) -> Result<Api<'_>, ProviderError> {
    let auth = match token::has_form(&at.credential.token, is_entra) {
        true => at.credential.after("Bearer ")?,
        false => at.credential.basic("")?,
    };
    Api::new(at, &at.instance.to_string(), (header::AUTHORIZATION, auth), &[(header::ACCEPT, "application/json")])
}

/// What an answer says, if it is one to somebody who is known.
fn read<T: DeserializeOwned>(answer: &Answer, refusal: impl Fn(&Answer) -> ProviderError) -> Result<T, ProviderError> {
    if answer.status == StatusCode::NON_AUTHORITATIVE_INFORMATION {
        return Err(refusal(answer));
    }
    answer.or_refusal(&refusal)?.json().map_err(|_: ProviderError| refusal(answer))
}

fn repository_path(api: &Api<'_>, repo: &RepoUrl) -> Result<String, ProviderError> {
    Ok(format!("/{}", api.repository_id(ProviderKind::AzureDevOps, repo)?))
}

async fn ask_repository(api: &Api<'_>, repo: &RepoUrl) -> Result<Repository, ProviderError> {
    let answer = api.get(&repository_path(api, repo)?, &[VERSION]).await?;
    read(&answer, |answer| repository_refusal(api, answer, repo))
}

/// Whether the account may push. A token that may not ask this is left to the push itself.
async fn may_push(api: &Api<'_>, repo: &RepoUrl, repository: &Repository) -> Result<bool, ProviderError> {
    let subject = format!("repoV2/{}/{}", repository.project.id, repository.id);
    let path = format!("/{}/{MAY_PUSH}", organisation_of(repo));
    let answer = api.get(&path, &[("tokens", &subject), VERSION]).await?;
    match read::<Listed<bool>>(&answer, |answer| refusal(api, answer)) {
        Ok(allowed) => Ok(allowed.value.first().copied().unwrap_or(true)),
        Err(
            ProviderError::TokenInvalid
            | ProviderError::InsufficientScope { .. }
            | ProviderError::Forbidden { .. }
            | ProviderError::NotTheProvider { .. },
        ) => Ok(true),
        Err(other) => Err(other),
    }
}

/// The open pull request from and to these refs of the repository itself.
async fn find_open(
    api: &Api<'_>,
    path: &str,
    repo: &RepoUrl,
    (head, base): (&str, &str),
) -> Result<Option<Pull>, ProviderError> {
    let query = [
        ("searchCriteria.status", "active"),
        ("searchCriteria.sourceRefName", head),
        ("searchCriteria.targetRefName", base),
        VERSION,
    ];
    let open: Listed<Pull> = read(&api.get(path, &query).await?, |answer| repository_refusal(api, answer, repo))?;
    Ok(open.value.into_iter().find(|pull| pull.fork_source.is_none()))
}

/// The text as far as it fits, with a sign that there was more.
fn cut(text: &str, most: usize) -> String {
    if text.encode_utf16().count() <= most {
        return text.to_owned();
    }
    let mut left = most - 1;
    let fits = |c: &char| {
        let fits = c.len_utf16() <= left;
        left = left.saturating_sub(c.len_utf16());
        fits
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{kept}…")
}
