//! Verifying an export of the audit trail without the database it came from.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use valetkey_model::{AuditBreak, AuditEntry, AuditMark, BreakKind, Problem, ProblemCode};
use valetkey_store::AuditReport;

/// Looks at the entries of a file, one after the other.
pub(super) fn verify(file: &Path, selection: bool, noted: Option<AuditMark>) -> Result<AuditReport, Problem> {
    let unreadable = |error: std::io::Error| {
        Problem::new(ProblemCode::InvalidInput, format!("{} can't be read: {error}.", file.display()))
            .remedy("Name a file that `valetkey audit export` wrote.")
    };
    walk(BufReader::new(File::open(file).map_err(unreadable)?), selection, noted).map_err(unreadable)
}

fn walk(lines: impl BufRead, selection: bool, noted: Option<AuditMark>) -> std::io::Result<AuditReport> {
    let mut report = AuditReport { entries: 0, anchor: AuditMark::START, head: AuditMark::START, broken: None };
    let mut seen = noted.is_none();
    for line in lines.lines() {
        let line = line?;
        let entry: Option<AuditEntry> = serde_json::from_str(&line).ok();
        let Some(entry) = entry else {
            let broken = AuditBreak { seq: report.head.seq + 1, why: BreakKind::Unreadable };
            return Ok(AuditReport { broken: Some(broken), ..report });
        };
        let before = AuditMark { seq: entry.seq - 1, hash: entry.previous };
        if report.entries == 0 {
            (report.anchor, report.head) = (before, before);
        }
        let skipped = selection && entry.seq > report.head.seq + 1;
        let from = if skipped { before } else { report.head };
        match from.follow(&entry) {
            Ok(mark) => (report.head, report.entries) = (mark, report.entries + 1),
            Err(broken) => return Ok(AuditReport { broken: Some(broken), ..report }),
        }
        for mark in [before, report.head] {
            match noted.filter(|noted| noted.seq == mark.seq) {
                Some(noted) if noted.hash != mark.hash => {
                    let broken = AuditBreak { seq: mark.seq, why: BreakKind::NotAsNoted };
                    return Ok(AuditReport { broken: Some(broken), ..report });
                }
                Some(_) => seen = true,
                None => {}
            }
        }
    }
    let missing = noted.filter(|_| !seen).map(|noted| AuditBreak { seq: noted.seq, why: BreakKind::Missing });
    Ok(AuditReport { broken: missing, ..report })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use valetkey_model::{AuditAction, AuditActor, AuditEvent};

    use super::*;

    fn lines(count: usize) -> Vec<String> {
        let mut mark = AuditMark::START;
        let next = |_| {
            let event = AuditEvent::new(Timestamp::UNIX_EPOCH, AuditActor::System, AuditAction::SessionEnd);
            let entry = mark.entry(event);
            mark = entry.mark();
            serde_json::to_string(&entry).unwrap()
        };
        (0..count).map(next).collect()
    }

    fn found(lines: &[String], selection: bool, noted: Option<&str>) -> Option<(i64, BreakKind)> {
        let noted = noted.map(|mark| mark.parse().unwrap());
        let report = walk(lines.join("\n").as_bytes(), selection, noted).unwrap();
        report.broken.map(|broken| (broken.seq, broken.why))
    }

    #[test]
    fn a_file_is_as_it_was_exported_or_says_where_not() {
        let whole = lines(4);
        assert_eq!(found(&whole, false, None), None);
        assert_eq!(found(&whole[1..], false, None), None, "the oldest were forgotten");
        assert_eq!(found(&[], false, None), None);
        let touched = |touch: fn(&mut Vec<String>)| {
            let mut lines = whole.clone();
            touch(&mut lines);
            (found(&lines, false, None).unwrap(), found(&lines, true, None))
        };
        let missing = (2, BreakKind::Missing);
        assert_eq!(touched(|all| drop(all.remove(1))), (missing, None), "a selection has gaps");
        let changed = (2, BreakKind::Changed);
        assert_eq!(touched(|all| all[1] = all[1].replace("system", "eve")), (changed, Some(changed)));
        let unreadable = (2, BreakKind::Unreadable);
        assert_eq!(touched(|all| all[1].truncate(20)), (unreadable, Some(unreadable)));
        assert_eq!(touched(|all| all.swap(1, 2)).1, Some((2, BreakKind::OutOfOrder)));
    }

    #[test]
    fn a_mark_must_be_in_the_file() {
        let whole = lines(4);
        let third: AuditEntry = serde_json::from_str(&whole[2]).unwrap();
        let mark = third.mark().to_string();
        assert_eq!(found(&whole, false, Some(&mark)), None);
        assert_eq!(found(&whole[3..], false, Some(&mark)), None, "it is what the first one stands on");
        assert_eq!(found(&whole[..2], false, Some(&mark)), Some((3, BreakKind::Missing)));
        let other = mark.replace("3:", "2:");
        assert_eq!(found(&whole, false, Some(&other)), Some((2, BreakKind::NotAsNoted)));
    }
}
