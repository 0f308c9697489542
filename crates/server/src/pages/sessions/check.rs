//! Which credential a session would use, and whether it may push, before it is started.

use serde::Serialize;
use valetkey_model::{Integration, Problem};
use valetkey_sessions::{CheckedRepository, ServedBy};

use crate::pages::form::ProblemView;

/// What a session would find at one repository, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct CheckView {
    can_push: bool,
    served_by: Option<Account>,
    /// Why no integration is used, where none is.
    without: Option<String>,
    default_branch: Option<String>,
    problem: Option<ProblemView>,
}

/// The integration that a session would use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Account {
    id: String,
    alias: String,
    provider: &'static str,
    username: String,
    reason: String,
}

impl From<CheckedRepository> for CheckView {
    fn from(checked: CheckedRepository) -> Self {
        let can_push = checked.can_push();
        let CheckedRepository { served_by, default_branch, problem, .. } = checked;
        let (served_by, without) = match served_by {
            Some(ServedBy::Integration(integration, reason)) => (Some(Account::new(*integration, reason)), None),
            Some(ServedBy::Nothing(why)) => (None, Some(why)),
            None => (None, None),
        };
        Self { can_push, served_by, without, default_branch, problem: problem.as_ref().map(Into::into) }
    }
}

impl Account {
    fn new(integration: Integration, reason: String) -> Self {
        Self {
            id: integration.id.to_string(),
            alias: integration.alias.to_string(),
            provider: integration.provider.name(),
            username: integration.account.username,
            reason,
        }
    }
}

impl CheckView {
    /// Nothing could be asked.
    pub(super) fn refused(problem: &Problem) -> Self {
        Self { can_push: false, served_by: None, without: None, default_branch: None, problem: Some(problem.into()) }
    }
}
