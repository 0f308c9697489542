//! Tokens that give themselves away by how they begin.
//!
//! A match needs nothing before it, so a token is found right after an escape such as `\n` too, and it needs a
//! plausible length, so prose about tokens stays as it is. Kinds of token without a beginning of their own (bare
//! hex of GitLab's OAuth and of Gitea, Jira Data Center's base64) can only be hidden as known values.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

use crate::findings::{Findings, Open};

struct Family {
    prefix: &'static str,
    body: Body,
    /// The fewest characters after the prefix.
    least: usize,
}

/// What may follow a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Alphanumeric,
    Word,
    Slug,
    Dotted,
    Base64,
    Atlassian,
    Cookie,
    Path,
    Pem,
}

const BODIES: usize = Body::Pem as usize + 1;

/// The grammar of a body: characters of an alphabet, and between two of them at most one joiner.
struct Grammar {
    alphabet: [bool; 256],
    /// None is the beginning of another one.
    joiners: &'static [&'static str],
}

impl Grammar {
    const fn new(punctuation: &str, joiners: &'static [&'static str]) -> Self {
        let mut alphabet = [false; 256];
        let mut byte = 0u8;
        while byte < 128 {
            alphabet[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        let punctuation = punctuation.as_bytes();
        let mut index = 0;
        while index < punctuation.len() {
            alphabet[punctuation[index] as usize] = true;
            index += 1;
        }
        Self { alphabet, joiners }
    }
}

/// By [`Body`].
static GRAMMARS: [Grammar; BODIES] = [
    Grammar::new("", &[]),
    Grammar::new("_", &[]),
    Grammar::new("_-", &[]),
    Grammar::new("_-", &["."]),
    Grammar::new("_-+/=", &["%2B", "%2b", "%2F", "%2f", "%3D", "%3d"]),
    Grammar::new("_-=", &["%3D", "%3d", "\\=", "\\u003d", "\\u003D"]),
    Grammar::new("_-+/=%", &[]),
    Grammar::new("_-/", &["%2F", "%2f", "\\/"]),
    Grammar::new("+/=", &["\n", "\r\n", "\\n", "\\r\\n", "\\\\n", "\\\\r\\\\n", "\\/"]),
];

const fn family(prefix: &'static str, body: Body, least: usize) -> Family {
    Family { prefix, body, least }
}

/// None is the beginning of another one.
const FAMILIES: [Family; 51] = [
    family("ghp_", Body::Alphanumeric, 36),
    family("gho_", Body::Alphanumeric, 36),
    family("ghr_", Body::Alphanumeric, 36),
    // Opaque, or an app's number and a JWT; the same was announced for `ghu_`.
    family("ghs_", Body::Dotted, 36),
    family("ghu_", Body::Dotted, 36),
    family("github_pat_", Body::Word, 36),
    // Classic, or routable: `….01.xxxxxxxxx`.
    family("glpat-", Body::Dotted, 20),
    family("gloas-", Body::Dotted, 20),
    family("gldt-", Body::Dotted, 20),
    family("glrt-", Body::Dotted, 20),
    family("glrtr-", Body::Dotted, 20),
    family("glcbt-", Body::Dotted, 20),
    family("glptt-", Body::Dotted, 20),
    family("glft-", Body::Dotted, 20),
    family("glimt-", Body::Dotted, 20),
    family("glagent-", Body::Dotted, 20),
    family("glwt-", Body::Dotted, 20),
    family("glsoat-", Body::Dotted, 20),
    family("glffct-", Body::Dotted, 20),
    family("ATATT3", Body::Atlassian, 24),
    family("ATCTT3", Body::Atlassian, 24),
    family("ATBB", Body::Alphanumeric, 32),
    family("BBDC-", Body::Base64, 40),
    // `xoxe.xoxp-…` and `xoxe.xoxb-…` are found by their second half.
    family("xoxa-", Body::Slug, 20),
    family("xoxb-", Body::Slug, 20),
    family("xoxc-", Body::Slug, 20),
    family("xoxd-", Body::Cookie, 20),
    family("xoxe-", Body::Slug, 20),
    family("xoxo-", Body::Slug, 20),
    family("xoxp-", Body::Slug, 20),
    family("xoxr-", Body::Slug, 20),
    family("xoxs-", Body::Slug, 20),
    family("xapp-", Body::Slug, 20),
    family("hooks.slack.com/services/", Body::Path, 20),
    family("hooks.slack.com/workflows/", Body::Path, 20),
    family("hooks.slack.com/triggers/", Body::Path, 20),
    family("ya29.", Body::Dotted, 20),
    family("1//", Body::Slug, 30),
    family("1%2F%2F", Body::Slug, 30),
    family("GOCSPX-", Body::Slug, 28),
    family("AIza", Body::Slug, 35),
    family("AQ.Ab8RN6", Body::Slug, 44),
    family("sk-ant-", Body::Slug, 24),
    family("vk_", Body::Slug, 43),
    family("vkl_", Body::Slug, 43),
    // A Google service account's or a GitHub App's key, in a file or in JSON.
    family("BEGIN PRIVATE KEY-----", Body::Pem, 64),
    family("BEGIN RSA PRIVATE KEY-----", Body::Pem, 64),
    family("BEGIN EC PRIVATE KEY-----", Body::Pem, 64),
    family("BEGIN DSA PRIVATE KEY-----", Body::Pem, 64),
    family("BEGIN OPENSSH PRIVATE KEY-----", Body::Pem, 64),
    family("BEGIN ENCRYPTED PRIVATE KEY-----", Body::Pem, 64),
];

static PREFIXES: [&str; FAMILIES.len()] = {
    let mut prefixes = [""; FAMILIES.len()];
    let mut index = 0;
    while index < prefixes.len() {
        prefixes[index] = FAMILIES[index].prefix;
        index += 1;
    }
    prefixes
};

/// The beginnings by which tokens are recognised without being known.
pub fn families() -> &'static [&'static str] {
    &PREFIXES
}

