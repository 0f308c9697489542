use std::fmt;

use aws_lc_rs::{constant_time, digest, hmac};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use valetkey_model::Entropy;

use crate::Secret;

/// The operating system's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        // Not through the crypto library: its own generator first measures the processor for 30 ms.
        getrandom::fill(bytes).expect("the operating system has random bytes");
    }
}

/// A new bearer token: `prefix` and 256 random bits in URL-safe base64.
pub fn mint(prefix: &str, entropy: &dyn Entropy) -> Secret<String> {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    entropy.fill(bytes.as_mut());
    Secret::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes.as_ref())))
}

/// Another secret, made of this one and what it is for: 256 bits in URL-safe base64 (HMAC-SHA256). Whoever knows one of
/// them learns nothing of the others.
#[expect(clippy::disallowed_methods, reason = "only what is derived leaves")]
pub fn derive(secret: &Secret<String>, purpose: &str) -> Secret<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    Secret::new(URL_SAFE_NO_PAD.encode(hmac::sign(&key, purpose.as_bytes())))
}

/// Whether what was presented is the secret. How long it takes says nothing but whether the lengths are the same.
#[expect(clippy::disallowed_methods, reason = "only the verdict leaves")]
pub fn is_same(secret: &Secret<String>, presented: &str) -> bool {
    constant_time::verify_slices_are_equal(secret.expose().as_bytes(), presented.as_bytes()).is_ok()
}

/// What is stored of a minted token: its SHA-256 in hex. Enough to recognise it, useless to guess 256 random bits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TokenHash(String);

impl TokenHash {
    /// The hash of a presented token.
    pub fn of(token: &str) -> Self {
        use std::fmt::Write as _;
        let digest = digest::digest(&digest::SHA256, token.as_bytes());
        Self(digest.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        }))
    }

    /// The hash of a secret.
    #[expect(clippy::disallowed_methods, reason = "only the hash leaves")]
    pub fn of_secret(token: &Secret<String>) -> Self {
        Self::of(token.expose())
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look inside")]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_has_a_secret_of_its_own() {
        let (a, b) = (mint("", &SystemEntropy), mint("", &SystemEntropy));
        let state = derive(&a, "state");
        assert_eq!(state.expose().len(), 43);
        assert!(is_same(&state, derive(&a, "state").expose()));
        for other in [derive(&a, "nonce"), derive(&b, "state"), a.clone(), Secret::from("")] {
            assert!(!is_same(&state, other.expose()));
        }
    }

    #[test]
    fn tokens_are_long_distinct_and_safe_in_a_path() {
        let a = mint("vk_", &SystemEntropy);
        let b = mint("vk_", &SystemEntropy);
        assert_ne!(a.expose(), b.expose());
        assert_eq!(a.expose().len(), 3 + 43);
        assert!(a.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
        assert_eq!(TokenHash::of(a.expose()), TokenHash::of_secret(&a));
        assert_eq!(TokenHash::of("abc").as_str(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
