use jiff::Timestamp;
use valetkey_model::{FilePath, Problem, ProblemCode, ProjectName, ProviderKind, RepoUrl, Revision, UserId};
use valetkey_providers::{Access, CallError, Contents, Credential, Forge, Http, ProviderError, Tree};

use crate::{Integrations, credential::repositories_of};

/// What is looked at: something in a repository, at a point of its history.
#[derive(Debug, Clone)]
pub struct Place {
    /// The repository.
    pub repo: RepoUrl,
    /// The branch, tag or commit.
    pub revision: Revision,
    /// The file or folder.
    pub path: FilePath,
}

impl Integrations {
    /// What is in a folder of a repository, asked with the integration that a session would use.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), `invalid_input` if the provider's repositories can't be looked into, or the
    /// provider's refusal; `not_found` if the repository is there, but not the folder.
    pub async fn tree(&self, caller: &UserId, project: &ProjectName, place: &Place) -> Result<Tree, Problem> {
        let opened = self.open_at(caller, project, place).await?;
        let answer = opened.contents.tree(opened.access(), &place.repo, &place.revision, &place.path).await;
        opened.explained(answer).await
    }

    /// A file of a repository, as the bytes that git holds.
    ///
    /// # Errors
    /// As [`tree`](Self::tree), and `invalid_input` for what is no file or too large to be shown.
    pub async fn file(&self, caller: &UserId, project: &ProjectName, place: &Place) -> Result<Vec<u8>, Problem> {
        let opened = self.open_at(caller, project, place).await?;
        let answer = opened.contents.file(opened.access(), &place.repo, &place.revision, &place.path).await;
        opened.explained(answer).await
    }

    async fn open_at<'a>(
        &'a self,
        caller: &UserId,
        project: &ProjectName,
        place: &'a Place,
    ) -> Result<Opened<'a>, Problem> {
        let integration = self.resolve(caller, project, None, Some(place.repo.instance()), None).await?.integration;
        let forge = repositories_of(integration.provider)?;
        let contents = forge.contents().ok_or_else(|| {
            let text = "unsupported repository provider (only GitHub and GitLab are supported)";
            Problem::new(ProblemCode::InvalidInput, text)
        })?;
        let (credential, _) = self.usable(&integration).await?;
        Ok(Opened {
            http: &self.http,
            place,
            forge,
            contents,
            credential,
            kind: integration.provider,
            now: self.clock.now(),
        })
    }
}

/// A repository and the credential that serves it.
struct Opened<'a> {
    http: &'a Http,
    place: &'a Place,
    forge: &'static dyn Forge,
    contents: &'static dyn Contents,
    credential: Credential,
    kind: ProviderKind,
    now: Timestamp,
}

impl Opened<'_> {
    fn access(&self) -> Access<'_> {
        Access { http: self.http, instance: self.place.repo.instance(), credential: &self.credential, now: self.now }
    }

    async fn explained<T>(&self, answer: Result<T, ProviderError>) -> Result<T, Problem> {
        let error = match answer {
            Ok(answer) => return Ok(answer),
            Err(ProviderError::RepositoryNotFound { .. }) => self.what_is_missing().await,
            Err(ProviderError::Call(CallError::TooLarge { .. })) => {
                ProviderError::NotAFile { path: self.place.path.clone(), why: "it is too large" }
            }
            Err(error) => error,
        };
        Err(error.into_problem(self.kind, self.place.repo.instance()))
    }

    /// Providers may answer alike when the repository, the revision or the path is missing.
    async fn what_is_missing(&self) -> ProviderError {
        let Place { repo, revision, path } = self.place;
        match self.forge.repository(self.access(), repo).await {
            Ok(_) => ProviderError::NothingThere { path: path.clone(), revision: revision.clone() },
            Err(error) => error,
        }
    }
}
