//! A file's patch as lines with numbers.

use serde::Serialize;

/// A line of a diff.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    kind: Kind,
    /// Its number in the old file.
    old: Option<u64>,
    /// Its number in the new file.
    new: Option<u64>,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Added,
    Removed,
    Same,
    /// Where in the file the next lines are.
    Place,
    /// What git says besides, such as a change of mode.
    Note,
}

/// How many bytes a line has in a page besides its text, at most.
const AROUND: usize = 100;

impl Line {
    pub(super) fn size(&self) -> usize {
        // A line feed takes the place of the sign; whatever is escaped becomes up to six characters.
        AROUND + self.text.len() + 5 * self.text.bytes().filter(|byte| b"&<>\"'".contains(byte)).count()
    }

    fn note(text: &str) -> Self {
        Self { kind: Kind::Note, old: None, new: None, text: text.to_owned() }
    }
}

/// The lines of a patch as `git diff` writes it, without those of its header that say nothing new.
pub(super) fn lines(patch: &str) -> Vec<Line> {
    let mut at = Numbers::default();
    let mut lines = Vec::new();
    for line in patch.split_terminator('\n') {
        // Between two hunks, and before the first one, there are headers.
        if let Some(place) = line.strip_prefix("@@ ") {
            at = Numbers::parse(place);
            lines.push(Line { kind: Kind::Place, old: None, new: None, text: line.to_owned() });
        } else if let Some(line) = at.take(line) {
            lines.push(line);
        } else if ["old mode ", "new mode ", "\\ "].iter().any(|start| line.starts_with(start)) {
            lines.push(Line::note(line.trim_start_matches("\\ ")));
        }
    }
    lines
}

/// How far a hunk has been read.
#[derive(Debug, Default)]
struct Numbers {
    old: u64,
    new: u64,
    old_left: u64,
    new_left: u64,
}

impl Numbers {
    /// From `-12,3 +14,5 @@ …`; a length of one is not written.
    fn parse(place: &str) -> Self {
        let mut ranges = place.split(' ').map(|range| {
            let (start, length) =
                range.get(1..).unwrap_or_default().split_once(',').unwrap_or((range.get(1..).unwrap_or_default(), "1"));
            (start.parse().unwrap_or_default(), length.parse().unwrap_or_default())
        });
        let (old, old_left) = ranges.next().unwrap_or_default();
        let (new, new_left) = ranges.next().unwrap_or_default();
        Self { old, new, old_left, new_left }
    }

    /// A line of the hunk; none when all of it was read.
    fn take(&mut self, line: &str) -> Option<Line> {
        let (kind, text) = match line.as_bytes().first() {
            Some(b'+') if self.new_left > 0 => (Kind::Added, &line[1..]),
            Some(b'-') if self.old_left > 0 => (Kind::Removed, &line[1..]),
            Some(b' ') if self.old_left > 0 && self.new_left > 0 => (Kind::Same, &line[1..]),
            _ => return None,
        };
        let old = (kind != Kind::Added).then(|| step(&mut self.old, &mut self.old_left));
        let new = (kind != Kind::Removed).then(|| step(&mut self.new, &mut self.new_left));
        Some(Line { kind, old, new, text: text.trim_end_matches('\r').to_owned() })
    }
}

/// This line's number, and on to the next.
fn step(number: &mut u64, left: &mut u64) -> u64 {
    *left -= 1;
    *number += 1;
    *number - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(patch: &str) -> Vec<(Kind, Option<u64>, Option<u64>, String)> {
        lines(patch).into_iter().map(|line| (line.kind, line.old, line.new, line.text)).collect()
    }

    #[test]
    fn lines_are_numbered_on_both_sides() {
        let patch = "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -3,3 +3,4 @@ fn a()\n same\n-old\n+new\n+--- more\n last\n\\ No newline at end of file\n@@ -9 +10 @@\n-x\n+y\n";
        let expected = [
            (Kind::Place, None, None, "@@ -3,3 +3,4 @@ fn a()"),
            (Kind::Same, Some(3), Some(3), "same"),
            (Kind::Removed, Some(4), None, "old"),
            (Kind::Added, None, Some(4), "new"),
            (Kind::Added, None, Some(5), "--- more"),
            (Kind::Same, Some(5), Some(6), "last"),
            (Kind::Note, None, None, "No newline at end of file"),
            (Kind::Place, None, None, "@@ -9 +10 @@"),
            (Kind::Removed, Some(9), None, "x"),
            (Kind::Added, None, Some(10), "y"),
        ];
        assert_eq!(plain(patch), expected.map(|(kind, old, new, text)| (kind, old, new, text.to_owned())));
    }

    #[test]
    fn a_change_of_mode_is_said() {
        let patch = "diff --git a/x b/x\nold mode 100644\nnew mode 100755\n";
        assert_eq!(plain(patch).len(), 2);
        assert!(plain("").is_empty());
    }

    #[test]
    fn what_is_no_hunk_does_no_harm() {
        for odd in ["@@ nonsense\n+x\n", "@@ -1,99999999999999999999 +1 @@\n+a\n+b\n", "@@ \n", "+++ x", "@@ é +é"] {
            let _ = lines(odd);
        }
    }
}
