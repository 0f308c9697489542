use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::{built, cargo, root, run as run_command, running::Running};

const ADMIN_TOKEN: &str = "not-a-secret-of-anybody-0123456789";
const PROXY_SECRET: &str = "not-a-secret-of-a-proxy-0123456789";
/// Nothing listens there, so no address that a request makes up is called beyond this machine.
const NO_WAY_OUT: &str = "http://127.0.0.1:9";
/// Which example serves whom the program is connected to.
const TWINS: [(&str, &str); 4] = [("twin", "gitlab"), ("twin", "github"), ("service", "jira"), ("service", "google")];

/// Proves our description of the API by requests made up from it: the program answers what it says and has no fault. There is
/// one of everything to ask for, so that every operation is seen to succeed, too.
pub(crate) fn run(python: &Path) -> Result<()> {
    cargo(["build", "--package", "valetkey", "--package", "valetkey-twins", "--bins", "--examples"])?;
    let home = TempDir::with_prefix("valetkey-schemathesis-")?;
    fs::write(home.path().join("proxy-secret"), PROXY_SECRET)?;
    let settings = "[trusted_proxy]\nsecret_file = 'proxy-secret'\nuser_header = 'X-Forwarded-User'\n";
    fs::write(home.path().join("valetkey.toml"), settings)?;
    let mut serve = valetkey(home.path());
    serve.args(["serve", "--listen", "127.0.0.1:0", "--config", "valetkey.toml"]).stderr(Stdio::null());
    let (_server, said) = Running::start(&mut serve, |line| line.contains("http://"))?;
    let url = said.split_whitespace().last().context("where the server is")?;
    let callback = format!("{url}/oauth/callback");
    let mut twins = Vec::new();
    for (program, provider) in TWINS {
        let mut twin = Command::new(built("examples").join(program));
        let (twin, facts) =
            Running::start(twin.args([provider, "--redirect", &callback]), |line| line.starts_with('{'))?;
        fs::write(home.path().join(format!("{provider}.json")), facts)?;
        twins.push(twin);
    }
    ask(python, home.path(), url)
}

/// Fills the program, lets Schemathesis ask, and looks whether everything was answered.
fn ask(python: &Path, folder: &Path, url: &str) -> Result<()> {
    let scripts = root().join("xtask/peers/schemathesis");
    let python_in = |program: &Path| {
        let mut command = Command::new(program);
        command
            .env("VALETKEY_ADMIN_TOKEN", ADMIN_TOKEN)
            .env("SCHEMATHESIS_HOOKS", scripts.join("hooks.py"))
            .env("REQUESTS", folder.join("requests.json"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(folder);
        command
    };
    let counts = |when: &str| {
        let script = scripts.join("answered.py");
        run_command(python_in(python).arg(script).args([when, url]).arg(folder.join("counts.json")))
    };
    run_command(python_in(python).arg(scripts.join("seed.py")).arg(url).arg(folder))?;
    counts("before")?;
    run_command(
        python_in(&python.with_file_name("schemathesis"))
            .arg("--config-file")
            .arg(folder.join("schemathesis.toml"))
            .args(["run", &format!("{url}/api/openapi.json")]),
    )?;
    counts("after")
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
        .env("VALETKEY_AGENT", "true")
        .env("ALL_PROXY", NO_WAY_OUT)
        .current_dir(folder);
    command
}
