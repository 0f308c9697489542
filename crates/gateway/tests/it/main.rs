//! Git itself, as a session's agent runs it, against the gateway with a forge behind it.
#![expect(clippy::disallowed_methods, reason = "the tests are the agent: they run git")]

mod bench;
mod pull;
mod push;
mod revoked;
mod without;
