//! A session in the foreground: started, followed to its end, stopped by Ctrl-C.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{interval, sleep};
use valetkey_model::{Problem, ProblemCode, ProjectName};

use super::{session_view::SessionView, typed};
use crate::{client::Client, output::Progress, signals::Interrupts};

/// How often a stream that broke off is opened again before giving up, and after how long.
const RECONNECTS: u32 = 10;
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// Where a project's sessions are.
pub(super) fn sessions_of(project: &ProjectName) -> String {
    format!("/api/v1/projects/{project}/sessions")
}

/// Starts a session and follows it to its end, showing its steps and log; the answer is its record.
pub(super) async fn carry_out(
    client: &Client,
    project: &ProjectName,
    wanted: &Value,
    interrupts: &mut Interrupts,
) -> Result<Value, Problem> {
    let started: Value = client.post(&sessions_of(project), wanted).await?;
    let view: SessionView = typed(&started)?;
    let mut following = Following {
        client,
        path: format!("{}/{}", sessions_of(project), view.id),
        progress: Progress::new(),
        after: 0,
        asked_to_stop: false,
    };
    let ended = following.until_the_end(interrupts).await;
    following.progress.finish();
    ended
}

struct Following<'a> {
    client: &'a Client,
    path: String,
    progress: Progress,
    after: i64,
    asked_to_stop: bool,
}

impl Following<'_> {
    async fn until_the_end(&mut self, interrupts: &mut Interrupts) -> Result<Value, Problem> {
        let mut failures = 0;
        loop {
            let before = self.after;
            let streamed = self.stream(interrupts).await;
            if streamed.as_ref().is_err_and(|problem| problem.code == ProblemCode::Stopped) {
                return Err(streamed.expect_err("it is one"));
            }
            let record = self.client.get(&self.path).await;
            match (streamed, record) {
                (_, Ok(record)) if typed::<SessionView>(&record)?.phase.is_final() => return Ok(record),
                (Err(problem), _) | (_, Err(problem)) if failures >= RECONNECTS => return Err(problem),
                _ => {}
            }
            failures = if self.after > before { 0 } else { failures + 1 };
            sleep(RECONNECT_AFTER).await;
        }
    }

    /// Shows the events of one connection, until it ends.
    async fn stream(&mut self, interrupts: &mut Interrupts) -> Result<(), Problem> {
        let mut events = self.client.events(&format!("{}/events", self.path), self.after).await?;
        let mut ticks = interval(Progress::TICK);
        loop {
            tokio::select! {
                event = events.next() => match event? {
                    Some(event) => {
                        self.after = event.seq;
                        self.progress.event(&event);
                    }
                    None => return Ok(()),
                },
                () = interrupts.next() => self.interrupted().await?,
                _ = ticks.tick() => self.progress.tick(),
            }
        }
    }

    /// The first Ctrl-C asks the session to stop; the second doesn't wait for it.
    async fn interrupted(&mut self) -> Result<(), Problem> {
        if self.asked_to_stop {
            return Err(Problem::new(ProblemCode::Stopped, "You did not wait for the session to stop."));
        }
        self.asked_to_stop = true;
        self.progress.say("Stopping the session; Ctrl-C again ends it at once.");
        match self.client.post::<Value>(&format!("{}/stop", self.path), &json!({})).await {
            Err(problem) if problem.code != ProblemCode::Conflict => Err(problem),
            // One that is over already needs no stopping.
            _ => Ok(()),
        }
    }
}
