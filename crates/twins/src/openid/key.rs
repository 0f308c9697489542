//! What an OpenID provider signs with.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Keys take long to make: the twins of a process share these.
static KEYS: [OnceLock<KeyPair>; 4] = [const { OnceLock::new() }; 4];

/// One of the shared keys, by its number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key(usize);

impl Key {
    pub(super) fn first() -> Self {
        Self(0)
    }

    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    fn pair(self) -> &'static KeyPair {
        KEYS[self.0 % KEYS.len()].get_or_init(|| KeyPair::generate(KeySize::Rsa2048).expect("a key"))
    }

    fn id(self) -> String {
        format!("key-{}", self.0)
    }

    /// The half that everybody may know.
    pub(super) fn jwk(self) -> Value {
        let public = self.pair().public_key();
        let n = URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero());
        let e = URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero());
        json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id(), "n": n, "e": e })
    }

    /// A JSON web token with these claims.
    pub(super) fn sign(self, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({ "alg": "RS256", "typ": "JWT", "kid": self.id() })), part(claims));
        let pair = self.pair();
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).expect("a signature");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
