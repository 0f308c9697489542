use std::{ffi::OsString, path::PathBuf, sync::Arc};

use futures_util::TryStreamExt as _;
use valetkey_model::{
    Actor, EventBody, LogStream, Phase, ProblemCode, ProjectName, Session, SessionEvent, SessionId, Step, StepOutcome,
};
use valetkey_seal::SystemEntropy;
use valetkey_sessions::{Engine, EngineConfig, NewSession};
use valetkey_testbed::{ForgeBed, Testbed};

/// An engine with one connected forge.
pub(crate) struct Bench {
    pub(crate) bed: Testbed,
    pub(crate) forge: ForgeBed,
    pub(crate) engine: Engine,
}

/// A session that is over, with its events.
pub(crate) struct Ended {
    pub(crate) session: Session,
    pub(crate) events: Vec<SessionEvent>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(ForgeBed::gitlab().await).await
    }

    pub(crate) async fn with(forge: ForgeBed) -> Self {
        let bed = Testbed::new(&[&forge]).await;
        bed.connect(&forge).await;
        Self::on(bed, forge, &[]).await
    }

    /// The engine of a Valetkey whose own environment also has `extra` variables.
    pub(crate) async fn on(bed: Testbed, forge: ForgeBed, extra: &[(&str, &str)]) -> Self {
        let engine = start_engine(&bed, extra).await;
        Self { bed, forge, engine }
    }

    /// Asks for a session on the forge's repository, push branch `feature/x`, with a shell script as its agent.
    pub(crate) async fn start(&self, script: &str) -> SessionId {
        self.start_as(serde_json::json!({
            "task": "Add feature X\nwith details",
            "repositories": [{"url": self.forge.url(), "pushBranch": "feature/x"}],
            "agent": {"command": ["sh", "-c", script]},
        }))
        .await
    }

    pub(crate) async fn start_as(&self, body: serde_json::Value) -> SessionId {
        let new: NewSession = serde_json::from_value(body).unwrap();
        self.engine.create(&Actor::admin(), &ProjectName::default_project(), new).await.unwrap().id
    }

    /// Follows a session to its end.
    pub(crate) async fn end_of(&self, id: &SessionId) -> Ended {
        end_of(&self.engine, id).await
    }

    /// Runs a session with a shell script as its agent.
    pub(crate) async fn run(&self, script: &str) -> Ended {
        self.end_of(&self.start(script).await).await
    }

    pub(crate) async fn run_as(&self, body: serde_json::Value) -> Ended {
        self.end_of(&self.start_as(body).await).await
    }

    /// Waits until the agent has printed `text`.
    pub(crate) async fn wait_for_output(&self, id: &SessionId, text: &str) {
        let mut events = self.engine.events(&Actor::admin(), id, 0).await.unwrap();
        while let Some(event) = events.try_next().await.unwrap() {
            if matches!(&event.body, EventBody::Log { stream: LogStream::Stdout, text: said } if said.contains(text)) {
                return;
            }
        }
        panic!("the session ended without {text:?}");
    }
}

pub(crate) async fn start_engine(bed: &Testbed, extra: &[(&str, &str)]) -> Engine {
    let own = ["PATH", "HOME"].map(|name| (OsString::from(name), std::env::var_os(name).unwrap_or_default()));
    let extra = extra.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let config = EngineConfig {
        data_dir: bed.folder.path().to_owned(),
        public_url: "https://valetkey.example.test".into(),
        agent: vec!["false".into()],
        environment: own.into_iter().chain(extra).collect(),
        agent_env: vec!["PASSED_ON".into()],
        at_once: 4,
    };
    let (store, integrations, http) = (bed.store.clone(), bed.integrations.clone(), bed.http.clone());
    Engine::start(config, store, integrations, http, bed.clock.clone(), Arc::new(SystemEntropy)).await.unwrap()
}

pub(crate) async fn end_of(engine: &Engine, id: &SessionId) -> Ended {
    let me = Actor::admin();
    let events = engine.events(&me, id, 0).await.unwrap().try_collect().await.unwrap();
    Ended { session: engine.session(&me, id).await.unwrap(), events }
}

impl Ended {
    #[track_caller]
    pub(crate) fn completed(self) -> Self {
        assert_eq!(self.session.phase, Phase::Completed, "{:?}\n{}", self.session.failure, self.log());
        self
    }

    /// Failed (or was stopped) with this code and these words.
    #[track_caller]
    pub(crate) fn failed(self, code: ProblemCode, words: &str) -> Self {
        let failure = self.session.failure.clone().unwrap_or_else(|| panic!("it completed:\n{}", self.log()));
        assert_eq!(failure.code, code, "{failure}\n{}", self.log());
        assert!(failure.detail.contains(words), "{words:?} is not in: {failure}");
        self
    }

    /// All output, the platform's included.
    pub(crate) fn log(&self) -> String {
        self.pieces(|_| true)
    }

    /// What the agent printed.
    pub(crate) fn output(&self) -> String {
        self.pieces(|stream| stream != LogStream::Platform)
    }

    fn pieces(&self, wanted: impl Fn(LogStream) -> bool) -> String {
        let text = |event: &SessionEvent| match &event.body {
            EventBody::Log { stream, text } if wanted(*stream) => Some(text.clone()),
            _ => None,
        };
        self.events.iter().filter_map(text).collect()
    }

    /// The steps that were begun, and how each ended.
    pub(crate) fn steps(&self) -> Vec<(Step, StepOutcome)> {
        let step = |event: &SessionEvent| match &event.body {
            EventBody::Step { step, outcome, .. } if *outcome != StepOutcome::Started => Some((*step, *outcome)),
            _ => None,
        };
        self.events.iter().filter_map(step).collect()
    }

    /// The first repository's folder, if the workspace was kept.
    pub(crate) fn checkout(&self) -> PathBuf {
        let root = self.session.workspace.as_ref().expect("the workspace is kept");
        PathBuf::from(root).join(self.session.repositories[0].directory.as_ref().expect("it was cloned"))
    }
}
