//! For tests: a Valetkey of one's own in a temporary folder, and forges to connect it to.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use valetkey_integrations::{Connect, Integrations};
use valetkey_model::{Actor, AuthMethod, Clock, Integration, OwnerScope, Problem, ProviderKind};
use valetkey_providers::{AddressPolicy, Credential, Http, HttpConfig};
use valetkey_seal::{KeyFile, Sealer, Secret, SystemEntropy};
use valetkey_store::{DatabaseUrl, Store};
use valetkey_twins::{AccessLevel, Account, Forge, Repository, Token, Twin, User};

/// The system's clock, moved on at will.
#[derive(Debug, Default)]
pub struct TestClock {
    ahead: Mutex<SignedDuration>,
}

impl TestClock {
    /// Lets time pass.
    pub fn advance(&self, by: SignedDuration) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for TestClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that is passed in")]
    fn now(&self) -> Timestamp {
        Timestamp::now() + *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The parts of a Valetkey below the session engine, in a folder that goes with it.
pub struct Testbed {
    /// The data directory.
    pub folder: tempfile::TempDir,
    /// The database.
    pub store: Store,
    /// The integrations.
    pub integrations: Integrations,
    /// The outbound client; it may reach this machine.
    pub http: Http,
    /// The clock of all of it.
    pub clock: Arc<TestClock>,
}

impl Testbed {
    /// A fresh one that trusts the forges' certificates.
    pub async fn new(forges: &[&ForgeBed]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let authorities: String = forges.iter().map(|forge| forge.twin.ca_pem()).collect();
        Self::in_folder(folder, Some(authorities).filter(|pem| !pem.is_empty())).await
    }

    async fn in_folder(folder: tempfile::TempDir, extra_ca: Option<String>) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let addresses = AddressPolicy::new(true, "").expect("an empty list");
        let extra_ca_pem = extra_ca.map(String::into_bytes);
        let http = Http::new(HttpConfig { extra_ca_pem, addresses, proxy: None }).expect("a client");
        let store = Store::open(&DatabaseUrl::sqlite(folder.path().join("valetkey.db"))).await.expect("a database");
        let clock = Arc::new(TestClock::default());
        let sealer = Arc::new(sealer(folder.path()));
        let integrations =
            Integrations::new(store.clone(), sealer, http.clone(), clock.clone(), Arc::new(SystemEntropy));
        Self { folder, store, integrations, http, clock }
    }

    /// Integrations of a second process on the same data.
    pub fn another_process(&self) -> Integrations {
        let sealer = Arc::new(sealer(self.folder.path()));
        let (store, http, clock) = (self.store.clone(), self.http.clone(), self.clock.clone());
        Integrations::new(store, sealer, http, clock, Arc::new(SystemEntropy))
    }

    /// Connects the forge's account as the administrator's User Global integration.
    pub async fn connect(&self, forge: &ForgeBed) -> Integration {
        self.try_connect(forge, &forge.token).await.expect("the forge accepts its own token")
    }

    /// The same with any token.
    ///
    /// # Errors
    /// As [`Integrations::connect`].
    pub async fn try_connect(&self, forge: &ForgeBed, token: &str) -> Result<Integration, Problem> {
        let wanted = Connect {
            provider: forge.kind(),
            scope: OwnerScope::UserGlobal,
            by: Actor::admin(),
            alias: None,
            instance_url: Some(forge.twin.url().parse().expect("a twin has an instance URL")),
            credential: forge.credential(token),
        };
        self.integrations.connect(wanted).await
    }
}

fn sealer(folder: &Path) -> Sealer {
    let keys = KeyFile::open_or_create(folder.join("master.key"), &SystemEntropy).expect("a key file");
    Sealer::new(keys, Arc::new(SystemEntropy)).expect("a sealer")
}

const BITBUCKET_SCOPES: [&str; 6] = [
    "read:user:bitbucket",
    "read:workspace:bitbucket",
    "read:repository:bitbucket",
    "write:repository:bitbucket",
    "read:pullrequest:bitbucket",
    "write:pullrequest:bitbucket",
];

/// A forge with one person, their token, and the repository `team/sub/app` (`team/app` at GitHub).
pub struct ForgeBed {
    /// The server.
    pub twin: Twin,
    /// John.
    pub john: Account,
    /// John's token.
    pub token: String,
    /// The path of the repository that John may push to.
    pub path: &'static str,
}

impl ForgeBed {
    /// A GitLab over plain loopback HTTP.
    pub async fn gitlab() -> Self {
        Self::of(Twin::builder(Forge::GitLab).start().await.expect("a twin"))
    }

