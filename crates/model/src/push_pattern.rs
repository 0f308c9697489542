use std::{borrow::Cow, fmt, str::FromStr};

use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{BranchName, BranchNameError, SessionId};

/// How the branches are named that sessions push to: `agents/{session}`, `{user}/{date}-{session}`.
///
/// `{session}` is the end of the session's id and comes exactly once, so that no two sessions meet on one branch;
/// `{user}` is who started it; `{date}` is the day. Whatever the values, what comes out is a valid branch name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PushPattern {
    text: String,
    before: Vec<Part>,
    after: Vec<Part>,
}

/// A piece of a pattern on one side of `{session}`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    User,
    Date,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushPatternError {
    /// A brace that is not one of the placeholders'.
    #[error("a push pattern knows the placeholders {{session}}, {{user}} and {{date}}, and no other braces")]
    Placeholder,
    /// Two sessions could meet on one branch, or it can't be told which part is the session's.
    #[error("a push pattern holds {{session}} exactly once, so that no two sessions push to one branch")]
    Session,
    /// What would come out is no branch name.
    #[error("a push pattern makes branch names, and this one makes what is {}", .0.to_string())]
    Branch(#[from] BranchNameError),
}

/// What the placeholders of a [`PushPattern`] stand for.
#[derive(Debug, Clone, Copy)]
pub struct PushPlaceholders<'a> {
    /// The session.
    pub session: &'a SessionId,
    /// The name of who started it, in any form; a branch gets its letters and digits.
    pub user: &'a str,
    /// When.
    pub at: Timestamp,
}

/// The end of a version 7 UUID is its random part: two sessions of one second differ there.
const SESSION_DIGITS: usize = 12;
const MOST_OF_A_NAME: usize = 40;
const DATE: &str = "%Y-%m-%d";
const DATE_LENGTH: usize = 10;

impl PushPattern {
    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The branch of a session.
    pub fn branch(&self, of: PushPlaceholders<'_>) -> BranchName {
        let id = of.session.as_str();
        let filled = self.filled(&id[id.len() - SESSION_DIGITS..], &slug(of.user), &of.at.strftime(DATE).to_string());
        filled
            .parse()
            .expect("the values are plain letters, digits and inner dashes, and the pattern was tried with such")
    }

    /// Whether a branch that somebody named could come of this pattern for them: on any day, and with any text without
    /// a `/` in the place of the session's id.
    pub fn admits(&self, branch: &BranchName, user: &str) -> bool {
        let user = slug(user);
        let Some(rest) = strip_all(branch.as_str(), &self.before, &user, Side::Start) else { return false };
        let named = strip_all(rest, &self.after, &user, Side::End);
        named.is_some_and(|session| !session.is_empty() && !session.contains('/'))
    }

    fn filled(&self, session: &str, user: &str, date: &str) -> String {
        let mut out = String::new();
        let mut put = |parts: &[Part]| {
            for part in parts {
                out.push_str(match part {
                    Part::Literal(text) => text,
                    Part::User => user,
                    Part::Date => date,
                });
            }
        };
        put(&self.before);
        put(&[Part::Literal(session.to_owned())]);
        put(&self.after);
        out
    }
}

impl Default for PushPattern {
    /// `valetkey/{session}`, for projects that have none of their own.
    fn default() -> Self {
        "valetkey/{session}".parse().expect("a pattern")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Start,
    End,
}

/// What is left of `text` once the parts are taken off one of its sides.
fn strip_all<'a>(text: &'a str, parts: &[Part], user: &str, side: Side) -> Option<&'a str> {
    let mut rest = text;
    let strip = |rest: &'a str, part: &Part| match (part, side) {
        (Part::Literal(literal), Side::Start) => rest.strip_prefix(literal.as_str()),
        (Part::Literal(literal), Side::End) => rest.strip_suffix(literal.as_str()),
        (Part::User, Side::Start) => rest.strip_prefix(user),
        (Part::User, Side::End) => rest.strip_suffix(user),
        (Part::Date, Side::Start) => {
            rest.split_at_checked(DATE_LENGTH).filter(|(date, _)| is_date(date)).map(|it| it.1)
        }
        (Part::Date, Side::End) => {
            let at = rest.len().checked_sub(DATE_LENGTH)?;
            rest.split_at_checked(at).filter(|(_, date)| is_date(date)).map(|it| it.0)
        }
    };
    match side {
        Side::Start => parts.iter().try_for_each(|part| strip(rest, part).map(|left| rest = left))?,
        Side::End => parts.iter().rev().try_for_each(|part| strip(rest, part).map(|left| rest = left))?,
    }
    Some(rest)
}

fn is_date(text: &str) -> bool {
    Date::strptime(DATE, text).is_ok_and(|date| date.strftime(DATE).to_string() == text)
}

/// A name as a part of a branch: lower-case letters, digits and inner dashes; never empty.
fn slug(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        if out.len() == MOST_OF_A_NAME {
            break;
        }
    }
    let out = out.trim_end_matches('-');
    if out.is_empty() { "somebody".to_owned() } else { out.to_owned() }
}

impl FromStr for PushPattern {
    type Err = PushPatternError;

    fn from_str(text: &str) -> Result<Self, PushPatternError> {
        let text = text.trim();
        let (before, after) = text.split_once("{session}").ok_or(PushPatternError::Session)?;
        if after.contains("{session}") {
            return Err(PushPatternError::Session);
        }
        let pattern = Self { text: text.to_owned(), before: parts(before)?, after: parts(after)? };
        // Values differ in their length alone as far as git's rules go: all are letters and digits with inner dashes.
        let longest = pattern.filled(&"0".repeat(SESSION_DIGITS), &"a".repeat(MOST_OF_A_NAME), "2026-01-31");
        longest.parse::<BranchName>()?;
        Ok(pattern)
    }
}

