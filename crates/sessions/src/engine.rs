use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    fmt,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::{
    sync::{Semaphore, watch},
    task::{JoinHandle, JoinSet},
    time::{interval, sleep},
};
use valetkey_gateway::Gateway;
use valetkey_git::Git;
use valetkey_integrations::Integrations;
use valetkey_model::{
    Actor, AssistantRef, AuditAction, AuditActor, AuditEvent, AuditOutcome, Clock, EngineId, Entropy, EventBody, Phase,
    Problem, ProblemCode, Project, ProjectName, PushPlaceholders, RepositoryChanges, RepositorySpec, Role, Session,
    SessionId, SessionSpec, Tools,
};
use valetkey_providers::Http;
use valetkey_redact::Redactor;
use valetkey_seal::Secret;
use valetkey_store::{SessionFilter, Store, StoreError};
use valetkey_webhooks::SessionNotice;

use crate::{
    Assistants, CheckedRepository, NewRepository, NewSession, check,
    event_log::EventLog,
    events::{self, EventStream},
    liveness::{self, EngineLock},
    pipeline,
    run::Run,
    slots::Toolbox,
    spec::Defaults,
    stop::{Stop, Why, final_phase, no_member},
};

/// What an engine needs to know of the world.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Where everything on disk is kept; must be Valetkey's own.
    pub data_dir: PathBuf,
    /// Where people reach the server, without a trailing slash.
    pub public_url: String,
    /// The agent of sessions that name none: program and arguments.
    pub agent: Vec<String>,
    /// Our own environment, of which agents inherit a listed part.
    pub environment: Vec<(OsString, OsString)>,
    /// Further names that agents inherit.
    pub agent_env: Vec<String>,
    /// How many sessions run at once; others wait.
    pub at_once: usize,
}

impl EngineConfig {
    /// Where sessions keep their folders.
    pub(crate) fn workspaces(&self) -> PathBuf {
        self.data_dir.join("workspaces")
    }

    /// Where engines say that they are alive.
    pub(crate) fn engines(&self) -> PathBuf {
        self.data_dir.join("engines")
    }

    /// The page of a session.
    pub fn session_url(&self, id: &SessionId) -> String {
        format!("{}/sessions/{id}", self.public_url)
    }
}

/// How often other processes' wishes (to stop) and deaths are looked for.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// Runs sessions. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) parts: Arc<Parts>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({})", self.parts.id)
    }
}

/// What sessions work with.
pub(crate) struct Parts {
    pub(crate) id: EngineId,
    pub(crate) config: EngineConfig,
    pub(crate) store: Store,
    pub(crate) integrations: Integrations,
    pub(crate) assistants: Assistants,
    pub(crate) gateway: Gateway,
    pub(crate) git: Git,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) changed: watch::Sender<u64>,
    entropy: Arc<dyn Entropy>,
    turns: Arc<Semaphore>,
    running: Mutex<Running>,
    ended: Mutex<BTreeMap<Phase, u64>>,
    background: Mutex<Option<JoinHandle<()>>>,
    _lock: EngineLock,
}

#[derive(Default)]
struct Running {
    live: HashMap<SessionId, Live>,
    tasks: JoinSet<()>,
}

/// What can be done to a session from outside while it runs here.
struct Live {
    stop: Stop,
    redactor: Redactor,
}