/// Some bytes of each prefix, and how many of the prefix come before them. They are as few and as much alike as
/// possible, and no common word (`git`) is among them, which doubles the speed of the vectorised search.
const ANCHORS: [(&str, usize); 35] = [
    ("ghp_", 0),
    ("gho_", 0),
    ("ghr_", 0),
    ("ghs_", 0),
    ("ghu_", 0),
    ("_pat_", 6),
    ("glpa", 0),
    ("gloa", 0),
    ("gldt", 0),
    ("glrt", 0),
    ("glcb", 0),
    ("glpt", 0),
    ("glft", 0),
    ("glim", 0),
    ("glag", 0),
    ("glwt", 0),
    ("glso", 0),
    ("glff", 0),
    ("ATAT", 0),
    ("ATCT", 0),
    ("ATBB", 0),
    ("BBDC", 0),
    ("xox", 0),
    ("xapp", 0),
    ("hooks.s", 0),
    ("ya29.", 0),
    ("1//", 0),
    ("1%2F", 0),
    ("GOCS", 0),
    ("AIza", 0),
    ("AQ.A", 0),
    ("sk-a", 0),
    ("vk_", 0),
    ("vkl_", 0),
    ("BEGIN", 0),
];

static FINDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        .kind(Some(AhoCorasickKind::DFA))
        .build(ANCHORS.map(|(anchor, _)| anchor))
        .expect("a few short strings make a small automaton")
});

/// The bytes with which a prefix begins.
static FIRST_BYTES: [bool; 256] = {
    let mut first = [false; 256];
    let mut index = 0;
    while index < FAMILIES.len() {
        first[FAMILIES[index].prefix.as_bytes()[0] as usize] = true;
        index += 1;
    }
    first
};

const LONGEST_PREFIX: usize = {
    let (mut longest, mut index) = (0, 0);
    while index < FAMILIES.len() {
        let len = FAMILIES[index].prefix.len();
        longest = if len > longest { len } else { longest };
        index += 1;
    }
    longest
};

/// The family prefix with which a text begins.
pub(crate) fn prefix_of(text: &[u8]) -> Option<&'static str> {
    family_of(text).map(|family| family.prefix)
}

fn family_of(text: &[u8]) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| text.starts_with(family.prefix.as_bytes()))
}

