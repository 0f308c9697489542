//! The parts of Slack's answers that are used.

use serde::Deserialize;
use valetkey_model::Account;

use crate::{account::Described, api::one_line};

/// Whose token it is.
#[derive(Deserialize)]
pub(super) struct Test {
    #[serde(default)]
    team: String,
    team_id: String,
    #[serde(default)]
    user: String,
    user_id: String,
    bot_id: Option<String>,
}

impl Test {
    pub(super) fn is_bot(&self) -> bool {
        self.bot_id.is_some()
    }

    pub(super) fn team(&self) -> Option<String> {
        Some(one_line(&self.team)).filter(|team| !team.is_empty())
    }

    /// Ids of users are unique only in their workspace.
    pub(super) fn account(&self) -> Option<Account> {
        let plain = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
        (plain(&self.team_id) && plain(&self.user_id)).then(|| {
            Account::from(Described {
                id: format!("{}/{}", self.team_id, self.user_id),
                username: &self.user,
                name: None,
                emails: &[],
            })
        })
    }
}

/// What became of a wish to revoke.
#[derive(Deserialize)]
pub(super) struct Revocation {
    #[serde(default)]
    pub(super) revoked: bool,
}

pub(super) fn scope_list(header: &str) -> Vec<String> {
    header.split(',').map(one_line).filter(|scope| !scope.is_empty()).collect()
}
