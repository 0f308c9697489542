//! A person at a terminal: a home of their own, a forge, and the program.

use std::{ffi::OsStr, fs, path::PathBuf, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
    time::{sleep, timeout},
};
use valetkey_twins::{AccessLevel, Account, Forge, Repository, Token, Twin, User};

/// Longer than anything here takes on a busy machine; reached only by a test that fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An agent that changes one file.
pub(crate) const EDITS: &str = "sh -c 'echo changed >> README.md'";

pub(crate) struct Person {
    pub(crate) home: TempDir,
    pub(crate) twin: Twin,
    pub(crate) account: Account,
    pub(crate) token: String,
    variables: Vec<(String, String)>,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn failed(self, code: i32, part: &str) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.stderr.contains(part), "expected {part:?} in {self:?}");
        self
    }
}

impl Person {
    /// Somebody with an account on a forge, a token with every scope, and the repository `team/app` to push to.
    pub(crate) async fn at(forge: Forge) -> Self {
        let twin = Twin::builder(forge).start().await.unwrap();
        Self::with(twin)
    }

    pub(crate) fn with(twin: Twin) -> Self {
        let account = twin.user(User::new("ada").name("Ada Lovelace").email("ada@example.test"));
        let scope = if twin.forge() == Forge::GitHub { "repo" } else { "api" };
        let token = twin.token(&account, Token::generated().scopes([scope]));
        twin.repository(
            "team/app",
            Repository::new().member(&account, AccessLevel::Maintainer).file("README.md", "app\n"),
        );
        Self { home: TempDir::new().unwrap(), twin, account, token, variables: Vec::new() }
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.into()));
    }

    pub(crate) fn variable(&self, name: &str) -> &str {
        let found = self.variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).expect("it was set")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn slug(&self) -> &'static str {
        if self.twin.forge() == Forge::GitHub { "github" } else { "gitlab" }
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        self.of(env!("CARGO_BIN_EXE_valetkey"), args)
    }

    #[expect(clippy::disallowed_methods, reason = "the program under test, and what puts it before a terminal")]
    fn of<S: AsRef<OsStr>>(&self, program: &str, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end. Whatever it does, it must not say the token.
    pub(crate) async fn run(&self, args: &[&str]) -> Said {
        self.end(self.command(args).spawn().unwrap()).await
    }

    /// The same with something on standard input.
    pub(crate) async fn run_with(&self, args: &[&str], input: &str) -> Said {
        let said = self.run_aloud(args, input).await;
        self.assert_discreet(&said);
        said
    }

    /// The same at a terminal, where all that is said comes together; nothing where the system has no `script`.
    pub(crate) async fn type_at_terminal(&self, args: &[&str], typed: &str) -> Option<Said> {
        let command = format!("'{}' {}", env!("CARGO_BIN_EXE_valetkey"), args.join(" "));
        let Ok(child) = self.of("script", ["-qec", &command, "/dev/null"]).stdin(Stdio::piped()).spawn() else {
            eprintln!("skipped: a terminal (`script` of util-linux is not installed)");
            return None;
        };
        Some(told(child, typed).await)
    }

    /// A command whose very purpose is to say the token.
    pub(crate) async fn run_aloud(&self, args: &[&str], input: &str) -> Said {
        told(self.command(args).stdin(Stdio::piped()).spawn().unwrap(), input).await
    }

    pub(crate) async fn end(&self, child: Child) -> Said {
        let said = finished(child).await;
        self.assert_discreet(&said);
        said
    }

    fn assert_discreet(&self, said: &Said) {
        assert!(!said.stdout.contains(&self.token) && !said.stderr.contains(&self.token), "the token was said");
    }

    pub(crate) async fn connect(&self) -> Said {
        self.connect_with(&self.token).await
    }

    pub(crate) async fn connect_with(&self, token: &str) -> Said {
        self.run_with(&["connect", self.slug(), "--instance", self.twin.url(), "--token-stdin"], token).await
    }

    /// `run` on `team/app` with this agent.
    pub(crate) fn session<'a>(&self, agent: &'a str, more: &[&'a str]) -> Vec<String> {
        let mut args: Vec<String> = ["run", "--repo", &self.twin.clone_url("team/app"), "--push-branch", "feature/x"]
            .map(str::to_owned)
            .to_vec();
        args.extend(["--agent", agent].iter().chain(more).map(|arg| (*arg).to_owned()));
        args.push("Add feature X".to_owned());
        args
    }

    pub(crate) async fn run_session(&self, agent: &str, more: &[&str]) -> Said {
        self.end(self.command(self.session(agent, more)).spawn().unwrap()).await
    }

    /// An agent that says who it is in a file and then waits for longer than any test, with that file.
    pub(crate) fn waiting_agent(&self) -> (String, PathBuf) {
        let marker = self.path("agent-is-here");
        (format!("sh -c 'echo $$ > {0}.part && mv {0}.part {0} && exec sleep 600'", marker.display()), marker)
    }
}

async fn told(mut child: Child, input: &str) -> Said {
    let mut stdin = child.stdin.take().unwrap();
    // A program that does not read ends the pipe early.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    finished(child).await
}

async fn finished(child: Child) -> Said {
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("the command ends").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    Said { code: output.status.code().unwrap_or(-1), stdout, stderr }
}

/// Waits until `condition` holds.
pub(crate) async fn until<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(value) = condition().await {
                return value;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// The process that a waiting agent said it is.
pub(crate) async fn agent_of(marker: &PathBuf) -> i32 {
    until("the agent", async || fs::read_to_string(marker).ok()?.trim().parse().ok()).await
}

pub(crate) fn is_alive(process: i32) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat"));
    state.is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    let id = child.id().expect("it still runs").cast_signed();
    kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
}
