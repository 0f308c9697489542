//! Finds known values, thousands at once, at the speed of memory.
//!
//! Every pattern has at least [`SHORTEST`] bytes, so looking at the [`BLOCK`] bytes at every [`STRIDE`]th place of a
//! text meets each occurrence of each pattern somewhere in the pattern's first [`SHORTEST`] bytes. A bitmap of hashed
//! blocks answers nearly all of these looks, and they do not wait for each other.
//!
//! A line break inside these first bytes of a pattern hides it from that. So each line break of the text gets one look
//! more, at the block that the last bytes before it and the first ones after it would make without it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use crate::findings::Findings;
use crate::forms::{Form, Reading};
use crate::line_break::{self, SHORTEST_LINE};

const SHORTEST: usize = 8;
const BLOCK: usize = 4;
const STRIDE: usize = SHORTEST - BLOCK + 1;

/// How many bytes of a block come after the line break in it.
const AFTER_BREAK: usize = BLOCK - SHORTEST_LINE;
/// The bytes of a pattern in which such a block may lie. Base64 and hex of the shortest secret have as many.
const SHORTEST_WRAPPED: usize = SHORTEST - 1 + AFTER_BREAK;

/// The bitmap has `64 * WORDS` bits: 64 KiB.
const WORDS: usize = 1 << 13;

/// The patterns, arranged for the search.
pub(crate) struct Known {
    /// Sorted.
    patterns: Vec<Arc<Form>>,
    heads: Heads,
    /// Of the patterns that may contain line breaks.
    wrapped_heads: Heads,
    bits: Box<[u64; WORDS]>,
    /// The places of a block in a pattern, grouped by the block's word in `bits`.
    places: Vec<Place>,
    /// Where each word's group begins in `places`; one more than there are words.
    groups: Vec<u32>,
}

struct Place {
    block: u32,
    pattern: u32,
    offset: u8,
}

/// The word and the bit of a block in the bitmap.
fn slot(block: u32) -> (usize, u32) {
    let hash = block.wrapping_mul(0x9E37_79B1) >> (32 - (WORDS * 64).ilog2());
    ((hash / 64) as usize, hash % 64)
}

fn block_at(text: &[u8; BLOCK]) -> u32 {
    u32::from_le_bytes(*text)
}

impl Known {
    pub(crate) fn new(forms: &BTreeSet<Arc<Form>>) -> Self {
        let patterns: Vec<_> = forms.iter().cloned().collect();
        let heads = Heads::of(patterns.iter());
        let wrapped_heads = Heads::of(patterns.iter().filter(|pattern| pattern.wraps()));
        let mut places = Vec::with_capacity(patterns.len() * (STRIDE + 1));
        for (number, pattern) in (0..).zip(&patterns) {
            let searched = if pattern.wraps() { SHORTEST_WRAPPED } else { SHORTEST };
            for (offset, window) in (0..).zip(pattern.as_bytes()[..searched].windows(BLOCK)) {
                let block = window.first_chunk().map_or(0, block_at);
                places.push(Place { block, pattern: number, offset });
            }
        }
        places.sort_unstable_by_key(|place| slot(place.block));

        let mut bits = Box::new([0; WORDS]);
        let mut groups = vec![0; WORDS + 1];
        for place in &places {
            let (word, bit) = slot(place.block);
            bits[word] |= 1 << bit;
            groups[word + 1] += 1;
        }
        for word in 0..WORDS {
            groups[word + 1] += groups[word];
        }
        Self { patterns, heads, wrapped_heads, bits, places, groups }
    }

    /// Reports every occurrence of every pattern, overlapping ones included, and where one may begin that the end of
    /// the text cuts off.
    pub(crate) fn scan(&self, text: &[u8], found: &mut Findings) {
        if self.patterns.is_empty() {
            return;
        }
        let (steps, rest) = text.as_chunks::<STRIDE>();
        for (step, bytes) in steps.iter().enumerate() {
            let &[a, b, c, d, _] = bytes;
            self.look(text, step * STRIDE, block_at(&[a, b, c, d]), found);
        }
        if let Some(last) = rest.first_chunk() {
            self.look(text, steps.len() * STRIDE, block_at(last), found);
        }
        line_break::each_newline(text, |line_break| self.look_across(text, &line_break, found));
        line_break::each_escaped(text, |line_break| self.look_across(text, &line_break, found));
        let cut_off = [self.cut_off_head(text), self.cut_off_wrapped_head(text)];
        for start in cut_off.into_iter().flatten() {
            found.undecided(start);
        }
    }

    #[inline]
    fn look_across(&self, text: &[u8], line_break: &Range<usize>, found: &mut Findings) {
        let before = text[..line_break.start].last_chunk::<SHORTEST_LINE>();
        let after = text[line_break.end..].first_chunk::<AFTER_BREAK>();
        if let (Some(&[a, b]), Some(&[c, d])) = (before, after) {
            self.look(text, line_break.start - SHORTEST_LINE, block_at(&[a, b, c, d]), found);
        }
    }

    #[inline]
    fn look(&self, text: &[u8], at: usize, block: u32, found: &mut Findings) {
        let (word, bit) = slot(block);
        if self.bits[word] >> bit & 1 == 1 {
            self.compare(text, at, block, word, found);
        }
    }

    #[cold]
    fn compare(&self, text: &[u8], at: usize, block: u32, word: usize, found: &mut Findings) {
        let group = self.groups[word] as usize..self.groups[word + 1] as usize;
        for place in self.places[group].iter().filter(|place| place.block == block) {
            // What began before this text was ruled out, or it would have been held back.
            let Some(start) = at.checked_sub(usize::from(place.offset)) else { continue };
            match self.patterns[place.pattern as usize].read(&text[start..]) {
                Reading::Whole(len) => found.known(start, start + len),
                Reading::CutOff => found.undecided(start),
                Reading::Different => {}
            }
        }
    }

