//! The store's behaviour as its callers see it. `support` says how to run these on PostgreSQL instead of SQLite.

mod access;
mod assistants;
mod audit;
mod audit_rate;
mod authorizations;
mod census;
mod checks;
mod integrations;
mod life;
mod paging;
mod people;
mod projects;
mod provider_apps;
mod refresh;
mod removal;
mod secrets;
mod sessions;
mod sqlite;
mod support;
mod upgrade;
mod webhooks;
