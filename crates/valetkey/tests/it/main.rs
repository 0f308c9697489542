//! The program as people run it: spawned, against forges that behave as the real ones document.

mod canary;
mod commands;
mod connect;
mod git_credential;
mod run;
mod server;
mod support;
