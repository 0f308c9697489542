use std::{
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use valetkey_model::Entropy;
use zeroize::Zeroizing;

/// Names a master key: 8 hex digits, chosen at random when the key is made.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyId(pub(crate) [u8; 8]);

impl KeyId {
    fn parse(text: &str) -> Option<Self> {
        let id: [u8; 8] = text.as_bytes().try_into().ok()?;
        id.iter().all(u8::is_ascii_hexdigit).then_some(Self(id))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

pub(crate) struct MasterKey {
    pub(crate) id: KeyId,
    pub(crate) bytes: Zeroizing<[u8; 32]>,
}

impl MasterKey {
    pub(crate) fn generate(entropy: &dyn Entropy) -> Self {
        let (mut id, mut bytes) = ([0; 4], Zeroizing::new([0; 32]));
        entropy.fill(&mut id);
        entropy.fill(bytes.as_mut());
        let id = format!("{:08x}", u32::from_be_bytes(id));
        Self { id: KeyId(id.into_bytes().try_into().expect("8 hex digits")), bytes }
    }

    fn parse(line: &str) -> Option<Self> {
        let (id, key) = line.split_once(' ')?;
        let bytes = Zeroizing::new(STANDARD.decode(key).ok()?);
        Some(Self { id: KeyId::parse(id)?, bytes: Zeroizing::new(bytes.as_slice().try_into().ok()?) })
    }

    fn line(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{} {}\n", self.id, STANDARD.encode(self.bytes.as_ref())))
    }
}

/// The file that holds the master keys: a line each, `id base64(32 bytes)`, the newest last; lines with `#` are comments.
///
/// It is only ever replaced whole and atomically, so that a crash leaves the old or the new one.
#[derive(Debug, Clone)]
pub struct KeyFile {
    path: PathBuf,
}

/// An exclusive lock that the system releases when this is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct KeyFileLock {
    _file: File,
}

/// Why the master keys can't be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Reading or writing failed.
    #[error("the master key file {path} can't be used")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its content is not keys.
    #[error("the master key file {path} is damaged in line {line}; restore it from your backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first bad line, from 1.
        line: usize,
    },
    /// Another process changes it.
    #[error("another rotation of the master key file {path} is under way; wait for it to end")]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// Others may read it.
    #[error("the master key file {path} may be read by others (mode {mode:o}); run: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl KeyFile {
    /// The key file at `path`; made with one fresh key and mode 0600 if there is none.
    ///
    /// # Errors
    /// When it can't be read or made, is damaged, or may be read by group or others.
    pub fn open_or_create(path: impl Into<PathBuf>, entropy: &dyn Entropy) -> Result<Self, KeyFileError> {
        let file = Self { path: path.into() };
        if !file.path.exists() {
            // Linked into place only when whole; whoever comes second uses the first one's.
            let temporary = file.write_temporary(&[MasterKey::generate(entropy)], entropy)?;
            let linked = fs::hard_link(&temporary, &file.path);
            fs::remove_file(&temporary).map_err(|e| file.io(e))?;
            match linked {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(file.io(e)),
                _ => {}
            }
        }
        file.load()?;
        Ok(file)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All keys, the newest last; at least one.
    pub(crate) fn load(&self) -> Result<Vec<MasterKey>, KeyFileError> {
        let mut file = File::open(&self.path).map_err(|e| self.io(e))?;
        let mode = file.metadata().map_err(|e| self.io(e))?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Exposed { path: self.path.clone(), mode });
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(|e| self.io(e))?;
        let damaged = |line| KeyFileError::Damaged { path: self.path.clone(), line };
        let keys = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty())
            .map(|(n, line)| MasterKey::parse(line).ok_or_else(|| damaged(n + 1)))
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(damaged(1)) } else { Ok(keys) }
    }

    /// Keeps other processes from changing the file until dropped.
    pub(crate) fn lock(&self) -> Result<KeyFileLock, KeyFileError> {
        let path = self.path.with_extension("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|e| self.io(e))?;
        match file.try_lock() {
            Ok(()) => Ok(KeyFileLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(KeyFileError::Busy { path: self.path.clone() }),
            Err(TryLockError::Error(e)) => Err(self.io(e)),
        }
    }

    /// Adds a fresh key, which everything is sealed under from now on.
    pub(crate) fn add(&self, entropy: &dyn Entropy) -> Result<(), KeyFileError> {
        let mut keys = self.load()?;
        keys.push(MasterKey::generate(entropy));
        self.replace(&keys, entropy)
    }

    /// Forgets all keys but the newest.
    pub(crate) fn retire_old(&self, entropy: &dyn Entropy) -> Result<(), KeyFileError> {
        let newest = self.load()?.pop().expect("load returns at least one key");
        self.replace(&[newest], entropy)
    }

    fn replace(&self, keys: &[MasterKey], entropy: &dyn Entropy) -> Result<(), KeyFileError> {
        let temporary = self.write_temporary(keys, entropy)?;
        fs::rename(&temporary, &self.path).map_err(|e| self.io(e))?;
        let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|dir| dir.sync_all()).map_err(|e| self.io(e))
    }

    fn write_temporary(&self, keys: &[MasterKey], entropy: &dyn Entropy) -> Result<PathBuf, KeyFileError> {
        let mut unique = [0; 4];
        entropy.fill(&mut unique);
        let path = self.path.with_extension(format!("{:08x}.new", u32::from_be_bytes(unique)));
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(|e| self.io(e))?;
        file.write_all(b"# Valetkey master keys. Whoever has this file and the database has every credential.\n")
            .and_then(|()| keys.iter().try_for_each(|key| file.write_all(key.line().as_bytes())))
            .and_then(|()| file.sync_all())
            .map_err(|e| self.io(e))?;
        Ok(path)
    }

    fn io(&self, source: io::Error) -> KeyFileError {
        KeyFileError::Io { path: self.path.clone(), source }
    }
}
