//! What is in a repository (<https://docs.github.com/rest/repos/contents>).

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use valetkey_model::Place;

use super::{GitHub, api, refusal::repository_refusal, repository_path};
use crate::{Access, Contents, ProviderError, Tree, TreeEntry, api::Answer};

/// GitHub lists no more of a folder; what it leaves out it does not say.
const MOST_ENTRIES: usize = 1000;

/// A folder is its list, anything else an object.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Folder(Vec<Entry>),
    Other(Entry),
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    path: String,
    sha: String,
    #[serde(rename = "type")]
    kind: Kind,
    size: Option<u64>,
    content: Option<String>,
    encoding: Option<String>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    File,
    Dir,
    Symlink,
    Submodule,
}

impl From<Entry> for TreeEntry {
    fn from(entry: Entry) -> Self {
        let Entry { name, path, sha, kind, size, .. } = entry;
        let size = size.filter(|_| kind == Kind::File);
        Self { name, path, folder: kind == Kind::Dir, id: sha, size }
    }
}

#[async_trait]
impl Contents for GitHub {
    async fn tree(&self, at: Access<'_>, place: &Place) -> Result<Tree, ProviderError> {
        let entries = match ask(at, place).await?.json()? {
            Content::Folder(entries) => entries,
            Content::Other(entry) => vec![entry],
        };
        let truncated = entries.len() >= MOST_ENTRIES;
        Ok(Tree { entries: entries.into_iter().map(TreeEntry::from).collect(), truncated })
    }

    async fn file(&self, at: Access<'_>, place: &Place) -> Result<Vec<u8>, ProviderError> {
        let not_a_file = |why| ProviderError::NotAFile { path: place.path.clone(), why };
        let answer = ask(at, place).await?;
        let entry = match answer.json()? {
            Content::Other(entry) if entry.kind == Kind::File => entry,
            Content::Folder(_) => return Err(not_a_file("it is a folder")),
            Content::Other(_) => return Err(not_a_file("it is a link or a submodule")),
        };
        match (entry.encoding.as_deref(), entry.content) {
            (Some("base64"), Some(content)) => {
                let content: String = content.split_ascii_whitespace().collect();
                STANDARD.decode(content).map_err(|_| answer.not_the_provider())
            }
            // From 1 MB on the content is left out and the encoding is "none".
            _ => Err(not_a_file("it has over 1 MB, of which GitHub sends no content")),
        }
    }
}

async fn ask(at: Access<'_>, Place { repo, revision, path }: &Place) -> Result<Answer, ProviderError> {
    let api = api(at)?;
    let contents = format!("{}/contents", repository_path(&api, repo)?);
    let answer = api.get_at(api.url_below(&contents, path.segments(), &[("ref", revision.as_str())])).await?;
    answer.or_refusal(|answer| repository_refusal(&api, answer, repo))?;
    Ok(answer)
}
