//! The main job: a session, from what was asked to the notice with the branch link.
//!
//! [`pipeline`] is the job itself, one function that calls the six steps in order, each in a module of its own:
//! `resolve` → `preflight` → `checkout` → `agent` → `publish` → `announce`. The [`Engine`] queues sessions, runs them, records
//! every step in the event log, stops them, and after a crash finds the ones that were left behind.
//!
//! *Invariant:* no step holds a credential. Git goes through the gateway with a lease; only `environment` sees the
//! tokens, to put them where the agent expects them and to have them redacted.

mod agent;
mod announce;
mod assistants;
mod changes;
mod check;
mod checkout;
mod engine;
mod environment;
mod event_log;
mod events;
mod liveness;
mod output;
mod pipeline;
mod preflight;
mod project_losses;
mod projects;
mod prompt;
mod publish;
mod resolve;
mod run;
mod slots;
mod spec;
mod stop;

pub use assistants::{Assistants, MissingTool, NewAssistant, NewSlot, Saved};
pub use check::{CheckedRepository, ServedBy};
pub use engine::{Engine, EngineConfig};
pub use events::EventStream;
pub use project_losses::{Loss, LossKind};
pub use projects::ProjectChange;
pub use spec::{NewAgent, NewRepository, NewSession};
