//! The server's outside: REST, the routes that clients of Ambient Code Platform use, server-sent events, the pages.
//!
//! Every route is one row of one table; the router, the OpenAPI document and the authorisation test come
//! from it. A handler parses, calls one function of the layers below, and answers: rules live there, not here.
//!
//! [`router`] makes the service, [`serve`] gives it a listener. The command line calls the same service inside its own
//! process: [`as_admin`] gives it an identity that no request from outside can claim.

mod acp;
mod api;
mod app;
mod audit;
mod audit_words;
mod auth;
mod client;
mod docs;
mod events;
mod extract;
mod health;
mod metrics;
mod oauth;
mod openapi;
mod pages;
mod people;
mod problem;
mod route;
mod router;
mod routes;
mod serve;
mod sign_in;

pub use app::{App, AppConfig};
pub use route::{Permission, Right, RouteSummary};
pub use router::{as_admin, router};
pub use routes::summaries;
pub use serve::serve;
pub use sign_in::{IdentityProvider, SignIn, TrustedProxy};
