//! The server as its users meet it: requests in, answers out, with forges that behave like the real ones behind it.

mod access;
mod ambient;
mod bounds;
mod canary;
mod documents;
mod harness;
mod integrations;
mod pages;
mod sessions;
mod sign_in;
mod tokens;
