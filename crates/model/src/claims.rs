use std::collections::BTreeSet;

use crate::{Problem, ProblemCode};

/// No real person has a longer name, e-mail address or group, or is in more groups.
const LONGEST: usize = 255;
const MOST_GROUPS: usize = 1000;

/// What an identity provider says of somebody who signs in, proven to come from it.
///
/// Subject and groups are compared letter by letter. A group that is too long, or has control characters, is left out
/// rather than changed: a changed one might be another's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    issuer: String,
    subject: String,
    name: Option<String>,
    email: Option<String>,
    groups: BTreeSet<String>,
}

impl Claims {
    /// Somebody of whom nothing but the subject is known; `None` for one that can't be.
    pub fn new(issuer: &str, subject: &str) -> Option<Self> {
        let plain = is_plain(issuer) && is_plain(subject);
        plain.then(|| Self {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            name: None,
            email: None,
            groups: BTreeSet::new(),
        })
    }

    /// With the name to show; one that is empty or too long is none.
    #[must_use]
    pub fn named(mut self, name: Option<&str>) -> Self {
        let name = name.map(|name| name.chars().filter(|char| !char.is_control()).collect::<String>());
        self.name = name.map(|name| name.trim().to_owned()).filter(|name| is_plain(name));
        self
    }

    /// With an e-mail address that the identity provider has verified; kept in lower case. Only ASCII letters are folded:
    /// other alphabets have letters that would become somebody else's.
    #[must_use]
    pub fn verified_email(mut self, email: Option<&str>) -> Self {
        let email = email.map(|email| email.trim().to_ascii_lowercase()).filter(|email| is_plain(email));
        self.email = email.filter(|email| domain(email).is_some());
        self
    }

    /// With the groups that they are in; at most 1000 count.
    #[must_use]
    pub fn in_groups<'a>(mut self, groups: impl IntoIterator<Item = &'a str>) -> Self {
        let plain = groups.into_iter().filter(|group| is_plain(group));
        self.groups = plain.take(MOST_GROUPS).map(str::to_owned).collect();
        self
    }

    /// Who says it: an OpenID Connect issuer, or the trusted proxy.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whom it is about; an issuer never gives it to somebody else.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The name to show: the best there is.
    pub fn shown_name(&self) -> &str {
        self.name.as_deref().or(self.email.as_deref()).unwrap_or(&self.subject)
    }

    /// The verified e-mail address, in lower case.
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// The groups.
    pub fn groups(&self) -> &BTreeSet<String> {
        &self.groups
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= LONGEST && !text.chars().any(char::is_control)
}

fn domain(email: &str) -> Option<&str> {
    let (local, domain) = email.rsplit_once('@')?;
    (!local.is_empty() && !domain.is_empty() && !email.contains(char::is_whitespace)).then_some(domain)
}

/// Whom the administrator lets in by an identity provider, and who of them administers the instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admission {
    allowed_domains: BTreeSet<String>,
    allowed_groups: BTreeSet<String>,
    admin_emails: BTreeSet<String>,
    admin_groups: BTreeSet<String>,
}

impl Admission {
    /// Lets everybody in whom the identity provider knows, and makes nobody an administrator.
    pub fn everybody() -> Self {
        Self::default()
    }

    /// Lets only people in whose verified e-mail address is in one of these domains. None means any.
    #[must_use]
    pub fn only_domains(mut self, domains: impl IntoIterator<Item = String>) -> Self {
        self.allowed_domains = domains.into_iter().map(|domain| domain.to_ascii_lowercase()).collect();
        self
    }

    /// Lets only people in who are in one of these groups. None means any.
    #[must_use]
    pub fn only_groups(mut self, groups: impl IntoIterator<Item = String>) -> Self {
        self.allowed_groups = groups.into_iter().collect();
        self
    }

    /// Makes administrators of the people with these verified e-mail addresses and of those in these groups.
    #[must_use]
    pub fn administrators(
        mut self,
        emails: impl IntoIterator<Item = String>,
        groups: impl IntoIterator<Item = String>,
    ) -> Self {
        self.admin_emails = emails.into_iter().map(|email| email.to_ascii_lowercase()).collect();
        self.admin_groups = groups.into_iter().collect();
        self
    }

