use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{cargo_command, root, run as run_command, running::Running, scratch, succeeds};

const FILES: [&str; 3] = ["package.json", "package-lock.json", "describe.mjs"];

/// Holds our calls to GitHub against GitHub's own description of its API.
pub(crate) fn run() -> Result<()> {
    if let Some(missing) = ["node", "npm"].into_iter().find(|program| !succeeds(program, ["--version"])) {
        println!("\nskipped: GitHub's description of its API ({missing} is not installed)");
        return Ok(());
    }
    let folder = install()?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let mut prism = Command::new("node");
    prism.arg("node_modules/.bin/prism").args(["mock", "--port", &port, "github.json"]).current_dir(&folder);
    let (_server, _) = Running::start(&mut prism, |line| line.contains("Prism is listening"))?;
    let test = ["test", "--package", "valetkey-providers", "--test", "described_github"];
    run_command(cargo_command(test).env("VALETKEY_TEST_PRISM", format!("http://127.0.0.1:{port}")))
}

/// Installs Prism and makes the description that it serves. The package with the descriptions has 385 MB: what is needed of
/// it is kept, the rest is removed, and all of that is done again only when one of our files changes.
fn install() -> Result<PathBuf> {
    let (from, to) = (root().join("xtask/peers/prism"), scratch("peers-prism"));
    let (description, raw) = (to.join("github.json"), to.join("node_modules/@octokit"));
    if description.exists() && FILES.iter().all(|file| is_same(&from.join(file), &to.join(file))) {
        return Ok(to);
    }
    fs::create_dir_all(&to)?;
    for file in FILES {
        fs::copy(from.join(file), to.join(file)).context(file)?;
    }
    let npm = ["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"];
    run_command(Command::new("npm").args(npm).current_dir(&to))?;
    let generated = raw.join("openapi/generated/api.github.com.json");
    run_command(Command::new("node").arg("describe.mjs").args([&generated, &description]).current_dir(&to))?;
    fs::remove_dir_all(raw)?;
    Ok(to)
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((fs::read(one), fs::read(other)), (Ok(one), Ok(other)) if one == other)
}
