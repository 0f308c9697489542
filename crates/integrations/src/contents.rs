use valetkey_model::{Actor, Place, Problem, ProblemCode, ProjectName};
use valetkey_providers::{CallError, Contents, ProviderError, Tree, forge};

use crate::{Integrations, opened::Opened};

impl Integrations {
    /// What is in a folder of a repository, asked with the integration that a session would use.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), `invalid_input` if the provider's repositories can't be looked into, or the
    /// provider's refusal; `not_found` if the repository is there, but not the folder.
    pub async fn tree(&self, by: &Actor, project: &ProjectName, place: &Place) -> Result<Tree, Problem> {
        let (opened, contents) = self.open_contents(by, project, place).await?;
        opened.explained(place, contents.tree(opened.access(), place).await).await
    }

    /// A file of a repository, as the bytes that git holds.
    ///
    /// # Errors
    /// As [`tree`](Self::tree), and `invalid_input` for what is no file or too large to be shown.
    pub async fn file(&self, by: &Actor, project: &ProjectName, place: &Place) -> Result<Vec<u8>, Problem> {
        let (opened, contents) = self.open_contents(by, project, place).await?;
        opened.explained(place, contents.file(opened.access(), place).await).await
    }

    async fn open_contents(
        &self,
        by: &Actor,
        project: &ProjectName,
        place: &Place,
    ) -> Result<(Opened<'_>, &'static dyn Contents), Problem> {
        let integration = self.serving(by, project, &place.repo).await?;
        let contents = forge(integration.provider).and_then(|forge| forge.contents()).ok_or_else(|| {
            let text = "unsupported repository provider (only GitHub and GitLab are supported)";
            Problem::new(ProblemCode::InvalidInput, text)
        })?;
        Ok((self.opened(&integration).await?, contents))
    }
}

impl Opened<'_> {
    async fn explained<T>(&self, place: &Place, answer: Result<T, ProviderError>) -> Result<T, Problem> {
        let error = match answer {
            Ok(answer) => return Ok(answer),
            Err(ProviderError::RepositoryNotFound { .. }) => self.what_is_missing(place).await?,
            Err(ProviderError::Call(CallError::TooLarge { .. })) => {
                ProviderError::NotAFile { path: place.path.clone(), why: "it is too large" }
            }
            Err(error) => error,
        };
        Err(self.problem(error))
    }

    /// Providers may answer alike when the repository, the revision or the path is missing.
    async fn what_is_missing(&self, place: &Place) -> Result<ProviderError, Problem> {
        Ok(match self.repositories()?.repository(self.access(), &place.repo).await {
            Ok(_) => ProviderError::NothingThere { path: place.path.clone(), revision: place.revision.clone() },
            Err(error) => error,
        })
    }
}
