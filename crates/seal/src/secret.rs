use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::{Zeroize, Zeroizing};

/// A value that is never printed or serialised, and wiped from memory when dropped.
///
/// The copies that serde or an HTTP library makes while a request is read or written are out of its reach.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes the value in.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself. Who calls this is listed in `clippy.toml`: every call has a stated reason.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

/// Beginnings that say what kind of token it is and nothing about its value.
const FAMILIES: [&str; 22] = [
    "github_pat_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "glpat-",
    "gloas-",
    "gldt-",
    "glptt-",
    "glcbt-",
    "xoxb-",
    "xoxp-",
    "xoxe-",
    "xapp-",
    "ATATT",
    "ATCTT",
    "BBDC-",
    "ya29.",
    "sk-ant-",
    "vk_",
    "vkl_",
];

impl Secret<String> {
    /// The token's public beginning with the rest hidden: `glpat-***`, or `***` for an unknown kind.
    #[expect(clippy::disallowed_methods, reason = "only a fixed prefix leaves")]
    pub fn family(&self) -> String {
        let known = FAMILIES.iter().find(|prefix| self.expose().starts_with(**prefix));
        format!("{}***", known.unwrap_or(&""))
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

impl From<&str> for Secret<String> {
    fn from(value: &str) -> Self {
        Self::new(value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_value_is_printed() {
        let secret = Secret::from("glpat-abcdefghijklmnopqrst");
        assert_eq!(format!("{secret:?}"), "Secret(***)");
        assert_eq!(secret.family(), "glpat-***");
        assert_eq!(Secret::from("0123456789abcdef").family(), "***");
    }
}
