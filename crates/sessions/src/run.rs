use std::{path::PathBuf, sync::Arc};

use valetkey_model::{EventBody, LogStream, Phase, Problem, ProblemCode, ProviderKind, Session, Step, StepOutcome};
use valetkey_redact::Redactor;

use crate::{engine::Parts, event_log::EventLog, stop::Stop};

/// A session under way: its record and what its steps work with.
pub(crate) struct Run {
    pub(crate) session: Session,
    pub(crate) parts: Arc<Parts>,
    pub(crate) redactor: Redactor,
    pub(crate) stop: Stop,
    pub(crate) log: EventLog,
}

impl Run {
    /// The folder that holds everything of this session on disk.
    pub(crate) fn folder(&self) -> PathBuf {
        self.parts.config.workspaces().join(self.session.id.as_str())
    }

    /// Moves the session on, in the record and in the event log.
    pub(crate) async fn enter(&mut self, phase: Phase) -> Result<(), Problem> {
        let before = self.session.phase;
        let mut next = self.session.clone();
        next.advance(phase, self.parts.clock.now()).map_err(|e| Problem::new(ProblemCode::Internal, e.to_string()))?;
        self.parts.store.update_session(&next, before).await?;
        self.session = next;
        self.event(EventBody::Phase { phase }).await
    }

    /// The last phase. Its event comes before the record: who follows the log stops when the record says it is over.
    pub(crate) async fn end(&mut self, phase: Phase) -> Result<(), Problem> {
        let before = self.session.phase;
        self.session
            .advance(phase, self.parts.clock.now())
            .map_err(|e| Problem::new(ProblemCode::Internal, e.to_string()))?;
        self.event(EventBody::Phase { phase }).await?;
        self.log.flush().await?;
        let task = self.redactor.redact(&self.session.spec.task);
        self.parts.record_end(&self.session, before, Some(&task)).await?;
        self.parts.note_end(&self.session).await;
        self.parts.changed.send_modify(|n| *n = n.wrapping_add(1));
        Ok(())
    }

    /// Stores what the steps noted in the record.
    pub(crate) async fn save(&self) -> Result<(), Problem> {
        Ok(self.parts.store.update_session(&self.session, self.session.phase).await?)
    }

    /// Runs one step, recording its start and end. Somebody asking to stop ends it; the agent's own step sees to that
    /// itself, because a process wants to be asked first.
    pub(crate) async fn step<T>(
        &mut self,
        step: Step,
        work: impl AsyncFnOnce(&mut Self) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        self.event(EventBody::Step { step, outcome: StepOutcome::Started, detail: None }).await?;
        let stop = self.stop.clone();
        let result = if step == Step::Agent {
            work(self).await
        } else {
            tokio::select! {
                result = work(self) => result,
                problem = stop.asked() => Err(problem),
            }
        };
        let (outcome, detail) = match &result {
            Ok(_) => (StepOutcome::Done, None),
            Err(problem) => (StepOutcome::Failed, Some(problem.detail.clone())),
        };
        self.event(EventBody::Step { step, outcome, detail }).await?;
        result
    }

    /// Writes a line of our own into the session's log.
    pub(crate) async fn log(&self, line: impl AsRef<str>) -> Result<(), Problem> {
        let text = format!("{}\n", line.as_ref());
        self.event(EventBody::Log { stream: LogStream::Platform, text }).await
    }

    /// The same, for what is done at a provider: `[GitLab] …`.
    pub(crate) async fn log_at(
        &self,
        provider: impl Into<Option<ProviderKind>>,
        line: impl AsRef<str>,
    ) -> Result<(), Problem> {
        match provider.into() {
            Some(provider) => self.log(format!("[{provider}] {}", line.as_ref())).await,
            None => self.log(line).await,
        }
    }

    pub(crate) async fn event(&self, body: EventBody) -> Result<(), Problem> {
        let body = match body {
            EventBody::Log { stream, text } => {
                EventBody::Log { stream, text: self.redactor.redact(&text).into_owned() }
            }
            EventBody::Step { step, outcome, detail } => {
                let detail = detail.map(|text| self.redactor.redact(&text).into_owned());
                EventBody::Step { step, outcome, detail }
            }
            phase @ EventBody::Phase { .. } => phase,
        };
        self.log.send(body).await
    }
}
