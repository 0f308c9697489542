use std::collections::BTreeMap;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use valetkey_model::{ProviderKind, RepoUrl};
use valetkey_seal::Secret;

use super::{AppClient, AppError, Permissions, wire::NewToken};
use crate::{
    Access, ProviderError,
    api::{Answer, one_line},
    github::{api, refusal::refusal},
    oauth::Revoked,
};

/// The most that GitHub takes at once.
const MOST_REPOSITORIES: usize = 500;
/// Of how many it is asked which one is not covered.
const MOST_ASKED: usize = 20;

/// A token of an installation, kept to some repositories and permissions. It can't be refreshed.
#[derive(Debug)]
pub struct Minted {
    /// Of up to some thousand characters.
    pub token: Secret<String>,
    /// An hour from when it was made.
    pub expires_at: Timestamp,
    /// What it may do: `contents` → `write`.
    pub permissions: BTreeMap<String, String>,
    /// The repositories that it reaches, as GitHub spells their paths.
    pub repositories: Vec<String>,
}

impl AppClient<'_> {
    /// Makes a token for these repositories, which must all be covered by the installation.
    ///
    /// # Errors
    /// What [`AppError`] lists, or any refusal.
    pub async fn mint(
        &self,
        installation: u64,
        repositories: &[RepoUrl],
        permissions: Permissions,
    ) -> Result<Minted, ProviderError> {
        let names = self.names(repositories)?;
        let credential = self.credential()?;
        let api = api(self.at(&credential))?;
        let path = format!("/app/installations/{installation}/access_tokens");
        let wanted = json!({ "repositories": names, "permissions": permissions.named() });
        let answer = api.post(&path, &wanted).await?;
        if answer.status == StatusCode::UNPROCESSABLE_ENTITY {
            return Err(self.unprocessable(&answer, installation, repositories, permissions).await.into());
        }
        let new: NewToken = answer.or_refusal(|answer| self.refusal(&api, answer))?.json()?;
        let reached = new.repositories.ok_or_else(|| answer.not_the_provider())?;
        let minted = Minted {
            token: new.token,
            expires_at: new.expires_at,
            permissions: new.permissions.into_iter().filter_map(plain).collect(),
            repositories: reached.into_iter().map(|repository| one_line(&repository.full_name)).collect(),
        };
        self.check_reach(&minted, repositories)?;
        Ok(minted)
    }

    /// GitHub is told names only: another owner's repository of the same name would be taken for the one that is meant.
    fn names<'r>(&self, repositories: &'r [RepoUrl]) -> Result<Vec<&'r str>, ProviderError> {
        if let Some(elsewhere) = repositories.iter().find(|repo| repo.instance() != self.instance) {
            return Err(ProviderError::OtherInstance { repository: elsewhere.instance().clone() });
        }
        let mut names = Vec::new();
        let mut owner = None;
        for repo in repositories {
            repo.api_id(ProviderKind::GitHub)?;
            let (its_owner, name) = repo.path().split_once('/').unwrap_or_default();
            if !owner.get_or_insert(its_owner).eq_ignore_ascii_case(its_owner) {
                return Err(AppError::OneOwner.into());
            }
            names.push(name);
        }
        if names.is_empty() || names.len() > MOST_REPOSITORIES { Err(AppError::OneOwner.into()) } else { Ok(names) }
    }

    /// The installation may be another owner's.
    fn check_reach(&self, minted: &Minted, asked: &[RepoUrl]) -> Result<(), AppError> {
        let is = |repo: &RepoUrl, path: &String| repo.path().eq_ignore_ascii_case(path);
        let missed = asked.iter().filter(|repo| !minted.repositories.iter().any(|path| is(repo, path)));
        let missed: Vec<_> = missed.map(|repo| repo.path().to_owned()).collect();
        let foreign = minted.repositories.iter().any(|path| !asked.iter().any(|repo| is(repo, path)));
        if missed.is_empty() && !foreign {
            return Ok(());
        }
        let repositories = if missed.is_empty() { paths(asked) } else { missed };
        Err(AppError::NotCovered { repositories, page: self.page() })
    }

    async fn unprocessable(
        &self,
        answer: &Answer,
        installation: u64,
        repositories: &[RepoUrl],
        permissions: Permissions,
    ) -> AppError {
        let (said, page) = (answer.said(), self.page());
        let words = said.to_ascii_lowercase();
        if words.contains("permissions requested are not granted") {
            let named = permissions.named().into_iter();
            return AppError::NotGranted {
                permissions: named.map(|(name, level)| format!("{name}={level}")).collect(),
                page,
            };
        }
        if words.contains("not exist") || words.contains("not accessible") {
            return AppError::NotCovered { repositories: self.uncovered(installation, repositories).await, page };
        }
        AppError::TooComplex { said }
    }

    /// Which ones GitHub meant; it does not say. All of them if that can't be told.
    async fn uncovered(&self, installation: u64, repositories: &[RepoUrl]) -> Vec<String> {
        if !(2..=MOST_ASKED).contains(&repositories.len()) {
            return paths(repositories);
        }
        let mut found = Vec::new();
        for repo in repositories {
            let covering = self.installation_for(repo).await;
            if !matches!(covering, Ok(Some(one)) if one.id == installation) {
                found.push(repo.path().to_owned());
            }
        }
        if found.is_empty() { paths(repositories) } else { found }
    }
}

/// Ends an installation's token before its hour is over. The credential is that token.
///
/// # Errors
/// Any refusal. Asking again does no harm.
pub async fn revoke_installation_token(at: Access<'_>) -> Result<Revoked, ProviderError> {
    let api = api(at)?;
    let answer = api.delete("/installation/token").await?;
    if answer.status.is_success() {
        return Ok(Revoked::Done);
    }
    match refusal(&api, &answer) {
        ProviderError::TokenInvalid => Ok(Revoked::NotKnown),
        other => Err(other),
    }
}

fn paths(repositories: &[RepoUrl]) -> Vec<String> {
    repositories.iter().map(|repo| repo.path().to_owned()).collect()
}

fn plain((name, level): (String, Value)) -> Option<(String, String)> {
    Some((one_line(&name), one_line(level.as_str()?)))
}
