//! Keys made for the tests, and what they sign.

use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// Who signs tokens.
pub(in crate::oidc) trait Signer {
    fn algorithm(&self) -> &'static str;
    fn kid(&self) -> &'static str;
    fn signature(&self, text: &[u8]) -> Vec<u8>;

    fn header(&self) -> Value {
        json!({ "alg": self.algorithm(), "kid": self.kid(), "typ": "JWT" })
    }

    fn sign(&self, claims: &Value) -> String {
        self.sign_with(&self.header(), claims)
    }

    fn sign_with(&self, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let signature = encoded(self.signature(text.as_bytes()));
        format!("{text}.{signature}")
    }
}

pub(in crate::oidc) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(in crate::oidc) struct Rsa {
    kid: &'static str,
    pair: RsaKeyPair,
    pub(in crate::oidc) algorithm: &'static str,
}

pub(in crate::oidc) static RSA: LazyLock<Rsa> = LazyLock::new(|| Rsa::new("rsa-1"));

impl Rsa {
    pub(in crate::oidc) fn new(kid: &'static str) -> Self {
        Self { kid, pair: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(), algorithm: "RS256" }
    }

    pub(in crate::oidc) fn jwk(&self) -> Value {
        let public = self.pair.public_key();
        let (n, e) =
            (public.modulus().big_endian_without_leading_zero(), public.exponent().big_endian_without_leading_zero());
        json!({ "kty": "RSA", "kid": self.kid, "use": "sig", "n": encoded(n), "e": encoded(e) })
    }

    /// The public key as it is found in files.
    pub(in crate::oidc) fn public_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self.pair.public_key().as_der().unwrap();
        der.as_ref().to_vec()
    }
}

impl Signer for Rsa {
    fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    fn kid(&self) -> &'static str {
        self.kid
    }

    fn signature(&self, text: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let padding = if self.algorithm == "PS256" {
            &RSA_PSS_SHA256
        } else {
            &RSA_PKCS1_SHA256 as &dyn aws_lc_rs::signature::RsaEncoding
        };
        self.pair.sign(padding, &SystemRandom::new(), text, &mut signature).unwrap();
        signature
    }
}

pub(in crate::oidc) struct P256(EcdsaKeyPair);

impl P256 {
    pub(in crate::oidc) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(in crate::oidc) fn jwk(&self) -> Value {
        let point = self.0.public_key().as_ref();
        json!({ "kty": "EC", "crv": "P-256", "kid": self.kid(), "alg": "ES256", "x": encoded(&point[1..33]), "y": encoded(&point[33..]) })
    }
}

impl Signer for P256 {
    fn algorithm(&self) -> &'static str {
        "ES256"
    }

    fn kid(&self) -> &'static str {
        "ec-1"
    }

    fn signature(&self, text: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec()
    }
}

pub(in crate::oidc) struct Ed25519(Ed25519KeyPair);

impl Ed25519 {
    pub(in crate::oidc) fn new() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    pub(in crate::oidc) fn jwk(&self) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.kid(), "x": encoded(self.0.public_key().as_ref()) })
    }
}

impl Signer for Ed25519 {
    fn algorithm(&self) -> &'static str {
        "EdDSA"
    }

    fn kid(&self) -> &'static str {
        "ed-1"
    }

    fn signature(&self, text: &[u8]) -> Vec<u8> {
        self.0.sign(text).as_ref().to_vec()
    }
}

/// A forger, who knows what everybody knows and takes it for a shared secret.
pub(in crate::oidc) struct PublicKeyAsSecret(pub(in crate::oidc) Vec<u8>);

impl Signer for PublicKeyAsSecret {
    fn algorithm(&self) -> &'static str {
        "HS256"
    }

    fn kid(&self) -> &'static str {
        "rsa-1"
    }

    fn signature(&self, text: &[u8]) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), text).as_ref().to_vec()
    }
}
