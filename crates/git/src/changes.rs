use std::time::Duration;

use valetkey_model::{ChangedFile, Changes, FileStatus, LeftOut, ObjectId};

use crate::{Checkout, Git, GitError, own_dir::ObjectFormat};

/// How long each of the two commands may take: it is not worth keeping a push waiting for longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How much of git's patch is read in search of those that fit.
const MAX_READ: usize = 4 << 20;
/// Larger files count as binary.
const BIG_FILE: &str = "2m";
/// More renamed files than this are shown as added and deleted.
const MAX_RENAMES: &str = "-l200";

/// How much of [`Checkout::changes`] is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangesLimits {
    /// How many files are listed.
    pub files: usize,
    /// How many bytes of patch there are in all.
    pub patch: usize,
    /// How many bytes the patch of one file has.
    pub file_patch: usize,
}

impl Checkout {
    /// How `commit` differs from `base`, or from nothing. Two git processes at once.
    ///
    /// It is for reading: objects that the agent forged can make it say what is not so. What counts is the branch where
    /// it was pushed to.
    ///
    /// # Errors
    /// When the objects can't be read, or that takes longer than a minute.
    pub async fn changes(
        &self,
        git: &Git,
        base: Option<&ObjectId>,
        commit: &ObjectId,
        limits: ChangesLimits,
    ) -> Result<Changes, GitError> {
        let own = self.own_dir(git, Some(commit)).await?;
        let base = base.map_or(empty_tree(commit), ObjectId::as_str);
        let diff = |what, form: &[&str]| {
            let hardened = ["--no-ext-diff", "--no-textconv", "--full-index", "-M", MAX_RENAMES];
            let call = git.call_in(what, &own).args(["-c", &format!("core.bigFileThreshold={BIG_FILE}"), "diff-tree"]);
            call.args(["-r", "--no-color"]).args(hardened).args(form).args([base, commit.as_str()]).within(PATIENCE)
        };
        let what = "list what changed";
        let list = diff(what, &["-z", "--raw", "--numstat"]).run();
        let patches = diff("show what changed", &["--patch"]).beginning(MAX_READ);
        let (list, patches) = tokio::try_join!(list, patches)?;
        let mut changes = parse_list(&list.stdout).ok_or(GitError::Unexpected { what })?;
        changes.files.truncate(limits.files);
        add_patches(&mut changes.files, &patches, limits);
        Ok(changes)
    }
}

/// The tree without files: git knows it without having it.
fn empty_tree(like: &ObjectId) -> &'static str {
    match ObjectFormat::of(like) {
        ObjectFormat::Sha1 => "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        ObjectFormat::Sha256 => "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
    }
}

/// First `:MODE MODE ID ID STATUS NUL PATH NUL` per file, then `ADDED TAB REMOVED TAB PATH NUL` in the same order; of a
/// renamed file the old path and the new one.
fn parse_list(output: &[u8]) -> Option<Changes> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut fields = output.split(|&byte| byte == 0).filter(|field| !field.is_empty()).peekable();
    let mut changes = Changes::default();
    while let Some(entry) = fields.next_if(|field| field.starts_with(b":")) {
        let status = match entry.rsplit(|&byte| byte == b' ').next()?.first()? {
            b'A' => FileStatus::Added,
            b'D' => FileStatus::Deleted,
            b'R' => FileStatus::Renamed,
            _ => FileStatus::Modified,
        };
        let old_path = if status == FileStatus::Renamed { Some(text(fields.next()?)) } else { None };
        let path = text(fields.next()?);
        changes.files.push(ChangedFile {
            path,
            old_path,
            status,
            lines_added: None,
            lines_removed: None,
            patch: None,
            left_out: None,
        });
    }
    for file in &mut changes.files {
        let mut numbers = fields.next()?.splitn(3, |&byte| byte == b'\t');
        let mut number = || -> Option<Option<u64>> {
            let word = std::str::from_utf8(numbers.next()?).ok()?;
            if word == "-" { Some(None) } else { Some(Some(word.parse().ok()?)) }
        };
        (file.lines_added, file.lines_removed) = (number()?, number()?);
        if file.old_path.is_some() {
            fields.next()?;
            fields.next()?;
        }
        changes.files_changed += 1;
        changes.lines_added += file.lines_added.unwrap_or_default();
        changes.lines_removed += file.lines_removed.unwrap_or_default();
    }
    fields.next().is_none().then_some(changes)
}

/// Gives each file its patch as long as there is room, and those without one the reason.
fn add_patches(files: &mut [ChangedFile], output: &[u8], limits: ChangesLimits) {
    let whole = output.len() < MAX_READ;
    let sections = sections(output);
    // The last may be cut off.
    let readable = if whole { sections.len() } else { sections.len().saturating_sub(1) };
    let mut sections = sections.into_iter().take(readable).peekable();
    let mut room = limits.patch;
    for file in files {
        let first = sections.next_if(|section| is_of(section, file)).unwrap_or_default();
        // Of a file that became a link, or the reverse, there are two: it went, and it came.
        let second = sections.next_if(|section| !first.is_empty() && header(section) == header(first));
        let patch = [first, second.unwrap_or_default()].concat();
        let binary = file.lines_added.is_none();
        let fits = !patch.is_empty() && patch.len() <= limits.file_patch.min(room);
        if fits && !binary {
            room -= patch.len();
            file.patch = Some(String::from_utf8_lossy(&patch).into_owned());
        } else {
            file.left_out = Some(if binary { LeftOut::Binary } else { LeftOut::TooLong });
        }
    }
}