/// Reports the tokens of a text that continues the `resumed` ones, and where one may begin that the end cuts off.
pub(crate) fn scan(text: &[u8], resumed: &[Open], found: &mut Findings) {
    // How far the tokens found reach, by body: what looks like a token inside one with the same body adds nothing,
    // and to walk it again would take quadratic time.
    let mut reached = [0; BODIES];
    for token in resumed {
        let extent = token.body.walk(text, token.at);
        reached[token.body as usize] = extent.end;
        found_token(0, token.body, &extent, found);
    }
    let mut from = 0;
    while let Some(hit) = FINDER.find(Input::new(text).range(from..)) {
        from = hit.start() + 1;
        // A prefix that began before this text would have been held back.
        let Some(start) = hit.start().checked_sub(ANCHORS[hit.pattern().as_usize()].1) else { continue };
        let Some(family) = family_of(&text[start..]) else { continue };
        let body = start + family.prefix.len();
        if body <= reached[family.body as usize] {
            continue;
        }
        let extent = family.body.walk(text, body);
        if extent.characters >= family.least {
            reached[family.body as usize] = extent.end;
            found_token(start, family.body, &extent, found);
        } else if extent.open {
            found.undecided(start);
        }
    }
    if let Some(start) = cut_off_prefix(text) {
        found.undecided(start);
    }
}

fn found_token(start: usize, body: Body, extent: &Extent, found: &mut Findings) {
    if extent.open {
        found.open_token(start, Open { body, at: extent.end });
    } else {
        found.token(start, extent.end);
    }
}

/// Where the last bytes of a text begin a prefix without completing it.
fn cut_off_prefix(text: &[u8]) -> Option<usize> {
    (text.len().saturating_sub(LONGEST_PREFIX - 1)..text.len()).find(|&start| {
        let rest = &text[start..];
        FIRST_BYTES[usize::from(rest[0])] && PREFIXES.iter().any(|prefix| prefix.as_bytes().starts_with(rest))
    })
}

/// How much of a text belongs to a body.
struct Extent {
    end: usize,
    characters: usize,
    /// The text ends before the body is known to.
    open: bool,
}

enum Joint {
    None,
    Joins(usize),
    CutOff,
}

impl Body {
    fn walk(self, text: &[u8], start: usize) -> Extent {
        let grammar = &GRAMMARS[self as usize];
        let (mut end, mut characters) = (start, 0);
        loop {
            let run = text[end..].iter().take_while(|byte| grammar.alphabet[usize::from(**byte)]).count();
            end += run;
            characters += run;
            match grammar.joint(&text[end..]) {
                Joint::Joins(len) => end += len,
                Joint::CutOff => return Extent { end, characters, open: true },
                Joint::None => return Extent { end, characters, open: false },
            }
        }
    }
}

impl Grammar {
    /// What the text after a body's character is. Only a joiner that a character follows belongs to the body: the full
    /// stop after a token does not.
    fn joint(&self, text: &[u8]) -> Joint {
        for joiner in self.joiners {
            let joiner = joiner.as_bytes();
            if joiner.starts_with(text) {
                return Joint::CutOff;
            }
            if text.starts_with(joiner) && self.alphabet[usize::from(text[joiner.len()])] {
                return Joint::Joins(joiner.len());
            }
        }
        if text.is_empty() { Joint::CutOff } else { Joint::None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none_begins_another(texts: &[&str]) {
        for (index, text) in texts.iter().enumerate() {
            let others = texts.iter().enumerate().filter(|(other, _)| *other != index);
            assert!(others.clone().all(|(_, other)| !other.starts_with(text)), "{text} begins another one");
        }
    }

    #[test]
    fn at_any_place_at_most_one_prefix_one_anchor_and_one_joiner_match() {
        none_begins_another(&PREFIXES);
        none_begins_another(&ANCHORS.map(|(anchor, _)| anchor));
        for grammar in &GRAMMARS {
            none_begins_another(grammar.joiners);
            for joiner in grammar.joiners {
                assert!(!grammar.alphabet[usize::from(joiner.as_bytes()[0])], "{joiner} begins like a character");
            }
        }
    }

    #[test]
    fn every_prefix_has_an_anchor() {
        for prefix in PREFIXES {
            let at = |before: usize| prefix.get(before..).unwrap_or_default();
            let anchored = ANCHORS.iter().any(|(anchor, before)| at(*before).starts_with(anchor));
            assert!(anchored, "{prefix} would never be found");
        }
    }

    #[test]
    fn tokens_in_one_another_are_not_walked_again() {
        let text = "ghs_".repeat(1 << 20);
        let mut found = Findings::default();
        scan(text.as_bytes(), &[], &mut found);
        let mut out = Vec::new();
        found.write(text.as_bytes(), text.len(), None, &mut out);
        assert_eq!(out, b"ghs_***");
    }
}
