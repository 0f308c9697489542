//! File access below a folder that somebody hostile owns: no symbolic link is followed, no pipe is waited for.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, fstat, mkdirat, openat, renameat, unlinkat};

/// An open folder. Names given to it are single path components.
pub(crate) struct Dir(OwnedFd);

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Written first, then renamed over what it replaces.
const NEW_FILE: &str = "valetkey-new";

impl Dir {
    /// Opens a folder that is not a symbolic link itself; the path that leads to it is trusted.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(openat(CWD, path, FOLDER, Mode::empty())?))
    }

    pub(crate) fn folder(&self, name: &str) -> io::Result<Self> {
        Ok(Self(openat(self.fd(), component(name)?, FOLDER, Mode::empty())?))
    }

    pub(crate) fn folder_or_new(&self, name: &str) -> io::Result<Self> {
        match mkdirat(self.fd(), component(name)?, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => self.folder(name),
            Err(error) => Err(error.into()),
        }
    }

    /// The content of a regular file of at most `limit` bytes; `None` if there is none, or a folder in its place.
    pub(crate) fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(self.fd(), component(name)?, flags, Mode::empty()) {
            Ok(file) => file,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match FileType::from_raw_mode(fstat(&file)?.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Ok(None),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file")),
        }
        let mut bytes = Vec::new();
        File::from(file).take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is too large"));
        }
        Ok(Some(bytes))
    }

    /// Makes `name` a file with `bytes`, at once or not at all.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        match unlinkat(self.fd(), NEW_FILE, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(self.fd(), NEW_FILE, flags, Mode::from_raw_mode(0o666))?);
        file.write_all(bytes)?;
        drop(file);
        Ok(renameat(self.fd(), NEW_FILE, self.fd(), component(name)?)?)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn component(name: &str) -> io::Result<&str> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file name"));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder() -> (tempfile::TempDir, Dir) {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        (temp, dir)
    }

    #[test]
    fn reads_and_replaces_plain_files() {
        let (_temp, dir) = folder();
        assert_eq!(dir.read("a", 10).unwrap(), None);
        dir.replace("a", b"one").unwrap();
        dir.replace("a", b"two").unwrap();
        assert_eq!(dir.read("a", 3).unwrap().unwrap(), b"two");
        assert!(dir.read("a", 2).is_err());
        let below = dir.folder_or_new("x").unwrap();
        below.replace("b", b"").unwrap();
        assert_eq!(dir.folder("x").unwrap().read("b", 0).unwrap().unwrap(), b"");
    }

    #[test]
    fn links_and_pipes_are_not_followed() {
        let (temp, dir) = folder();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        symlink(outside.path().join("secret"), temp.path().join("link")).unwrap();
        symlink(outside.path(), temp.path().join("folder")).unwrap();
        symlink(outside.path().join("made"), temp.path().join(NEW_FILE)).unwrap();
        rustix::fs::mknodat(CWD, temp.path().join("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert!(dir.read("link", 10).is_err());
        assert!(dir.read("pipe", 10).is_err());
        assert!(dir.folder("folder").is_err());
        assert!(dir.folder_or_new("folder").is_err());
        assert!(Dir::open(&temp.path().join("folder")).is_err());
        dir.replace("link", b"mine").unwrap();
        assert_eq!(std::fs::read(outside.path().join("secret")).unwrap(), b"s");
        assert!(!outside.path().join("made").exists());
    }

    #[test]
    fn names_are_single_components() {
        let (_temp, dir) = folder();
        for name in ["", ".", "..", "a/b", "../x", "a\0"] {
            assert!(
                dir.read(name, 1).is_err() && dir.replace(name, b"").is_err() && dir.folder(name).is_err(),
                "{name:?}"
            );
        }
    }
}
