//! The store's behaviour as its callers see it. `support` says how to run these on PostgreSQL instead of SQLite.

mod access;
mod integrations;
mod paging;
mod removal;
mod sessions;
mod sqlite;
mod support;
