//! The line breaks with which tools wrap long encoded text.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

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

/// Newlines are looked for in this many bytes at once.
const TILE: usize = 64;

/// Reports every break that ends in a newline, and some other place in each tile without one: not to tell these apart
/// saves a branch that the processor would guess wrongly once a line.
#[inline]
pub(crate) fn each_newline(text: &[u8], mut found: impl FnMut(Range<usize>)) {
    let mut padded = [0; TILE];
    for (number, bytes) in text.chunks(TILE).enumerate() {
        let tile = bytes.first_chunk().unwrap_or_else(|| {
            padded[..bytes.len()].copy_from_slice(bytes);
            &padded
        });
        let (count, single) = newlines(tile);
        let mut place = if count > 1 { next_newline(tile, 0) } else { single };
        for left in (0..count.max(1)).rev() {
            let at = number * TILE + place;
            let carriage_return = at > 0 && text[at - 1] == b'\r';
            found(at - usize::from(carriage_return)..at + 1);
            if left > 0 {
                place = next_newline(tile, place + 1);
            }
        }
    }
}

/// How many there are, and the place of a single one. Compiles to vector instructions.
#[inline]
fn newlines(tile: &[u8; TILE]) -> (u8, usize) {
    let (mut count, mut places) = (0, 0);
    for (at, byte) in (0u8..).zip(tile) {
        let is_one = u8::from(*byte == b'\n');
        count += is_one;
        places |= at & is_one.wrapping_neg();
    }
    (count, usize::from(places))
}

fn next_newline(tile: &[u8; TILE], from: usize) -> usize {
    memchr::memchr(b'\n', &tile[from..]).map_or(from, |at| from + at)
}

/// Reports every break as JSON shows it.
pub(crate) fn each_escaped(text: &[u8], mut found: impl FnMut(Range<usize>)) {
    static FINDER: LazyLock<Finder> = LazyLock::new(|| Finder::new("\\n"));
    for at in FINDER.find_iter(text) {
        let end = at + 2;
        let ends = BREAKS.iter().filter(|line_break| text[..end].ends_with(line_break));
        let longest = ends.map(|line_break| line_break.len()).max();
        found(end - longest.unwrap_or(0)..end);
    }
}

/// The breaks, whole or cut off, after which a text has no byte, and the whole ones after which it has one.
pub(crate) fn at_end(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    BREAKS.iter().flat_map(move |line_break| {
        let at_end = (1..=line_break.len()).map(|len| (&line_break[..len], text.len()));
        let before_last = text.len().checked_sub(1).map(|end| (*line_break, end));
        let ends = at_end.chain(before_last).filter(|(part, end)| text[..*end].ends_with(part));
        ends.map(|(part, end)| end - part.len()..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_break_is_reported_wherever_it_is() {
        for line_break in BREAKS.map(|line_break| str::from_utf8(line_break).unwrap()) {
            for before in 0..2 * TILE {
                for between in [0, 1, 2, 5, 70] {
                    let text = format!("{}{line_break}{}{line_break}x", "a".repeat(before), "b".repeat(between));
                    let mut found = Vec::new();
                    each_newline(text.as_bytes(), |line_break| found.push(line_break));
                    each_escaped(text.as_bytes(), |line_break| found.push(line_break));
                    for start in [before, before + line_break.len() + between] {
                        let expected = start..start + line_break.len();
                        assert!(found.contains(&expected), "{expected:?} is missing in {text:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_text_begins_with_a_break_or_may() {
        let cases = [
            ("\nA", Beginning::Break(1)),
            ("\r\nA", Beginning::Break(2)),
            (r"\r\nA", Beginning::Break(4)),
            (r"\\r\\nA", Beginning::Break(6)),
            ("", Beginning::CutOff),
            ("\r", Beginning::CutOff),
            (r"\\r\", Beginning::CutOff),
            ("A", Beginning::Other),
            ("\rA", Beginning::Other),
            (r"\t", Beginning::Other),
        ];
        for (text, expected) in cases {
            assert_eq!(beginning(text.as_bytes()), expected, "{text:?}");
        }
    }
}
