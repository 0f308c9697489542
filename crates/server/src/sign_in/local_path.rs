use std::fmt;

use serde::{Deserialize, Deserializer};
use url::Url;

/// No address of ours is longer.
const LONGEST: usize = 2048;

/// Where somebody wanted to go before they were asked to sign in: an address of this server and no other. What is none, of
/// whatever form, is the start page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalPath(String);

impl LocalPath {
    /// Reads an address that anybody may have made.
    pub(crate) fn of(text: &str) -> Self {
        if Self::is_local(text) { Self(text.to_owned()) } else { Self::default() }
    }

    fn is_local(text: &str) -> bool {
        // Browsers take a backslash for a slash, and leave out tabs and line breaks.
        let plain = text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let base = Url::parse("http://valetkey.invalid").expect("an address");
        let stays = base.join(text).is_ok_and(|url| url.origin() == base.origin());
        // Somebody who signs in is not signed out again, nor asked to sign in.
        plain && stays && text.starts_with('/') && !text.starts_with("//") && !text.starts_with("/sign-")
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for LocalPath {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl fmt::Display for LocalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for LocalPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::of(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_server_are_gone_to() {
        for local in ["/", "/sessions/1?tab=log#end", "/integrations?did=connected", "/a//b", "/@evil.test"] {
            assert_eq!(LocalPath::of(local).as_str(), local);
        }
        let long = format!("/{}", "a".repeat(LONGEST));
        for foreign in [
            "",
            "sessions",
            "https://evil.test",
            "//evil.test",
            "///evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "/\t/evil.test",
            "/\n/evil.test",
            " //evil.test",
            "javascript:alert(1)",
            "/x\r\nSet-Cookie: a=b",
            "/sign-in/vks_x",
            "/sign-out",
            "/übung",
            &long,
        ] {
            assert_eq!(LocalPath::of(foreign), LocalPath::default(), "{foreign:?}");
        }
    }
}