impl Engine {
    /// Starts an engine: its gateway listens, and sessions that dead engines left behind are ended.
    ///
    /// # Errors
    /// When git is missing or too old, no port can be had, or the folders can't be written.
    pub async fn start(
        config: EngineConfig,
        store: Store,
        integrations: Integrations,
        http: Http,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Problem> {
        let io =
            |e: std::io::Error| Problem::new(ProblemCode::Internal, format!("The session engine can't start: {e}."));
        let id = EngineId::new(clock.now(), &*entropy);
        let lock = liveness::lock(&config.engines(), &id).map_err(io)?;
        let git = Git::new(config.data_dir.join("git")).map_err(io)?;
        // Asked beside all else, so that the first clone need not wait for the answer.
        tokio::spawn({
            let git = git.clone();
            async move { git.version().await.map(drop) }
        });
        let gateway = Gateway::start(integrations.clone(), http, git.clone()).await.map_err(io)?;
        let parts = Arc::new(Parts {
            id,
            turns: Arc::new(Semaphore::new(config.at_once.max(1))),
            config,
            assistants: Assistants::new(store.clone(), Arc::clone(&clock), Arc::clone(&entropy)),
            store,
            integrations,
            gateway,
            git,
            clock,
            entropy,
            changed: watch::Sender::new(0),
            running: Mutex::default(),
            ended: Mutex::default(),
            background: Mutex::default(),
            _lock: lock,
        });
        parts.end_abandoned().await?;
        let looking = tokio::spawn(look_around(Arc::downgrade(&parts)));
        *lock_of(&parts.background) = Some(looking);
        Ok(Self { parts })
    }

    /// The assistants that sessions start from.
    pub fn assistants(&self) -> &Assistants {
        &self.parts.assistants
    }

    /// Takes a session on; it starts when its turn comes.
    ///
    /// # Errors
    /// `invalid_input`; `not_found` for an unknown project or assistant; `forbidden` for somebody who is not a member of
    /// the project; `integration_unusable` or `integration_missing` where the assistant is pinned to what they can't use.
    pub async fn create(&self, by: &Actor, project: &ProjectName, new: NewSession) -> Result<Session, Problem> {
        let parts = &self.parts;
        let known = self.may_start(by, project).await?;
        let now = parts.clock.now();
        let id = SessionId::new(now, &*parts.entropy);
        let assistant = match &new.assistant {
            Some(which) => Some(parts.assistants.to_start(by, project, which).await?),
            None => None,
        };
        let person = parts.store.user(&by.user).await?;
        let user = person.as_ref().map_or(by.user.as_str(), |person| &person.name);
        let of = PushPlaceholders { session: &id, user, at: now };
        let defaults = Defaults { agent: &parts.config.agent, project, settings: &known.settings, of };
        let spec = new.into_spec(&defaults, assistant)?;
        self.require_a_choice(by, project, &spec).await?;
        let session = Session::new(id, project.clone(), by.user.clone(), spec, now);
        let event = parts.integrations.trail().event_by(by, AuditAction::SessionCreate).to("session", &session.id);
        let (project, id) = (Some(session.project.clone()), Some(session.id.clone()));
        parts.integrations.trail().record(AuditEvent { project, session: id, ..event }).await?;
        let stop = Stop::default();
        // Before it is stored: a stored session of ours that is not known here is one that was lost.
        let (redactor, stopping) = (Redactor::new(), stop.clone());
        let live = Live { stop: stopping, redactor: redactor.clone() };
        lock_of(&parts.running).live.insert(session.id.clone(), live);
        if let Err(error) = parts.store.insert_session(&session, &parts.id).await {
            lock_of(&parts.running).live.remove(&session.id);
            return Err(error.into());
        }
        let mut running = lock_of(&parts.running);
        while running.tasks.try_join_next().is_some() {}
        running.tasks.spawn(take_turn(Arc::clone(parts), session.clone(), redactor, stop));
        Ok(session)
    }

    /// Refuses to start where several integrations would do. The refusal lists them, which is for who asks alone: what a
    /// session fails with, all its project may read.
    async fn require_a_choice(&self, by: &Actor, project: &ProjectName, spec: &SessionSpec) -> Result<(), Problem> {
        let parts = &self.parts;
        let toolbox = Toolbox::open(&parts.store, by, project, spec.tools().into_owned()).await?;
        for RepositorySpec { url, integration, .. } in &spec.repositories {
            match toolbox.serving(&parts.integrations, url, integration.as_ref()).await {
                Err(problem) if problem.code == ProblemCode::IntegrationAmbiguous => return Err(problem),
                // Anything else the session finds out by itself.
                _ => {}
            }
        }
        Ok(())
    }

    async fn may_start(&self, by: &Actor, project: &ProjectName) -> Result<Project, Problem> {
        let known = self.parts.store.project(project).await?.ok_or_else(|| Actor::no_project(project))?;
        by.require(Role::Member, project)?;
        Ok(known)
    }

    /// A session that somebody may know of: of a project that they are in.
    ///
    /// # Errors
    /// `not_found`, also for one that is none of their business.
    pub async fn session(&self, by: &Actor, id: &SessionId) -> Result<Session, Problem> {
        let found = self.parts.store.session(id).await?.filter(|session| by.role(&session.project).is_some());
        found.ok_or_else(|| {
            Problem::new(ProblemCode::NotFound, format!("You have no session {id}."))
                .remedy("`valetkey sessions list` shows yours.")
        })
    }

    /// The same, for whoever wants to change it: who started it, or an admin of its project.
    ///
    /// # Errors
    /// As [`session`](Self::session), and `forbidden` for everybody else.
    pub async fn managed(&self, by: &Actor, id: &SessionId) -> Result<Session, Problem> {
        let session = self.session(by, id).await?;
        by.require(needed(by, &session), &session.project)?;
        Ok(session)
    }

    /// Whether somebody may stop a session, or delete it.
    pub fn manages(by: &Actor, session: &Session) -> bool {
        by.is(needed(by, session), &session.project)
    }

    /// Up to `limit` of the sessions that somebody may know of and that pass the filter, newest first, from the one
    /// before `before`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sessions(
        &self,
        by: &Actor,
        filter: &SessionFilter<'_>,
        limit: u32,
        before: Option<&SessionId>,
    ) -> Result<Vec<Session>, Problem> {
        Ok(self.parts.store.sessions_page(by, filter, limit, before).await?)
    }

