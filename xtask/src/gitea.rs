use std::{
    env, fs,
    fs::File,
    net::TcpListener,
    path::{self, Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use crate::{cargo_command, root, run as run_command, succeeds};

const MODULE: &str = "code.gitea.io/gitea";
/// From 1.27 on the module names itself `gitea.dev`, and so do several that it requires.
const VERSION: &str = "v1.26.0";
/// What `go.sum` would say of it: the download is this or nothing.
const SUM: &str = "h1:fJP9dqLbzKrKWUVnCVTfVersZdVDuyJQLEDzCAOmKKA=";
/// Read by Gitea while it runs. The web assets are made by npm and not in the module; the pages are forms without them.
const STATIC: [&str; 3] = ["options", "public", "templates"];
const ADMINISTRATOR: &str = "keeper";

/// Tries the program against a real Gitea of our own.
pub(crate) fn run() -> Result<()> {
    let home = match built() {
        Ok(home) => home,
        Err(reason) => {
            println!("\nskipped: a real Gitea ({reason:#})");
            return Ok(());
        }
    };
    let gitea = Gitea::start(&home)?;
    let facts = gitea.seed()?;
    run_command(
        cargo_command(["test", "--package", "valetkey", "--test", "it", "real_gitea"])
            .env("VALETKEY_TEST_GITEA", facts),
    )
}

/// The folder with the program and what it reads, made on the first run and kept outside the checkout.
fn built() -> Result<PathBuf> {
    let home = path::absolute(cache()?.join(format!("gitea-{VERSION}")))?;
    if home.join("gitea").is_file() {
        return Ok(home);
    }
    ensure!(succeeds("go", ["version"]), "go is not installed");
    fs::create_dir_all(&home)?;
    let source = download(&home)?;
    println!("\nBuilding Gitea {VERSION} in {}; this takes some minutes, once.", home.display());
    for folder in STATIC {
        copy(&source.join(folder), &home.join(folder))?;
    }
    let unfinished = home.join(format!("gitea.{}", std::process::id()));
    // In the module's own folder, so that its `replace` directives and its checksums hold.
    let mut build = Command::new("go");
    build
        .args(["build", "-p", "2", "-trimpath", "-buildvcs=false", "-tags", "sqlite sqlite_unlock_notify"])
        .args(["-ldflags", &format!("-s -w -X main.Version={}", VERSION.trim_start_matches('v'))])
        .arg("-o")
        .args([unfinished.as_path(), Path::new(".")])
        .env("CGO_ENABLED", "1")
        .current_dir(&source);
    said(&mut build)?;
    fs::rename(unfinished, home.join("gitea"))?;
    Ok(home)
}

/// Where what the peers need is kept from one run to the next.
fn cache() -> Result<PathBuf> {
    let named = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("VALETKEY_PEERS_CACHE")
        .or_else(|| Some(named("XDG_CACHE_HOME")?.join("valetkey-peers")))
        .or_else(|| Some(named("HOME")?.join(".cache/valetkey-peers")))
        .context("there is no home directory; name a folder in VALETKEY_PEERS_CACHE")
}

/// Fetches the module's source, and says where it is.
fn download(at: &Path) -> Result<PathBuf> {
    let module = format!("{MODULE}@{VERSION}");
    let answer = said(Command::new("go").args(["mod", "download", "-json", &module]).current_dir(at))?;
    let member = |name: &str| {
        let line = answer.lines().find_map(|line| line.trim().strip_prefix(&format!("\"{name}\": \"")))?;
        Some(line.trim_end_matches(',').trim_end_matches('"').to_owned())
    };
    let sum = member("Sum").with_context(|| format!("no checksum of {module}"))?;
    ensure!(sum == SUM, "{module} has the checksum {sum}, not {SUM}");
    member("Dir").map(PathBuf::from).with_context(|| format!("no folder of {module}"))
}

/// Runs a command to its end. If it fails, the error is the last that it said.
fn said(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("could not start {}", command.get_program().display()))?;
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(answer);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let all = errors.lines().chain(answer.lines().filter(|line| line.contains("\"Error\"")));
    let told: Vec<&str> = all.map(str::trim).filter(|line| !line.is_empty()).collect();
    bail!("{}", told[told.len().saturating_sub(2)..].join(" "))
}

/// The module cache is read-only; the copies are not.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in from.read_dir().with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::write(target, fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

/// A running Gitea in a temporary folder. It ends, and is gone, when dropped.
struct Gitea {
    folder: TempDir,
    url: String,
    password: String,
    process: Child,
}

impl Gitea {
    fn start(home: &Path) -> Result<Self> {
        let folder = TempDir::with_prefix("valetkey-gitea-")?;
        let inside = folder.path();
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let settings = fs::read_to_string(peer("app.ini"))?
            .replace("@PORT@", &port.to_string())
            .replace("@STATIC@", &home.display().to_string());
        fs::write(inside.join("app.ini"), settings)?;

        let program = home.join("gitea");
        said(gitea(&program, inside).arg("migrate"))?;
        let password = said(gitea(&program, inside).args(["generate", "secret", "JWT_SECRET"]))?.trim().to_owned();
        said(
            gitea(&program, inside)
                .args(["admin", "user", "create", "--admin", "--must-change-password=false"])
                .args(["--username", ADMINISTRATOR, "--email", "keeper@example.test", "--password", &password]),
        )?;
        let log = File::create(inside.join("log"))?;
        let process = gitea(&program, inside)
            .arg("web")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("could not start Gitea")?;
        Ok(Self { folder, url: format!("http://127.0.0.1:{port}"), password, process })
    }

    /// Waits until it answers and fills it. The file says what there is.
    fn seed(&self) -> Result<PathBuf> {
        let facts = self.folder.path().join("facts.json");
        let seeded =
            run_command(Command::new("python3").arg(peer("seed.py")).args([&self.url, &self.password]).arg(&facts));
        seeded.with_context(|| fs::read_to_string(self.folder.path().join("log")).unwrap_or_default())?;
        Ok(facts)
    }
}

impl Drop for Gitea {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One of Gitea's commands, with nothing of the caller's environment but where programs are.
fn gitea(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("GITEA_WORK_DIR", folder)
        // It refuses root otherwise. This one is reached from this machine only and lives for a minute.
        .env("GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT", "true")
        .current_dir(folder)
        .arg("--config")
        .arg(folder.join("app.ini"));
    command
}

fn peer(file: &str) -> PathBuf {
    root().join("xtask/peers/gitea").join(file)
}
