//! Git itself: the bare repositories on disk and the processes that work on them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::fixtures::Entry;
use crate::seed::Seed;

/// What every git process of a twin is told: nothing of the host's settings counts, and nothing waits for a disk.
const CONFIG: [(&str, &str); 9] = [
    ("core.fsync", "none"),
    ("core.hooksPath", "/dev/null"),
    ("fastimport.unpackLimit", "1"),
    ("gc.auto", "0"),
    ("http.receivepack", "true"),
    ("receive.autogc", "false"),
    ("safe.directory", "*"),
    ("uploadpack.allowAnySHA1InWant", "true"),
    ("uploadpack.allowFilter", "true"),
];

/// The entries come last and win over [`CONFIG`].
#[expect(clippy::disallowed_methods, reason = "the twin is a git server")]
pub(crate) fn command(program: impl AsRef<OsStr>, config: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("LC_ALL", "C");
    for (index, (key, value)) in CONFIG.iter().chain(config).enumerate() {
        command.env(format!("GIT_CONFIG_KEY_{index}"), key).env(format!("GIT_CONFIG_VALUE_{index}"), value);
    }
    command.env("GIT_CONFIG_COUNT", (CONFIG.len() + config.len()).to_string());
    command
}

/// The path of git's CGI program, asked for once.
///
/// # Errors
/// Git is not installed, or comes without `git-http-backend`.
pub(crate) fn http_backend() -> io::Result<&'static Path> {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    if let Some(path) = PATH.get() {
        return Ok(path);
    }
    let output = command("git", &[]).arg("--exec-path").output()?;
    let path = Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("git-http-backend");
    if !path.exists() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("git has no http-backend at {}", path.display())));
    }
    Ok(PATH.get_or_init(|| path))
}

/// A commit of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The object name.
    pub id: String,
    /// Who wrote it.
    pub author_name: String,
    /// The author's address.
    pub author_email: String,
    /// The whole message, without its last line end.
    pub message: String,
}

impl Commit {
    pub(crate) fn title(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }
}

/// A branch and the commit it is at.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    pub(crate) name: String,
    pub(crate) commit: Commit,
}

/// What is at a path.
pub(crate) enum Object {
    Tree(Vec<Item>),
    Blob { id: String, content: Vec<u8> },
}

/// Something in a folder.
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) mode: String,
    /// As git names it: `blob`, `tree` or `commit`.
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) size: u64,
}

/// What to commit, and as which parent's child.
pub(crate) struct NewCommit<'a> {
    pub(crate) branch: &'a str,
    pub(crate) amends: bool,
    pub(crate) message: &'a str,
    pub(crate) entries: &'a [Entry],
    pub(crate) generated: u64,
    pub(crate) also_branches: &'a [String],
}

/// A bare repository.
#[derive(Debug, Clone)]
pub(crate) struct Bare {
    pub(crate) path: PathBuf,
}

impl Bare {
    /// Lays an empty repository out by hand, which takes no process.
    pub(crate) fn create(path: PathBuf, default_branch: &str) -> io::Result<Self> {
        for folder in ["objects/info", "objects/pack", "refs/heads", "refs/tags"] {
            fs::create_dir_all(path.join(folder))?;
        }
        fs::write(path.join("HEAD"), format!("ref: refs/heads/{default_branch}\n"))?;
        fs::write(path.join("config"), "[core]\n\trepositoryformatversion = 0\n\tbare = true\n")?;
        Ok(Self { path })
    }

    /// Makes a commit with one `git fast-import`, whatever its size.
    pub(crate) fn commit(&self, new: &NewCommit<'_>) -> io::Result<()> {
        let config = [("core.compression", "0"), ("pack.compression", "0")];
        let mut child = command("git", &config)
            .args(["fast-import", "--quiet", "--force", "--depth=0"])
            .env("GIT_DIR", &self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let written = write_import(BufWriter::with_capacity(1 << 16, stdin), new);
        let output = child.wait_with_output()?;
        checked(&output)?;
        written
    }

    pub(crate) fn head(&self, branch: &str) -> Option<String> {
        self.read(&["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}")]).map(|id| id.trim().to_owned())
    }

    pub(crate) fn file_at(&self, branch: &str, path: &str) -> Option<String> {
        self.read(&["cat-file", "blob", &format!("refs/heads/{branch}:{path}")])
    }

    pub(crate) fn commits(&self, branch: &str) -> Vec<Commit> {
        let branch = format!("refs/heads/{branch}");
        let log = self.read(&["log", "-z", "--format=%H%x1f%an%x1f%ae%x1f%B", &branch]).unwrap_or_default();
        log.split_terminator('\0').filter_map(parse_commit).collect()
    }

    pub(crate) fn branches(&self) -> Vec<Branch> {
        let format =
            "--format=%(refname:lstrip=2)%1f%(objectname)%1f%(authorname)%1f%(authoremail:trim)%1f%(contents:subject)";
        let listing = self.read(&["for-each-ref", format, "refs/heads"]).unwrap_or_default();
        let branch = |line: &str| {
            let (name, commit) = line.split_once('\x1f')?;
            Some(Branch { name: name.to_owned(), commit: parse_commit(commit)? })
        };
        listing.lines().filter_map(branch).collect()
    }

