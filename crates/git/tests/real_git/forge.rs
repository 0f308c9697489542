//! A forge in a temporary folder: bare repositories behind `git http-backend` on a loopback port.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

use tempfile::TempDir;
use valetkey_git::{Author, Checkout, Git, PublishOptions, Published};
use valetkey_model::{BranchName, ObjectId, RepoUrl};

/// Answers a request instead of the forge: the path and the body in, `(status, content type, body)` out.
pub(crate) type Interceptor = dyn Fn(&str, &[u8]) -> Option<(u16, String, Vec<u8>)> + Send + Sync;

pub(crate) struct Forge {
    pub(crate) temp: TempDir,
    address: String,
}

impl Forge {
    pub(crate) fn start() -> Self {
        Self::start_with(|_, _| None)
    }

    pub(crate) fn start_with(
        interceptor: impl Fn(&str, &[u8]) -> Option<(u16, String, Vec<u8>)> + Send + Sync + 'static,
    ) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("forge");
        fs::create_dir_all(&root).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let interceptor: Arc<Interceptor> = Arc::new(interceptor);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (root, interceptor) = (root.clone(), Arc::clone(&interceptor));
                thread::spawn(move || serve(stream, &root, &*interceptor));
            }
        });
        Self { temp, address }
    }

    /// An empty repository, and its URL.
    pub(crate) fn empty(&self, name: &str) -> RepoUrl {
        let bare = self.bare(name);
        fs::create_dir_all(&bare).unwrap();
        git(&bare, &["init", "--quiet", "--bare", "--initial-branch=main", "."]);
        git(&bare, &["config", "http.receivepack", "true"]);
        format!("http://{}/team/{name}", self.address).parse().unwrap()
    }

    /// A repository with a commit on `main` that holds `files`.
    pub(crate) fn repository(&self, name: &str, files: &[(&str, &str)]) -> RepoUrl {
        let url = self.empty(name);
        let work = self.temp.path().join(format!("seed-{name}"));
        fs::create_dir_all(&work).unwrap();
        git(&work, &["init", "--quiet", "--initial-branch=main", "."]);
        for (path, content) in files {
            write(&work, path, content);
        }
        git(&work, &["add", "--all"]);
        git(&work, &["commit", "--quiet", "--allow-empty", "--message=first"]);
        git(&work, &["push", "--quiet", self.bare(name).to_str().unwrap(), "main"]);
        url
    }

    pub(crate) fn bare(&self, name: &str) -> PathBuf {
        self.temp.path().join("forge/team").join(format!("{name}.git"))
    }

    pub(crate) fn git(&self) -> Git {
        Git::new(self.temp.path().join("scratch")).unwrap()
    }

    /// A clone as a session makes it: the files of `main` on the branch `work`.
    pub(crate) async fn checkout(&self, url: &RepoUrl) -> Checkout {
        let git = self.git();
        let checkout = git.clone_repo(url, &self.temp.path().join("workspace"), |_| ()).await.unwrap();
        let start = checkout.remote_branch_commit(&branch("main")).unwrap();
        checkout.start_branch(&git, start.as_ref(), &branch("work")).await.unwrap();
        checkout
    }

    pub(crate) async fn publish(&self, checkout: &Checkout) -> Published {
        checkout.publish(&self.git(), &options()).await.unwrap()
    }

    /// A program that leaves a mark when anybody runs it, and the place of the mark.
    pub(crate) fn trap(&self) -> Trap {
        let (program, mark) = (self.temp.path().join("trap"), self.temp.path().join("sprung"));
        let script = format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat 2>/dev/null\n", mark.display());
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Trap { program, mark }
    }

    /// The files of a branch at the forge, and the subject of its last commit.
    pub(crate) fn branch_at_forge(&self, name: &str, branch: &str) -> (Vec<String>, String) {
        let bare = self.bare(name);
        let files = git(&bare, &["ls-tree", "-r", "--name-only", branch]);
        (files.lines().map(str::to_owned).collect(), git(&bare, &["log", "-1", "--format=%s", branch]))
    }
}

pub(crate) struct Trap {
    pub(crate) program: PathBuf,
    mark: PathBuf,
}

impl Trap {
    pub(crate) fn path(&self) -> &str {
        self.program.to_str().unwrap()
    }

