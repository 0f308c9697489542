use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{built, cargo, root, run as run_command, scratch, succeeds};

/// Walks the web pages in a real browser, against the real binary and a GitLab twin.
pub(crate) fn run() -> Result<()> {
    if let Some(missing) = missing() {
        println!("\nskipped: the web pages in a browser ({missing} is not installed)");
        return Ok(());
    }
    cargo(["build", "--package", "valetkey", "--package", "valetkey-twins", "--bins", "--examples"])?;
    let script = install_driver()?;
    let data = scratch("browser-data");
    let _ = fs::remove_dir_all(&data);

    let (_twin, facts) =
        Running::start(Command::new(built("examples/twin")).arg("gitlab"), |line| line.starts_with('{'))?;
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir"];
    let (_server, link) =
        Running::start(Command::new(built("valetkey")).args(serve).arg(&data), |line| line.contains("/sign-in/"))?;
    let link = link.split_whitespace().find(|word| word.contains("/sign-in/")).context("the sign-in link")?;
    run_command(
        Command::new("node")
            .arg(script)
            .env("SIGN_IN_URL", link)
            .env("TWIN", facts.trim())
            .env("SCREENSHOTS", scratch("screenshots")),
    )
}

fn missing() -> Option<&'static str> {
    ["chromium", "node", "npm"].into_iter().find(|program| !succeeds(program, ["--version"]))
}

/// The driver is installed beside a copy of the script, so that nothing is left in the repository's folders.
fn install_driver() -> Result<PathBuf> {
    let folder = scratch("browser");
    fs::create_dir_all(&folder)?;
    for file in ["package.json", "package-lock.json", "ui.mjs"] {
        fs::copy(root().join("xtask/browser").join(file), folder.join(file)).with_context(|| file.to_owned())?;
    }
    run_command(Command::new("npm").args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(&folder))?;
    Ok(folder.join("ui.mjs"))
}

/// A server that ends with us: its input is a pipe of ours, and it is killed when dropped.
struct Running(Child);

impl Running {
    /// Starts it and reads its output up to the first line that tells what is needed; the rest is read and thrown away.
    fn start(command: &mut Command, tells: impl Fn(&str) -> bool) -> Result<(Self, String)> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("could not start a server")?;
        let stdout = child.stdout.take().context("its output")?;
        let running = Self(child);
        let mut lines = BufReader::new(stdout);
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 {
                bail!("a server ended before it was ready");
            }
            if tells(&line) {
                std::thread::spawn(move || discard(lines));
                return Ok((running, line));
            }
        }
    }
}

fn discard(mut from: BufReader<ChildStdout>) {
    let mut buffer = [0; 4096];
    while from.read(&mut buffer).is_ok_and(|n| n > 0) {}
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
