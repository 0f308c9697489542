//! Accounts as providers describe them. Their names end up on pages, in terminals and in the environment of processes, so
//! what can't be seen is taken out here, once.

use std::fmt;

use valetkey_model::{Account, is_deceptive};

/// No provider lets a person have more.
const LONGEST: usize = 255;

/// What a provider says of an account.
pub(crate) struct Described<'a, Id> {
    pub(crate) id: Id,
    pub(crate) username: &'a str,
    pub(crate) name: Option<&'a str>,
    /// The best one first.
    pub(crate) emails: &'a [Option<&'a str>],
}

impl<Id: fmt::Display> From<Described<'_, Id>> for Account {
    /// An account whose user name shows nothing goes by its id.
    fn from(described: Described<'_, Id>) -> Self {
        let id = visible(&described.id.to_string()).unwrap_or_default();
        Self {
            username: visible(described.username).unwrap_or_else(|| id.clone()),
            name: described.name.and_then(visible),
            email: described.emails.iter().flatten().copied().find_map(visible),
            id,
        }
    }
}

/// The text on one line, without hidden characters and not too long, if anything is left.
fn visible(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !is_deceptive(*c) && !matches!(c, '\u{2028}' | '\u{2029}')).collect();
    let text: String = text.trim().chars().take(LONGEST).collect();
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Account {
        Account::from(Described { id: 7, username: text, name: Some(text), emails: &[None, Some(text)] })
    }

    #[test]
    fn names_people_have_are_left_alone() {
        for text in ["John Doe", "Zoë Ångström", "李小龍", "محمد", "o'neil+git@example.test"] {
            let it = named(text);
            assert_eq!((&*it.username, it.name.as_deref(), it.email.as_deref()), (text, Some(text), Some(text)));
        }
    }

    #[test]
    fn what_can_not_be_seen_is_taken_out() {
        for text in ["jo\0hn", "john\n", "\u{1b}john", "jo\u{202e}hn", "jo\u{200b}hn", "\u{feff}john", "jo\u{2028}hn"] {
            let it = named(text);
            assert_eq!((&*it.username, it.name.as_deref(), it.email.as_deref()), ("john", Some("john"), Some("john")));
        }
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let it = named(&"ö".repeat(LONGEST + 1));
        for text in [Some(it.username), it.name, it.email] {
            assert_eq!(text, Some("ö".repeat(LONGEST)));
        }
    }

    #[test]
    fn nothing_is_no_name() {
        let it = Account::from(Described {
            id: 7,
            username: "\0",
            name: Some(" \u{200b}"),
            emails: &[Some("\n"), Some("a@b")],
        });
        assert_eq!((&*it.username, it.name, it.email.as_deref()), ("7", None, Some("a@b")));
    }
}