    pub(crate) fn assert_not_sprung(&self) {
        assert!(!self.mark.exists(), "it ran: {}", fs::read_to_string(&self.mark).unwrap());
    }

    /// To show that the trap would work.
    pub(crate) fn assert_sprung(self) {
        assert!(self.mark.exists());
    }
}

pub(crate) fn options() -> PublishOptions {
    PublishOptions {
        author: Author::new("Jo Doe", "jo@example.test"),
        message: "Add feature X\n\nSession: https://valetkey.test/1\n".to_owned(),
        at: Some("2026-01-02T03:04:05Z".parse().unwrap()),
    }
}

pub(crate) fn branch(name: &str) -> BranchName {
    name.parse().unwrap()
}

pub(crate) fn id(text: &str) -> ObjectId {
    text.parse().unwrap()
}

pub(crate) fn write(dir: &Path, path: &str, content: &str) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Git as a person or an agent runs it, without a configuration of its own.
#[expect(clippy::disallowed_methods, reason = "tests look at the results with git itself")]
pub(crate) fn git_command(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir).env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", "/nonexistent");
    for (key, value) in [
        ("LC_ALL", "C"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_AUTHOR_NAME", "A"),
        ("GIT_AUTHOR_EMAIL", "a@b"),
        ("GIT_COMMITTER_NAME", "A"),
        ("GIT_COMMITTER_EMAIL", "a@b"),
        ("GIT_TERMINAL_PROMPT", "0"),
    ] {
        command.env(key, value);
    }
    command
}

pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    let output = git_command(dir).args(args).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

struct Request {
    head: Vec<String>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        let found =
            self.head.iter().filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }
}

fn serve(mut stream: TcpStream, root: &Path, interceptor: &Interceptor) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let Some(request) = read_request(&mut reader, &mut stream) else { return };
    let mut words = request.head[0].split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let answer = if let Some((status, kind, body)) = interceptor(path, &request.body) {
        let head = format!("HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
        [format!("{head}Connection: close\r\n\r\n").into_bytes(), body].concat()
    } else {
        backend(root, method, path, query, &request)
    };
    let _ = stream.write_all(&answer);
}

fn read_request(reader: &mut BufReader<TcpStream>, stream: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let mut request = Request { head, body: Vec::new() };
    if request.header("Expect") == "100-continue" {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    if request.header("Transfer-Encoding") == "chunked" {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let mut chunk = vec![0; usize::from_str_radix(size.trim(), 16).ok()? + 2];
            reader.read_exact(&mut chunk).ok()?;
            if chunk.len() == 2 {
                break;
            }
            request.body.extend_from_slice(&chunk[..chunk.len() - 2]);
        }
    } else {
        let length = request.header("Content-Length").parse().unwrap_or(0);
        request.body = vec![0; length];
        reader.read_exact(&mut request.body).ok()?;
    }
    Some(request)
}

fn backend(root: &Path, method: &str, path: &str, query: &str, request: &Request) -> Vec<u8> {
    let mut command = git_command(root);
    command.arg("http-backend").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    for (key, value) in [
        ("GIT_PROJECT_ROOT", root.to_str().unwrap()),
        ("GIT_HTTP_EXPORT_ALL", "1"),
        ("REQUEST_METHOD", method),
        ("PATH_INFO", path),
        ("QUERY_STRING", query),
        ("CONTENT_TYPE", request.header("Content-Type")),
        ("HTTP_CONTENT_ENCODING", request.header("Content-Encoding")),
        ("CONTENT_LENGTH", &request.body.len().to_string()),
        ("GIT_PROTOCOL", request.header("Git-Protocol")),
        ("REMOTE_ADDR", "127.0.0.1"),
    ] {
        command.env(key, value);
    }
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let body = request.body.clone();
    let feeder = thread::spawn(move || {
        let _ = stdin.write_all(&body);
    });
    let output = child.wait_with_output().unwrap().stdout;
    feeder.join().unwrap();
    let status = String::from_utf8_lossy(&output[..output.len().min(200)])
        .lines()
        .find_map(|line| line.strip_prefix("Status: ").map(str::to_owned))
        .unwrap_or_else(|| "200 OK".to_owned());
    [format!("HTTP/1.1 {status}\r\nConnection: close\r\n").into_bytes(), output].concat()
}
