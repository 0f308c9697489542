//! One OAuth client for all providers: stateless, without users or storage.
//!
//! What differs between providers is data, an [`OAuthProfile`]. [`OAuthProfile::authorization_url`] and [`Callback`] are the
//! browser's part; [`OAuthClient`] exchanges codes, refreshes, runs the device flow (RFC 8628) and revokes. After a failed
//! refresh [`OAuthError::outcome`] tells whether the refresh token may have been used up.

mod authorization;
mod client;
mod device;
mod error;
mod pkce;
mod profile;
mod refusal;
mod reply;
mod revoke;
mod sent;
#[cfg(test)]
mod tests;
mod tokens;

pub use authorization::Callback;
pub use client::OAuthClient;
pub use device::{DeviceAuthorization, DevicePoll};
pub use error::OAuthError;
pub use pkce::{Challenge, Pkce, State};
pub use profile::{ClientAuth, Issuer, OAuthApp, OAuthProfile, PkceUse, Revocation, Rotation, TokenAnswer};
pub use revoke::Revoked;
pub use tokens::Tokens;
