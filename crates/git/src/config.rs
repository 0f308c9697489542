use std::fmt;

/// Git configuration handed over in the environment: it outranks every file and leaves none behind.
///
/// The order matters to git: of a key with one value the last one counts, an empty value resets a list.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConfigEntries(Vec<(String, String)>);

impl ConfigEntries {
    /// No entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry behind the others, as in `push("http.followRedirects", "false")`.
    pub fn push(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.push((key.into(), value.into()));
    }

    /// Adds the entries of another list behind these.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// The environment variables that carry the entries (git 2.31 and later read them).
    pub fn to_env(&self) -> Vec<(String, String)> {
        let mut env = vec![("GIT_CONFIG_COUNT".to_owned(), self.0.len().to_string())];
        for (index, (key, value)) in self.0.iter().enumerate() {
            env.push((format!("GIT_CONFIG_KEY_{index}"), key.clone()));
            env.push((format!("GIT_CONFIG_VALUE_{index}"), value.clone()));
        }
        env
    }

    /// What git runs with here: nothing that a repository, a user's home or a server says may start a program, ask a
    /// question, leave the two protocols or follow a redirect.
    pub(crate) fn hardened() -> Self {
        Self(HARDENED.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    /// Puts the addresses that the person knows back where `insteadOf` replaced them: git's messages name the
    /// replacement, which may hold a session's lease.
    pub(crate) fn restore_urls(&self, text: &str) -> String {
        let base = |key: &'_ str| -> Option<String> {
            let inner = key.strip_prefix("url.")?;
            let cut = inner.len().checked_sub(".insteadOf".len())?;
            inner.get(cut..)?.eq_ignore_ascii_case(".insteadOf").then(|| inner[..cut].to_owned())
        };
        let mut pairs: Vec<_> = self.0.iter().filter_map(|(key, value)| Some((base(key)?, value))).collect();
        // Stable: of several spellings of one repository the first is shown; of nested addresses the longest is meant.
        pairs.sort_by_key(|(base, _)| std::cmp::Reverse(base.len()));
        pairs.iter().filter(|(base, _)| !base.is_empty()).fold(text.to_owned(), |text, (base, shown)| {
            if text.contains(base.as_str()) { text.replace(base.as_str(), shown) } else { text }
        })
    }
}

impl fmt::Debug for ConfigEntries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL among them may hold a lease.
        write!(f, "ConfigEntries({} entries)", self.0.len())
    }
}

const HARDENED: [(&str, &str); 42] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.untrackedCache", "false"),
    ("core.attributesFile", "/dev/null"),
    ("core.excludesFile", "/dev/null"),
    ("core.sshCommand", "false"),
    ("core.askPass", ""),
    ("core.editor", "false"),
    ("sequence.editor", "false"),
    ("core.pager", "cat"),
    ("core.alternateRefsCommand", "false"),
    // What is derived from objects can be forged without changing their names.
    ("core.commitGraph", "false"),
    ("core.multiPackIndex", "false"),
    ("pack.useBitmaps", "false"),
    ("credential.helper", ""),
    ("credential.interactive", "false"),
    ("protocol.allow", "never"),
    ("protocol.http.allow", "always"),
    ("protocol.https.allow", "always"),
    ("http.followRedirects", "false"),
    ("transfer.credentialsInUrl", "die"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("push.recurseSubmodules", "no"),
    ("push.followTags", "false"),
    ("push.gpgSign", "false"),
    ("push.negotiate", "false"),
    ("commit.gpgSign", "false"),
    ("tag.gpgSign", "false"),
    ("gpg.program", "false"),
    ("rerere.enabled", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("safe.bareRepository", "explicit"),
    ("init.templateDir", ""),
    ("init.defaultBranch", "main"),
    ("advice.detachedHead", "false"),
    ("advice.addEmbeddedRepo", "false"),
    ("advice.pushUpdateRejected", "false"),
    ("color.ui", "false"),
    ("core.quotePath", "false"),
    // Files are written by as many processes as there are cores; only above a hundred files does git start any.
    ("checkout.workers", "0"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_become_numbered_variables() {
        let mut entries = ConfigEntries::new();
        assert_eq!(entries.to_env(), [("GIT_CONFIG_COUNT".to_owned(), "0".to_owned())]);
        entries.push("a.b", "1");
        entries.push("a.b", "");
        let env: Vec<String> = entries.to_env().iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(
            env,
            [
                "GIT_CONFIG_COUNT=2",
                "GIT_CONFIG_KEY_0=a.b",
                "GIT_CONFIG_VALUE_0=1",
                "GIT_CONFIG_KEY_1=a.b",
                "GIT_CONFIG_VALUE_1="
            ]
        );
    }

    #[test]
    fn messages_name_the_address_that_was_asked_for() {
        let mut entries = ConfigEntries::new();
        for repo in ["https://h/a/b", "https://h/a/b-c"] {
            let key = format!("url.http://127.0.0.1:9/LEASE/{}.insteadOf", repo.replace("://", "/"));
            entries.push(key.clone(), repo);
            entries.push(key, repo.replace("https://h/", "git@h:"));
        }
        let said = "fatal: unable to access 'http://127.0.0.1:9/LEASE/https/h/a/b-c.git/': 403";
        assert_eq!(entries.restore_urls(said), "fatal: unable to access 'https://h/a/b-c.git/': 403");
        assert!(!format!("{entries:?}").contains("LEASE"));
    }
}