    /// A GitLab with a certificate of a private authority.
    pub async fn gitlab_with_tls() -> Self {
        Self::of(Twin::builder(Forge::GitLab).tls(true).start().await.expect("a twin"))
    }

    /// A GitHub Enterprise Server over plain loopback HTTP.
    pub async fn github() -> Self {
        Self::of(Twin::builder(Forge::GitHub).start().await.expect("a twin"))
    }

    /// Any forge over plain loopback HTTP.
    pub async fn start(forge: Forge) -> Self {
        Self::of(Twin::builder(forge).start().await.expect("a twin"))
    }

    fn of(twin: Twin) -> Self {
        let john = twin.user(User::new("john").name("John Doe").email("john@example.test"));
        let (scopes, path): (&[&str], _) = match twin.forge() {
            Forge::GitLab => (&["api"], "team/sub/app"),
            Forge::GitHub => (&["repo"], "team/app"),
            Forge::Bitbucket => (&BITBUCKET_SCOPES, "team/app"),
            Forge::BitbucketDataCenter => (&["PROJECT_READ", "REPO_WRITE"], "scm/TEAM/app"),
            Forge::Gitea | Forge::Forgejo => (&["read:user", "write:repository"], "team/app"),
            Forge::AzureDevOps => (&["vso.code_write"], "acme/team/_git/app"),
        };
        let token = twin.token(&john, Token::generated().scopes(scopes.iter().copied()));
        let forge = Self { twin, john, token, path };
        forge.repository(path);
        forge
    }

    /// What a token of John's is connected with.
    pub fn credential(&self, token: &str) -> Credential {
        let alone = Credential::pat(Secret::from(token));
        let with =
            |login: &str| Credential { method: AuthMethod::Basic, login: Some(login.to_owned()), ..alone.clone() };
        match self.twin.forge() {
            Forge::Bitbucket => with("john@example.test"),
            Forge::AzureDevOps => with("acme"),
            _ => alone,
        }
    }

    /// Another private repository that John may push to.
    pub fn repository(&self, path: &str) {
        let files = Repository::new().private().file("README.md", "# App\n").file("src/main.txt", "one\n");
        self.twin.repository(path, files.member(&self.john, AccessLevel::Developer));
    }

    /// The repository's URL.
    pub fn url(&self) -> valetkey_model::RepoUrl {
        self.url_of(self.path)
    }

    /// The URL of the repository at `path`.
    pub fn url_of(&self, path: &str) -> valetkey_model::RepoUrl {
        format!("{}/{path}", self.twin.url()).parse().expect("a twin's repository has a URL")
    }

    /// Its kind.
    pub fn kind(&self) -> ProviderKind {
        match self.twin.forge() {
            Forge::GitLab => ProviderKind::GitLab,
            Forge::GitHub => ProviderKind::GitHub,
            Forge::Bitbucket => ProviderKind::Bitbucket,
            Forge::BitbucketDataCenter => ProviderKind::BitbucketDataCenter,
            Forge::Gitea | Forge::Forgejo => ProviderKind::Gitea,
            Forge::AzureDevOps => ProviderKind::AzureDevOps,
        }
    }
}
