use std::{fs, process::Command};

use anyhow::{Context as _, Result};

use crate::{built, cargo, node, run as run_command, running::Running, scratch, succeeds};

/// Walks the web pages in a real browser, against the real binary and a GitLab twin.
pub(crate) fn run() -> Result<()> {
    if let Some(missing) = missing() {
        println!("\nskipped: the web pages in a browser ({missing} is not installed)");
        return Ok(());
    }
    cargo(["build", "--package", "valetkey", "--package", "valetkey-twins", "--bins", "--examples"])?;
    // Beside a copy of the script, so that nothing is left in the repository's folders.
    let script = node::install("browser", &["ui.mjs"])?.join("ui.mjs");
    let data = scratch("browser-data");
    let _ = fs::remove_dir_all(&data);

    let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir"];
    let (_server, link) =
        Running::start(Command::new(built("valetkey")).args(serve).arg(&data), |line| line.contains("/sign-in/"))?;
    let link = link.split_whitespace().find(|word| word.contains("/sign-in/")).context("the sign-in link")?;
    let origin = link.split("/sign-in/").next().unwrap_or_default();
    let twin = ["gitlab", "--redirect", &format!("{origin}/oauth/callback")];
    let (_twin, facts) = Running::start(Command::new(built("examples/twin")).args(twin), |line| line.starts_with('{'))?;
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