    /// What a session changed, in the order of its repositories, as far as it came to commit it.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn changes(&self, by: &Actor, id: &SessionId) -> Result<Vec<RepositoryChanges>, Problem> {
        self.session(by, id).await?;
        Ok(self.parts.store.changes(id).await?)
    }

    /// What a session, of an assistant if one is named, would find if it started now: which integration serves each repository and why, and whether it
    /// may push there. The providers are asked; nothing is granted.
    ///
    /// # Errors
    /// `not_found` for an unknown project; `forbidden` for somebody who is not a member of it; `invalid_input` for more
    /// repositories than a session may have. What is wrong with one repository is in its answer.
    pub async fn check(
        &self,
        by: &Actor,
        project: &ProjectName,
        assistant: Option<&AssistantRef>,
        repositories: &[NewRepository],
    ) -> Result<Vec<CheckedRepository>, Problem> {
        self.may_start(by, project).await?;
        let parts = &self.parts;
        let tools = match assistant {
            Some(which) => parts.assistants.named(by, project, which).await?.tools,
            None => Tools::default(),
        };
        let toolbox = Toolbox::open(&parts.store, by, project, tools).await?;
        check::check(&parts.integrations, &toolbox, repositories).await
    }

    /// The events of a session behind number `after`, then those to come until it is over.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn events(&self, by: &Actor, id: &SessionId, after: i64) -> Result<EventStream, Problem> {
        self.session(by, id).await?;
        Ok(events::follow(Arc::clone(&self.parts), id.clone(), after))
    }

    /// Asks a session to stop, whichever process runs it. Returns at once; the agent gets ten seconds.
    ///
    /// # Errors
    /// `not_found`; `forbidden` for somebody else's, unless they are an admin of the project; `conflict` for one that is over.
    pub async fn stop(&self, by: &Actor, id: &SessionId) -> Result<Session, Problem> {
        let session = self.managed(by, id).await?;
        if session.phase.is_final() {
            return Err(Problem::new(
                ProblemCode::Conflict,
                format!("The session is over already: {}.", session.phase),
            ));
        }
        self.parts.store.request_stop(id).await?;
        self.parts.stop_here(id, Why::Asked);
        Ok(session)
    }

    /// Hides a secret that a session was given while it runs, such as a token that was refreshed, in its log.
    #[expect(clippy::disallowed_methods, reason = "the redactor must know the values that it hides")]
    pub fn hide(&self, id: &SessionId, secret: &Secret<String>) {
        if let Some(live) = lock_of(&self.parts.running).live.get(id) {
            // No provider gives tokens that are too short to hide.
            let _ = live.redactor.add(secret.expose());
        }
    }

    /// Deletes a session that is over: its record, its log and its folder.
    ///
    /// # Errors
    /// As [`stop`](Self::stop), `conflict` for one that still runs.
    pub async fn delete(&self, by: &Actor, id: &SessionId) -> Result<(), Problem> {
        let session = self.managed(by, id).await?;
        if !session.phase.is_final() {
            return Err(Problem::new(ProblemCode::Conflict, "The session still runs.").remedy("Stop it first."));
        }
        self.parts.store.delete_session(id).await?;
        remove_folder(&self.parts.config.workspaces().join(id.as_str())).await;
        Ok(())
    }

    /// How many sessions this engine has ended, by their final phase.
    pub fn ended(&self) -> BTreeMap<Phase, u64> {
        lock_of(&self.parts.ended).clone()
    }

    /// Stops all sessions and waits for them to end, for at most `patience`.
    pub async fn shut_down(&self, patience: Duration) {
        let mut tasks = {
            let mut running = lock_of(&self.parts.running);
            running.live.values().for_each(|live| live.stop.ask(Why::Shutdown));
            std::mem::take(&mut running.tasks)
        };
        tokio::select! {
            () = async { while tasks.join_next().await.is_some() {} } => {}
            () = sleep(patience) => {}
        }
        // Awaited too: it must not meet a store that is closed next.
        let background = lock_of(&self.parts.background).take();
        if let Some(background) = background {
            background.abort();
            let _ = background.await;
        }
        liveness::forget(&self.parts.config.engines(), &self.parts.id);
    }
}

