//! This crate against the real git program and a forge made of it.

mod changes;
mod forge;
mod hostile_checkout;
mod hostile_history;
mod processes;
mod refused_push;
mod session;
