//! The ways in which output shows a secret.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::line_break::{self, Beginning, SHORTEST_LINE};

/// One form of a secret, wiped from memory when dropped.
#[derive(PartialEq, Eq, PartialOrd, Ord, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Form {
    text: String,
    /// Tools break it into lines.
    wraps: bool,
}

/// How a text compares with a form.
pub(crate) enum Reading {
    /// The form is there and has this length, with the line breaks in it.
    Whole(usize),
    /// The text ends before all of the form is there.
    CutOff,
    Different,
}

impl Form {
    fn fixed(text: String) -> Self {
        Self { text, wraps: false }
    }

    fn wrapped(text: String) -> Self {
        Self { text, wraps: true }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    pub(crate) fn wraps(&self) -> bool {
        self.wraps
    }

    /// Whether a text begins with this form.
    pub(crate) fn read(&self, text: &[u8]) -> Reading {
        let (mut rest, mut line) = (text, 0);
        for byte in self.as_bytes() {
            if self.wraps && line >= SHORTEST_LINE && rest.first() != Some(byte) {
                match line_break::beginning(rest) {
                    Beginning::Break(len) => (rest, line) = (&rest[len..], 0),
                    Beginning::CutOff => return Reading::CutOff,
                    Beginning::Other => return Reading::Different,
                }
            }
            match rest.split_first() {
                Some((first, others)) if first == byte => (rest, line) = (others, line + 1),
                Some(_) => return Reading::Different,
                None => return Reading::CutOff,
            }
        }
        Reading::Whole(text.len() - rest.len())
    }
}

/// The secret itself and its encodings.
pub(crate) fn of(secret: &str) -> BTreeSet<Form> {
    let mut forms = vec![secret.to_owned()];
    if secret.contains('\n') {
        forms.push(secret.replace('\n', "\r\n")); // as a terminal shows it
    }
    forms.extend(url_encoded(secret));
    forms.extend(json_escaped(secret));
    let mut forms: BTreeSet<_> = forms.into_iter().map(Form::fixed).collect();
    for text in base64(secret.as_bytes()).into_iter().chain(hex(secret.as_bytes())) {
        // A line break after the first character is not recognised, so what follows that is a form of its own.
        forms.insert(Form::wrapped(text[1..].to_owned()));
        forms.insert(Form::wrapped(text));
    }
    forms
}

/// Both alphabets, at each of the three places in a group of bytes at which the secret can begin inside a longer
/// value: the characters that only the secret decides, and where it ends the value, the last ones and the padding.
fn base64(secret: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for (padded, bare) in [(&STANDARD, &STANDARD_NO_PAD), (&URL_SAFE, &URL_SAFE_NO_PAD)] {
        for before in 0..3 {
            let value = [&[0; 2][..before], secret].concat();
            let first = (before * 8).div_ceil(6);
            let last = value.len() * 8 / 6;
            let text = bare.encode(&value);
            forms.push(text[first..last].to_owned());
            forms.push(text[first..].to_owned());
            forms.push(padded.encode(&value)[first..].to_owned());
        }
    }
    forms
}

/// By each rule in use for what may stay as it is, with digits of either case.
fn url_encoded(secret: &str) -> Vec<String> {
    const STRICT: &[u8] = b"-._~";
    const RULES: [&[u8]; 5] = [STRICT, b"-._~!*'()", b"-._*", b"-._~/", b"-._~!$&'()*+,"];
    let mut forms = Vec::new();
    for (kept, space) in RULES.iter().map(|kept| (*kept, "%20")).chain([(STRICT, "+"), (RULES[2], "+")]) {
        for upper in [true, false] {
            let mut form = String::new();
            for byte in secret.bytes() {
                let _ = match byte {
                    b' ' => write!(form, "{space}"),
                    _ if byte.is_ascii_alphanumeric() || kept.contains(&byte) => write!(form, "{}", char::from(byte)),
                    _ if upper => write!(form, "%{byte:02X}"),
                    _ => write!(form, "%{byte:02x}"),
                };
            }
            forms.push(form);
        }
    }
    forms
}

/// What a JSON encoder escapes besides what it must.
#[derive(Clone, Copy)]
struct Json {
    also: &'static str,
    slash: bool,
    ascii_only: bool,
    /// Also the quote, and the backslash, have short escapes.
    short: bool,
    upper: bool,
}

/// As common encoders write it, and as a string inside JSON that is itself a JSON string.
fn json_escaped(secret: &str) -> Vec<String> {
    const PLAIN: Json = Json { also: "", slash: false, ascii_only: false, short: true, upper: false };
    const ENCODERS: [Json; 7] = [
        PLAIN,
        Json { slash: true, ..PLAIN },
        Json { ascii_only: true, ..PLAIN },
        Json { ascii_only: true, upper: true, ..PLAIN },
        Json { ascii_only: true, slash: true, ..PLAIN },
        Json { also: "<>&\u{2028}\u{2029}", ..PLAIN },
        Json { also: "<>&+'`\u{7f}", ascii_only: true, short: false, upper: true, ..PLAIN },
    ];
    let mut forms: Vec<_> = ENCODERS.iter().map(|encoder| encoder.escape(secret)).collect();
    forms.push(PLAIN.escape(&forms[0]));
    forms
}

impl Json {
    fn escape(self, text: &str) -> String {
        let mut out = String::new();
        for char in text.chars() {
            match char {
                '"' if self.short => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '/' if self.slash => out.push_str("\\/"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '"' | '\0'..' ' => self.unicode(char, &mut out),
                _ if self.also.contains(char) || (self.ascii_only && !char.is_ascii()) => self.unicode(char, &mut out),
                _ => out.push(char),
            }
        }
        out
    }

    fn unicode(self, char: char, out: &mut String) {
        for unit in char.encode_utf16(&mut [0; 2]) {
            let _ = if self.upper { write!(out, "\\u{unit:04X}") } else { write!(out, "\\u{unit:04x}") };
        }
    }
}

fn hex(secret: &[u8]) -> [String; 2] {
    let mut lower = String::new();
    for byte in secret {
        let _ = write!(lower, "{byte:02x}");
    }
    [lower.to_uppercase(), lower]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn has(secret: &str, forms: &[&str]) {
        let all = of(secret);
        for form in forms {
            let found = all.iter().any(|other| other.as_bytes() == form.as_bytes());
            assert!(found, "{form} is not among the forms of {secret}");
        }
    }

    #[test]
    fn base64_inside_a_longer_value_at_each_place() {
        // The base64 of "secret-1" after nothing, "a" and "ab", without the characters that a neighbour also decides.
        has("secret-1", &["c2VjcmV0LT", "c2VjcmV0LTE", "c2VjcmV0LTE="]);
        has("secret-1", &["NlY3JldC0x"]);
        has("secret-1", &["zZWNyZXQtM", "zZWNyZXQtMQ", "zZWNyZXQtMQ=="]);
        has("~~~???>>>", &["fn5+Pz8/Pj4+", "fn5-Pz8_Pj4-"]);
    }

    #[test]
    fn url_encodings() {
        has("a b/c~d*'é", &["a%20b%2Fc~d%2A%27%C3%A9", "a%20b%2fc~d%2a%27%c3%a9", "a+b%2Fc%7Ed*%27%C3%A9"]);
        has("a b/c~d*'é", &["a%20b/c~d%2A%27%C3%A9", "a%20b%2Fc~d*'%C3%A9"]);
        has("p@ss:w$rd&", &["p%40ss%3Aw$rd&", "p%40ss%3Aw%24rd%26"]);
    }

    #[test]
    fn json_escapes() {
        has("a\"b\\c\n\u{1f}", &[r#"a\"b\\c\n\u001f"#, r"a\u0022b\\c\n\u001F", r#"a\\\"b\\\\c\\n\\u001f"#]);
        has("/é😀<pass>", &["/é😀<pass>", r"\/é😀<pass>", r"/\u00e9\ud83d\ude00<pass>", r"/\u00E9\uD83D\uDE00<pass>"]);
        has(
            "/é😀<pass>",
            &[r"\/\u00e9\ud83d\ude00<pass>", r"/é😀\u003cpass\u003e", r"/\u00E9\uD83D\uDE00\u003Cpass\u003E"],
        );
    }

    #[test]
    fn lines_as_a_terminal_shows_them_and_hex() {
        has("one two\nthree", &["one two\r\nthree", "6f6e652074776f0a7468726565", "6F6E652074776F0A7468726565"]);
    }

    #[test]
    fn a_plain_token_has_few_forms() {
        assert!(of("glpat-abcdefghijklmnopqrst").len() < 20);
    }
}
