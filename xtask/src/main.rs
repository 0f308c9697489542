//! What a maintainer runs: `cargo xtask test`, `ci`, `bench`, `peers`, `schemathesis`, `gitea`, `browser`, `fuzz`.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a tool that runs other tools and says so")]

mod browser;
mod certified;
mod gitea;
mod node;
mod peers;
mod postgres;
mod prism;
mod running;
mod schemathesis;
mod webhooks;

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, bail};

const HELP: &str = "\
cargo xtask COMMAND

  test            every test: unit, integration, the real binary; the store and two refreshing processes on
                  PostgreSQL too and the web pages in a browser, where these are installed
  ci              fmt, clippy, cargo-deny, test, peers: what must pass before anything lands
  bench           the table of ratios in docs/benchmarks.md, measured anew
  peers           our twins against clients and servers that others wrote: the vendors' and the community's clients, a
                  certified authorization server and OpenID provider, GitHub's own description of its API, a receiver of
                  webhooks, requests made up from our API's description, a real Gitea, which is built once, where Go is
                  installed
  schemathesis    only the program against requests made up from its API's description
  gitea           only the program against a real Gitea
  browser         only the web pages, and the sign-in at an identity provider, in a browser
  fuzz [SECONDS]  every fuzz target for so long (default 60); needs the nightly toolchain and cargo-fuzz
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["test"] => test(),
        ["ci"] => ci(),
        ["bench"] => bench(),
        ["peers"] => peers(),
        ["schemathesis"] => peers::run_schemathesis(),
        ["gitea"] => gitea::run(),
        ["browser"] => browser::run(),
        ["fuzz"] => fuzz("60"),
        ["fuzz", seconds] => fuzz(seconds),
        _ => {
            print!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn test() -> Result<()> {
    cargo(["test", "--workspace"])?;
    if let Some(server) = postgres::Server::start("the store and two refreshing processes")? {
        let store = ["test", "--package", "valetkey-store", "--test", "store"];
        run(cargo_command(store).env("VALETKEY_TEST_POSTGRES", server.url()))?;
        let refresh = ["test", "--package", "valetkey-integrations", "--lib", "refresh::"];
        run(cargo_command(refresh).env("VALETKEY_TEST_POSTGRES", server.url()))?;
    }
    browser::run()
}

fn ci() -> Result<()> {
    cargo(["fmt", "--all", "--check"])?;
    cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    deny()?;
    test()?;
    peers()
}

fn peers() -> Result<()> {
    certified::run()?;
    prism::run()?;
    webhooks::run()?;
    peers::run()
}

/// Licences, bans and duplicates. `cargo deny check advisories` is apart: it needs the advisory database from the network.
fn deny() -> Result<()> {
    if !succeeds("cargo", ["deny", "--version"]) {
        println!("skipped: cargo deny (not installed; `cargo install --locked cargo-deny`)");
        return Ok(());
    }
    cargo(["deny", "check", "licenses", "bans", "sources"])
}

fn bench() -> Result<()> {
    cargo(["bench", "--package", "valetkey-redact"])?;
    cargo(["bench", "--package", "valetkey"])?;
    let mut lists = cargo_command(["bench", "--package", "valetkey-server", "--bench", "lists"]);
    let server = postgres::Server::start("the lists of a full store")?;
    run(lists.envs(server.as_ref().map(|server| ("VALETKEY_TEST_POSTGRES", server.url()))))
}

fn fuzz(seconds: &str) -> Result<()> {
    if !succeeds("cargo", ["fuzz", "--version"]) {
        bail!("cargo-fuzz is not installed; run: cargo install --locked cargo-fuzz");
    }
    let targets = root().join("fuzz/fuzz_targets");
    let mut names: Vec<PathBuf> =
        targets.read_dir().context("fuzz targets")?.map(|f| Ok(f?.path())).collect::<Result<_>>()?;
    names.sort();
    for target in names.iter().filter_map(|path| path.file_stem()?.to_str()) {
        let limit = format!("-max_total_time={seconds}");
        run(Command::new("cargo")
            .args(["+nightly", "fuzz", "run", target, "--", &limit])
            .current_dir(root().join("fuzz")))?;
    }
    Ok(())
}

fn cargo<const N: usize>(arguments: [&str; N]) -> Result<()> {
    run(&mut cargo_command(arguments))
}

fn cargo_command<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Runs a command to its end, after printing it.
fn run(command: &mut Command) -> Result<()> {
    let words: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    let shown = format!("{} {}", Path::new(command.get_program()).display(), words.join(" "));
    println!("\n$ {shown}");
    let status = command.status().with_context(|| format!("could not start {shown}"))?;
    if status.success() { Ok(()) } else { bail!("{shown}: {status}") }
}

fn succeeds<const N: usize>(program: &str, arguments: [&str; N]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// The repository's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the repository").to_owned()
}

fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Where tools may keep what they download and make.
fn scratch(name: &str) -> PathBuf {
    target().join("xtask").join(name)
}

/// A program that cargo built.
fn built(name: &str) -> PathBuf {
    target().join("debug").join(name)
}
