use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Stream;
use crate::findings::Findings;
use crate::forms::{self, Form};
use crate::known::Known;

/// Below this many characters a secret occurs by chance, and hiding it would shred ordinary output.
const SHORTEST_SECRET: usize = 8;

/// What must not be seen. Cheap to clone; all clones share the secrets.
///
/// ```
/// use valetkey_redact::{Added, Redactor};
///
/// let redactor = Redactor::new();
/// assert_eq!(redactor.add("correct horse"), Added::Redacted);
/// assert_eq!(redactor.redact("curl -u me:correct%20horse"), "curl -u me:***");
///
/// let (mut stream, mut out) = (redactor.stream(), Vec::new());
/// stream.push(b"pw: correct ho", &mut out);
/// assert_eq!(out, b"pw: ");
/// stream.push(b"rse", &mut out);
/// assert_eq!(out, b"pw: ***");
/// ```
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Arc<Mutex<Secrets>>,
}

/// What became of a secret given to [`Redactor::add`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the person who stored a secret that is too short to hide is told so"]
pub enum Added {
    /// It is hidden from now on.
    Redacted,
    /// It has under 8 characters without the white space around it, so it stays visible.
    TooShort,
}

/// Whether [`Redactor::add`] would say so.
pub fn is_too_short(secret: &str) -> bool {
    secret.trim().chars().count() < SHORTEST_SECRET
}

#[derive(Default)]
struct Secrets {
    forms: BTreeSet<Arc<Form>>,
    /// Built from `forms` on first use, so that adding many secrets builds it once.
    table: Option<Arc<Known>>,
}

impl Redactor {
    /// A redactor that knows the token families and no secret yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hides a secret in all its forms: as it is, in base64 (both alphabets, padded or not, also inside a longer
    /// text), URL-encoded, JSON-escaped and in hex. Base64 and hex may be broken into lines of any width from two
    /// characters on, also inside JSON; the breaks are hidden with them, but if a line ends after the first character
    /// of a form, that character stays. Streams that are under way hide the secret from their next chunk on.
    pub fn add(&self, secret: &str) -> Added {
        if is_too_short(secret) {
            return Added::TooShort;
        }
        let forms = forms::of(secret.trim());
        let mut secrets = self.lock();
        let before = secrets.forms.len();
        secrets.forms.extend(forms.into_iter().map(Arc::new));
        if secrets.forms.len() > before {
            secrets.table = None;
        }
        Added::Redacted
    }

    /// A whole text without its secrets; borrowed if there was none. To redact the result again changes nothing, unless
    /// a secret has asterisks of its own, which a mark may then complete.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut found = Findings::default();
        found.scan(&self.known(), text.as_bytes(), &[]);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut shown = Vec::with_capacity(text.len());
        found.write(text.as_bytes(), text.len(), None, &mut shown);
        Cow::Owned(String::from_utf8(shown).expect("what is hidden begins and ends between two characters"))
    }

    /// A stream that hides what this redactor knows, now and later.
    pub fn stream(&self) -> Stream {
        Stream::new(self.clone())
    }

    pub(crate) fn known(&self) -> Arc<Known> {
        let mut secrets = self.lock();
        let Secrets { forms, table } = &mut *secrets;
        Arc::clone(table.get_or_insert_with(|| Arc::new(Known::new(forms))))
    }

    fn lock(&self) -> MutexGuard<'_, Secrets> {
        // No code under this lock leaves the secrets half changed.
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").field("forms", &self.lock().forms.len()).finish()
    }
}
