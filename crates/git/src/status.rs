//! What `git status --porcelain=v2 -z` says.

/// What in a working tree is not committed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// The paths that are in the working tree and not so in the index.
    pub(crate) to_add: PathList,
    /// The paths that are in the index and not in the working tree.
    pub(crate) to_remove: PathList,
    /// How many files differ from the commit.
    pub(crate) changed: usize,
    /// Whether one of the differences is sure to remain once everything is staged.
    pub(crate) surely_differs: bool,
    /// Folders that are git repositories of their own and not part of this one.
    pub(crate) foreign: Vec<String>,
}

/// Paths as `git update-index -z --stdin` reads them: each ends with a NUL.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PathList(pub(crate) Vec<u8>);

impl PathList {
    fn push(&mut self, path: &[u8]) {
        self.0.extend_from_slice(path);
        self.0.push(0);
    }
}

impl Status {
    pub(crate) fn parse(output: &[u8]) -> Option<Self> {
        let mut status = Self::default();
        for entry in output.split(|&byte| byte == 0).filter(|entry| !entry.is_empty()) {
            let (kind, rest) = (entry.first()?, entry.get(2..)?);
            match kind {
                b'1' => status.tracked(rest)?,
                b'u' => status.unmerged(rest)?,
                b'?' if rest.ends_with(b"/") => status.foreign.push(String::from_utf8_lossy(rest).into_owned()),
                b'?' => {
                    status.to_add.push(rest);
                    status.changed += 1;
                    status.surely_differs = true;
                }
                b'#' => {}
                _ => return None,
            }
        }
        Some(status)
    }

    fn tracked(&mut self, entry: &[u8]) -> Option<()> {
        let path = path_behind(entry, 7)?;
        let (in_index, in_tree) = (*entry.first()?, *entry.get(1)?);
        match in_tree {
            b'.' => {}
            b'D' => self.to_remove.push(path),
            _ => self.to_add.push(path),
        }
        self.changed += 1;
        self.surely_differs |= in_index == b'.' || in_tree == b'.';
        Some(())
    }

    /// What is in the working tree counts, whichever side of the merge had the file.
    fn unmerged(&mut self, entry: &[u8]) -> Option<()> {
        self.to_add.push(path_behind(entry, 9)?);
        self.changed += 1;
        Some(())
    }
}

/// Some fields that don't matter, then a path with whatever characters, separated by single spaces.
fn path_behind(entry: &[u8], fields: usize) -> Option<&[u8]> {
    entry.splitn(fields + 1, |&byte| byte == b' ').nth(fields)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: &str = "N... 100644 100644 100644 aaaa bbbb";

    fn parse(entries: &[String]) -> Status {
        Status::parse(entries.join("\0").as_bytes()).unwrap()
    }

    #[test]
    fn a_clean_tree() {
        assert_eq!(Status::parse(b""), Some(Status::default()));
    }

    #[test]
    fn changes_of_all_kinds() {
        let status = parse(&[
            format!("1 M. {ONE} staged"),
            format!("1 .M {ONE} a path with  spaces\nand a line feed"),
            "u UU N... 100644 100644 100644 100644 a b c conflict".to_owned(),
            format!("1 .D {ONE} gone"),
            "? new".to_owned(),
            "? other/repo/".to_owned(),
        ]);
        assert_eq!(status.to_add.0, b"a path with  spaces\nand a line feed\0conflict\0new\0");
        assert_eq!(status.to_remove.0, b"gone\0");
        assert_eq!((status.changed, status.surely_differs), (5, true));
        assert_eq!(status.foreign, ["other/repo/"]);
    }

    #[test]
    fn a_change_staged_and_undone_may_be_none() {
        assert!(!parse(&[format!("1 MM {ONE} x")]).surely_differs);
        assert!(parse(&[format!("1 MM {ONE} x"), format!("1 .D {ONE} y")]).surely_differs);
    }

    #[test]
    fn what_is_not_understood_is_no_status() {
        for bad in ["2 R. x", "1 M", "1 M. too few", "x", "?"] {
            assert_eq!(Status::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(output in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Status::parse(&output);
        }
    }
}
