use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{Jwk, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

/// No real issuer has more at a time.
const MOST_KEYS: usize = 100;

/// The public keys of an issuer.
#[derive(Debug, Clone, Default)]
pub(super) struct KeySet(Vec<Jwk>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a JSON Web Key Set. Keys that are not for signatures, or of a kind that is not known here, are left out;
    /// `None` for what is no key set.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let Document { keys } = serde_json::from_slice(body).ok()?;
        let read = keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let signing =
            |key: &Jwk| key.common.public_key_use.as_ref().is_none_or(|what| *what == PublicKeyUse::Signature);
        Some(Self(read.filter(signing).take(MOST_KEYS).collect()))
    }

    /// The keys that a token of this key id and algorithm may have been signed with. Without an id, all that fit.
    pub(super) fn fitting(&self, kid: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = DecodingKey> {
        let named = move |key: &&Jwk| kid.is_none_or(|kid| key.common.key_id.as_deref() == Some(kid));
        let meant =
            move |key: &&Jwk| key.common.key_algorithm.is_none_or(|own| Algorithm::try_from(own) == Ok(algorithm));
        let keys = self.0.iter().filter(named).filter(meant).filter_map(|key| DecodingKey::from_jwk(key).ok());
        keys.filter(move |key| key.family() == algorithm.family())
    }
}
