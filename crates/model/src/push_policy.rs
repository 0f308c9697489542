use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::BranchName;

/// An object's name: 40 (SHA-1) or 64 (SHA-256) lower-case hex digits.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectId(String);

impl ObjectId {
    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// All zeros: how git writes "no object" when a ref is made or deleted.
    pub fn is_zero(&self) -> bool {
        self.0.bytes().all(|b| b == b'0')
    }
}

impl FromStr for ObjectId {
    type Err = NotAnObjectId;
    fn from_str(text: &str) -> Result<Self, NotAnObjectId> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if matches!(text.len(), 40 | 64) && text.bytes().all(hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnObjectId)
        }
    }
}

impl TryFrom<String> for ObjectId {
    type Error = NotAnObjectId;
    fn try_from(text: String) -> Result<Self, NotAnObjectId> {
        text.parse()
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> String {
        id.0
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no object id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an object id")]
pub struct NotAnObjectId;

/// One command of a push: set `name` from `old` to `new`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// What the client believes the ref to be; zero to make it.
    pub old: ObjectId,
    /// What it shall become; zero to delete it.
    pub new: ObjectId,
    /// The full ref, `refs/heads/…`.
    pub name: String,
}

/// What a session may push to one repository: one branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PushPolicy {
    /// The only branch that may be updated.
    pub branch: BranchName,
    /// Whether its history may be replaced.
    pub allow_force: bool,
}

/// What a [`PushPolicy`] says of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Let it through.
    Allowed,
    /// Let it through if `new` descends from `old`; the command alone can't tell.
    AllowedIfFastForward,
    /// Refuse it, with the words that git shows behind the ref.
    Refused(String),
}

impl PushPolicy {
    /// Judges one command.
    pub fn judge(&self, update: &RefUpdate) -> Verdict {
        if update.name.starts_with("refs/tags/") {
            return Verdict::Refused("this session may not push tags".to_owned());
        }
        if update.name != self.branch.full_ref() {
            return Verdict::Refused(format!("this session may push only to {}", self.branch));
        }
        if update.new.is_zero() {
            return Verdict::Refused("this session may not delete branches".to_owned());
        }
        if update.old.is_zero() || self.allow_force { Verdict::Allowed } else { Verdict::AllowedIfFastForward }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(old: char, new: char, name: &str) -> RefUpdate {
        let id = |c: char| c.to_string().repeat(40).parse().unwrap();
        RefUpdate { old: id(old), new: id(new), name: name.to_owned() }
    }

    #[test]
    fn one_branch_and_nothing_else() {
        let policy = PushPolicy { branch: "feature/x".parse().unwrap(), allow_force: false };
        assert_eq!(policy.judge(&update('0', 'a', "refs/heads/feature/x")), Verdict::Allowed);
        assert_eq!(policy.judge(&update('b', 'a', "refs/heads/feature/x")), Verdict::AllowedIfFastForward);
        for (update, why) in [
            (update('0', 'a', "refs/heads/main"), "only to feature/x"),
            (update('0', 'a', "refs/heads/feature/x2"), "only to feature/x"),
            (update('0', 'a', "refs/heads/feature"), "only to feature/x"),
            (update('0', 'a', "feature/x"), "only to feature/x"),
            (update('0', 'a', "refs/tags/v1"), "tags"),
            (update('0', 'a', "refs/for/feature/x"), "only to feature/x"),
            (update('a', '0', "refs/heads/feature/x"), "delete"),
        ] {
            let Verdict::Refused(text) = policy.judge(&update) else { panic!("{update:?} was let through") };
            assert!(text.contains(why), "{text}");
        }
    }

    #[test]
    fn force_only_when_asked_and_never_delete() {
        let policy = PushPolicy { branch: "x".parse().unwrap(), allow_force: true };
        assert_eq!(policy.judge(&update('b', 'a', "refs/heads/x")), Verdict::Allowed);
        assert!(matches!(policy.judge(&update('a', '0', "refs/heads/x")), Verdict::Refused(_)));
    }
}