    pub(crate) fn refs(&self) -> BTreeMap<String, String> {
        let listing = self.read(&["for-each-ref", "--format=%(refname) %(objectname)"]).unwrap_or_default();
        let pair = |line: &str| line.split_once(' ').map(|(name, id)| (name.to_owned(), id.to_owned()));
        listing.lines().filter_map(pair).collect()
    }

    pub(crate) fn files(&self, branch: &str) -> Option<Vec<String>> {
        let listing = self.read(&["ls-tree", "-r", "-z", "--name-only", &format!("refs/heads/{branch}")])?;
        Some(listing.split_terminator('\0').map(str::to_owned).collect())
    }

    /// What is at a path of a branch, a tag or a commit.
    pub(crate) fn object_at(&self, revision: &str, path: &str) -> Option<Object> {
        if revision.starts_with('-') {
            return None;
        }
        let id = self.read(&["rev-parse", "--verify", "--quiet", &format!("{revision}:{path}")])?.trim().to_owned();
        if self.read(&["cat-file", "-t", &id])?.trim() == "tree" {
            let listing = self.read(&["ls-tree", "-z", "--long", &id])?;
            return Some(Object::Tree(listing.split_terminator('\0').filter_map(|line| item(line, path)).collect()));
        }
        let content = self.bytes(&["cat-file", "blob", &id])?;
        Some(Object::Blob { id, content })
    }

    /// The branch's last commit as a patch.
    pub(crate) fn last_change(&self, branch: &str) -> String {
        let branch = format!("refs/heads/{branch}");
        self.read(&["show", "--no-color", "--no-ext-diff", "--stat", "--patch", &branch]).unwrap_or_default()
    }

    /// How many commits `to` has that `from` lacks.
    pub(crate) fn ahead(&self, from: &str, to: &str) -> u64 {
        let range = format!("refs/heads/{from}..refs/heads/{to}");
        self.read(&["rev-list", "--count", &range]).and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }

    /// The output of a git command, or nothing when it fails.
    fn read(&self, arguments: &[&str]) -> Option<String> {
        Some(String::from_utf8_lossy(&self.bytes(arguments)?).into_owned())
    }

    fn bytes(&self, arguments: &[&str]) -> Option<Vec<u8>> {
        let output = command("git", &[]).args(arguments).env("GIT_DIR", &self.path).output().ok()?;
        output.status.success().then_some(output.stdout)
    }
}

/// A line of `git ls-tree --long`: mode, kind, object, size, and behind a tab the name.
fn item(line: &str, folder: &str) -> Option<Item> {
    let (facts, name) = line.split_once('\t')?;
    let mut facts = facts.split_whitespace();
    let (mode, kind, id) = (facts.next()?, facts.next()?, facts.next()?);
    let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    Some(Item {
        name: name.to_owned(),
        path,
        mode: mode.to_owned(),
        kind: kind.to_owned(),
        id: id.to_owned(),
        size: facts.next()?.parse().unwrap_or(0),
    })
}

fn parse_commit(record: &str) -> Option<Commit> {
    let mut fields = record.splitn(4, '\x1f').map(str::to_owned);
    let (id, author_name, author_email) = (fields.next()?, fields.next()?, fields.next()?);
    Some(Commit { id, author_name, author_email, message: fields.next()?.trim_end().to_owned() })
}

fn checked(output: &Output) -> io::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("git failed: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

fn write_import(mut out: impl Write, new: &NewCommit<'_>) -> io::Result<()> {
    let branch = new.branch;
    writeln!(out, "commit refs/heads/{branch}\nmark :1\ncommitter Twin <twin@example.test> 1767225600 +0000")?;
    writeln!(out, "data {}\n{}", new.message.len(), new.message)?;
    if new.amends {
        writeln!(out, "from refs/heads/{branch}^0")?;
    }
    for Entry { mode, path, content } in new.entries {
        writeln!(out, "M {mode} inline {path}\ndata {}", content.len())?;
        out.write_all(content)?;
        out.write_all(b"\n")?;
    }
    write_generated(&mut out, new.generated)?;
    for other in new.also_branches {
        writeln!(out, "reset refs/heads/{other}\nfrom :1")?;
    }
    out.flush()
}

/// Files of at most 1 MiB each, the same in every run.
fn write_generated(out: &mut impl Write, bytes: u64) -> io::Result<()> {
    let mut seed = Seed::fixed(bytes);
    let mut buffer = vec![0; 1 << 20];
    let mut left = bytes;
    for number in 0.. {
        let length = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if length == 0 {
            break;
        }
        let content = &mut buffer[..length];
        seed.fill(content);
        writeln!(out, "M 100644 inline generated/{number:05}.bin\ndata {length}")?;
        out.write_all(content)?;
        out.write_all(b"\n")?;
        left -= length as u64;
    }
    Ok(())
}
