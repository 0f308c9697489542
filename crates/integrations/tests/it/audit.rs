//! Every way in which a credential comes out is recorded before it does.

use jiff::SignedDuration;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use valetkey_integrations::{GitAccess, Lease, NewSecret, Wanted};
use valetkey_model::{
    Actor, AuditActor, AuditEntry, AuditOutcome, Clock as _, EngineId, Grant, GrantedAccess, GrantedRepository,
    Integration, ProblemCode, ProjectName, ProviderKind, PushPolicy, RepositorySpec, SecretOwner, Session, SessionId,
    SessionSpec,
};
use valetkey_seal::{Secret, SystemEntropy};
use valetkey_store::AuditFilter;
use valetkey_testbed::{ForgeBed, Testbed};

/// A session that may use a connected account.
struct Lent {
    bed: Testbed,
    forge: ForgeBed,
    integration: Integration,
    session: SessionId,
    grant: Grant,
    lease: Lease,
}

impl Lent {
    async fn new() -> Self {
        let forge = ForgeBed::gitlab().await;
        let bed = Testbed::new(&[&forge]).await;
        let (integration, now) = (bed.connect(&forge).await, bed.clock.now());
        let id = SessionId::new(now, &SystemEntropy);
        let branch = "feature/x".parse().unwrap();
        let spec = SessionSpec {
            assistant: None,
            task: "x".into(),
            repositories: vec![RepositorySpec {
                url: forge.url(),
                branch: None,
                push_branch: "feature/x".parse().unwrap(),
                integration: None,
                allow_force: false,
            }],
            agent: vec!["true".into()],
            timeout_seconds: 60,
            pull_request: false,
            keep_workspace: false,
        };
        let (project, owner) = (ProjectName::default_project(), Actor::admin().user);
        let session = Session::new(id.clone(), project, owner, spec, now);
        bed.store.insert_session(&session, &EngineId::new(now, &SystemEntropy)).await.unwrap();
        let push = PushPolicy { branch, allow_force: false };
        let wanted = Wanted {
            overridden: Vec::new(),
            session: id.clone(),
            integrations: vec![integration.clone()],
            repositories: vec![GrantedRepository {
                url: forge.url(),
                with: Some(GrantedAccess { integration: integration.id.clone(), push }),
            }],
            ends_at: now + SignedDuration::from_hours(1),
        };
        let (grant, lease) = bed.integrations.grant(wanted).await.unwrap();
        Self { bed, forge, integration, session: id, grant, lease }
    }

    /// Asks for the credential in every way; how many gave it.
    async fn ask_in_every_way(&self) -> usize {
        let (it, lease) = (&self.bed.integrations, self.lease.as_path_segment());
        let (url, me, project) = (self.forge.url(), Actor::admin(), ProjectName::default_project());
        let from = Some("10.0.0.7".parse().unwrap());
        let outcomes = [
            it.authorize(lease, &url, GitAccess::Read).await.is_ok(),
            it.authorize(lease, &url, GitAccess::Push).await.is_ok(),
            it.session_tokens(&self.grant).await.is_ok(),
            it.session_credential(lease, &self.session, ProviderKind::GitLab, from).await.is_ok(),
            it.credential_for(&me, &project, url.instance(), None).await.is_ok(),
        ];
        outcomes.into_iter().filter(|given| *given).count()
    }

    async fn uses(&self) -> Vec<AuditEntry> {
        let filter = AuditFilter { action: Some("credential.use".into()), ..AuditFilter::default() };
        let mut entries = self.bed.store.audit_page(&filter, None, 50).await.unwrap();
        entries.reverse();
        entries
    }

    async fn sql(&self, sql: &str) {
        sqlx::any::install_default_drivers();
        let path = self.bed.folder.path().join("valetkey.db");
        let mut connection = AnyConnection::connect(&format!("sqlite:{}", path.display())).await.unwrap();
        connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
        connection.close().await.unwrap();
    }
}

