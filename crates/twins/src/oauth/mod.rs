//! An authorization server that each twin speaks in its provider's dialect.
//!
//! [`Authority`] is what a test holds: it registers apps, chooses the next consents, and ends tokens. Underneath,
//! `ledger` keeps the codes, device codes and token families, `endpoints` serves them, and a `Dialect` says, as data,
//! where a provider departs from RFC 6749, 7009, 7636 and 8628.
//!
//! To mount it for another provider:
//! 1. Write `fn dialect() -> Dialect`: start from `Dialect::standard(Paths { … })` and override, by struct update, only
//!    what the provider does otherwise (`credentials`, `refusal`, `success`, `rotation`, `lifetimes`, `mint`, …).
//! 2. Hold an `Authority::new(base_url, dialect())` in the twin's state, in an `Arc`.
//! 3. Merge `oauth::routes(&authority)` into the twin's router; it fits a router of any state.
//! 4. On an API route, ask `authority.lookup(token)`: it gives the account, the scopes, the app, and whether the token
//!    works, expired or was revoked.
//! 5. A revocation route of the provider's own calls `authority.end(token)`.
//! 6. Give tests the handle: `pub fn oauth(&self) -> &Authority`.
//! 7. Losing an answer, or refusing before anything happened, is for every route alike: [`Mishap`](crate::Mishap).

mod app;
mod authority;
mod consent;
mod dialect;
mod endpoints;
mod ledger;
mod parameters;
mod refusal;

pub use app::OAuthApp;
pub use authority::{Authority, Tokens};
pub use consent::{Consent, DeviceDecision};
pub use ledger::TokenLife;

pub(crate) use dialect::{Answers, Dialect, Lifetimes, Minted, Paths, Place, Rotation, bearer, plain};
pub(crate) use endpoints::{redirect, routes};
pub(crate) use ledger::{Granted, Issued};
pub(crate) use parameters::basic_credentials;
pub(crate) use refusal::Refusal;
