//! The part of JQL that this twin understands: conditions joined by `AND`, then an order, which is ignored.

use super::board::Issue;
use super::refusal::Refusal;

/// Conditions that an issue must meet, all of them.
pub(super) struct Query(Vec<Condition>);

enum Condition {
    Is(Field, String),
    Contains(String),
    /// A condition on dates: every issue of a twin is new.
    Recent,
}

enum Field {
    Project,
    Key,
    Status,
}

impl Query {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let conditions = text.to_ascii_lowercase().find("order by").map_or(text, |order| &text[..order]);
        let conditions = split_and(conditions).into_iter().map(str::trim).filter(|condition| !condition.is_empty());
        conditions.map(Condition::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Without a condition, a query is for everything there is.
    pub(super) fn is_unbounded(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn matches(&self, issue: &Issue) -> bool {
        self.0.iter().all(|condition| condition.holds(issue))
    }
}

/// Cuts at each `AND`, however it is written. Lower case has the same length in ASCII.
fn split_and(text: &str) -> Vec<&str> {
    let lower = text.to_ascii_lowercase();
    let mut parts = Vec::new();
    let mut start = 0;
    for (position, separator) in lower.match_indices(" and ") {
        parts.push(&text[start..position]);
        start = position + separator.len();
    }
    parts.push(&text[start..]);
    parts
}

impl Condition {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let wrong =
            || Refusal::bad_request(&format!("Error in the JQL Query: this twin does not understand '{text}'."));
        let at = text.find(['=', '~', '>', '<']).ok_or_else(wrong)?;
        let field = text[..at].trim().to_ascii_lowercase();
        let operator = &text[at..=at];
        let value = text[at + 1..].trim_start_matches('=').trim().trim_matches(['"', '\'']).to_owned();
        match (field.as_str(), operator) {
            ("project", "=") => Ok(Self::Is(Field::Project, value)),
            ("key" | "issue" | "issuekey", "=") => Ok(Self::Is(Field::Key, value)),
            ("status", "=") => Ok(Self::Is(Field::Status, value)),
            ("summary" | "text", "~") => Ok(Self::Contains(value.to_lowercase())),
            ("created" | "updated", ">" | "<") => Ok(Self::Recent),
            _ => Err(wrong()),
        }
    }

    fn holds(&self, issue: &Issue) -> bool {
        match self {
            Self::Is(Field::Project, key) => issue.project.eq_ignore_ascii_case(key),
            Self::Is(Field::Key, key) => issue.key().eq_ignore_ascii_case(key),
            Self::Is(Field::Status, status) => issue.status.name().eq_ignore_ascii_case(status),
            Self::Contains(text) => issue.summary.to_lowercase().contains(text),
            Self::Recent => true,
        }
    }
}
