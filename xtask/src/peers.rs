use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};

use crate::{built, cargo, gitea, root, run as run_command, schemathesis, scratch, succeeds};

/// Which example serves which provider, and the script that tries it.
const PEERS: &[(&str, &str, &str)] = &[
    ("twin", "gitlab", "gitlab_peer.py"),
    ("twin", "github", "github_peer.py"),
    ("twin", "bitbucket", "bitbucket_peer.py"),
    ("twin", "bitbucket-data-center", "bitbucket_data_center_peer.py"),
    ("twin", "gitea", "gitea_peer.py"),
    ("twin", "forgejo", "gitea_peer.py"),
    ("twin", "azure-devops", "azure_devops_peer.py"),
    ("service", "jira", "jira_peer.py"),
    ("service", "jira-data-center", "jira_data_center_peer.py"),
    ("service", "google", "google_peer.py"),
    ("service", "slack", "slack_peer.py"),
];

/// Proves the twins by clients that others wrote: whatever these make of them, ours may rely on.
/// Then the program by what others make of its own description, and by a forge that others wrote.
pub(crate) fn run() -> Result<()> {
    let Some(python) = environment()? else { return Ok(()) };
    cargo(["build", "--package", "valetkey-twins", "--examples"])?;
    for (program, provider, script) in PEERS {
        let mut twin = start_twin(program, provider)?;
        let outcome = facts_of(&mut twin).and_then(|facts| {
            let script = root().join("xtask/peers").join(script);
            run_command(Command::new(&python).arg(script).arg(facts).env("PYTHONDONTWRITEBYTECODE", "1"))
        });
        // The twin ends when its input does.
        drop(twin.stdin.take());
        twin.wait()?;
        outcome?;
    }
    schemathesis::run(&python)?;
    gitea::run()
}

/// Tries the program by its own description alone.
pub(crate) fn run_schemathesis() -> Result<()> {
    environment()?.map_or(Ok(()), |python| schemathesis::run(&python))
}

/// The Python that has what others wrote; none where it can't be installed.
fn environment() -> Result<Option<PathBuf>> {
    if !succeeds("python3", ["-c", "import venv"]) {
        println!("skipped: peers (python3 with venv is not installed)");
        return Ok(None);
    }
    let folder = scratch("peers");
    let python = folder.join("bin/python");
    if !python.exists() {
        run_command(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    let requirements = root().join("xtask/peers/requirements.txt");
    run_command(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(requirements),
    )?;
    Ok(Some(python))
}

/// The first line that a twin prints says where it is and what is on it; the scripts read it from a file.
fn facts_of(twin: &mut Child) -> Result<PathBuf> {
    let mut facts = String::new();
    BufReader::new(twin.stdout.take().context("the twin's output")?).read_line(&mut facts)?;
    let file = scratch("twin.json");
    fs::write(&file, facts)?;
    Ok(file)
}

fn start_twin(program: &str, provider: &str) -> Result<Child> {
    Command::new(built("examples").join(program))
        .arg(provider)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("could not start the twin")
}
