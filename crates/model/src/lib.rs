//! The nouns of Valetkey and their rules.
//!
//! Everything here is plain data and pure functions: no I/O, no async, no clock read, no random source. What a credential
//! is *for* (which host, which repository, which branch) and who may use it is decided by the types and functions of this
//! crate; the crates above only carry the decisions out.
//!
//! Start with [`SessionSpec`] (what is asked for), [`resolve`](fn@resolve) (which integration serves it), [`Grant`] (what a session may
//! then do) and [`PushPolicy`] (what it may push).

mod actor;
mod assistant;
mod audit;
mod audit_chain;
mod branch;
mod changes;
mod claims;
mod contents;
mod entropy;
mod grant;
mod ids;
mod instance_url;
mod integration;
mod problem;
mod project;
mod provider;
mod push_pattern;
mod push_policy;
mod repo_url;
mod resolve;
mod secret;
mod session;
mod webhook;

pub use actor::{Actor, Limits, Projects, Role};
pub use assistant::{Assistant, Pin, Slot, SlotState, SlotStatus, StartedFrom, Tools};
pub use audit::{AuditAction, AuditActor, AuditEntry, AuditEvent, AuditObject, AuditOutcome, RouteName};
pub use audit_chain::{AuditBreak, AuditHash, AuditMark, BreakKind};
pub use branch::{BranchName, BranchNameError};
pub use changes::{ChangedFile, Changes, FileStatus, LeftOut, RepositoryChanges};
pub use claims::{Admission, Claims};
pub use contents::{ContentsError, FilePath, Place, Revision};
pub use entropy::{Clock, Entropy};
pub use grant::{Grant, GrantedAccess, GrantedIntegration, GrantedRepository};
pub use ids::{
    Alias, AssistantId, AssistantName, AssistantRef, EngineId, GrantId, IntegrationChoice, IntegrationEventId,
    IntegrationId, IntegrationRef, NameError, OAuthAttemptId, ProjectName, SecretId, SessionId, TokenId, UserId,
    WebhookDeliveryId, WebhookId, is_deceptive,
};
pub use instance_url::{InstanceUrl, InstanceUrlError};
pub use integration::{
    Account, AuthMethod, CheckOutcome, Details, Installation, InstallationState, Integration, IntegrationView, Level,
    OwnerScope, Site, Status,
};
pub use problem::{Problem, ProblemCode, sentence};
pub use project::{Description, Project, ProjectCreation, ProjectSettings};
pub use provider::{ProviderKind, UnknownProvider};
pub use push_pattern::{PushPattern, PushPatternError, PushPlaceholders};
pub use push_policy::{NotAnObjectId, ObjectId, PushPolicy, RefUpdate, Verdict};
pub use repo_url::{RepoUrl, RepoUrlError};
pub use resolve::{Query, Reason, Resolution, resolve};
pub use secret::{SecretName, SecretOwner};
pub use session::{
    EventBody, LogStream, Phase, PhaseError, PhaseTimes, RepositoryRun, RepositorySpec, Session, SessionEvent,
    SessionSpec, Step, StepOutcome,
};
pub use webhook::{DeliveryState, WebhookEvent, WebhookUrl, WebhookUrlError};
