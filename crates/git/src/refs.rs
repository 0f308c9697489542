//! A checkout's refs, read and written as files: no git that could be told otherwise by the checkout's configuration.

use std::io;

use valetkey_model::{BranchName, ObjectId};

use crate::{CheckoutError, nofollow::Dir};

const MAX_REF_FILE: u64 = 4 << 10;
const MAX_PACKED_REFS: u64 = 256 << 20;
/// As in git.
const MAX_SYMREF_DEPTH: usize = 5;

/// What is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// A branch; without a commit if nothing has been committed on it yet.
    Branch(BranchName, Option<ObjectId>),
    /// A commit by itself.
    Detached(ObjectId),
}

impl Head {
    /// The commit, unless there is none yet.
    pub fn commit(&self) -> Option<&ObjectId> {
        match self {
            Self::Branch(_, commit) => commit.as_ref(),
            Self::Detached(commit) => Some(commit),
        }
    }

    /// The branch, unless the head is detached.
    pub fn branch(&self) -> Option<&BranchName> {
        match self {
            Self::Branch(branch, _) => Some(branch),
            Self::Detached(_) => None,
        }
    }
}

enum RefFile {
    Object(ObjectId),
    Symbolic(String),
}

pub(crate) fn read_head(git_dir: &Dir) -> Result<Head, CheckoutError> {
    let unusual = || CheckoutError::Unusual("its HEAD names neither a branch nor a commit");
    match read_loose(git_dir, &["HEAD"])?.ok_or(CheckoutError::NotARepository)? {
        RefFile::Object(id) => Ok(Head::Detached(id)),
        RefFile::Symbolic(name) => {
            let short = name.strip_prefix("refs/heads/").ok_or_else(unusual)?;
            let branch = short.parse().map_err(|_| unusual())?;
            Ok(Head::Branch(branch, read_ref(git_dir, &name)?))
        }
    }
}

pub(crate) fn write_head(git_dir: &Dir, head: &Head) -> Result<(), CheckoutError> {
    match head {
        Head::Detached(id) => git_dir.replace("HEAD", format!("{id}\n").as_bytes()).map_err(CheckoutError::Io),
        Head::Branch(branch, commit) => {
            if let Some(id) = commit {
                write_branch(git_dir, branch, id).map_err(CheckoutError::Io)?;
            }
            git_dir.replace("HEAD", format!("ref: {}\n", branch.full_ref()).as_bytes()).map_err(CheckoutError::Io)
        }
    }
}

fn write_branch(git_dir: &Dir, branch: &BranchName, id: &ObjectId) -> io::Result<()> {
    let (folders, file) = branch.as_str().rsplit_once('/').unwrap_or(("", branch.as_str()));
    let mut dir = git_dir.folder_or_new("refs")?.folder_or_new("heads")?;
    for name in folders.split('/').filter(|name| !name.is_empty()) {
        dir = dir.folder_or_new(name)?;
    }
    dir.replace(file, format!("{id}\n").as_bytes())
}

/// The branch a symbolic ref below `refs/remotes/origin/` points to, by its name at the origin.
pub(crate) fn read_origin_head(git_dir: &Dir) -> Result<Option<BranchName>, CheckoutError> {
    let Some(RefFile::Symbolic(name)) = read_loose(git_dir, &["refs", "remotes", "origin", "HEAD"])? else {
        return Ok(None);
    };
    Ok(name.strip_prefix("refs/remotes/origin/").and_then(|short| short.parse().ok()))
}

pub(crate) fn read_ref(git_dir: &Dir, name: &str) -> Result<Option<ObjectId>, CheckoutError> {
    let mut name = name.to_owned();
    for _ in 0..MAX_SYMREF_DEPTH {
        let path: Vec<&str> = name.split('/').collect();
        if path.first() != Some(&"refs") {
            break;
        }
        match read_loose(git_dir, &path)? {
            Some(RefFile::Object(id)) => return Ok(Some(id)),
            Some(RefFile::Symbolic(target)) => name = target,
            None => return read_packed(git_dir, &name),
        }
    }
    Err(CheckoutError::Unusual("a ref points in circles or out of refs/"))
}

fn read_loose(git_dir: &Dir, path: &[&str]) -> Result<Option<RefFile>, CheckoutError> {
    let (file, folders) = path.split_last().expect("a path has a last component");
    let Some(bytes) = read_file(git_dir, folders, file).map_err(CheckoutError::Io)? else { return Ok(None) };
    let broken = || CheckoutError::Unusual("one of its refs can't be read");
    let text = std::str::from_utf8(&bytes).map_err(|_| broken())?.trim_end();
    if let Some(target) = text.strip_prefix("ref:") {
        return Ok(Some(RefFile::Symbolic(target.trim_start().to_owned())));
    }
    text.parse().map(|id| Some(RefFile::Object(id))).map_err(|_| broken())
}

