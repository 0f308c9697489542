use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::{built, cargo, root, run as run_command, running::Running};

const ADMIN_TOKEN: &str = "not-a-secret-of-anybody-0123456789";
/// Nothing listens there, so no address that a request makes up is called beyond this machine.
const NO_WAY_OUT: &str = "http://127.0.0.1:9";

/// Proves our description of the API by requests made up from it: the program answers what it says and has no fault.
pub(crate) fn run(python: &Path) -> Result<()> {
    cargo(["build", "--package", "valetkey"])?;
    let home = TempDir::with_prefix("valetkey-schemathesis-")?;
    for project in ["orchard", "meadow"] {
        run_command(valetkey(home.path()).args(["projects", "create", project]))?;
    }
    let mut serve = valetkey(home.path());
    serve.args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::null());
    let (_server, said) = Running::start(&mut serve, |line| line.contains("http://"))?;
    let url = said.split_whitespace().last().context("where the server is")?;
    let schemathesis = python.with_file_name("schemathesis");
    run_command(
        Command::new(schemathesis)
            .arg("--config-file")
            .arg(root().join("xtask/peers/schemathesis.toml"))
            .args(["run", &format!("{url}/api/openapi.json")])
            .env("VALETKEY_ADMIN_TOKEN", ADMIN_TOKEN)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(home.path()),
    )
}

/// The program with a folder of its own and nothing of the caller's environment but where programs are.
fn valetkey(folder: &Path) -> Command {
    let mut command = Command::new(built("valetkey"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("VALETKEY_DATA_DIR", folder.join("data"))
        .env("VALETKEY_ADMIN_TOKEN", ADMIN_TOKEN)
        .env("ALL_PROXY", NO_WAY_OUT)
        .current_dir(folder);
    command
}
