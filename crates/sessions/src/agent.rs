use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    process::{Child, Command},
    task::{JoinSet, spawn_blocking},
    time::{sleep, timeout},
};
use valetkey_model::{LogStream, Problem, ProblemCode};

use crate::{checkout::Workspace, environment, liveness, output::Output, preflight::Ready, prompt::Prompt, run::Run};

/// How long an agent that was asked to end (TERM) may take before it is ended (KILL).
const GRACE: Duration = Duration::from_secs(10);
/// How long the agent's output may take to end by itself once the agent has.
const LEFT_BEHIND: Duration = Duration::from_millis(500);
/// And once everything that the agent started is killed. What detached itself may hold the pipes for longer.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Runs the agent to its end, its time limit, or until somebody stops it.
pub(crate) async fn work(run: &mut Run, ready: &Ready, workspace: &Workspace<'_>) -> Result<(), Problem> {
    let spec = &run.session.spec;
    let prompt = Prompt::new(&spec.agent, &spec.task, spec.instructions());
    let words: Vec<String> = spec.agent.iter().map(|word| prompt.put_into(word)).collect();
    run.log(format!("Starting {} in {}", words[0], folder(workspace).display())).await?;
    // What led here is on disk before anything foreign runs.
    run.log.flush().await?;
    let mut agent = start(&words, environment::of_agent(run, ready), folder(workspace))?;
    liveness::note_agent(&run.folder(), agent.group);

    let output = Output::new(run.redactor.clone(), run.log.clone());
    let stdout = agent.child.stdout.take().expect("stdout is piped");
    let stderr = agent.child.stderr.take().expect("stderr is piped");
    let mut readers = JoinSet::new();
    readers.spawn(output.clone().read(stdout, LogStream::Stdout));
    readers.spawn(output.read(stderr, LogStream::Stderr));
    let ended = until_the_end(run, &mut agent).await;
    // What the agent left running ends with the session; until then it may hold the pipes open.
    if timeout(LEFT_BEHIND, drained(&mut readers)).await.is_err() {
        agent.signal(Signal::KILL);
        let _ = timeout(LAST_WORDS, drained(&mut readers)).await;
    }
    agent.signal(Signal::KILL);
    let session = run.session.id.clone();
    let _ = spawn_blocking(move || liveness::kill_detached(&session)).await;
    liveness::forget_agent(&run.folder());
    judge(ended?)
}

async fn drained(readers: &mut JoinSet<()>) {
    while readers.join_next().await.is_some() {}
}

/// The agent starts in its repository's folder, or in the workspace when there are several.
fn folder<'a>(workspace: &'a Workspace<'_>) -> &'a Path {
    match workspace.copies.as_slice() {
        [only] => &only.folder,
        _ => &workspace.root,
    }
}

struct Agent {
    child: Child,
    group: Pid,
}

impl Agent {
    /// Signals the agent and all that it started and did not detach.
    fn signal(&self, signal: Signal) {
        // An error means that nobody is left, which is what was wanted.
        let _ = kill_process_group(self.group, signal);
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where a session's agent starts")]
fn start(words: &[String], environment: Vec<(OsString, OsString)>, folder: &Path) -> Result<Agent, Problem> {
    let program = find(&words[0], &environment, folder).ok_or_else(|| not_found(&words[0]))?;
    let child = Command::new(program)
        .args(&words[1..])
        .env_clear()
        .envs(environment)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| could_not_start(&words[0], &e))?;
    let group =
        child.id().and_then(|id| Pid::from_raw(id.cast_signed())).expect("a child that was not awaited has an id");
    Ok(Agent { child, group })
}

/// Looks the program up on the agent's PATH, so that a missing one is told apart from a missing interpreter.
fn find(program: &str, environment: &[(OsString, OsString)], folder: &Path) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(folder.join(program)).filter(|path| path.is_file());
    }
    let path = environment.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value)?;
    std::env::split_paths(path).map(|dir| dir.join(program)).find(|path| path.is_file())
}

fn not_found(program: &str) -> Problem {
    Problem::new(ProblemCode::AgentFailed, format!("The agent's program '{program}' was not found on PATH."))
        .remedy("Install it, or name another with --agent or the setting `agent`.")
}

fn could_not_start(program: &str, error: &io::Error) -> Problem {
    Problem::new(ProblemCode::AgentFailed, format!("The agent's program '{program}' could not be started: {error}."))
        .remedy("See that it may be executed, and that --agent is what you would type in a terminal.")
}

async fn until_the_end(run: &Run, agent: &mut Agent) -> Result<ExitStatus, Problem> {
    let limit = Duration::from_secs(run.session.spec.timeout_seconds);
    let problem = tokio::select! {
        status = agent.child.wait() => return status.map_err(|e| Problem::new(ProblemCode::Internal, e.to_string())),
        problem = run.stop.asked() => problem,
        () = sleep(limit) => timed_out(run.session.spec.timeout_seconds),
    };
    run.log(format!("Ending the agent: {problem}")).await?;
    agent.signal(Signal::TERM);
    if timeout(GRACE, agent.child.wait()).await.is_err() {
        run.log("The agent did not end when asked; it is killed.").await?;
        agent.signal(Signal::KILL);
        let _ = agent.child.wait().await;
    }
    Err(problem)
}

fn timed_out(seconds: u64) -> Problem {
    Problem::new(ProblemCode::TimedOut, format!("The agent's time was up after {seconds} s."))
        .remedy("Give it more with --timeout.")
}

fn judge(status: ExitStatus) -> Result<(), Problem> {
    use std::os::unix::process::ExitStatusExt as _;
    let how = match (status.code(), status.signal()) {
        (Some(0), _) => return Ok(()),
        (Some(code), _) => format!("with exit code {code}"),
        (None, Some(signal)) => format!("by signal {signal}"),
        (None, None) => "in an unknown way".to_owned(),
    };
    Err(Problem::new(ProblemCode::AgentFailed, format!("The agent ended {how}."))
        .remedy("Its output is in the session's log; its work is kept in the workspace."))
}
