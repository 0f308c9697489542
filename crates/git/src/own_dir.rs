use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use valetkey_model::ObjectId;

/// The branch that stands for the checkout's head in an [`OwnGitDir`].
pub(crate) const BRANCH_REF: &str = "refs/heads/publish";

/// Which hash names a repository's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ObjectFormat {
    Sha1,
    Sha256,
}

impl ObjectFormat {
    pub(crate) fn of(id: &ObjectId) -> Self {
        if id.as_str().len() == 64 { Self::Sha256 } else { Self::Sha1 }
    }
}

/// A git directory of our own for work on a checkout whose `.git` is not to be trusted: its configuration, refs and
/// hooks are ours (and empty), only the objects are the checkout's. Made with a few file writes, gone when dropped.
#[derive(Debug)]
pub(crate) struct OwnGitDir {
    path: PathBuf,
    objects: PathBuf,
}

impl OwnGitDir {
    pub(crate) fn create(
        scratch: &Path,
        objects: PathBuf,
        format: ObjectFormat,
        head: Option<&ObjectId>,
    ) -> io::Result<Self> {
        let own = Self { path: new_folder(scratch)?, objects };
        let config = match format {
            ObjectFormat::Sha1 => "[core]\n\trepositoryformatversion = 0\n\tbare = false\n",
            ObjectFormat::Sha256 => {
                "[core]\n\trepositoryformatversion = 1\n\tbare = false\n[extensions]\n\tobjectFormat = sha256\n"
            }
        };
        fs::create_dir_all(own.path.join("refs/heads"))?;
        fs::create_dir(own.path.join("info"))?;
        fs::write(own.path.join("config"), config)?;
        fs::write(own.path.join("HEAD"), format!("ref: {BRANCH_REF}\n"))?;
        if let Some(id) = head {
            fs::write(own.path.join(BRANCH_REF), format!("{id}\n"))?;
        }
        Ok(own)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn objects(&self) -> &Path {
        &self.objects
    }
}

impl Drop for OwnGitDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn new_folder(scratch: &Path) -> io::Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = scratch.join(format!("own-{}-{number}.git", std::process::id()));
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            // Left by a process that crashed and had our id.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}
