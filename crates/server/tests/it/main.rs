//! The server as its users meet it: requests in, answers out, with forges that behave like the real ones behind it.

mod access;
mod ambient;
mod ambient_contents;
mod bounds;
mod browser;
mod canary;
mod consent_pages;
mod documents;
mod events_and_numbers;
mod harness;
mod integrations;
mod life;
mod oauth;
mod pages;
mod provider_apps;
mod repositories;
mod rights;
mod secrets;
mod session_credentials;
mod sessions;
mod sign_in;
mod tokens;
