use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};

use crate::{built, cargo, root, run as run_command, scratch, succeeds};

/// Proves the twins by clients that others wrote: whatever python-gitlab and PyGithub make of them, ours may rely on.
pub(crate) fn run() -> Result<()> {
    if !succeeds("python3", ["-c", "import venv"]) {
        println!("skipped: peers (python3 with venv is not installed)");
        return Ok(());
    }
    let python = environment()?;
    cargo(["build", "--package", "valetkey-twins", "--example", "twin"])?;
    for (forge, script) in [("gitlab", "gitlab_peer.py"), ("github", "github_peer.py")] {
        let mut twin = start_twin(forge)?;
        let outcome = facts_of(&mut twin).and_then(|facts| {
            let script = root().join("xtask/peers").join(script);
            run_command(Command::new(&python).arg(script).arg(facts).env("PYTHONDONTWRITEBYTECODE", "1"))
        });
        // The twin ends when its input does.
        drop(twin.stdin.take());
        twin.wait()?;
        outcome?;
    }
    Ok(())
}

fn environment() -> Result<PathBuf> {
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
    Ok(python)
}

/// The first line that a twin prints says where it is and what is on it; the scripts read it from a file.
fn facts_of(twin: &mut Child) -> Result<PathBuf> {
    let mut facts = String::new();
    BufReader::new(twin.stdout.take().context("the twin's output")?).read_line(&mut facts)?;
    let file = scratch("twin.json");
    fs::write(&file, facts)?;
    Ok(file)
}

fn start_twin(forge: &str) -> Result<Child> {
    Command::new(built("examples/twin"))
        .arg(forge)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("could not start the twin")
}
