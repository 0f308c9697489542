//! Finds known values, thousands at once, at the speed of memory.
//!
//! Every pattern has at least [`SHORTEST`] bytes, so looking at the [`BLOCK`] bytes at every [`STRIDE`]th place of a
//! text meets each occurrence of each pattern exactly once, somewhere in the pattern's first [`SHORTEST`] bytes. A
//! bitmap of hashed blocks answers nearly all of these looks, and they do not wait for each other.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::findings::Findings;
use crate::forms::Form;

const SHORTEST: usize = 8;
const BLOCK: usize = 4;
const STRIDE: usize = SHORTEST - BLOCK + 1;

/// The bitmap has `64 * WORDS` bits: 64 KiB.
const WORDS: usize = 1 << 13;

/// The patterns, arranged for the search.
pub(crate) struct Known {
    /// Sorted.
    patterns: Vec<Arc<Form>>,
    /// Their first [`SHORTEST`] bytes as numbers of the same order.
    heads: Vec<u64>,
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
        let heads = patterns
            .iter()
            .filter_map(|pattern| pattern.as_bytes().first_chunk())
            .map(|head| u64::from_be_bytes(*head));
        let heads = heads.collect();
        let mut places = Vec::with_capacity(patterns.len() * STRIDE);
        for (number, pattern) in (0..).zip(&patterns) {
            for (offset, window) in (0..).zip(pattern.as_bytes()[..SHORTEST].windows(BLOCK)) {
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
        Self { patterns, heads, bits, places, groups }
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
        let short = (1..SHORTEST).rev().find(|&len| len <= text.len() && self.is_beginning(&text[text.len() - len..]));
        if let Some(len) = short {
            found.undecided(text.len() - len);
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
            let pattern = self.patterns[place.pattern as usize].as_bytes();
            let text = &text[start..];
            if text.starts_with(pattern) {
                found.known(start, start + pattern.len());
            } else if pattern.starts_with(text) {
                found.undecided(start);
            }
        }
    }

    /// Whether a pattern begins with these bytes, fewer than [`SHORTEST`].
    fn is_beginning(&self, bytes: &[u8]) -> bool {
        let mut head = [0; SHORTEST];
        head[..bytes.len()].copy_from_slice(bytes);
        let head = u64::from_be_bytes(head);
        let free = 8 * (SHORTEST - bytes.len());
        let first = self.heads.partition_point(|&other| other < head);
        self.heads.get(first).is_some_and(|other| other >> free == head >> free)
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
            for pattern in patterns.iter().map(Form::as_bytes) {
                if text[start..].starts_with(pattern) {
                    hidden[start..start + pattern.len()].fill(true);
                } else if pattern.starts_with(&text[start..]) {
                    undecided = undecided.min(start);
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

    proptest! {
        #[test]
        fn finds_what_trying_every_place_finds(
            secrets in prop::collection::vec("[ab]{8,14}", 1..6),
            text in "[ab]{0,60}",
        ) {
            let patterns = secrets.iter().flat_map(|secret| forms::of(secret)).collect();
            let (shown, undecided) = naive(&patterns, &text);

            let known = Known::new(&patterns.into_iter().map(Arc::new).collect());
            let mut found = Findings::default();
            found.scan(&known, text.as_bytes(), &[]);
            prop_assert_eq!(found.undecided_from(), undecided);

            let redactor = Redactor::new();
            for secret in &secrets {
                let _ = redactor.add(secret);
            }
            prop_assert_eq!(redactor.redact(&text), shown);
        }
    }
}
