use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use jiff::SignedDuration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use valetkey_gateway::{Gateway, Timing};
use valetkey_git::{ConfigEntries, Git};
use valetkey_integrations::{Lease, Wanted};
use valetkey_model::{
    Clock as _, EngineId, GrantedAccess, GrantedRepository, Integration, ProjectName, PushPolicy, RepoUrl, Session,
    SessionId, SessionSpec, UserId,
};
use valetkey_seal::SystemEntropy;
use valetkey_testbed::{ForgeBed, Testbed};

/// A gateway, one forge behind it, and a session's lease for the forge's repository with the push branch `feature/x`.
pub(crate) struct Bench {
    pub(crate) bed: Testbed,
    pub(crate) forge: ForgeBed,
    pub(crate) gateway: Gateway,
    pub(crate) integration: Integration,
    pub(crate) session: SessionId,
    pub(crate) lease: Lease,
}

/// What git said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) ok: bool,
    pub(crate) text: String,
}

impl Said {
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert!(self.ok, "{}", self.text);
        self
    }

    /// Failed, with this in what it said.
    #[track_caller]
    pub(crate) fn refused(self, with: &str) {
        assert!(!self.ok, "git was let through: {}", self.text);
        assert!(self.text.contains(with), "{with:?} is not in: {}", self.text);
    }
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(ForgeBed::gitlab().await, false).await
    }

    pub(crate) async fn with(forge: ForgeBed, allow_force: bool) -> Self {
        let bed = Testbed::new(&[&forge]).await;
        let integration = bed.connect(&forge).await;
        let gateway = start_gateway(&bed).await;
        let (session, lease) = grant(&bed, Some(&integration), forge.url(), allow_force).await;
        Self { bed, forge, gateway, integration, session, lease }
    }

    /// The configuration that the session's git has.
    pub(crate) fn config(&self) -> ConfigEntries {
        self.gateway.git_config(&self.lease, &[self.forge.url()])
    }

    /// Runs git in `folder` as the agent would.
    pub(crate) async fn git(&self, folder: &Path, arguments: &[&str]) -> Said {
        self.git_with(&self.config(), folder, arguments).await
    }

    pub(crate) async fn git_with(&self, config: &ConfigEntries, folder: &Path, arguments: &[&str]) -> Said {
        git(self.bed.folder.path(), config, folder, arguments).await
    }

    /// Sends one bare request with the lease, as no git would; its status and the whole answer.
    pub(crate) async fn raw(&self, method: &str, rest: &str, body: &[u8]) -> (u16, String) {
        answer(self.begin(method, rest, body, body.len()).await).await
    }

    /// The same, with only the beginning of a body that is as long as this.
    pub(crate) async fn begin(&self, method: &str, rest: &str, beginning: &[u8], length: usize) -> TcpStream {
        let (address, lease) = (self.gateway.local_addr(), self.lease.as_path_segment());
        let mut stream = TcpStream::connect(address).await.unwrap();
        let service = rest.rsplit('/').next().unwrap();
        let head = format!(
            "{method} /{lease}/{rest} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Content-Type: application/x-{service}-request\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(beginning).await.unwrap();
        stream
    }

    /// A clone of the repository, known to the gateway as the session's checkout.
    pub(crate) async fn checkout(&self) -> PathBuf {
        let folder = self.bed.folder.path().join("checkout");
        self.git(self.bed.folder.path(), &["clone", "-q", &self.forge.url().clone_url(), "checkout"]).await.ok();
        self.gateway.register_checkout(&self.session, &self.forge.url(), folder.clone());
        folder
    }

    /// Commits a file in the checkout.
    pub(crate) async fn commit(&self, folder: &Path, file: &str, content: &[u8]) {
        std::fs::write(folder.join(file), content).unwrap();
        self.git(folder, &["add", "--all"]).await.ok();
        self.git(folder, &["commit", "-q", "-m", file]).await.ok();
    }
}

/// What comes until the connection ends: the status and the whole answer.
pub(crate) async fn answer(mut stream: TcpStream) -> (u16, String) {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

/// Runs git in `folder` with nothing but this configuration.
pub(crate) async fn git(home: &Path, config: &ConfigEntries, folder: &Path, arguments: &[&str]) -> Said {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(folder).env_clear().envs(config.to_env());
    command.env("PATH", std::env::var("PATH").unwrap()).env("HOME", home);
    for (name, value) in [("GIT_TERMINAL_PROMPT", "0"), ("GIT_CONFIG_GLOBAL", "/dev/null"), ("LC_ALL", "C")] {
        command.env(name, value);
    }
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Agent").env(format!("GIT_{role}_EMAIL"), "agent@example.test");
    }
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Said { ok: output.status.success(), text }
}

/// A gateway that soon notices what was taken away, and checks a refused credential once.
pub(crate) async fn start_gateway(bed: &Testbed) -> Gateway {
    let git = Git::new(bed.folder.path().join("git")).unwrap();
    let timing = Timing { revocation: Duration::from_millis(50), recheck: Duration::from_secs(3600) };
    Gateway::start_with(bed.integrations.clone(), bed.http.clone(), git, timing).await.unwrap()
}

/// Comes back once `condition` holds; the test hangs if it never does.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A session that exists in the store, with a grant for one repository.
pub(crate) async fn grant(
    bed: &Testbed,
    with: Option<&Integration>,
    url: RepoUrl,
    allow_force: bool,
) -> (SessionId, Lease) {
    let now = bed.clock.now();
    let id = SessionId::new(now, &SystemEntropy);
    let spec = SessionSpec {
        task: "test".into(),
        repositories: Vec::new(),
        agent: vec!["true".into()],
        assistant: None,
        timeout_seconds: 60,
        pull_request: false,
        keep_workspace: false,
    };
    let session = Session::new(id.clone(), ProjectName::default_project(), UserId::admin(), spec, now);
    bed.store.insert_session(&session, &EngineId::new(now, &SystemEntropy)).await.unwrap();
    let push = PushPolicy { branch: "feature/x".parse().unwrap(), allow_force };
    let with = with.map(|with| (with.clone(), GrantedAccess { integration: with.id.clone(), push }));
    let (integrations, with) = with.unzip();
    let wanted = Wanted {
        session: id.clone(),
        integrations: integrations.into_iter().collect(),
        overridden: Vec::new(),
        repositories: vec![GrantedRepository { url, with }],
        ends_at: now + SignedDuration::from_hours(1),
    };
    let (_, lease) = bed.integrations.grant(wanted).await.unwrap();
    (id, lease)
}
