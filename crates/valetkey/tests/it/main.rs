//! The program as people run it: spawned, against forges that behave as the real ones document.

mod assistants;
mod audit;
mod browser;
mod canary;
mod commands;
mod connect;
mod consent;
mod git_credential;
mod people;
mod projects;
mod real_gitea;
mod real_identity_provider;
mod run;
mod secrets;
mod server;
mod settings_file;
mod support;
mod webhooks;
