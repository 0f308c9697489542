use http::StatusCode;
use jiff::Timestamp;
use valetkey_model::{Installation, InstanceUrl, RepoUrl};
use valetkey_seal::Secret;

use super::{
    AppError, install_url, jwt, page_of,
    wire::{Installed, Requested},
};
use crate::{
    Access, Credential, Http, ProviderError,
    api::{Answer, Api},
    github::{
        api,
        refusal::{refusal, repository_refusal},
        repository_path,
    },
    paging::Paging,
};

/// What an app proves itself with.
#[derive(Debug, Clone, Copy)]
pub struct AppKey<'a> {
    /// Its public name.
    pub client_id: &'a str,
    /// In PEM form, as GitHub gives it (PKCS#1) or as PKCS#8.
    pub private_key: &'a Secret<String>,
}

impl AppKey<'_> {
    /// Whether the private key is one, before it is stored.
    ///
    /// # Errors
    /// [`AppError::KeyUnreadable`].
    pub fn check(&self) -> Result<(), AppError> {
        jwt::read(self.private_key).map(drop)
    }
}

/// A GitHub App at one instance, at one moment. Nothing is tried twice.
#[derive(Debug, Clone, Copy)]
pub struct AppClient<'a> {
    /// The guarded client.
    pub http: &'a Http,
    /// Where the app is registered.
    pub instance: &'a InstanceUrl,
    /// What it proves itself with.
    pub key: AppKey<'a>,
    /// The name in the address of its page, where it is known: errors then lead to the page where it is installed.
    pub slug: Option<&'a str>,
    /// The present moment.
    pub now: Timestamp,
}

impl AppClient<'_> {
    /// One installation, without its repositories.
    ///
    /// # Errors
    /// [`AppError::Removed`], or any refusal.
    pub async fn installation(&self, id: u64) -> Result<Installation, ProviderError> {
        let credential = self.credential()?;
        let api = api(self.at(&credential))?;
        let answer = api.get(&format!("/app/installations/{id}"), &[]).await?;
        let found: Installed = answer.or_refusal(|answer| self.refusal(&api, answer))?.json()?;
        Ok(found.into_installation())
    }

    /// The installation that covers a repository, without its repositories; none if the app is not installed there, or
    /// there is no such repository.
    ///
    /// # Errors
    /// Any refusal.
    pub async fn installation_for(&self, repo: &RepoUrl) -> Result<Option<Installation>, ProviderError> {
        let credential = self.credential()?;
        let api = api(self.at(&credential))?;
        let answer = api.get(&format!("{}/installation", repository_path(&api, repo)?), &[]).await?;
        if answer.status.is_success() {
            return Ok(Some(answer.json::<Installed>()?.into_installation()));
        }
        match repository_refusal(&api, &answer, repo) {
            ProviderError::RepositoryNotFound { .. } => Ok(None),
            ProviderError::TokenInvalid => Err(AppError::KeyRejected { said: answer.said() }.into()),
            other => Err(other),
        }
    }

    /// The accounts whose owners a person has asked to install the app and who have not answered yet. The numbers are those
    /// of the requests. Servers that keep no such list have none.
    ///
    /// # Errors
    /// Any refusal.
    pub async fn pending_for(&self, user_id: u64) -> Result<Vec<Installation>, ProviderError> {
        let credential = self.credential()?;
        let api = api(self.at(&credential))?;
        let list =
            api.list("/app/installation-requests", &[], Paging::numbered(""), |answer| self.refusal(&api, answer));
        let all: Vec<Requested> = match list.await {
            Err(ProviderError::App(AppError::Removed { .. })) => return Ok(Vec::new()),
            other => other?,
        };
        let theirs = |request: &Requested| request.requester.as_ref().is_some_and(|person| person.id == user_id);
        Ok(all.into_iter().filter(theirs).map(Requested::into_installation).collect())
    }

    pub(super) fn credential(&self) -> Result<Credential, ProviderError> {
        Ok(Credential::pat(jwt::signed(self.key, self.now)?))
    }

    pub(super) fn at<'b>(&'b self, credential: &'b Credential) -> Access<'b> {
        Access { http: self.http, instance: self.instance, credential, now: self.now }
    }

    /// What an answer to the app itself means that is no success.
    pub(super) fn refusal(&self, api: &Api<'_>, answer: &Answer) -> ProviderError {
        let said = answer.said();
        match refusal(api, answer) {
            ProviderError::TokenInvalid => AppError::KeyRejected { said }.into(),
            ProviderError::Forbidden { .. } if is_suspension(&said) => AppError::Suspended { page: self.page() }.into(),
            ProviderError::NotTheProvider { .. } if answer.status == StatusCode::NOT_FOUND && answer.is_missing() => {
                AppError::Removed { page: self.page() }.into()
            }
            other => other,
        }
    }

    /// Where owners see and change what the app is installed on.
    pub(super) fn page(&self) -> String {
        match self.slug {
            Some(slug) => install_url(self.instance, slug, None),
            None => page_of(self.instance, &["settings", "installations"]).into(),
        }
    }
}

fn is_suspension(said: &str) -> bool {
    said.to_ascii_lowercase().contains("installation has been suspended")
}
