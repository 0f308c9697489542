use std::{
    fmt,
    sync::{Arc, RwLock},
};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use valetkey_model::Entropy;
use zeroize::Zeroizing;

use crate::{
    KeyFile, KeyFileError, Secret,
    keyfile::{KeyFileLock, KeyId, MasterKey},
};

/// What a sealed record is: kind, id and version. Bound into the seal, so that a record copied elsewhere does not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity(String);

impl Identity {
    /// The identity of version `generation` of the `kind` record with this id. Parts are length-prefixed: no two
    /// different triples are ever the same identity.
    pub fn new(kind: &str, id: &str, generation: i64) -> Self {
        Self(format!("{}:{kind}{}:{id}{generation}", kind.len(), id.len()))
    }
}

/// Sealed bytes as they are stored: version, key id, wrapped data key, nonce, ciphertext and tag.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// From storage. Nothing is checked until it is opened.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// For storage.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// Why something can't be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The master keys can't be had.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// Sealed under a master key that the key file no longer (or never) has.
    #[error(
        "sealed under master key {0}, which the key file does not hold; restore the key file that belongs to this database"
    )]
    UnknownKey(KeyId),
    /// Too short, another version, changed, or another record's.
    #[error("a sealed record does not open: it was changed, belongs to another record, or the key file is another one")]
    DoesNotOpen,
}

const VERSION: u8 = 1;
const ID: usize = 8;
const NONCE: usize = 12;
const TAG: usize = 16;
const KEY: usize = 32;
const WRAPPED: usize = NONCE + KEY + TAG;
const HEADER: usize = 1 + ID + WRAPPED;

/// Seals and opens secrets under the master keys of one [`KeyFile`].
pub struct Sealer {
    file: KeyFile,
    keys: RwLock<Vec<MasterKey>>,
    entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Sealer {
    /// A sealer with the file's keys.
    ///
    /// # Errors
    /// When the keys can't be loaded.
    pub fn new(file: KeyFile, entropy: Arc<dyn Entropy>) -> Result<Self, SealError> {
        let keys = RwLock::new(file.load()?);
        Ok(Self { file, keys, entropy })
    }

    /// Seals `plain` for the record `identity`, under a data key of its own.
    #[expect(clippy::disallowed_methods, reason = "this is where a secret is encrypted")]
    pub fn seal(&self, identity: &Identity, plain: &Secret<String>) -> Sealed {
        let mut data_key = Zeroizing::new([0; KEY]);
        self.entropy.fill(data_key.as_mut());
        let mut bytes = vec![VERSION];
        let keys = self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        bytes.extend(self.wrap(keys.last().expect("a loaded key file has keys"), identity, data_key.as_ref()));
        bytes.extend(self.encrypt(data_key.as_ref(), &payload_aad(identity), plain.expose().as_bytes()));
        Sealed(bytes)
    }

    /// Opens what was sealed for the record `identity`.
    ///
    /// # Errors
    /// [`SealError`]; there is no partial result.
    pub fn open(&self, identity: &Identity, sealed: &Sealed) -> Result<Secret<String>, SealError> {
        let data_key = self.unwrap(identity, sealed)?;
        let plain = decrypt(&data_key, &payload_aad(identity), &sealed.0[HEADER..])?;
        let text = std::str::from_utf8(&plain).map_err(|_| SealError::DoesNotOpen)?;
        Ok(Secret::from(text))
    }

    /// The same record under the newest master key; `None` if it already is. The payload is not touched.
    ///
    /// # Errors
    /// When the old wrapping does not open.
    pub fn rewrap(&self, identity: &Identity, sealed: &Sealed) -> Result<Option<Sealed>, SealError> {
        let data_key = self.unwrap(identity, sealed)?;
        let keys = self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let newest = keys.last().expect("a loaded key file has keys");
        if newest.id == key_id(sealed)? {
            return Ok(None);
        }
        let mut bytes = vec![VERSION];
        bytes.extend(self.wrap(newest, identity, data_key.as_ref()));
        bytes.extend_from_slice(&sealed.0[HEADER..]);
        Ok(Some(Sealed(bytes)))
    }

    /// Adds a master key, under which everything is sealed from now on, here at once and in other processes when they
    /// meet it. The old ones stay until [`Rotation::finish`].
    ///
    /// # Errors
    /// When another rotation is under way or the key file can't be replaced.
    pub fn begin_rotation(&self) -> Result<Rotation<'_>, SealError> {
        let lock = self.file.lock()?;
        self.file.add(&*self.entropy)?;
        self.reload()?;
        Ok(Rotation { sealer: self, _lock: lock })
    }