    /// Where the last bytes of a text, too few for a look, begin a pattern.
    fn cut_off_head(&self, text: &[u8]) -> Option<usize> {
        let len =
            (1..SHORTEST).rev().find(|&len| len <= text.len() && self.heads.begin(&text[text.len() - len..], &[]))?;
        Some(text.len() - len)
    }

    /// The same with a line break in them.
    fn cut_off_wrapped_head(&self, text: &[u8]) -> Option<usize> {
        let starts = line_break::at_end(text).filter_map(|line_break| {
            let (before, after) = (&text[..line_break.start], &text[line_break.end..]);
            let longest = before.len().min(SHORTEST - 1);
            let len = (SHORTEST_LINE..=longest)
                .rev()
                .find(|&len| self.wrapped_heads.begin(&before[before.len() - len..], after))?;
            Some(before.len() - len)
        });
        starts.min()
    }
}

/// The first [`SHORTEST`] bytes of patterns as numbers, in order.
struct Heads(Vec<u64>);

impl Heads {
    fn of<'p>(sorted: impl Iterator<Item = &'p Arc<Form>>) -> Self {
        let heads = sorted.filter_map(|pattern| pattern.as_bytes().first_chunk());
        Self(heads.map(|head| u64::from_be_bytes(*head)).collect())
    }

    /// Whether one begins with these bytes and the ones after them, at most [`SHORTEST`] together.
    fn begin(&self, bytes: &[u8], after: &[u8]) -> bool {
        let len = bytes.len() + after.len();
        let mut head = [0; SHORTEST];
        head[..bytes.len()].copy_from_slice(bytes);
        head[bytes.len()..len].copy_from_slice(after);
        let head = u64::from_be_bytes(head);
        let free = 8 * (SHORTEST - len);
        let first = self.0.partition_point(|&other| other < head);
        self.0.get(first).is_some_and(|other| other >> free == head >> free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Redactor;
    use crate::forms;
    use proptest::prelude::*;

    /// The same by trying every pattern at every place.
    fn naive(patterns: &BTreeSet<Form>, text: &str) -> (String, usize) {
        let text = text.as_bytes();
        let mut hidden = vec![false; text.len()];
        let mut undecided = text.len();
        for start in 0..text.len() {
            for pattern in patterns {
                match pattern.read(&text[start..]) {
                    Reading::Whole(len) => hidden[start..start + len].fill(true),
                    Reading::CutOff => undecided = undecided.min(start),
                    Reading::Different => {}
                }
            }
        }
        let mut shown = String::new();
        for (place, byte) in text.iter().enumerate() {
            if !hidden[place] {
                shown.push(char::from(*byte));
            } else if place == 0 || !hidden[place - 1] {
                shown.push_str("***");
            }
        }
        (shown, undecided)
    }

    fn check(secrets: &[String], text: &str) -> Result<(), TestCaseError> {
        let patterns = secrets.iter().flat_map(|secret| forms::of(secret)).collect();
        let (shown, undecided) = naive(&patterns, text);

        let known = Known::new(&patterns.into_iter().map(Arc::new).collect());
        let (mut found, mut families) = (Findings::default(), Findings::default());
        found.scan(&known, text.as_bytes(), &[]);
        families.scan(&Known::new(&BTreeSet::new()), text.as_bytes(), &[]);
        prop_assert_eq!(found.undecided_from(), undecided.min(families.undecided_from()));

        let redactor = Redactor::new();
        for secret in secrets {
            let _ = redactor.add(secret);
        }
        prop_assert_eq!(redactor.redact(text), shown);
        Ok(())
    }

    fn line_break() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec!["\n", "\r\n", "\\n", "\\r\\n", "\\\\n", "\\\\r\\\\n", "\n\n", "\r", "\\", "\\\\"])
    }

    /// Secrets, and parts of their encodings with line breaks and halves of line breaks in them.
    fn wrapped() -> impl Strategy<Value = (Vec<String>, String)> {
        prop::collection::vec("[ab]{8,14}", 1..4).prop_flat_map(|secrets| {
            let forms: BTreeSet<_> = secrets.iter().flat_map(|secret| forms::of(secret)).collect();
            let forms: Vec<_> =
                forms.iter().map(|form| String::from_utf8_lossy(form.as_bytes()).into_owned()).collect();
            let lines = prop::collection::vec((1..16usize, line_break()), 1..8);
            let part =
                (prop::sample::select(forms), lines, 0..8usize, 0..12usize).prop_map(|(form, lines, from, cut)| {
                    let mut rest = &form[from % form.len()..];
                    let mut text = String::new();
                    for (len, line_break) in lines {
                        let (line, others) = rest.split_at(len.min(rest.len()));
                        text.extend([line, line_break]);
                        rest = others;
                    }
                    text.push_str(rest);
                    text.truncate(text.len().saturating_sub(cut));
                    text
                });
            (Just(secrets), prop::collection::vec(part, 1..4).prop_map(|parts| parts.concat()))
        })
    }

    proptest! {
        #[test]
        fn finds_what_trying_every_place_finds(
            secrets in prop::collection::vec("[ab]{8,14}", 1..6),
            text in "[ab]{0,60}",
        ) {
            check(&secrets, &text)?;
        }

        #[test]
        fn finds_what_is_wrapped_as_well((secrets, text) in wrapped()) {
            check(&secrets, &text)?;
        }
    }
}
