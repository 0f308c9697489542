use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{built, cargo, certified, node, run as run_command, running::Running, scratch, succeeds};

/// Walks the web pages in a real browser, against the real binary, a GitLab twin and a certified OpenID provider.
pub(crate) fn run() -> Result<()> {
    if let Some(missing) = missing() {
        println!("\nskipped: the web pages in a browser ({missing} is not installed)");
        return Ok(());
    }
    cargo(["build", "--package", "valetkey", "--package", "valetkey-twins", "--bins", "--examples"])?;
    // Beside a copy of the scripts, so that nothing is left in the repository's folders.
    let scripts = node::install("browser", &["walk.mjs", "ui.mjs", "sign_in.mjs"])?;
    pages(&scripts)?;
    sign_in(&scripts)
}

/// All pages, as the administrator sees them.
fn pages(scripts: &Path) -> Result<()> {
    let (_server, link) = serve(&folder("browser-data")?)?;
    let origin = link.split("/sign-in/").next().unwrap_or_default();
    let (_twin, facts) = twin(origin)?;
    let mut walk = walk(scripts, "ui.mjs", "screenshots", &facts);
    run_command(walk.env("SIGN_IN_URL", &link))
}

/// People who sign in at an identity provider.
fn sign_in(scripts: &Path) -> Result<()> {
    let (_provider, issuer) = certified::provider()?;
    let data = folder("sign-in-data")?;
    let settings = format!(
        "[oidc]\nissuer = '{issuer}'\nname = 'Example'\nclient_id = 'valetkey'\n\
         client_secret_env = 'OIDC_SECRET'\nscopes = ['openid', 'profile', 'email', 'groups']\n\
         admin_groups = ['keepers']\nallowed_domains = ['example.test']\n"
    );
    fs::write(data.join("valetkey.toml"), settings)?;
    let (_server, link) = serve(&data)?;
    let origin = link.split("/sign-in/").next().unwrap_or_default();
    let (_twin, facts) = twin(origin)?;
    let mut walk = walk(scripts, "sign_in.mjs", "screenshots-sign-in", &facts);
    run_command(walk.env("BASE_URL", origin).env("ISSUER", issuer))
}

/// A fresh server with its data in a folder, and the settings that lie there; and its one-time sign-in link.
fn serve(data: &Path) -> Result<(Running, String)> {
    let mut command = Command::new(built("valetkey"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data.join("data"));
    let settings = data.join("valetkey.toml");
    if settings.exists() {
        command.arg("--config").arg(settings).env("OIDC_SECRET", certified::CLIENT_SECRET);
    }
    let (server, line) = Running::start(&mut command, |line| line.contains("/sign-in/"))?;
    let link = line.split_whitespace().find(|word| word.contains("/sign-in/")).context("the sign-in link")?;
    Ok((server, link.to_owned()))
}

/// A GitLab with an app whose people come back to `origin`, and what it says of itself.
fn twin(origin: &str) -> Result<(Running, String)> {
    let twin = ["gitlab", "--redirect", &format!("{origin}/oauth/callback")];
    Running::start(Command::new(built("examples/twin")).args(twin), |line| line.starts_with('{'))
}

fn walk(scripts: &Path, script: &str, pictures: &str, facts: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(scripts.join(script)).env("TWIN", facts.trim()).env("SCREENSHOTS", scratch(pictures));
    command
}

/// An empty folder.
fn folder(name: &str) -> Result<PathBuf> {
    let folder = scratch(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn missing() -> Option<&'static str> {
    ["chromium", "node", "npm"].into_iter().find(|program| !succeeds(program, ["--version"]))
}
