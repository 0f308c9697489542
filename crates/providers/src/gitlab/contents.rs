//! What is in a repository (<https://docs.gitlab.com/api/repositories/>, <https://docs.gitlab.com/api/repository_files/>).

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use valetkey_model::Place;

use super::{GitLab, api, project_path, refusal::project_refusal};
use crate::{Access, Contents, ProviderError, Tree, TreeEntry, paging::Paging};

#[derive(Deserialize)]
struct Entry {
    id: String,
    name: String,
    path: String,
    #[serde(rename = "type")]
    kind: Kind,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Blob,
    Tree,
    /// A submodule.
    Commit,
}

impl From<Entry> for TreeEntry {
    fn from(Entry { id, name, path, kind }: Entry) -> Self {
        Self { name, path, folder: kind == Kind::Tree, id, size: None }
    }
}

#[derive(Deserialize)]
struct File {
    /// Always in base64.
    content: String,
}

#[async_trait]
impl Contents for GitLab {
    async fn tree(&self, at: Access<'_>, place: &Place) -> Result<Tree, ProviderError> {
        let Place { repo, revision, path } = place;
        let api = api(at)?;
        let tree = format!("{}/repository/tree", project_path(&api, repo)?);
        let query = [("ref", revision.as_str()), ("path", path.as_str())];
        let refused = |answer: &_| project_refusal(&api, answer, repo);
        let entries = api.list::<Entry>(&tree, &query, Paging::numbered(""), refused).await?;
        Ok(Tree { entries: entries.into_iter().map(TreeEntry::from).collect(), truncated: false })
    }

    async fn file(&self, at: Access<'_>, place: &Place) -> Result<Vec<u8>, ProviderError> {
        let Place { repo, revision, path } = place;
        let api = api(at)?;
        let files = format!("{}/repository/files", project_path(&api, repo)?);
        let answer = api.get_at(api.url_below(&files, [path.as_str()], &[("ref", revision.as_str())])).await?;
        let file: File = answer.or_refusal(|answer| project_refusal(&api, answer, repo))?.json()?;
        STANDARD.decode(file.content).map_err(|_| answer.not_the_provider())
    }
}