    /// Whether somebody is let in. Where both domains and groups are named, both must fit.
    ///
    /// # Errors
    /// `forbidden`, in words for the person.
    pub fn admit(&self, claims: &Claims) -> Result<(), Problem> {
        let refused = |why: &str| {
            let problem = Problem::new(ProblemCode::Forbidden, why);
            Err(problem.remedy("Ask an administrator of this server to let you in."))
        };
        if !self.allowed_domains.is_empty() {
            let Some(domain) = claims.email().and_then(domain) else {
                return refused(
                    "Your identity provider does not state a verified e-mail address, which this server wants.",
                );
            };
            if !self.allowed_domains.contains(domain) {
                return refused("This server does not let people of your e-mail address's domain in.");
            }
        }
        if !self.allowed_groups.is_empty() && self.allowed_groups.is_disjoint(claims.groups()) {
            return refused("You are in none of the groups that this server lets in.");
        }
        Ok(())
    }

    /// Whether what is said of somebody makes them an administrator.
    pub fn makes_administrator(&self, claims: &Claims) -> bool {
        claims.email().is_some_and(|email| self.admin_emails.contains(email))
            || !self.admin_groups.is_disjoint(claims.groups())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anna() -> Claims {
        let claims = Claims::new("https://id.example", "1").unwrap();
        claims.named(Some("Anna")).verified_email(Some("Anna@Example.com")).in_groups(["dev", "ops"])
    }

    fn list(items: &[&str]) -> Vec<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    #[test]
    fn what_can_not_be_is_left_out() {
        let long = "x".repeat(256);
        for wrong in ["", "a\nb", long.as_str()] {
            assert_eq!(Claims::new("https://id.example", wrong), None, "{wrong:?}");
            let claims = anna().in_groups([wrong, "dev"]);
            assert_eq!(claims.groups().iter().collect::<Vec<_>>(), ["dev"]);
        }
        for wrong in ["", "anna", "@example.com", "anna@", "an na@example.com", "anna@example.com\n@evil.test"] {
            assert_eq!(anna().verified_email(Some(wrong)).email(), None, "{wrong:?}");
        }
        assert_eq!(anna().named(Some("A\u{7}nna ")).shown_name(), "Anna");
        assert_eq!(anna().named(Some(" ")).shown_name(), "anna@example.com");
        assert_eq!(anna().named(None).verified_email(None).shown_name(), "1");
    }

    #[test]
    fn everybody_is_let_in_unless_domains_or_groups_are_named() {
        let domains = |items: &[&str]| Admission::everybody().only_domains(list(items));
        assert_eq!(Admission::everybody().admit(&anna()), Ok(()));
        assert_eq!(domains(&["other.test", "EXAMPLE.com"]).admit(&anna()), Ok(()));
        for refused in [
            domains(&["ample.com"]),
            domains(&["com"]),
            domains(&["anna@example.com"]),
            Admission::everybody().only_groups(list(&["Dev", "de"])),
            domains(&["example.com"]).only_groups(list(&["board"])),
            domains(&["other.test"]).only_groups(list(&["dev"])),
        ] {
            assert_eq!(refused.admit(&anna()).unwrap_err().code, ProblemCode::Forbidden, "{refused:?}");
        }
        let unverified = anna().verified_email(None);
        assert!(domains(&["example.com"]).admit(&unverified).is_err());
        // What follows the last @ is the domain.
        let odd = anna().verified_email(Some("\"a@example.com\"@evil.test"));
        assert!(domains(&["example.com"]).admit(&odd).is_err());
    }

    #[test]
    fn administrators_are_made_by_verified_address_or_group() {
        let by = |emails: &[&str], groups: &[&str]| {
            Admission::everybody().administrators(list(emails), list(groups)).makes_administrator(&anna())
        };
        assert!(by(&["ANNA@example.com"], &[]));
        assert!(by(&[], &["ops"]));
        assert!(!by(&["bob@example.com"], &["Ops"]));
        assert!(!by(&[], &[]));
    }
}
