//! What the person in front of the browser decides, chosen by the test beforehand.

use crate::fixtures::Account;

/// The answer to an authorization request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// Access is given.
    Approve {
        /// As whom.
        account: Account,
        /// Fewer scopes than were asked for; all of them if `None`.
        scopes: Option<Vec<String>>,
    },
    /// Access is denied.
    Deny,
}

impl Consent {
    /// Gives all that is asked for.
    pub fn approve(account: &Account) -> Self {
        Self::Approve { account: account.clone(), scopes: None }
    }

    /// Gives only these scopes.
    pub fn approve_only<'a>(account: &Account, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Approve { account: account.clone(), scopes: Some(scopes.into_iter().map(str::to_owned).collect()) }
    }
}

/// What becomes of a device code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceDecision {
    /// The person decides.
    Decide(Consent),
    /// The next poll comes too soon: it is told to slow down, and the interval grows by 5 seconds.
    SlowDown,
    /// The code's time is over.
    Expire,
}
