//! The program as people run it: spawned, against forges that behave as the real ones document.

mod canary;
mod commands;
mod connect;
mod consent;
mod git_credential;
mod real_gitea;
mod run;
mod secrets;
mod server;
mod settings_file;
mod support;
