//! Which credential a session would use, and whether it may push, before it is started.

use serde::Serialize;
use valetkey_model::Problem;
use valetkey_sessions::CheckedRepository;

use crate::pages::form::ProblemView;

/// What a session would find at one repository, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct CheckView {
    can_push: bool,
    served_by: Option<ServedBy>,
    default_branch: Option<String>,
    problem: Option<ProblemView>,
}

/// The integration that a session would use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ServedBy {
    id: String,
    alias: String,
    provider: &'static str,
    username: String,
    reason: String,
}

impl From<CheckedRepository> for CheckView {
    fn from(checked: CheckedRepository) -> Self {
        let CheckedRepository { served_by, default_branch, problem, .. } = checked;
        let served_by = served_by.map(|(integration, reason)| ServedBy {
            id: integration.id.to_string(),
            alias: integration.alias.to_string(),
            provider: integration.provider.name(),
            username: integration.account.username,
            reason,
        });
        Self { can_push: problem.is_none(), served_by, default_branch, problem: problem.as_ref().map(Into::into) }
    }
}

impl CheckView {
    /// Nothing could be asked.
    pub(super) fn refused(problem: &Problem) -> Self {
        Self { can_push: false, served_by: None, default_branch: None, problem: Some(problem.into()) }
    }
}
