//! The database: everything that outlives a process.
//!
//! One SQL text serves SQLite (one person's machine, or a small server) and PostgreSQL (several replicas). Credentials
//! come in sealed and go out sealed; nothing here can open them. What is acknowledged is on disk, what does not parse is
//! [`StoreError::Damaged`], and every change that spans rows is one transaction.
//!
//! [`Store`] is the handle; its methods are in the module of the noun that they are about. Several processes may use one
//! database at once. Moments are passed in and kept to the millisecond.

mod assistant;
mod audit;
mod audit_appends;
mod audit_check;
mod census;
mod check;
mod conditions;
mod credential;
mod database_url;
mod error;
mod event;
mod grant;
mod integration;
mod integration_event;
mod member;
mod meta;
mod migrations;
mod oauth_attempt;
mod people;
mod project;
mod project_repository;
mod provider_app;
mod purge;
mod record;
mod refresh;
mod removal;
mod sealed;
mod secret;
mod session;
mod session_changes;
mod sign_in;
mod sqlite;
mod store;
mod token;
mod user;
mod webhook;
mod webhook_delivery;

pub use assistant::AssistantFilter;
pub use audit::AuditFilter;
pub use audit_check::AuditReport;
pub use census::Census;
pub use check::{CheckRecord, Finding, Recorded};
pub use credential::Reconnection;
pub use database_url::{DatabaseUrl, DatabaseUrlError};
pub use error::StoreError;
pub use integration::{Everybodys, IntegrationFilter, Owner};
pub use integration_event::IntegrationEvent;
pub use member::{KnownMember, LastAdmin, Member, MemberName, MemberNameError};
pub use oauth_attempt::{AttemptWay, OAuthAttempt, Taken};
pub use people::Person;
pub use project::ProjectContents;
pub use project_repository::{ProjectRepository, RepositoryCheck};
pub use provider_app::{AppOrigin, ProviderApp, ProviderAppKey};
pub use refresh::{Claim, RefreshLease, Refreshed};
pub use removal::{Removal, RemovalMode};
pub use sealed::{Keeper, StoredCredential};
pub use secret::{SecretRecord, SecretsKept};
pub use session::SessionFilter;
pub use sign_in::{SignInWay, WebSession};
pub use store::Store;
pub use token::TokenRecord;
pub use user::UserRecord;
pub use webhook::{Webhook, WebhookChange};
pub use webhook_delivery::{Afterwards, AttemptRecord, Delivery, NewDelivery};
