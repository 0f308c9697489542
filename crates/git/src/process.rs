//! One run of the git program: its own process group, bounded output, gone when the caller is.

use std::{ffi::OsStr, io, path::Path, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
};

use crate::{ConfigEntries, Failure, GitError};

/// How much standard output is taken. The longest is a list of the files of a large repository.
const MAX_STDOUT: usize = 64 << 20;
/// How much of the end of standard error is kept.
const MAX_STDERR: usize = 16 << 10;
const MAX_LINE: usize = 4 << 10;
/// How long a command may take that does not depend on a network. A pipe in the place of a `.gitignore` would keep git
/// waiting for ever.
pub(crate) const LOCAL_LIMIT: Duration = Duration::from_secs(600);

/// A git command that is about to run.
pub(crate) struct Call {
    what: &'static str,
    command: Command,
    stdin: Vec<u8>,
    limit: Option<Duration>,
    config: ConfigEntries,
}

/// What a command that ran to its end left behind.
pub(crate) struct Output {
    what: &'static str,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Output {
    pub(crate) fn into_failure(self) -> GitError {
        GitError::Failed(Failure { what: self.what, code: self.code, stderr: self.stderr })
    }
}

impl Call {
    /// A command with an environment that holds what is given here and nothing else. `config` is only used to make
    /// messages readable.
    #[expect(clippy::disallowed_methods, reason = "the one place where git is started")]
    pub(crate) fn new(what: &'static str, program: &Path, env: Vec<(String, String)>, config: ConfigEntries) -> Self {
        let mut command = Command::new(program);
        command.env_clear().envs(env).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { what, command, stdin: Vec::new(), limit: Some(LOCAL_LIMIT), config }
    }

    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    pub(crate) fn current_dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    pub(crate) fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.command.stdin(Stdio::piped());
        self.stdin = bytes;
        self
    }

    /// Takes no longer than this.
    pub(crate) fn within(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Takes as long as the network needs.
    pub(crate) fn transfer(mut self) -> Self {
        self.limit = None;
        self
    }

    /// Runs to the end and expects success.
    pub(crate) async fn run(self) -> Result<Output, GitError> {
        let output = self.output().await?;
        if output.code == Some(0) { Ok(output) } else { Err(output.into_failure()) }
    }

    /// Runs to the end, whatever the exit code.
    pub(crate) async fn output(self) -> Result<Output, GitError> {
        self.output_with(&mut |_| ()).await
    }

    /// Runs to the end; each line of standard error, progress included, goes to `progress` as it comes.
    pub(crate) async fn output_with(self, progress: &mut (dyn FnMut(&str) + Send)) -> Result<Output, GitError> {
        let (what, limit) = (self.what, self.limit);
        let output = self.finish(progress);
        match limit {
            None => output.await,
            Some(limit) => tokio::time::timeout(limit, output).await.unwrap_or(Err(GitError::TimedOut { what })),
        }
    }

    async fn finish(mut self, progress: &mut (dyn FnMut(&str) + Send)) -> Result<Output, GitError> {
        let mut running = self.start()?;
        let (stdin, stdout, stderr) =
            (running.child.stdin.take(), running.child.stdout.take(), running.child.stderr.take());
        let feed = async {
            if let Some(mut pipe) = stdin {
                // It fails when git gives up early; then git's own words say why.
                let _ = pipe.write_all(&self.stdin).await;
            }
        };
        let mut log = ErrorLog { config: &self.config, progress, line: Vec::new(), kept: String::new() };
        let ((), stdout, heard) = tokio::join!(feed, read_bounded(stdout), log.listen(stderr));
        let status = running.wait().await.map_err(GitError::Run)?;
        heard.map_err(GitError::Run)?;
        let stdout = stdout.map_err(GitError::Run)?.ok_or(GitError::Unexpected { what: self.what })?;
        Ok(Output { what: self.what, code: status.code(), stdout, stderr: log.kept })
    }

    /// The first `most` bytes that it says; with more to say, it is ended there. Its exit code is not asked for.
    pub(crate) async fn beginning(mut self, most: usize) -> Result<Vec<u8>, GitError> {
        self.command.stderr(Stdio::null());
        let mut running = self.start()?;
        let mut bytes = Vec::new();
        let limit = self.limit.unwrap_or(LOCAL_LIMIT);
        if let Some(pipe) = running.child.stdout.take() {
            let mut pipe = pipe.take(most as u64);
            // What came in time is as good as what fits.
            let _ = tokio::time::timeout(limit, pipe.read_to_end(&mut bytes)).await;
        }
        Ok(bytes)
    }

    /// Starts it and leaves standard input and output to the caller; what it says besides is dropped.
    pub(crate) fn converse(mut self) -> Result<Running, GitError> {
        self.command.stdin(Stdio::piped()).stderr(Stdio::null());
        self.start()
    }

    fn start(&mut self) -> Result<Running, GitError> {
        let child = self.command.spawn().map_err(|error| {
            let folder = self.command.as_std().get_current_dir();
            let folder_is_there = folder.is_none_or(Path::is_dir);
            if error.kind() == io::ErrorKind::NotFound && folder_is_there {
                GitError::NotInstalled
            } else {
                GitError::Run(error)
            }
        })?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(Running { group: Group(group), child })
    }
}

/// A started git. Dropped before its end, it is killed with every process that it started.
pub(crate) struct Running {
    group: Group,
    pub(crate) child: Child,
}

impl Running {
    async fn wait(&mut self) -> io::Result<std::process::ExitStatus> {
        let status = self.child.wait().await?;
        self.group.0 = None;
        Ok(status)
    }
}

struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// `None` when there is more than [`MAX_STDOUT`]. The pipe is closed then, which ends the writer.
async fn read_bounded(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(MAX_STDOUT as u64 + 1).read_to_end(&mut bytes).await?;
    }
    Ok((bytes.len() <= MAX_STDOUT).then_some(bytes))
}

struct ErrorLog<'a> {
    config: &'a ConfigEntries,
    progress: &'a mut (dyn FnMut(&str) + Send),
    line: Vec<u8>,
    kept: String,
}

impl ErrorLog<'_> {
    async fn listen(&mut self, pipe: Option<impl AsyncRead + Unpin>) -> io::Result<()> {
        let Some(mut pipe) = pipe else { return Ok(()) };
        let mut chunk = [0; 4096];
        loop {
            let read = pipe.read(&mut chunk).await?;
            if read == 0 {
                self.end_line(true);
                return Ok(());
            }
            for &byte in &chunk[..read] {
                match byte {
                    b'\n' => self.end_line(true),
                    b'\r' => self.end_line(false),
                    _ if self.line.len() < MAX_LINE => self.line.push(byte),
                    _ => {}
                }
            }
        }
    }

    /// A line that ends with a carriage return is progress, overwritten by the next: shown, not kept.
    fn end_line(&mut self, keep: bool) {
        if self.line.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(&self.line);
        let visible: String = text.chars().filter(|c| !c.is_control()).collect();
        let text = self.config.restore_urls(visible.trim_end());
        self.line.clear();
        (self.progress)(&text);
        if keep {
            self.kept.push_str(&text);
            self.kept.push('\n');
            if let Some(excess) = self.kept.len().checked_sub(MAX_STDERR) {
                self.kept.drain(..self.kept.ceil_char_boundary(excess));
            }
        }
    }
}
