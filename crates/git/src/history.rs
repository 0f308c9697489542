use std::collections::{BTreeMap, HashSet};

use aws_lc_rs::digest;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{ChildStdin, ChildStdout},
};
use valetkey_model::ObjectId;

use crate::{Checkout, Git, GitError, own_dir::ObjectFormat, process::LOCAL_LIMIT};

/// How many commits are looked at before the answer is "can't tell".
const MAX_COMMITS: usize = 100_000;
const MAX_COMMIT_BYTES: usize = 1 << 20;

impl Git {
    /// [`Checkout::is_fast_forward`] for the checkout in `dir`.
    ///
    /// # Errors
    /// As there, and when `dir` holds no usable checkout.
    pub async fn is_fast_forward(
        &self,
        dir: &std::path::Path,
        old: &ObjectId,
        new: &ObjectId,
    ) -> Result<Option<bool>, GitError> {
        Checkout::open(dir)?.is_fast_forward(self, old, new).await
    }
}

impl Checkout {
    /// Whether `new` descends from `old`, so that setting a ref from one to the other loses no commit. `None` when the
    /// checkout does not hold enough of the history to tell. One git process.
    ///
    /// The agent can write to the object store, so each commit on the way is hashed: an object that is not what its name
    /// says counts as missing. Replace refs, grafts, `shallow` and commit graphs have no say.
    ///
    /// # Errors
    /// When git can't be run, or the object store is not the checkout's own.
    pub async fn is_fast_forward(&self, git: &Git, old: &ObjectId, new: &ObjectId) -> Result<Option<bool>, GitError> {
        if old == new {
            return Ok(Some(true));
        }
        let own = self.own_dir(git, Some(new)).await?;
        let mut running = git.call_in("read commits", &own).args(["cat-file", "--batch"]).converse()?;
        let (Some(ask), Some(answers)) = (running.child.stdin.take(), running.child.stdout.take()) else {
            return Err(GitError::Unexpected { what: "read commits" });
        };
        let mut commits = Commits { ask, answers: BufReader::new(answers), in_step: true };
        // Without an answer in time it can't be told either.
        Ok(tokio::time::timeout(LOCAL_LIMIT, descends(&mut commits, old, new)).await.unwrap_or(None))
    }
}

/// Walks from `new` to its ancestors, the youngest first, until it meets `old`.
async fn descends(commits: &mut Commits, old: &ObjectId, new: &ObjectId) -> Option<bool> {
    let first = commits.read(new).await?;
    let mut seen = HashSet::from([new.clone()]);
    // The date decides only where to look first: it is the committer's word. The number makes equal dates distinct.
    let mut queue = BTreeMap::from([((first.date, 0), first.parents)]);
    let mut complete = true;
    while let Some((_, parents)) = queue.pop_last() {
        for parent in parents {
            if parent == *old {
                return Some(true);
            }
            if !seen.insert(parent.clone()) {
                continue;
            }
            if seen.len() > MAX_COMMITS {
                return None;
            }
            match commits.read(&parent).await {
                Some(commit) => {
                    queue.insert((commit.date, seen.len()), commit.parents);
                }
                None => complete = false,
            }
        }
    }
    complete.then_some(false)
}

struct Commit {
    date: i64,
    parents: Vec<ObjectId>,
}

/// A `git cat-file --batch` that is asked for one commit after the other.
struct Commits {
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
    in_step: bool,
}

impl Commits {
    /// A commit whose content has the hash that it is named by; `None` if there is none.
    async fn read(&mut self, id: &ObjectId) -> Option<Commit> {
        if !self.in_step {
            return None;
        }
        self.in_step = false;
        self.ask.write_all(format!("{id}\n").as_bytes()).await.ok()?;
        let mut header = String::new();
        self.answers.read_line(&mut header).await.ok()?;
        let mut words = header.split_whitespace().skip(1);
        let size = match (words.next()?, words.next().and_then(|size| size.parse::<usize>().ok())) {
            ("commit", Some(size @ ..=MAX_COMMIT_BYTES)) => size,
            (answer, None) => {
                self.in_step = answer == "missing";
                return None;
            }
            // The content of something else follows, perhaps endlessly.
            _ => return None,
        };
        let mut content = vec![0; size + 1];
        self.answers.read_exact(&mut content).await.ok()?;
        self.in_step = true;
        content.truncate(size);
        if name_of_commit(&content, ObjectFormat::of(id)) == id.as_str() { parse_commit(&content) } else { None }
    }
}

fn name_of_commit(content: &[u8], format: ObjectFormat) -> String {
    use std::fmt::Write as _;
    let algorithm = match format {
        ObjectFormat::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        ObjectFormat::Sha256 => &digest::SHA256,
    };
    let mut context = digest::Context::new(algorithm);
    context.update(format!("commit {}\0", content.len()).as_bytes());
    context.update(content);
    context.finish().as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The parents and the committer's date from the lines in front of the message.
fn parse_commit(content: &[u8]) -> Option<Commit> {
    let mut commit = Commit { date: 0, parents: Vec::new() };
    for line in content.split(|&byte| byte == b'\n').take_while(|line| !line.is_empty()) {
        if let Some(id) = line.strip_prefix(b"parent ") {
            commit.parents.push(std::str::from_utf8(id).ok()?.parse().ok()?);
        } else if line.starts_with(b"committer ") {
            let mut words = line.rsplit(|&byte| byte == b' ').skip(1);
            let date = words.next().and_then(|date| std::str::from_utf8(date).ok()?.parse().ok());
            commit.date = date.unwrap_or_default();
            break;
        }
    }
    Some(commit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commits_name_is_the_hash_of_its_content() {
        let content =
            b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\n";
        assert_eq!(name_of_commit(content, ObjectFormat::Sha1), "823a8a296fc96cbdaba5c22bfe4b19f0de84017e");
    }

    #[test]
    fn parents_are_read_from_the_header_only() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let text =
            format!("tree {a}\nparent {a}\nparent {b}\nauthor A <a> 1 +0\ncommitter A B <a> 77 +0000\n\nparent {a}\n");
        let commit = parse_commit(text.as_bytes()).unwrap();
        assert_eq!(commit.parents.len(), 2);
        assert_eq!(commit.date, 77);
        assert!(parse_commit(b"parent nonsense\n").is_none());
    }
}
