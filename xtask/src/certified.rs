use std::process::Command;

use anyhow::Result;

use crate::{cargo_command, node, run as run_command, running::Running, succeeds};

/// Proves our OAuth client against a certified authorization server, and the program's sign-in against the same as an OpenID
/// provider.
pub(crate) fn run() -> Result<()> {
    if let Some(missing) = ["node", "npm"].into_iter().find(|program| !succeeds(program, ["--version"])) {
        println!("\nskipped: the certified authorization server ({missing} is not installed)");
        return Ok(());
    }
    let folder = node::install("peers/oidc", &["server.mjs", "sign_in.mjs"])?;
    let start = |script: &str| {
        Running::start(Command::new("node").arg(folder.join(script)), |line| line.starts_with("http://"))
    };
    let (_server, address) = start("server.mjs")?;
    let test = ["test", "--package", "valetkey-providers", "--test", "certified_server"];
    run_command(cargo_command(test).env("VALETKEY_TEST_OIDC", address.trim()))?;
    let (_provider, address) = start("sign_in.mjs")?;
    let test = ["test", "--package", "valetkey", "--test", "it", "real_identity_provider"];
    run_command(cargo_command(test).env("VALETKEY_TEST_SIGN_IN", address.trim()))
}
