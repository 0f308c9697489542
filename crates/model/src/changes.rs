use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ObjectId, RepoUrl};

/// What a session changed in one of its repositories, known before anything is pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryChanges {
    /// Which.
    pub url: RepoUrl,
    /// The commit that the session started from; none if the repository was empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub base_commit: Option<ObjectId>,
    /// The commit that it left.
    #[schemars(with = "String")]
    pub commit: ObjectId,
    /// What lies between them.
    #[serde(flatten)]
    pub changes: Changes,
}

/// How two commits differ. The numbers count every file, the list holds the first ones by path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    /// How many files differ.
    pub files_changed: u64,
    /// How many lines were added to text files.
    pub lines_added: u64,
    /// How many lines were removed from text files.
    pub lines_removed: u64,
    /// The files, by path; the rest is left out where there are too many.
    pub files: Vec<ChangedFile>,
}

/// One file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangedFile {
    /// Its path; the former one if it was deleted.
    pub path: String,
    /// The path that it had before it was renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_path: Option<String>,
    /// What became of it.
    pub status: FileStatus,
    /// How many lines it gained; none of a binary file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines_added: Option<u64>,
    /// How many lines it lost; none of a binary file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines_removed: Option<u64>,
    /// The difference as `git diff` writes it, header included, without what must not be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
    /// Why there is no patch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileStatus {
    /// It is new.
    Added,
    /// Its content, kind or mode is another.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another path, and perhaps another content.
    Renamed,
}

impl FileStatus {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
            Self::Renamed => "renamed",
        }
    }
}

/// Why a changed file is only named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// It is not text.
    Binary,
    /// Its patch is too long, or those before it are.
    TooLong,
    /// A secret goes over several of its lines, where it can't be hidden.
    Secret,
}