fn read_file(git_dir: &Dir, folders: &[&str], file: &str) -> io::Result<Option<Vec<u8>>> {
    let Some((first, rest)) = folders.split_first() else { return git_dir.read(file, MAX_REF_FILE) };
    match git_dir.folder(first) {
        Ok(dir) => read_file(&dir, rest, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_packed(git_dir: &Dir, name: &str) -> Result<Option<ObjectId>, CheckoutError> {
    let bytes = git_dir.read("packed-refs", MAX_PACKED_REFS).map_err(CheckoutError::Io)?.unwrap_or_default();
    let found = bytes.split(|&byte| byte == b'\n').find_map(|line| {
        let id = line.strip_suffix(name.as_bytes())?.strip_suffix(b" ")?;
        std::str::from_utf8(id).ok()?.parse().ok()
    });
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn id(c: char) -> ObjectId {
        c.to_string().repeat(40).parse().unwrap()
    }

    fn git_dir(files: &[(&str, &str)]) -> (tempfile::TempDir, Dir) {
        let temp = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = temp.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let dir = Dir::open(temp.path()).unwrap();
        (temp, dir)
    }

    #[test]
    fn heads_of_all_kinds() {
        let (a, b) = (id('a'), id('b'));
        let packed = format!("# pack-refs with: peeled\n{a} refs/heads/packed\n^{b}\n{b} refs/heads/x/packed\n");
        for (head, wanted) in [
            ("ref: refs/heads/loose/x\n".to_owned(), Head::Branch("loose/x".parse().unwrap(), Some(b.clone()))),
            ("ref: refs/heads/packed\n".to_owned(), Head::Branch("packed".parse().unwrap(), Some(a.clone()))),
            ("ref: refs/heads/new\n".to_owned(), Head::Branch("new".parse().unwrap(), None)),
            ("ref: refs/heads/alias\n".to_owned(), Head::Branch("alias".parse().unwrap(), Some(a.clone()))),
            (format!("{a}\n"), Head::Detached(a.clone())),
        ] {
            let (_temp, dir) = git_dir(&[
                ("HEAD", &head),
                ("packed-refs", &packed),
                ("refs/heads/loose/x", &format!("{b}\n")),
                ("refs/heads/alias", "ref: refs/heads/packed\n"),
            ]);
            assert_eq!(read_head(&dir).unwrap(), wanted);
        }
    }

    #[test]
    fn hostile_heads_are_refused() {
        for head in [
            "ref: refs/heads/../../../../etc/passwd",
            "ref: ../outside",
            "ref: refs/remotes/origin/main",
            "ref: refs/heads/loop",
            "ref: refs/heads/out",
            "ref: refs/heads/--upload-pack=x\n",
            "hello",
            "",
            "\u{0}",
        ] {
            let (_temp, dir) = git_dir(&[
                ("HEAD", head),
                ("outside", &"a".repeat(40)),
                ("refs/heads/loop", "ref: refs/heads/loop"),
                ("refs/heads/out", "ref: refs/../outside"),
            ]);
            assert!(read_head(&dir).is_err(), "{head:?}");
        }
        let (_temp, dir) = git_dir(&[]);
        assert!(matches!(read_head(&dir), Err(CheckoutError::NotARepository)));
    }

    #[test]
    fn refs_are_not_read_or_written_through_links() {
        let outside = tempfile::tempdir().unwrap();
        let (temp, dir) = git_dir(&[("HEAD", "ref: refs/heads/link/x"), ("refs/heads/main", "")]);
        fs::write(outside.path().join("x"), "a".repeat(40)).unwrap();
        symlink(outside.path(), temp.path().join("refs/heads/link")).unwrap();
        assert!(read_head(&dir).is_err());
        assert!(write_head(&dir, &Head::Branch("link/new".parse().unwrap(), Some(id('b')))).is_err());
        assert!(!outside.path().join("new").exists());
    }

    #[test]
    fn what_is_written_is_read() {
        let (_temp, dir) = git_dir(&[]);
        for head in [
            Head::Branch("a/b/c".parse().unwrap(), Some(id('a'))),
            Head::Branch("unborn".parse().unwrap(), None),
            Head::Detached(id('c')),
        ] {
            write_head(&dir, &head).unwrap();
            assert_eq!(read_head(&dir).unwrap(), head);
        }
    }

    #[test]
    fn the_origins_default_branch() {
        let (_temp, dir) = git_dir(&[("refs/remotes/origin/HEAD", "ref: refs/remotes/origin/dev/x\n")]);
        assert_eq!(read_origin_head(&dir).unwrap(), Some("dev/x".parse().unwrap()));
        let (_temp, dir) = git_dir(&[]);
        assert_eq!(read_origin_head(&dir).unwrap(), None);
    }
}
