use std::fmt;

use crate::Redactor;
use crate::findings::{Findings, Open};
use crate::known::Known;

/// Input is looked at in blocks that stay in the processor's cache.
const BLOCK: usize = 64 * 1024;

/// A few characters of a secret in base64 or hex and a line break.
const SHORT_LINE_END: usize = 8;

/// One output being redacted as it arrives. Bytes that are not text pass unchanged.
pub struct Stream {
    redactor: Redactor,
    /// The bytes read but not yet shown or hidden: something to hide may begin there.
    held: Vec<u8>,
    /// If the last byte before `held` was hidden: how far into `held` that run is known to reach.
    run: Option<usize>,
    /// The tokens without a fixed end that began before `held` and have not ended.
    open: Vec<Open>,
    found: Findings,
    /// A block out of which secrets are being taken; kept for its memory.
    text: Vec<u8>,
}

impl Stream {
    pub(crate) fn new(redactor: Redactor) -> Self {
        Self { redactor, held: Vec::new(), run: None, open: Vec::new(), found: Findings::default(), text: Vec::new() }
    }

    /// Takes in a chunk and appends to `out` all that is safe to show.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let known = self.redactor.known();
        for block in chunk.chunks(BLOCK) {
            self.step(&known, block, false, out);
        }
    }

    /// The input has paused: shows what is held back if that is no more than a short line's end. It may be the beginning
    /// of a secret that a tool wraps, but a tool does not pause there, and a person waits for the line.
    pub fn pause(&mut self, out: &mut Vec<u8>) {
        if self.held.len() <= SHORT_LINE_END && self.held.ends_with(b"\n") && self.open.is_empty() {
            self.finish(out);
        }
    }

    /// Appends what was held back: the input has ended. The stream can be used again, for another input.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let known = self.redactor.known();
        self.step(&known, &[], true, out);
        self.run = None;
        self.open.clear();
    }

    fn step(&mut self, known: &Known, block: &[u8], last: bool, out: &mut Vec<u8>) {
        // Nothing is hidden in nearly all input: the text goes to its destination first, and is looked at there.
        let base = out.len();
        out.append(&mut self.held);
        out.extend_from_slice(block);
        self.found.scan(known, &out[base..], &self.open);
        let settled = if last { out.len() - base } else { self.found.undecided_from() };
        if self.found.is_empty() && self.run.is_none() {
            self.held.extend_from_slice(&out[base + settled..]);
            out.truncate(base + settled);
            return;
        }
        self.text.clear();
        self.text.extend_from_slice(&out[base..]);
        out.truncate(base);
        self.run = self.found.write(&self.text, settled, self.run, out);
        if settled > 0 {
            self.found.leave_open(settled, &mut self.open);
        }
        self.held.extend_from_slice(&self.text[settled..]);
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("held", &self.held.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_does_not_grow_with_a_token_that_does_not_end() {
        let redactor = Redactor::new();
        let mut stream = redactor.stream();
        let mut out = Vec::new();
        stream.push(b"token ghs_", &mut out);
        for _ in 0..10_000 {
            stream.push(b"0123456789_aB.-", &mut out);
        }
        assert_eq!(out, b"token ghs_***");
        assert!(stream.held.len() < 16 && stream.open.len() == 1);
        stream.push(b" end", &mut out);
        assert_eq!(out, b"token ghs_*** end");
        assert!(stream.held.is_empty() && stream.open.is_empty());
    }

    #[test]
    fn in_a_pause_the_end_of_a_line_is_shown_and_nothing_else() {
        let redactor = Redactor::new();
        assert_eq!(redactor.add("glpat-0123456789"), crate::Added::Redacted);
        let mut stream = redactor.stream();
        let mut out = Vec::new();
        stream.push(b"port 8067\n", &mut out);
        assert_eq!(out, b"port 80", "in hex the secret begins with 67, and tools wrap hex");
        stream.pause(&mut out);
        assert_eq!(out, b"port 8067\n");
        out.clear();
        stream.push(b"glpat-0123", &mut out);
        stream.pause(&mut out);
        assert!(out.is_empty());
        stream.push(b"456789 ", &mut out);
        assert_eq!(out, b"glpat-*** ");
    }

    #[test]
    fn no_more_is_held_than_what_may_begin_a_secret() {
        let redactor = Redactor::new();
        assert_eq!(redactor.add("correct horse battery staple"), crate::Added::Redacted);
        let mut stream = redactor.stream();
        let mut out = Vec::new();
        stream.push(b"the correct hose; the correct hor", &mut out);
        assert_eq!(out, b"the correct hose; the ");
        assert_eq!(stream.held, b"correct hor");
        stream.push(b"n", &mut out);
        assert_eq!(out, b"the correct hose; the correct horn");
    }
}
