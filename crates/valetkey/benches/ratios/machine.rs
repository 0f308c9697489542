use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use valetkey_twins::{AccessLevel, Account, Forge, Repository, Token, Twin, User};

/// The program under measurement.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_valetkey");

/// A forge with repositories, and a data directory where it is connected.
pub(crate) struct Machine {
    pub(crate) twin: Twin,
    pub(crate) token: String,
    pub(crate) folder: tempfile::TempDir,
    john: Account,
}

impl Machine {
    pub(crate) async fn prepare() -> anyhow::Result<Self> {
        let twin = Twin::builder(Forge::GitLab).start().await?;
        let john = twin.user(User::new("john").name("John Doe").email("john@example.test"));
        let token = twin.token(&john, Token::new("glpat-benchmark-0123456789").scopes(["api"]));
        let machine = Self { twin, token, folder: tempfile::tempdir()?, john };
        let mut connect = machine
            .valetkey(&["connect", "gitlab", "--token-stdin", "--instance", machine.twin.url()])
            .stdin(Stdio::piped())
            .spawn()?;
        connect.stdin.take().context("stdin")?.write_all(machine.token.as_bytes())?;
        ensure!(connect.wait()?.success(), "connect failed");
        Ok(machine)
    }

    /// A repository with about so many bytes that don't compress.
    pub(crate) fn repository(&self, path: &str, bytes: usize) -> String {
        let repository = Repository::new().private().member(&self.john, AccessLevel::Developer);
        self.twin.repository(path, repository.files_generated(bytes as u64));
        format!("{}/{path}.git", self.twin.url())
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn valetkey(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).env("VALETKEY_DATA_DIR", self.data());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// The repository's URL with the token in it, as nobody should use it; here it is the quickest way by hand.
    pub(crate) fn url_by_hand(&self, url: &str) -> String {
        url.replacen("://", &format!("://oauth2:{}@", self.token), 1)
    }
}

pub(crate) fn row(figure: &str, measured: &str, wanted: &str) {
    println!("| {figure} | {measured} | {wanted} |");
}

pub(crate) fn git(folder: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("git")
        .args(["-c", "user.name=John", "-c", "user.email=john@example.test"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()?;
    ensure!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Waits for a process and returns the most memory that it, not its children, had resident.
pub(crate) fn wait_and_watch(mut child: Child) -> anyhow::Result<u64> {
    let mut peak = 0;
    loop {
        peak = peak.max(memory(&child, "VmHWM:").unwrap_or(0));
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "a session failed: {status}");
            return Ok(peak);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A line of /proc/PID/status, in bytes.
pub(crate) fn memory(child: &Child, line: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let text = status.lines().find_map(|l| l.strip_prefix(line))?;
    text.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}