    /// Whether `sealed` is under the newest master key of the file as it is now. Who stores a record asks this *after*
    /// storing it and seals it again if not: a rotation may have passed between the two.
    ///
    /// # Errors
    /// When the key file can't be read.
    pub fn is_current(&self, sealed: &Sealed) -> Result<bool, SealError> {
        self.reload()?;
        let keys = self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(keys.last().expect("a loaded key file has keys").id == key_id(sealed)?)
    }

    /// Reads the key file again, as after a rotation by another process.
    ///
    /// # Errors
    /// When it can't be read; the keys stay as they are.
    pub fn reload(&self) -> Result<(), SealError> {
        let keys = self.file.load()?;
        *self.keys.write().unwrap_or_else(std::sync::PoisonError::into_inner) = keys;
        Ok(())
    }

    fn unwrap(&self, identity: &Identity, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let id = key_id(sealed)?;
        if let Some(opened) = self.unwrap_with_loaded(&id, identity, sealed) {
            return opened;
        }
        self.reload()?;
        self.unwrap_with_loaded(&id, identity, sealed).unwrap_or(Err(SealError::UnknownKey(id)))
    }

    fn unwrap_with_loaded(
        &self,
        id: &KeyId,
        identity: &Identity,
        sealed: &Sealed,
    ) -> Option<Result<Zeroizing<Vec<u8>>, SealError>> {
        let keys = self.keys.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let key = keys.iter().find(|key| key.id == *id)?;
        Some(decrypt(key.bytes.as_ref(), &wrap_aad(id, identity), &sealed.0[1 + ID..HEADER]))
    }

    fn wrap(&self, master: &MasterKey, identity: &Identity, data_key: &[u8]) -> Vec<u8> {
        let mut bytes = master.id.0.to_vec();
        bytes.extend(self.encrypt(master.bytes.as_ref(), &wrap_aad(&master.id, identity), data_key));
        bytes
    }

    fn encrypt(&self, key: &[u8], aad: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE];
        self.entropy.fill(&mut nonce);
        let mut body = plain.to_vec();
        let tag = gcm(key)
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut body)
            .expect("AES-GCM takes every length that fits in memory");
        [nonce.as_slice(), &body, tag.as_ref()].concat()
    }
}

/// A change of master keys under way; no other process can begin one meanwhile.
#[derive(Debug)]
pub struct Rotation<'a> {
    sealer: &'a Sealer,
    _lock: KeyFileLock,
}

impl Rotation<'_> {
    /// Forgets every master key but the newest. Only once everything is [rewrapped](Sealer::rewrap).
    ///
    /// # Errors
    /// When the key file can't be replaced; then all keys stay.
    pub fn finish(self) -> Result<(), SealError> {
        self.sealer.file.retire_old(&*self.sealer.entropy)?;
        self.sealer.reload()
    }
}

fn gcm(key: &[u8]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("the key has 32 bytes"))
}

fn decrypt(key: &[u8], aad: &[u8], bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (nonce, body) = bytes.split_at_checked(NONCE).ok_or(SealError::DoesNotOpen)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::DoesNotOpen)?;
    let mut body = Zeroizing::new(body.to_vec());
    let plain = gcm(key).open_in_place(nonce, Aad::from(aad), &mut body).map_err(|_| SealError::DoesNotOpen)?.len();
    body.truncate(plain);
    Ok(body)
}

