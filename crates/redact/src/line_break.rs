//! The line breaks with which tools wrap long encoded text.

use std::ops::Range;

/// As they are, and as a string in JSON, or in JSON inside JSON, shows them. None is the beginning of another one.
const BREAKS: [&[u8]; 6] = [b"\n", b"\r\n", b"\\n", b"\\r\\n", b"\\\\n", b"\\\\r\\\\n"];

/// The fewest characters of a value before each of its breaks. With one, every line that happens to end in the first
/// character of a secret would have to wait for the next line.
pub(crate) const SHORTEST_LINE: usize = 2;

/// How a text begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// With a break of this length.
    Break(usize),
    /// With what may be one, but the text ends.
    CutOff,
    Other,
}

pub(crate) fn beginning(text: &[u8]) -> Beginning {
    let Some(first) = text.first() else { return Beginning::CutOff };
    if !b"\n\r\\".contains(first) {
        return Beginning::Other;
    }
    if let Some(found) = BREAKS.iter().find(|line_break| text.starts_with(line_break)) {
        return Beginning::Break(found.len());
    }
    if BREAKS.iter().any(|line_break| line_break.starts_with(text)) { Beginning::CutOff } else { Beginning::Other }
}

/// Every break in a text. The end of a longer one may be reported as one too.
pub(crate) fn all(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    memchr::memchr2_iter(b'\n', b'\\', text).filter_map(|at| {
        if text[at] == b'\n' {
            return Some(at - usize::from(text[..at].ends_with(b"\r"))..at + 1);
        }
        match beginning(&text[at..]) {
            Beginning::Break(len) => Some(at..at + len),
            Beginning::CutOff | Beginning::Other => None,
        }
    })
}

/// The breaks, whole or cut off, after which a text has no byte, and the whole ones after which it has one.
pub(crate) fn at_end(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    BREAKS.iter().flat_map(move |line_break| {
        let at_end = (1..=line_break.len()).map(|len| (&line_break[..len], text.len()));
        let before_last = text.len().checked_sub(1).map(|end| (*line_break, end));
        at_end
            .chain(before_last)
            .filter_map(|(part, end)| text[..end].ends_with(part).then(|| end - part.len()..end))
    })
}
