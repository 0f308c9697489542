//! The only place where a credential meets a request.
//!
//! A session's git is told (by `url.….insteadOf`) that its repositories live at this loopback listener, under a path
//! that starts with the session's lease. Each request is judged anew: is the lease alive, does its grant name the repository,
//! and, for a push, does its policy allow every ref? Only then the credential is attached and the request
//! streamed to the one host that it belongs to. Nothing is buffered but the command list of a push.
//!
//! *Invariant:* the upstream address is built from the grant, never from the request.

mod address;
mod answer;
mod credential;
mod fast_forward;
mod forward;
mod listener;
mod push;
mod recheck;
mod stream;

pub use listener::{Gateway, Timing};
