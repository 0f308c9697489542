use std::{borrow::Cow, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A branch's short name (`feature/x`, without `refs/heads/`), valid by git's own rules.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BranchName(String);

/// Why a text is no branch name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a branch name: {0}")]
pub struct BranchNameError(&'static str);

/// One ref name is one file name in most servers: 255 bytes less `refs/heads/`.
const MAX_BYTES: usize = 244;

impl BranchName {
    /// The short name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `refs/heads/…`.
    pub fn full_ref(&self) -> String {
        format!("refs/heads/{}", self.0)
    }

    /// The name with everything outside URL-safe characters and `/` percent-encoded, for a path of a web page.
    pub fn url_path(&self) -> String {
        let mut out = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~/+@,=".contains(&byte) {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
        out
    }
}

/// The rules are those of `git check-ref-format --branch`
/// (<https://git-scm.com/docs/git-check-ref-format>), plus: not `HEAD`, no characters that deceive a reader.
fn check(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("it is empty");
    }
    if name.len() > MAX_BYTES {
        return Err("it is longer than 244 bytes");
    }
    if name.starts_with('-') {
        return Err("it starts with '-'");
    }
    if name == "@" || name == "HEAD" {
        return Err("it has a meaning of its own to git");
    }
    if name.chars().any(crate::ids::is_deceptive) {
        return Err("it holds control, zero-width or text-direction characters");
    }
    if name.contains([' ', '~', '^', ':', '?', '*', '[', '\\']) {
        return Err("it holds a space or one of ~ ^ : ? * [ \\");
    }
    if name.contains("..") || name.contains("@{") {
        return Err("it holds '..' or '@{'");
    }
    if name.ends_with('.') {
        return Err("it ends with '.'");
    }
    for part in name.split('/') {
        if part.is_empty() {
            return Err("it starts or ends with '/', or holds '//'");
        }
        if part.starts_with('.') || part.ends_with(".lock") {
            return Err("a part of it starts with '.' or ends with '.lock'");
        }
    }
    Ok(())
}

impl FromStr for BranchName {
    type Err = BranchNameError;
    fn from_str(text: &str) -> Result<Self, BranchNameError> {
        check(text).map_err(BranchNameError)?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for BranchName {
    type Error = BranchNameError;
    fn try_from(text: String) -> Result<Self, BranchNameError> {
        check(&text).map_err(BranchNameError)?;
        Ok(Self(text))
    }
}

impl From<BranchName> for String {
    fn from(name: BranchName) -> String {
        name.0
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BranchName({})", self.0)
    }
}

impl JsonSchema for BranchName {
    fn schema_name() -> Cow<'static, str> {
        "BranchName".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "maxLength": MAX_BYTES, "examples": ["feature/x"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_rules() {
        for good in ["main", "feature/x", "a.b", "ünïcode", "v1.0-rc_1", "a@b", "x/@/y", "#12"] {
            assert!(good.parse::<BranchName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-x",
            "--upload-pack=x",
            "HEAD",
            "@",
            "a..b",
            "a b",
            "a~",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[",
            "a\\b",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "a.",
            "a@{1}",
            "a\n",
            "a\u{7f}",
            "a\u{202e}b",
            &"x".repeat(245),
        ] {
            assert!(bad.parse::<BranchName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn urls_are_encoded() {
        assert_eq!("feat/#1%2".parse::<BranchName>().unwrap().url_path(), "feat/%231%252");
    }
}
