use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::io::Errno;
use valetkey_model::{BranchName, ObjectId};

use crate::{
    Git, GitError,
    nofollow::Dir,
    own_dir::{ObjectFormat, OwnGitDir},
    refs::{self, Head},
};

/// `objects/` is three levels deep at most; a little room for what later versions add.
const MAX_OBJECTS_DEPTH: usize = 5;
const MAX_CONFIG: u64 = 1 << 20;

/// A repository checked out in a folder, in which an untrusted agent works or has worked.
///
/// Of its `.git` only the refs, the index, the excludes and the objects are read, the first three as plain files without
/// following links; git itself runs with a git directory of our own. So configuration, hooks, filters, aliases and
/// helpers that the agent left there do nothing here.
#[derive(Debug, Clone)]
pub struct Checkout {
    dir: PathBuf,
}

/// Why a folder is not worked with.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// There is no git repository in it, or `.git` is a link or a file that points elsewhere.
    #[error("the checkout is not a git repository with a .git folder of its own")]
    NotARepository,
    /// Its objects are not, or not only, in its own `.git/objects`.
    #[error("the checkout's .git/objects holds {0}; git could be led to files outside of it")]
    Objects(&'static str),
    /// Something else that git would not have left there.
    #[error("the checkout can't be used: {0}")]
    Unusual(&'static str),
    /// A file can't be read or written.
    #[error("a file of the checkout can't be read or written")]
    Io(#[source] io::Error),
}

impl Checkout {
    /// The checkout in `dir`.
    ///
    /// # Errors
    /// When `dir` or `dir/.git` is missing, a link or not a folder.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, CheckoutError> {
        let checkout = Self { dir: std::path::absolute(dir).map_err(CheckoutError::Io)? };
        checkout.git_dir()?;
        Ok(checkout)
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What is checked out.
    ///
    /// # Errors
    /// When that can't be told from plain files.
    pub fn head(&self) -> Result<Head, CheckoutError> {
        refs::read_head(&self.git_dir()?)
    }

    /// The origin's default branch when it was cloned; of an empty origin the branch that git suggests.
    ///
    /// # Errors
    /// When the refs can't be read.
    pub fn default_branch(&self) -> Result<Option<BranchName>, CheckoutError> {
        let git_dir = self.git_dir()?;
        if let Some(branch) = refs::read_origin_head(&git_dir)? {
            return Ok(Some(branch));
        }
        match refs::read_head(&git_dir)? {
            Head::Branch(branch, None) => Ok(Some(branch)),
            _ => Ok(None),
        }
    }

    /// The commit of the origin's branch as last fetched.
    ///
    /// # Errors
    /// When the refs can't be read.
    pub fn remote_branch_commit(&self, branch: &BranchName) -> Result<Option<ObjectId>, CheckoutError> {
        refs::read_ref(&self.git_dir()?, &format!("refs/remotes/origin/{branch}"))
    }

    /// Writes the files of `start` and checks out `branch` there, making the branch or moving it; for a clone that
    /// nobody has worked in. Without `start` the branch is one without commits. One git process, none without `start`.
    ///
    /// # Errors
    /// When `start` is unknown or its files can't be written.
    pub async fn start_branch(&self, git: &Git, start: Option<&ObjectId>, branch: &BranchName) -> Result<(), GitError> {
        if let Some(commit) = start {
            let own = self.own_dir(git, Some(commit)).await?;
            let read_tree = git.call_in("check out the files", &own).env("GIT_WORK_TREE", &self.dir);
            let read_tree = read_tree.env("GIT_INDEX_FILE", self.dir.join(".git/index")).current_dir(&self.dir);
            read_tree.args(["read-tree", "--reset", "-u", commit.as_str()]).run().await?;
        }
        let head = Head::Branch(branch.clone(), start.cloned());
        Ok(refs::write_head(&self.git_dir()?, &head)?)
    }

    pub(crate) fn git_dir(&self) -> Result<Dir, CheckoutError> {
        Dir::open(&self.dir).and_then(|dir| dir.folder(".git")).map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => CheckoutError::NotARepository,
            _ => CheckoutError::Io(error),
        })
    }

    /// A git directory of our own over this checkout's objects, once these are known to be its own.
    pub(crate) async fn own_dir(&self, git: &Git, head: Option<&ObjectId>) -> Result<OwnGitDir, GitError> {
        let (checkout, head, scratch) = (self.clone(), head.cloned(), git.scratch().to_owned());
        blocking(move || checkout.own_dir_blocking(&scratch, head.as_ref())).await
    }

    pub(crate) fn own_dir_blocking(&self, scratch: &Path, head: Option<&ObjectId>) -> Result<OwnGitDir, CheckoutError> {
        let git_dir = self.git_dir()?;
        let objects = self.dir.join(".git/objects");
        git_dir.folder("objects").map_err(|_| CheckoutError::NotARepository)?;
        check_plain(&objects, MAX_OBJECTS_DEPTH)?;
        if objects.join("info/alternates").exists() {
            return Err(CheckoutError::Objects("a reference to another repository (info/alternates)"));
        }
        let format = match head {
            Some(id) => ObjectFormat::of(id),
            None => configured_format(&git_dir)?,
        };
        OwnGitDir::create(scratch, objects, format, head).map_err(CheckoutError::Io)
    }
}

/// Runs file work that may take long outside of the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CheckoutError> + Send + 'static,
) -> Result<T, GitError> {
    tokio::task::spawn_blocking(work).await.expect("the work does not panic").map_err(GitError::Checkout)
}

/// Refuses everything but folders and files: through a link to another repository's objects, which we can read and the
/// agent perhaps can't, they would be pushed.
fn check_plain(folder: &Path, depth: usize) -> Result<(), CheckoutError> {
    if depth == 0 {
        return Err(CheckoutError::Objects("folders nested deeper than git's"));
    }
    let entries = match fs::read_dir(folder) {
        // A `git gc` of the agent may be at work.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(CheckoutError::Io)?,
    };
    for entry in entries {
        let entry = entry.map_err(CheckoutError::Io)?;
        let kind = entry.file_type().map_err(CheckoutError::Io)?;
        if kind.is_dir() {
            check_plain(&entry.path(), depth - 1)?;
        } else if !kind.is_file() {
            return Err(CheckoutError::Objects("a link or a special file"));
        }
    }
    Ok(())
}

/// The hash of a repository without commits. Its configuration is the agent's, but only one of two words is taken from it.
fn configured_format(git_dir: &Dir) -> Result<ObjectFormat, CheckoutError> {
    let config = git_dir.read("config", MAX_CONFIG).map_err(CheckoutError::Io)?.unwrap_or_default();
    let config = String::from_utf8_lossy(&config).to_ascii_lowercase();
    let sha256 = config
        .lines()
        .filter_map(|line| line.trim().strip_prefix("objectformat"))
        .any(|rest| rest.trim_start().strip_prefix('=').is_some_and(|value| value.trim() == "sha256"));
    Ok(if sha256 { ObjectFormat::Sha256 } else { ObjectFormat::Sha1 })
}