fn parts(text: &str) -> Result<Vec<Part>, PushPatternError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (literal, placeholder) = rest.split_at(open);
        parts.extend((!literal.is_empty()).then(|| Part::Literal(literal.to_owned())));
        let (part, behind) = match (placeholder.strip_prefix("{user}"), placeholder.strip_prefix("{date}")) {
            (Some(behind), _) => (Part::User, behind),
            (_, Some(behind)) => (Part::Date, behind),
            (None, None) => return Err(PushPatternError::Placeholder),
        };
        parts.push(part);
        rest = behind;
    }
    parts.extend((!rest.is_empty()).then(|| Part::Literal(rest.to_owned())));
    let stray = |part: &Part| matches!(part, Part::Literal(text) if text.contains('}'));
    if parts.iter().any(stray) { Err(PushPatternError::Placeholder) } else { Ok(parts) }
}

impl TryFrom<String> for PushPattern {
    type Error = PushPatternError;
    fn try_from(text: String) -> Result<Self, PushPatternError> {
        text.parse()
    }
}

impl From<PushPattern> for String {
    fn from(pattern: PushPattern) -> String {
        pattern.text
    }
}

impl fmt::Display for PushPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for PushPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PushPattern({})", self.text)
    }
}

impl JsonSchema for PushPattern {
    fn schema_name() -> Cow<'static, str> {
        "PushPattern".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "examples": ["agents/{session}", "{user}/{date}-{session}"] })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn session() -> SessionId {
        "018f0000-0000-7000-8000-0123456789ab".parse().unwrap()
    }

    fn pattern(text: &str) -> PushPattern {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn branch(text: &str, user: &str) -> String {
        let at = "2026-11-21T23:30:00Z".parse().unwrap();
        pattern(text).branch(PushPlaceholders { session: &session(), user, at }).as_str().to_owned()
    }

    #[test]
    fn the_placeholders_are_filled() {
        assert_eq!(branch("agents/{session}", "x"), "agents/0123456789ab");
        assert_eq!(branch("{user}/{date}-{session}", "Jörg  O'Neil "), "j-rg-o-neil/2026-11-21-0123456789ab");
        assert_eq!(branch("{session}.{user}", "李"), "0123456789ab.somebody");
        assert_eq!(branch(PushPattern::default().as_str(), "x"), "valetkey/0123456789ab");
    }

    #[test]
    fn what_can_make_no_branch_or_one_for_two_sessions_is_no_pattern() {
        for bad in ["", "agents", "agents/{user}", "{session}/{session}"] {
            assert_eq!(bad.parse::<PushPattern>(), Err(PushPatternError::Session), "{bad}");
        }
        for bad in ["{session}/{branch}", "{session}}", "{{session}", "{session}/{", "{User}/{session}"] {
            assert_eq!(bad.parse::<PushPattern>(), Err(PushPatternError::Placeholder), "{bad}");
        }
        let long = format!("{}{{session}}", "x".repeat(240));
        for bad in [
            "-{session}",
            "a//{session}",
            "../{session}",
            "{session}.lock",
            "a b/{session}",
            "{session}/",
            "a\u{202e}{session}",
            &long,
        ] {
            assert!(matches!(bad.parse::<PushPattern>(), Err(PushPatternError::Branch(_))), "{bad}");
        }
    }

    #[test]
    fn a_pattern_is_a_rule_for_branches_that_people_name() {
        let rule = pattern("agents/{user}/{date}-{session}");
        for (name, fits) in [
            ("agents/ann/2026-11-21-fix-login", true),
            ("agents/ann/2024-02-29-x", true),
            ("agents/ann/2026-02-30-x", false),
            ("agents/ann/2026-11-21-", false),
            ("agents/ann/2026-11-21-a/b", false),
            ("agents/bob/2026-11-21-x", false),
            ("main", false),
            ("x/agents/ann/2026-11-21-x", false),
        ] {
            assert_eq!(rule.admits(&name.parse().unwrap(), "Ann"), fits, "{name}");
        }
        let around = pattern("a{session}a");
        assert!(!around.admits(&"a".parse().unwrap(), "x"), "the same letter is not both ends");
        assert!(!pattern("{session}-{date}").admits(&"日本-日本日本".parse().unwrap(), "x"), "and no character is cut");
    }

    proptest! {
        #[test]
        fn whatever_a_pattern_makes_is_a_branch_that_it_admits(
            text in "[a-c./@{}é-]{0,6}(\\{user\\}|\\{date\\}|)[a-c./@-]{0,4}\\{session\\}[a-c./-]{0,3}(\\{user\\}|\\{date\\}|.lock|)[a-c./]{0,3}",
            user in "\\PC{0,60}",
            second in 0_i64..4_000_000_000,
            id in any::<u128>(),
        ) {
            if let Ok(pattern) = text.parse::<PushPattern>() {
                let session: SessionId = uuid::Uuid::from_u128(id).to_string().parse().unwrap();
                let at = Timestamp::from_second(second).unwrap();
                let branch = pattern.branch(PushPlaceholders { session: &session, user: &user, at });
                prop_assert!(branch.as_str().parse::<BranchName>().is_ok());
                prop_assert!(pattern.admits(&branch, &user), "{branch} of {pattern}");
                prop_assert_eq!(pattern.to_string().parse::<PushPattern>().unwrap(), pattern);
            }
        }
    }
}