#[tokio::test]
async fn each_use_says_who_in_which_session_and_what_for() {
    let it = Lent::new().await;
    assert_eq!(it.ask_in_every_way().await, 5);
    let uses = it.uses().await;
    let given: Vec<_> = uses.iter().map(|entry| entry.event.detail["given"].as_str()).collect();
    assert_eq!(given, ["git", "git", "environment", "session", "own git"]);
    let access: Vec<_> = uses.iter().filter_map(|entry| entry.event.detail.get("access")).collect();
    assert_eq!(access, ["read", "push"]);
    for entry in &uses {
        let event = &entry.event;
        assert_eq!(event.actor, AuditActor::Person(Actor::admin().user));
        assert_eq!(event.object.as_ref().unwrap().id, it.integration.id.as_str());
        assert_eq!(event.project, Some(ProjectName::default_project()));
        let in_session = event.detail["given"] != "own git";
        assert_eq!(event.session, in_session.then(|| it.session.clone()));
    }
    assert_eq!(uses[3].event.from, Some("10.0.0.7".parse().unwrap()));
    let said = serde_json::to_string(&uses).unwrap();
    for private in [it.integration.alias.as_str(), &it.integration.account.username, &it.forge.token] {
        assert!(!said.contains(private), "{private} is in {said}");
    }
}

#[tokio::test]
async fn what_can_not_be_recorded_does_not_happen() {
    let it = Lent::new().await;
    it.sql("ALTER TABLE audit RENAME TO away").await;
    assert_eq!(it.ask_in_every_way().await, 0);
    let problem = it.bed.integrations.session_tokens(&it.grant).await.unwrap_err();
    assert_eq!(problem.code, ProblemCode::Internal);
    it.sql("ALTER TABLE away RENAME TO audit").await;
    assert_eq!(it.ask_in_every_way().await, 5);
}

#[tokio::test]
async fn a_refused_use_is_recorded_once_without_what_was_asked_for() {
    let it = Lent::new().await;
    let url = format!("{}/glpat-Canary/repo", it.forge.url().instance()).parse().unwrap();
    for _ in 0..20 {
        let answer = it.bed.integrations.authorize(it.lease.as_path_segment(), &url, GitAccess::Push).await;
        assert_eq!(answer.unwrap_err().code, ProblemCode::Forbidden);
        it.bed.integrations.authorize("vkl_forged", &it.forge.url(), GitAccess::Read).await.unwrap_err();
    }
    let uses = it.uses().await;
    let [known, unknown] = uses.as_slice() else { panic!("{uses:#?}") };
    assert_eq!((known.event.outcome, known.event.session.as_ref()), (AuditOutcome::Refused, Some(&it.session)));
    assert_eq!((&unknown.event.actor, unknown.event.session.as_ref()), (&AuditActor::Anonymous, None));
    assert!(!serde_json::to_string(&uses).unwrap().contains("Canary"));
}

#[tokio::test]
async fn a_session_whose_owner_may_no_more_gets_nothing_and_that_is_recorded() {
    let it = Lent::new().await;
    let (given, me) = (it.ask_in_every_way().await, Actor::admin().user);
    assert_eq!(given, 5);
    it.bed.store.set_disabled(&me, true).await.unwrap();
    assert!(!it.bed.integrations.still_authorized(it.lease.as_path_segment(), &it.forge.url()).await);
    assert_eq!(it.ask_in_every_way().await, 1, "their own git is not asked for by a session");
    let refused = it.uses().await.into_iter().filter(|entry| entry.event.outcome == AuditOutcome::Refused);
    assert!(refused.count() >= 1, "the same again is counted, not written");
    it.bed.store.set_disabled(&me, false).await.unwrap();
    assert_eq!(it.ask_in_every_way().await, 5);
}

#[tokio::test]
async fn a_secret_that_a_session_is_given_is_recorded_by_its_id_before() {
    let it = Lent::new().await;
    let (integrations, me) = (&it.bed.integrations, Actor::admin());
    let new = NewSecret { name: "NPM_TOKEN".parse().unwrap(), value: Secret::from("npm-canary"), description: None };
    integrations.set_secret(&me, &SecretOwner::Person(me.user.clone()), new).await.unwrap();
    let session = it.bed.store.session(&it.session).await.unwrap().unwrap();
    let given = integrations.give_secrets(&session).await.unwrap();
    let ids: Vec<_> = given.iter().map(|secret| secret.id.to_string()).collect();
    let [entry] = it.uses().await.try_into().unwrap();
    let object = entry.event.object.as_ref().unwrap();
    assert_eq!((object.kind.as_str(), vec![object.id.clone()]), ("secret", ids));
    assert_eq!((entry.event.session.as_ref(), &*entry.event.detail["given"]), (Some(&it.session), "environment"));
    let said = serde_json::to_string(&entry).unwrap();
    assert!(!said.contains("npm-canary") && !said.contains("NPM_TOKEN"), "{said}");

    it.sql("DROP TABLE audit").await;
    assert!(integrations.give_secrets(&session).await.is_err(), "what can't be recorded is not given");
}
