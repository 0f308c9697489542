use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use valetkey_model::Entropy;
use valetkey_seal::{Secret, TokenHash, mint};

/// What ties an authorization to the browser session that asked for it: random, used once.
#[derive(Debug, Clone)]
pub struct State(Secret<String>);

impl State {
    /// A new one.
    pub fn new(entropy: &dyn Entropy) -> Self {
        Self(mint("", entropy))
    }

    /// One that its caller keeps, and compares when it comes back.
    pub fn of(value: Secret<String>) -> Self {
        Self(value)
    }

    /// What is stored to recognise it when it comes back.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of_secret(&self.0)
    }

    #[expect(clippy::disallowed_methods, reason = "the state is a parameter of the authorization page")]
    pub(super) fn parameter(&self) -> &str {
        self.0.expose()
    }
}

/// Proof that who exchanges a code is who asked for it (RFC 7636).
#[derive(Debug, Clone)]
pub struct Pkce {
    verifier: Secret<String>,
    challenge: Challenge,
}

/// What of a [`Pkce`] may be seen by anyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge(String);

impl Pkce {
    /// A new one, of 256 random bits.
    pub fn new(entropy: &dyn Entropy) -> Self {
        Self::of(mint("", entropy))
    }

    /// That of a verifier.
    #[expect(clippy::disallowed_methods, reason = "only the hash leaves")]
    pub fn of(verifier: Secret<String>) -> Self {
        let digest = digest::digest(&digest::SHA256, verifier.expose().as_bytes());
        let challenge = Challenge(URL_SAFE_NO_PAD.encode(digest));
        Self { verifier, challenge }
    }

    /// What is kept for the exchange.
    pub fn verifier(&self) -> &Secret<String> {
        &self.verifier
    }

    /// What the authorization page is given.
    pub fn challenge(&self) -> &Challenge {
        &self.challenge
    }
}

impl Challenge {
    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
