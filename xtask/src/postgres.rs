use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::succeeds;

/// A private PostgreSQL server for one test run, from the installed binaries. Stops, and is gone, when dropped.
pub(crate) struct Server {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Server {
    /// Starts one; `None`, with a line that says what is skipped and why, where it can't be had.
    pub(crate) fn start(what_for: &str) -> Result<Option<Self>> {
        let Some(programs) = programs() else {
            println!("skipped: {what_for} on PostgreSQL (its server programs are not installed)");
            return Ok(None);
        };
        if is_root() && !succeeds("id", ["postgres"]) {
            println!("skipped: {what_for} on PostgreSQL (it refuses to run as root, and there is no user postgres)");
            return Ok(None);
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = env::temp_dir().join(format!("valetkey-postgres-{}", std::process::id()));
        let server = Self { programs, folder, port };
        server.initialise()?;
        Ok(Some(server))
    }

    /// The address of its administrator.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}", self.port)
    }

    fn initialise(&self) -> Result<()> {
        fs::create_dir_all(&self.folder)?;
        if is_root() {
            ensure!(
                Command::new("chown").arg("postgres").arg(&self.folder).status()?.success(),
                "the server's folder could not be given to it"
            );
        }
        let data = self.folder.join("data");
        self.call("initdb", &["--auth=trust", "--username=postgres", "--no-sync", "--pgdata"], &data)?;
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories='{}' -c fsync=off -c max_connections=400",
            self.port,
            self.folder.display()
        );
        let log = self.folder.join("log").display().to_string();
        self.call("pg_ctl", &["--wait", "--silent", "--log", &log, "--options", &options, "start", "--pgdata"], &data)
    }

    /// Runs one of PostgreSQL's programs, as its own user where we are root.
    fn call(&self, program: &str, arguments: &[&str], data: &Path) -> Result<()> {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        let output = command.args(arguments).arg(data).current_dir(&self.folder).output().context("PostgreSQL")?;
        ensure!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.call(
            "pg_ctl",
            &["--wait", "--silent", "--mode=immediate", "stop", "--pgdata"],
            &self.folder.join("data"),
        );
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Where `initdb` and `pg_ctl` are: on the PATH, or where Debian keeps them, the newest version first.
fn programs() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    folders.sort();
    folders.reverse();
    folders.extend(env::split_paths(&path));
    folders.into_iter().find(|folder| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