fn key_id(sealed: &Sealed) -> Result<KeyId, SealError> {
    if sealed.0.len() < HEADER + NONCE + TAG || sealed.0[0] != VERSION {
        return Err(SealError::DoesNotOpen);
    }
    Ok(KeyId(sealed.0[1..=ID].try_into().expect("8 bytes")))
}

fn wrap_aad(key: &KeyId, identity: &Identity) -> Vec<u8> {
    [b"valetkey data key ".as_slice(), &key.0, identity.0.as_bytes()].concat()
}

fn payload_aad(identity: &Identity) -> Vec<u8> {
    [b"valetkey payload ".as_slice(), identity.0.as_bytes()].concat()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look inside")]
mod tests {
    use super::*;
    use crate::SystemEntropy;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn sealer(folder: &tempfile::TempDir) -> Sealer {
        let file = KeyFile::open_or_create(folder.path().join("master.key"), &SystemEntropy).unwrap();
        Sealer::new(file, Arc::new(SystemEntropy)).unwrap()
    }

    fn id(generation: i64) -> Identity {
        Identity::new("integration", "a", generation)
    }

    #[test]
    fn opens_only_as_the_record_it_was_sealed_for() {
        let folder = tempfile::tempdir().unwrap();
        let sealer = sealer(&folder);
        let sealed = sealer.seal(&id(1), &Secret::from("glpat-x"));
        assert_eq!(sealer.open(&id(1), &sealed).unwrap().expose(), "glpat-x");
        assert!(!sealed.as_bytes().windows(7).any(|w| w == b"glpat-x"));
        for other in [id(2), Identity::new("integration", "b", 1), Identity::new("token", "a", 1)] {
            assert!(matches!(sealer.open(&other, &sealed), Err(SealError::DoesNotOpen)));
        }
        assert_ne!(Identity::new("ab", "c", 1), Identity::new("a", "bc", 1));
    }

    #[test]
    fn rotation_keeps_everything_open_also_for_another_process() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (sealer(&folder), sealer(&folder));
        let old = a.seal(&id(1), &Secret::from("x"));
        let rotation = a.begin_rotation().unwrap();
        assert!(matches!(b.begin_rotation(), Err(SealError::Keys(KeyFileError::Busy { .. }))));
        assert!(!a.is_current(&old).unwrap());
        let new = a.rewrap(&id(1), &old).unwrap().expect("sealed under the old key");
        assert_eq!(b.open(&id(1), &new).unwrap().expose(), "x", "the other process meets a key it has not loaded");
        assert_eq!(a.rewrap(&id(1), &new).unwrap(), None);
        assert!(b.is_current(&new).unwrap());
        rotation.finish().unwrap();
        assert_eq!(a.open(&id(1), &new).unwrap().expose(), "x");
        assert!(matches!(a.open(&id(1), &old), Err(SealError::UnknownKey(_))));
    }

    #[test]
    fn the_key_file_is_private_and_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let file = KeyFile::open_or_create(&path, &SystemEntropy).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(file.load(), Err(KeyFileError::Exposed { mode: 0o644, .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "# nothing\nnonsense\n").unwrap();
        assert!(matches!(file.load(), Err(KeyFileError::Damaged { line: 2, .. })));
        std::fs::write(&path, "").unwrap();
        assert!(file.load().is_err());
    }

    proptest! {
        #[test]
        fn any_change_fails_closed(at in 0usize..200, flip in 1u8..=255, cut in 0usize..200) {
            let folder = tempfile::tempdir().unwrap();
            let sealer = sealer(&folder);
            let sealed = sealer.seal(&id(1), &Secret::from("a secret of some length"));
            let mut changed = sealed.as_bytes().to_vec();
            let n = at % changed.len();
            changed[n] ^= flip;
            prop_assert!(sealer.open(&id(1), &Sealed::from_bytes(changed)).is_err());
            let cut = sealed.as_bytes()[..cut % sealed.as_bytes().len()].to_vec();
            prop_assert!(sealer.open(&id(1), &Sealed::from_bytes(cut)).is_err());
        }
    }
}
