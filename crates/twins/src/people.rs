//! The people of a service, and the tokens they made by hand.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use crate::fixtures::{Account, Kind, Token, TokenState, User};
use crate::world::locked;

/// A token that a person made, not an app.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) account: Account,
    pub(crate) scopes: Vec<String>,
    pub(crate) state: TokenState,
}

impl Key {
    pub(crate) fn works(&self) -> bool {
        !matches!(self.state, TokenState::Expired | TokenState::Revoked)
    }
}

#[derive(Debug, Default)]
pub(crate) struct People {
    accounts: Mutex<Vec<Account>>,
    inactive: Mutex<BTreeSet<u64>>,
    keys: Mutex<HashMap<String, Key>>,
}

impl People {
    pub(crate) fn join(&self, user: User) -> Account {
        let mut accounts = locked(&self.accounts);
        let User { username, name, email } = user;
        let account = Account { id: accounts.len() as u64 + 1, username, name, email };
        accounts.push(account.clone());
        account
    }

    pub(crate) fn find(&self, id: u64) -> Option<Account> {
        locked(&self.accounts).iter().find(|account| account.id == id).cloned()
    }

    pub(crate) fn leave(&self, account: &Account) {
        locked(&self.inactive).insert(account.id);
    }

    pub(crate) fn has_left(&self, account: &Account) -> bool {
        locked(&self.inactive).contains(&account.id)
    }

    /// Remembers a token under its value, or the one made up for it.
    pub(crate) fn add_key(&self, account: &Account, token: Token, made_up: impl FnOnce() -> String) -> String {
        let value = token.value.unwrap_or_else(made_up);
        let scopes = match token.kind {
            Kind::Scoped(scopes) => scopes,
            Kind::FineGrained(permissions) | Kind::App { permissions, .. } => {
                permissions.into_iter().map(|(name, _)| name).collect()
            }
        };
        let key = Key { account: account.clone(), scopes, state: token.state };
        locked(&self.keys).insert(value.clone(), key);
        value
    }

    pub(crate) fn key(&self, value: &str) -> Option<Key> {
        locked(&self.keys).get(value).cloned()
    }

    pub(crate) fn set_state(&self, value: &str, state: TokenState) -> bool {
        locked(&self.keys).get_mut(value).map(|key| key.state = state).is_some()
    }
}
