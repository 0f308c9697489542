use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{AuditEntry, AuditEvent, NameError, ProblemCode, ProjectName, SessionId, UserId};

/// A SHA-256 that ties an entry of the audit trail to all before it. As text, 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AuditHash([u8; 32]);

impl AuditHash {
    /// What stands before the first entry.
    pub const START: Self = Self([0; 32]);
}

impl fmt::Display for AuditHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for AuditHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditHash({self})")
    }
}

impl FromStr for AuditHash {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut hash = [0; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let fits = pairs.len() == hash.len() && rest.is_empty();
        let parsed = fits.then(|| {
            hash.iter_mut().zip(pairs).try_for_each(|(out, [high, low])| {
                *out = digit(*high)? * 16 + digit(*low)?;
                Some(())
            })
        });
        match parsed.flatten() {
            Some(()) => Ok(Self(hash)),
            None => Err(NameError::new("hash", "must be 64 hexadecimal digits in lower case")),
        }
    }
}

impl TryFrom<String> for AuditHash {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<AuditHash> for String {
    fn from(hash: AuditHash) -> Self {
        hash.to_string()
    }
}

impl JsonSchema for AuditHash {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AuditHash".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}

/// A place in the trail: what was the last entry up to there, and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditMark {
    /// The entry's number; 0 before the first.
    pub seq: i64,
    /// Its hash.
    pub hash: AuditHash,
}

impl AuditMark {
    /// Before the first entry.
    pub const START: Self = Self { seq: 0, hash: AuditHash::START };

    /// The entry that this event becomes behind the mark.
    pub fn entry(self, event: AuditEvent) -> AuditEntry {
        let seq = self.seq + 1;
        let hash = hash_of(seq, &event, self.hash);
        AuditEntry { seq, event, previous: self.hash, hash }
    }

    /// The mark behind `entry`, if that is what follows here.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn follow(self, entry: &AuditEntry) -> Result<Self, AuditBreak> {
        let broken = |why| Err(AuditBreak { seq: entry.seq.min(self.seq + 1), why });
        if entry.seq > self.seq + 1 {
            return broken(BreakKind::Missing);
        }
        if entry.seq <= self.seq {
            return broken(BreakKind::OutOfOrder);
        }
        if entry.previous != self.hash {
            return broken(BreakKind::Unlinked);
        }
        if !entry.is_intact() {
            return broken(BreakKind::Changed);
        }
        Ok(Self { seq: entry.seq, hash: entry.hash })
    }
}

impl fmt::Display for AuditMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl FromStr for AuditMark {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let wrong = || NameError::new("mark", "must be SEQ:HASH, as `valetkey audit verify` prints it");
        let (seq, hash) = text.split_once(':').ok_or_else(wrong)?;
        let seq = seq.parse().ok().filter(|seq| *seq >= 0).ok_or_else(wrong)?;
        Ok(Self { seq, hash: hash.parse().map_err(|_| wrong())? })
    }
}

impl AuditEntry {
    /// Whether its hash is that of what it says.
    pub fn is_intact(&self) -> bool {
        hash_of(self.seq, &self.event, self.previous) == self.hash
    }

    /// The mark behind it.
    pub fn mark(&self) -> AuditMark {
        AuditMark { seq: self.seq, hash: self.hash }
    }
}

/// Where the trail does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditBreak {
    /// The number of the first entry that is not as it was written, or not there.
    pub seq: i64,
    /// What is wrong there.
    pub why: BreakKind,
}

/// What can be wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakKind {
    /// It is not there.
    Missing,
    /// It is there again, or behind one that came later.
    OutOfOrder,
    /// It does not belong to the entry before it: one of the two was replaced.
    Unlinked,
    /// It does not say what it said when it was written.
    Changed,
    /// It can't be read.
    Unreadable,
    /// It is behind the last entry that was written.
    Added,
    /// Its hash is not the one that was noted down elsewhere.
    NotAsNoted,
}

impl fmt::Display for AuditBreak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            BreakKind::Missing => "is missing",
            BreakKind::OutOfOrder => "is out of order",
            BreakKind::Unlinked => "does not belong to the one before it",
            BreakKind::Changed => "was changed after it was written",
            BreakKind::Unreadable => "can't be read",
            BreakKind::Added => "was added behind the last one that was written",
            BreakKind::NotAsNoted => "does not have the hash that was noted down",
        };
        write!(f, "entry {} {why}", self.seq)
    }
}

/// Behind the previous hash comes every field, each as its length and its bytes, or as a mark that it is not there: two
/// entries that differ anywhere are different bytes.
fn hash_of(seq: i64, event: &AuditEvent, previous: AuditHash) -> AuditHash {
    let mut digest = Sha256::new();
    digest.update(previous.0);
    digest.update(canonical(seq, event));
    AuditHash(digest.finalize().into())
}

/// The bytes of an entry that its hash covers, docs/audit.md describes them.
fn canonical(seq: i64, event: &AuditEvent) -> Vec<u8> {
    let AuditEvent { at, actor, on_behalf_of, action, object, project, session, from, outcome, code, detail } = event;
    let mut out = b"valetkey audit 1\n".to_vec();
    let mut field = |text: Option<&str>| match text {
        None => out.push(0),
        Some(text) => {
            out.push(1);
            out.extend((text.len() as u64).to_be_bytes());
            out.extend(text.as_bytes());
        }
    };
    field(Some(&seq.to_string()));
    field(Some(&at.as_millisecond().to_string()));
    field(actor.as_str());
    field(on_behalf_of.as_ref().map(UserId::as_str));
    field(Some(action.as_str()));
    field(object.as_ref().map(|object| object.kind.as_str()));
    field(object.as_ref().map(|object| object.id.as_str()));
    field(project.as_ref().map(ProjectName::as_str));
    field(session.as_ref().map(SessionId::as_str));
    field(from.map(|address| address.to_string()).as_deref());
    field(Some(outcome.as_str()));
    field(code.map(ProblemCode::as_str));
    for (name, value) in detail {
        field(Some(name));
        field(Some(value));
    }
    out
}

#[cfg(test)]
#[path = "audit_chain_tests.rs"]
mod tests;
