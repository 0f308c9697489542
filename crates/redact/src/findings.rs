use crate::family::{self, Body};
use crate::known::Known;

const MARK: &[u8] = b"***";

/// What a look at a text found.
#[derive(Default)]
pub(crate) struct Findings {
    /// What to hide, by start. Matches may overlap: their union is hidden, so none is missed for another one.
    matches: Vec<Match>,
    /// The tokens that reach the end of the text and may go on.
    open: Vec<(usize, Open)>,
    undecided: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Match {
    start: usize,
    end: usize,
    /// A known value, rather than something that looks like a token.
    known: bool,
}

/// A token that may go on at `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) body: Body,
    pub(crate) at: usize,
}

impl Findings {
    /// Looks at a text that continues the `resumed` tokens.
    pub(crate) fn scan(&mut self, known: &Known, text: &[u8], resumed: &[Open]) {
        self.matches.clear();
        self.open.clear();
        self.undecided = text.len();
        family::scan(text, resumed, self);
        known.scan(text, self);
        self.matches.sort_unstable_by_key(|found| found.start);
    }

    /// Nothing is to be hidden.
    pub(crate) fn is_empty(&self) -> bool {
        self.matches.is_empty()
    }

    /// From here on the text may turn into something to hide, depending on what follows it.
    pub(crate) fn undecided_from(&self) -> usize {
        self.undecided
    }

    pub(crate) fn undecided(&mut self, start: usize) {
        self.undecided = self.undecided.min(start);
    }

    pub(crate) fn known(&mut self, start: usize, end: usize) {
        self.matches.push(Match { start, end, known: true });
    }

    pub(crate) fn token(&mut self, start: usize, end: usize) {
        if start < end {
            self.matches.push(Match { start, end, known: false });
        }
    }

    /// A token from `start` that reaches the end of the text.
    pub(crate) fn open_token(&mut self, start: usize, open: Open) {
        self.token(start, open.at);
        self.undecided(open.at);
        self.open.push((start, open));
    }

    /// The tokens that go on after the first `settled` bytes are gone; one that starts later will be found again.
    pub(crate) fn leave_open(&self, settled: usize, open: &mut Vec<Open>) {
        open.clear();
        for &(_, token) in self.open.iter().filter(|(start, _)| *start < settled) {
            let token = Open { at: token.at.saturating_sub(settled), ..token };
            if !open.contains(&token) {
                open.push(token);
            }
        }
    }

    /// Writes the first `upto` bytes of `text` with one mark in place of each run of hidden bytes. `run` and the
    /// result say how far the run reaches that covers the byte before the written text, or its last byte.
    pub(crate) fn write(&self, text: &[u8], upto: usize, run: Option<usize>, out: &mut Vec<u8>) -> Option<usize> {
        let mut at = run.unwrap_or(0);
        let mut marked = run.is_some();
        for (index, found) in self.matches.iter().enumerate() {
            if found.start >= upto {
                break;
            }
            if !marked || found.start > at {
                out.extend_from_slice(&text[at..found.start]);
                out.extend_from_slice(self.public_beginning(text, index).as_bytes());
                out.extend_from_slice(MARK);
                marked = true;
            }
            at = at.max(found.end);
        }
        if at < upto {
            out.extend_from_slice(&text[at..upto]);
            return None;
        }
        marked.then(|| at - upto)
    }

    /// The family prefix with which the run begins that the match at `index` opens. It stays visible unless it is
    /// itself something to hide.
    fn public_beginning(&self, text: &[u8], index: usize) -> &'static str {
        let start = self.matches[index].start;
        let in_run = &self.matches[index..];
        let longest = in_run.iter().take_while(|found| found.start == start).map(|found| found.end).max();
        let Some(prefix) = family::prefix_of(&text[start..longest.unwrap_or(start)]) else { return "" };
        let end = start + prefix.len();
        let secret = in_run.iter().take_while(|found| found.start < end).any(|found| found.known && found.end <= end);
        if secret { "" } else { prefix }
    }
}