/// The role that somebody needs to change a session.
fn needed(by: &Actor, session: &Session) -> Role {
    if session.owner == by.user { Role::Member } else { Role::Admin }
}

fn lock_of<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session's task: wait for a turn, run, put everything away.
async fn take_turn(parts: Arc<Parts>, session: Session, redactor: Redactor, stop: Stop) {
    let id = session.id.clone();
    let turns = Arc::clone(&parts.turns);
    let log = EventLog::start(Arc::clone(&parts), id.clone());
    let mut run = Run { session, parts: Arc::clone(&parts), redactor, stop: stop.clone(), log };
    let result = match run.event(EventBody::Phase { phase: Phase::Pending }).await {
        Err(problem) => Err(problem),
        Ok(()) => tokio::select! {
            turn = turns.acquire_owned() => {
                let _turn = turn;
                caught(pipeline::run(&mut run)).await
            }
            problem = stop.asked() => Err(problem),
        },
    };
    if let Err(problem) = finish(&mut run, result).await {
        tracing::error!(session = %id, %problem, "the end of a session could not be recorded");
    }
    lock_of(&parts.running).live.remove(&id);
}

/// A step that panics fails like any other; else its session would look alive for as long as this process is.
async fn caught(work: impl Future<Output = Result<(), Problem>>) -> Result<(), Problem> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        Err(Problem::new(ProblemCode::Internal, "Something went wrong inside Valetkey.")
            .remedy("Its log says what; please report it."))
    })
}

/// Ends the grant before anything that takes time, removes or keeps the folder, and records the outcome; the record comes
/// last, as it says that all is done.
async fn finish(run: &mut Run, result: Result<(), Problem>) -> Result<(), Problem> {
    let parts = Arc::clone(&run.parts);
    parts.gateway.forget(&run.session.id);
    parts.integrations.end_grant(&run.session.id).await?;
    let folder = run.folder();
    let phase = match result {
        Ok(()) => {
            let unpushed = run.session.repositories.iter().any(|it| it.unpushed);
            if !run.session.spec.keep_workspace && !unpushed {
                remove_folder(&folder).await;
                run.session.workspace = None;
            }
            Phase::Completed
        }
        Err(mut problem) => {
            // A session that is about to be stopped for that may first be refused what it asks for.
            if final_phase(&problem) == Phase::Failed && !parts.is_started_by_member(&run.session).await? {
                problem = no_member();
            }
            problem.detail = run.redactor.redact(&problem.detail).into_owned();
            if let Some(workspace) = &run.session.workspace {
                run.log(format!("The workspace is kept in {workspace}")).await?;
            }
            let phase = final_phase(&problem);
            run.session.message = Some(problem.detail.clone());
            run.session.failure = Some(problem);
            phase
        }
    };
    tracing::info!(session = %run.session.id, %phase, "session ended");
    *lock_of(&parts.ended).entry(phase).or_default() += 1;
    run.end(phase).await
}

pub(crate) async fn remove_folder(folder: &Path) {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(folder = %folder.display(), %error, "a session's folder could not be removed");
        }
        _ => {}
    }
}

/// Looks for sessions that other processes ask to stop, and for those that dead engines left.
async fn look_around(parts: std::sync::Weak<Parts>) {
    let mut ticks = interval(LOOK_AROUND);
    loop {
        ticks.tick().await;
        let Some(parts) = parts.upgrade() else { return };
        let outcome = async {
            for session in parts.store.stops_of_engine(&parts.id).await? {
                let why = parts.why_asked(&session).await?;
                parts.stop_here(&session, why);
            }
            parts.end_abandoned().await
        };
        if let Err(problem) = outcome.await {
            tracing::warn!(%problem, "the look at other processes' sessions failed");
        }
    }
}

