//! The steps of a session as a timeline.

use jiff::Timestamp;
use serde::Serialize;
use valetkey_model::{EventBody, Phase, Session, SessionEvent, Step, StepOutcome};

use crate::pages::words::{span, step_words};

/// A step in the timeline.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct StepView {
    name: &'static str,
    state: StepState,
    /// How long it took.
    took: Option<String>,
    /// Since when it runs, for the clock in the page.
    since: Option<String>,
    /// What went wrong.
    detail: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum StepState {
    /// Not yet its turn.
    Waiting,
    Running,
    Done,
    Failed,
    /// Never begun, because something before it failed.
    Skipped,
    /// Begun and never ended: somebody stopped the session, or the server died.
    Cut,
}

/// The steps in order, from the events that tell of them.
///
/// Of a very long log only the beginning and the end are read; what the agent's step lost by that comes from the record.
pub(super) fn timeline(session: &Session, events: &[SessionEvent], now: Timestamp) -> Vec<StepView> {
    Step::ALL.into_iter().map(|step| of_step(step, session, events, now)).collect()
}

fn of_step(step: Step, session: &Session, events: &[SessionEvent], now: Timestamp) -> StepView {
    let find = |ended: bool| {
        events.iter().find_map(|event| match &event.body {
            EventBody::Step { step: s, outcome, detail }
                if *s == step && ended == (*outcome != StepOutcome::Started) =>
            {
                Some((event.at, *outcome, detail.clone()))
            }
            _ => None,
        })
    };
    let times = &session.times;
    let began = find(false).map(|(at, ..)| at).or(if step == Step::Agent { times.running_at } else { None });
    let ended = find(true);
    let over = session.phase.is_final();
    let state = match (&ended, began) {
        (Some((_, StepOutcome::Failed, _)), _) if session.phase == Phase::Stopped => StepState::Cut,
        (Some((_, StepOutcome::Failed, _)), _) => StepState::Failed,
        (Some(_), _) => StepState::Done,
        (None, Some(_)) if over => StepState::Cut,
        (None, Some(_)) => StepState::Running,
        (None, None) if over => StepState::Skipped,
        (None, None) => StepState::Waiting,
    };
    let end = ended.as_ref().map(|(at, ..)| *at);
    let running = state == StepState::Running;
    StepView {
        name: step_words(step),
        state,
        took: began.and_then(|began| Some(span(end.or(running.then_some(now))?.duration_since(began)))),
        since: began.filter(|_| running).map(|began| began.to_string()),
        detail: ended.and_then(|(_, _, detail)| detail),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::SignedDuration;

    use super::{
        super::tests::{now, session},
        *,
    };

    /// The events of a session whose `n`-th step ended in `outcome`, or has not ended.
    pub(in crate::pages) fn events(session: &Session, n: usize, outcome: Option<StepOutcome>) -> Vec<SessionEvent> {
        let mut at = session.times.created_at;
        let mut bodies = Vec::new();
        for (number, step) in Step::ALL.into_iter().take(n).enumerate() {
            bodies.push((at, EventBody::Step { step, outcome: StepOutcome::Started, detail: None }));
            at += SignedDuration::from_millis(if step == Step::Agent { 189_000 } else { 1_400 });
            let last = number + 1 == n;
            let detail = (last && outcome == Some(StepOutcome::Failed)).then(|| "The push was refused.".to_owned());
            match if last { outcome } else { Some(StepOutcome::Done) } {
                Some(outcome) => bodies.push((at, EventBody::Step { step, outcome, detail })),
                None => break,
            }
        }
        bodies.into_iter().zip(1..).map(|((at, body), seq)| SessionEvent { seq, at, body }).collect()
    }

    fn states(phase: Phase, n: usize, outcome: Option<StepOutcome>) -> Vec<StepState> {
        let session = session(1, phase);
        timeline(&session, &events(&session, n, outcome), now()).iter().map(|step| step.state).collect()
    }

    #[test]
    fn steps_follow_the_events() {
        use StepState::{Cut, Done, Failed, Running, Skipped, Waiting};
        assert_eq!(states(Phase::Completed, 6, Some(StepOutcome::Done)), [Done; 6]);
        assert_eq!(states(Phase::Preparing, 3, None), [Done, Done, Running, Waiting, Waiting, Waiting]);
        assert_eq!(states(Phase::Failed, 5, Some(StepOutcome::Failed)), [Done, Done, Done, Done, Failed, Skipped]);
        assert_eq!(states(Phase::Stopped, 4, Some(StepOutcome::Failed)), [Done, Done, Done, Cut, Skipped, Skipped]);
    }

    #[test]
    fn a_step_that_nobody_ended_was_cut_off() {
        assert_eq!(states(Phase::Failed, 4, None)[3], StepState::Cut);
    }

    #[test]
    fn steps_have_lengths() {
        let session = session(1, Phase::Completed);
        let steps = timeline(&session, &events(&session, 6, Some(StepOutcome::Done)), now());
        assert_eq!(steps[0].took.as_deref(), Some("1.4 s"));
        assert_eq!(steps[3].took.as_deref(), Some("3 min 9 s"));
    }
}
