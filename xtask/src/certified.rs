use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::{cargo_command, node, run as run_command, running::Running, succeeds};

const SIGN_IN: &str = "sign_in.mjs";
/// The secret that the OpenID provider has for the program, as `peers/oidc/sign_in.mjs` sets it.
pub(crate) const CLIENT_SECRET: &str = "a secret: 100% + more/&=";

/// Proves our OAuth client against a certified authorization server, and the program's sign-in against the same as an OpenID
/// provider.
pub(crate) fn run() -> Result<()> {
    if let Some(missing) = ["node", "npm"].into_iter().find(|program| !succeeds(program, ["--version"])) {
        println!("\nskipped: the certified authorization server ({missing} is not installed)");
        return Ok(());
    }
    let folder = install()?;
    let (_server, address) = start(&folder, "server.mjs")?;
    let test = ["test", "--package", "valetkey-providers", "--test", "certified_server"];
    run_command(cargo_command(test).env("VALETKEY_TEST_OIDC", address))?;
    let (_provider, address) = start(&folder, SIGN_IN)?;
    let test = ["test", "--package", "valetkey", "--test", "it", "real_identity_provider"];
    run_command(cargo_command(test).env("VALETKEY_TEST_SIGN_IN", address))
}

/// The OpenID provider at which people sign in, and its address.
pub(crate) fn provider() -> Result<(Running, String)> {
    start(&install()?, SIGN_IN)
}

fn install() -> Result<PathBuf> {
    node::install("peers/oidc", &["server.mjs", SIGN_IN])
}

fn start(folder: &Path, script: &str) -> Result<(Running, String)> {
    let mut command = Command::new("node");
    let (server, line) = Running::start(command.arg(folder.join(script)), |line| line.starts_with("http://"))?;
    Ok((server, line.trim().to_owned()))
}