impl Parts {
    /// Puts the end of a session into the audit trail. It has ended whether that succeeds or not.
    pub(crate) async fn note_end(&self, session: &Session) {
        let trail = self.integrations.trail();
        let event = AuditEvent {
            on_behalf_of: Some(session.owner.clone()),
            project: Some(session.project.clone()),
            session: Some(session.id.clone()),
            ..trail.event(AuditActor::System, AuditAction::SessionEnd).to("session", &session.id)
        };
        let event = event.with("phase", &session.phase);
        let event = match &session.failure {
            Some(problem) => AuditEvent { outcome: AuditOutcome::Failed, code: Some(problem.code), ..event },
            None => event,
        };
        trail.note(event).await;
    }

    /// Ends a session if it runs in this process.
    pub(crate) fn stop_here(&self, id: &SessionId, why: Why) {
        if let Some(live) = lock_of(&self.running).live.get(id) {
            live.stop.ask(why);
        }
    }

    /// Why another process may have asked to stop a session: that is not stored, but can be seen.
    async fn why_asked(&self, id: &SessionId) -> Result<Why, Problem> {
        let Some(session) = self.store.session(id).await? else { return Ok(Why::Asked) };
        Ok(if self.is_started_by_member(&session).await? { Why::Asked } else { Why::NoMember })
    }

    /// Whether the person who started a session may start one in its project now.
    pub(crate) async fn is_started_by_member(&self, session: &Session) -> Result<bool, Problem> {
        let owner = self.store.actor(&session.owner).await?;
        Ok(owner.is_some_and(|owner| owner.is(Role::Member, &session.project)))
    }

    pub(crate) async fn is_over(&self, id: &SessionId) -> Result<bool, Problem> {
        Ok(self.store.session(id).await?.is_none_or(|session| session.phase.is_final()))
    }

    /// Ends the sessions that nobody runs any more, because their engine's process is gone or because the store failed
    /// when ours ended them: `Failed`, with the workspace kept.
    async fn end_abandoned(&self) -> Result<(), Problem> {
        for (id, engine) in self.store.unfinished_sessions().await? {
            if engine == self.id {
                if !lock_of(&self.running).live.contains_key(&id) {
                    self.end_lost(&id, "The end of this session could not be recorded when it came.").await?;
                }
            } else if liveness::is_dead(&self.config.engines(), &engine) {
                liveness::kill_agent(&self.config.workspaces().join(id.as_str()));
                self.end_lost(&id, "Valetkey ended while this session was under way.").await?;
                liveness::forget(&self.config.engines(), &engine);
            }
        }
        Ok(())
    }

    /// Records the end of a session, with the notifications that tell of it. `task` is its task with all secrets hidden.
    pub(crate) async fn record_end(
        &self,
        session: &Session,
        before: Phase,
        task: Option<&str>,
    ) -> Result<(), StoreError> {
        let webhooks = self.integrations.webhooks();
        let notice = SessionNotice::new(session, task, self.config.session_url(&session.id));
        let notifications = webhooks.of_session(&notice).await;
        self.store.update_session_and_tell(session, before, &notifications).await?;
        webhooks.wake();
        Ok(())
    }

    async fn end_lost(&self, id: &SessionId, why: &str) -> Result<(), Problem> {
        let Some(mut session) = self.store.session(id).await? else { return Ok(()) };
        let (before, now) = (session.phase, self.clock.now());
        if session.advance(Phase::Failed, now).is_err() {
            return Ok(());
        }
        let problem = Problem::new(ProblemCode::Interrupted, why)
            .remedy("Start it again; what it had done is kept in its workspace.");
        session.message = Some(problem.detail.clone());
        session.failure = Some(problem);
        // Which secrets its task may hold is not known any more, so nothing of it is told.
        match self.record_end(&session, before, None).await {
            // Another process found it first.
            Err(StoreError::Stale(_)) => return Ok(()),
            other => other?,
        }
        self.note_end(&session).await;
        self.append(id, &[(now, EventBody::Phase { phase: Phase::Failed })]).await?;
        tracing::warn!(session = %id, why, "ended a session that nobody runs");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_failure_of_its_session() {
        let problem = caught(async { panic!("a step") }).await.unwrap_err();
        assert_eq!(final_phase(&problem), Phase::Failed);
    }
}
