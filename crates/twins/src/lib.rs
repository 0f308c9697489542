//! Twins: servers that behave as GitLab and GitHub document, with real git behind them.
//!
//! Tests, the demo and the benchmarks talk to a twin instead of a provider. A [`Twin`] runs in this process, starts in
//! a few milliseconds and stops when it is dropped. It is given users, tokens and repositories, answers the part of
//! the provider's API that Valetkey uses, and serves git over HTTP through git's own `http-backend`. A [`Journal`] entry
//! is kept of every request, and a [`Switch`] turns a fault of the real world on while the twin runs.
//!
//! A twin's clock does not rule: a token is expired when its state says so. Web pages need no sign-in.

mod access;
mod admission;
mod auth;
mod cgi;
mod door;
mod faults;
mod fixtures;
mod git;
mod github;
mod gitlab;
mod html;
mod journal;
mod limits;
mod listener;
mod pages;
mod paging;
mod seed;
mod smart_http;
mod tls;
mod twin;
mod world;

pub use access::{AccessLevel, Visibility};
pub use faults::{Surface, Switch};
pub use fixtures::{Account, ExpirationFormat, Repository, Token, TokenState, User};
pub use git::Commit;
pub use journal::{Journal, Recorded};
pub use twin::{Builder, Forge, Twin};
pub use world::PullRequest;
