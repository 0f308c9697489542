use std::process::Command;

use anyhow::Result;

use crate::{cargo_command, node, run as run_command, running::Running, succeeds};

/// Proves our notifications by a receiver with the library of Standard Webhooks.
pub(crate) fn run() -> Result<()> {
    if let Some(missing) = ["node", "npm"].into_iter().find(|program| !succeeds(program, ["--version"])) {
        println!("\nskipped: a receiver with the library of Standard Webhooks ({missing} is not installed)");
        return Ok(());
    }
    let script = node::install("peers/webhooks", &["receiver.mjs"])?.join("receiver.mjs");
    let (_server, address) = Running::start(Command::new("node").arg(script), |line| line.starts_with("http://"))?;
    let test = ["test", "--package", "valetkey-webhooks", "--test", "standard_webhooks"];
    run_command(cargo_command(test).env("VALETKEY_TEST_RECEIVER", address.trim()))
}
