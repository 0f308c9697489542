//! `/api/projects/{p}/repo/…`: what those clients offer to start from, and to look at.

use std::{fmt::Display, ops::Not, str::FromStr};

use axum::{Json, extract::State};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use valetkey_model::{Place, ProblemCode, ProjectName, Role};
use valetkey_providers::{BranchInfo, TreeEntry};

use super::TAG;
use crate::{
    App,
    api::repositories::REFUSED_REPOSITORY,
    auth::Caller,
    extract::{Id, Params},
    problem::{Answer, Failure},
    route::Row,
};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::get("/api/projects/{project}/repo/branches", branches)
            .project(Role::Member)
            .operation(TAG, "ambientBranches", "All branches of a repository")
            .parameters::<Which>()
            .answers::<Branches>()
            .fails(&REFUSED_REPOSITORY),
        Row::get("/api/projects/{project}/repo/tree", tree)
            .project(Role::Member)
            .operation(TAG, "ambientTree", "What is in a folder of a repository")
            .parameters::<Where>()
            .answers::<Tree>()
            .fails(&REFUSED_REPOSITORY)
            .fails(&[ProblemCode::NotFound]),
        Row::get("/api/projects/{project}/repo/blob", blob)
            .project(Role::Member)
            .operation(TAG, "ambientBlob", "A file of a repository")
            .parameters::<Where>()
            .answers::<Blob>()
            .fails(&REFUSED_REPOSITORY)
            .fails(&[ProblemCode::NotFound]),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Which {
    /// The repository's URL.
    repo: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AmbientBranches")]
struct Branches {
    branches: Vec<Branch>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AmbientBranch")]
struct Branch {
    name: String,
    protected: bool,
    default: bool,
    commit: Commit,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AmbientCommit")]
struct Commit {
    sha: String,
}

impl From<BranchInfo> for Branch {
    fn from(branch: BranchInfo) -> Self {
        let BranchInfo { name, commit, protected, default } = branch;
        Self { name, protected, default, commit: Commit { sha: commit } }
    }
}

async fn branches(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(which): Params<Which>,
) -> Answer<Json<Branches>> {
    let repo = given(which.repo).ok_or_else(|| lacking("repo query parameter required"))?;
    let branches = app.integrations.branches(&caller.actor, &project, &parsed(&repo)?).await?;
    Ok(Json(Branches { branches: branches.into_iter().map(Branch::from).collect() }))
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Where {
    /// The repository's URL.
    repo: Option<String>,
    /// A branch, tag or commit.
    #[serde(rename = "ref")]
    revision: Option<String>,
    /// From the repository's root.
    path: Option<String>,
}

impl Where {
    fn place(self, path_is_needed: bool, otherwise: &'static str) -> Answer<Place> {
        let path = given(self.path).or_else(|| (!path_is_needed).then(String::new));
        let (Some(repo), Some(revision), Some(path)) = (given(self.repo), given(self.revision), path) else {
            return Err(lacking(otherwise));
        };
        Ok(Place { repo: parsed(&repo)?, revision: parsed(&revision)?, path: parsed(&path)? })
    }
}

fn given(parameter: Option<String>) -> Option<String> {
    parameter.filter(|text| !text.is_empty())
}

/// In the words that those clients know.
fn lacking(words: &'static str) -> Failure {
    Failure::new(ProblemCode::InvalidInput, words)
}

fn parsed<T: FromStr<Err: Display>>(text: &str) -> Answer<T> {
    text.parse().map_err(|error| Failure::invalid(format!("{error}.")))
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AmbientTree")]
struct Tree {
    /// The folder, from the repository's root, where it is empty.
    path: String,
    entries: Vec<Entry>,
    /// Whether the provider has more than it lists; left out if not.
    #[serde(skip_serializing_if = "Not::not")]
    truncated: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AmbientTreeEntry")]
struct Entry {
    name: String,
    path: String,
    r#type: EntryType,
    sha: String,
    /// In bytes, where the provider says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "AmbientTreeEntryType")]
enum EntryType {
    /// A folder.
    Tree,
    /// Anything else.
    Blob,
}

impl From<TreeEntry> for Entry {
    fn from(TreeEntry { name, path, folder, id, size }: TreeEntry) -> Self {
        Self { name, path, r#type: if folder { EntryType::Tree } else { EntryType::Blob }, sha: id, size }
    }
}

async fn tree(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(query): Params<Where>,
) -> Answer<Json<Tree>> {
    let place = query.place(false, "repo and ref query parameters required")?;
    let tree = app.integrations.tree(&caller.actor, &project, &place).await?;
    let entries = tree.entries.into_iter().map(Entry::from).collect();
    Ok(Json(Tree { path: place.path.as_str().to_owned(), entries, truncated: tree.truncated }))
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AmbientBlob")]
struct Blob {
    content: String,
    encoding: Encoding,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AmbientBlobEncoding")]
enum Encoding {
    /// The text itself.
    #[serde(rename = "utf-8")]
    Utf8,
    /// Of what is no text.
    #[serde(rename = "base64")]
    Base64,
}

impl From<Vec<u8>> for Blob {
    fn from(content: Vec<u8>) -> Self {
        match String::from_utf8(content) {
            Ok(content) => Self { content, encoding: Encoding::Utf8 },
            Err(other) => Self { content: STANDARD.encode(other.as_bytes()), encoding: Encoding::Base64 },
        }
    }
}

async fn blob(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    Params(query): Params<Where>,
) -> Answer<Json<Blob>> {
    let place = query.place(true, "repo, ref, and path query parameters required")?;
    Ok(Json(app.integrations.file(&caller.actor, &project, &place).await?.into()))
}