const HEADER: &[u8] = b"diff --git ";

/// The parts of a patch that are about one file each. No line of a hunk begins like a header.
fn sections(patch: &[u8]) -> Vec<&[u8]> {
    let mut starts = Vec::new();
    let mut at = 0;
    for line in patch.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(HEADER) {
            starts.push(at);
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([patch.len()]);
    starts.iter().zip(ends).map(|(start, end)| &patch[*start..end]).collect()
}

/// Whether a section is about a file, as far as its header can be read: paths with quotes or control characters are
/// written in another form there.
fn is_of(section: &[u8], file: &ChangedFile) -> bool {
    let header = String::from_utf8_lossy(&header(section)[HEADER.len()..]);
    let old = file.old_path.as_ref().unwrap_or(&file.path);
    header == format!("a/{old} b/{}", file.path)
        || header.contains('"') && [old, &file.path].iter().any(|path| path.contains(is_quoted))
}

fn header(section: &[u8]) -> &[u8] {
    section.split(|&byte| byte == b'\n').next().unwrap_or_default()
}

fn is_quoted(c: char) -> bool {
    c.is_control() || matches!(c, '"' | '\\')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: ChangesLimits = ChangesLimits { files: 10, patch: 1_000, file_patch: 500 };

    fn file(path: &str) -> ChangedFile {
        ChangedFile {
            path: path.to_owned(),
            old_path: None,
            status: FileStatus::Modified,
            lines_added: Some(1),
            lines_removed: Some(1),
            patch: None,
            left_out: None,
        }
    }

    fn section(path: &str, lines: usize) -> String {
        format!("diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n{}", "+line\n".repeat(lines))
    }

    #[test]
    fn files_of_all_kinds_are_listed_with_their_numbers() {
        // A bar stands for each NUL.
        let raw = ":100644 100644 a b M|a\tb|:000000 100644 a b A|new|:100644 000000 a b D|gone|\
                   :100644 100644 a b R086|old name|new name|:100644 100644 a b M|logo.png|";
        let raw = raw.replace('|', "\0");
        let numbers = "1\t2\ta\tb|5\t0\tnew|0\t7\tgone|1\t1\t|old name|new name|-\t-\tlogo.png|".replace('|', "\0");
        let changes = parse_list(format!("{raw}{numbers}").as_bytes()).unwrap();
        assert_eq!((changes.files_changed, changes.lines_added, changes.lines_removed), (5, 7, 10));
        let seen: Vec<_> =
            changes.files.iter().map(|f| (&*f.path, f.old_path.as_deref(), f.status, f.lines_added)).collect();
        assert_eq!(
            seen,
            [
                ("a\tb", None, FileStatus::Modified, Some(1)),
                ("new", None, FileStatus::Added, Some(5)),
                ("gone", None, FileStatus::Deleted, Some(0)),
                ("new name", Some("old name"), FileStatus::Renamed, Some(1)),
                ("logo.png", None, FileStatus::Modified, None),
            ]
        );
        assert_eq!(parse_list(raw.as_bytes()), None, "without the numbers");
        assert_eq!(parse_list(b""), Some(Changes::default()));
    }

    #[test]
    fn a_patch_that_is_too_long_makes_room_for_the_next() {
        let mut files = [file("a"), file("b"), file("c")];
        let patch = format!("{}{}{}", section("a", 2), section("b", 500), section("c", 2));
        add_patches(&mut files, patch.as_bytes(), LIMITS);
        assert_eq!(files[0].patch.as_deref(), Some(&*section("a", 2)));
        assert_eq!((files[1].patch.as_deref(), files[1].left_out), (None, Some(LeftOut::TooLong)));
        assert_eq!(files[2].patch.as_deref(), Some(&*section("c", 2)));
    }

    #[test]
    fn all_patches_together_have_an_end() {
        let mut files: Vec<_> = (0..5).map(|n| file(&n.to_string())).collect();
        let patch: String = (0..5).map(|n| section(&n.to_string(), 60)).collect();
        add_patches(&mut files, patch.as_bytes(), LIMITS);
        assert_eq!(files.iter().filter(|file| file.patch.is_some()).count(), 2);
        let length: usize = files.iter().filter_map(|file| file.patch.as_ref()).map(String::len).sum();
        assert!(length <= LIMITS.patch);
    }

    #[test]
    fn a_patch_is_never_shown_under_another_files_name() {
        let mut files = [file("a"), file("b"), file("c")];
        let patch = format!("{}{}", section("a", 1), section("c", 1));
        add_patches(&mut files, patch.as_bytes(), LIMITS);
        assert_eq!(files.map(|file| file.patch.is_some()), [true, false, true]);
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_one_change() {
        let mut files = [file("a"), file("b")];
        let patch = format!("{}{}{}", section("a", 1), section("a", 2), section("b", 1));
        add_patches(&mut files, patch.as_bytes(), LIMITS);
        assert_eq!(files[0].patch.as_ref().unwrap().matches("diff --git").count(), 2);
        assert!(files[1].patch.is_some());
    }

    proptest! {
        #[test]
        fn never_panics(output in prop::collection::vec(prop_oneof![Just(0u8), Just(b':'), Just(b'\t'), any::<u8>()], 0..80)) {
            let _ = parse_list(&output);
            add_patches(&mut [file("a")], &output, LIMITS);
        }
    }
}
