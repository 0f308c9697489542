//! Whole sessions: a real engine, real git, a forge that behaves as the providers document, and shell scripts as agents.
#![expect(clippy::disallowed_methods, reason = "some tests look at processes and start git themselves")]

mod agents;
mod assistants;
mod bench;
mod canary;
mod changes;
mod checking;
mod credentials;
mod ends;
mod forges;
mod hostile;
mod publishing;
mod secrets;
mod without;
