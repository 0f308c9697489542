//! Signing people in by OpenID Connect: what a relying party does.
//!
//! A [`RelyingParty`] is told its issuer and finds the rest by discovery. It uses the authorization code flow with PKCE and
//! a nonce; the state, nonce and verifier of a sign-in are its caller's to keep ([`AttemptSecrets`]). What comes out are
//! [`Claims`](valetkey_model::Claims) that the issuer signed. Only asymmetric algorithms count: a key that the whole world
//! knows must not be taken for a shared secret.

mod claims;
mod error;
mod issuer;
mod keys;
mod metadata;
mod party;
mod provider;
#[cfg(test)]
mod tests;
mod token;

pub use error::{OidcError, TokenFault};
pub use issuer::{IssuerUrl, IssuerUrlError};
pub use party::{AttemptSecrets, RelyingParty, RelyingPartyConfig};
