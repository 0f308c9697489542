use std::process::Command;

use anyhow::Result;

use crate::{cargo_command, node, run as run_command, running::Running, succeeds};

/// Proves our OAuth client against a certified authorization server.
pub(crate) fn run() -> Result<()> {
    if let Some(missing) = ["node", "npm"].into_iter().find(|program| !succeeds(program, ["--version"])) {
        println!("\nskipped: the certified authorization server ({missing} is not installed)");
        return Ok(());
    }
    let script = node::install("peers/oidc", &["server.mjs"])?.join("server.mjs");
    let (_server, address) = Running::start(Command::new("node").arg(script), |line| line.starts_with("http://"))?;
    let test = ["test", "--package", "valetkey-providers", "--test", "certified_server"];
    run_command(cargo_command(test).env("VALETKEY_TEST_OIDC", address.trim()))
}
