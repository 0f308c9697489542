//! The process dies at every await of a refresh, one after the other; then others come.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
};

use valetkey_model::{CheckOutcome, Clock as _, ProblemCode};
use valetkey_providers::oauth::Rotation;

use super::{
    Bench, access,
    fake::{Course, Fake},
    minutes,
};
use crate::refresh::Cause;

/// Lets a future come to its `left`-th suspension and no further.
struct CrashAfter<F> {
    inner: Pin<Box<F>>,
    left: usize,
}

impl<F: Future> Future for CrashAfter<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.inner.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.left == 0 => Poll::Ready(None),
            Poll::Pending => {
                self.left -= 1;
                Poll::Pending
            }
        }
    }
}

/// What a run of all crash points came upon.
#[derive(Default)]
struct Seen {
    crashes: usize,
    /// Ends with a token that works.
    connected: usize,
    /// Ends with a reason, after the provider had issued new tokens.
    lost: usize,
    /// Ends with a reason, though the provider had not.
    given_up: usize,
}

/// Crashes at every await of a refresh of a token that ends in `left` minutes.
async fn crash_everywhere(rotation: Rotation, left: i64, script: &[Course]) -> Seen {
    let bench = Bench::new().await;
    let mut seen = Seen::default();
    for point in 0.. {
        let fake = Fake::new(rotation, &bench.clock, script.iter().cloned());
        let it = bench.connected_to(&fake, left).await;
        let process = bench.process();
        let attempt = process.in_turn(&it, &*fake, Cause::Due);
        let crash = CrashAfter { inner: Box::pin(attempt), left: point };
        let done = pin!(crash).await.is_some();
        settle(&bench, &fake, &it, &mut seen).await;
        if done {
            return seen;
        }
        seen.crashes += 1;
        assert!(point < 1_000, "a refresh has an end");
    }
    unreachable!("the loop returns")
}

/// Other processes come, each a minute after the one before, until the matter is settled; it must stay so.
async fn settle(bench: &Bench, fake: &std::sync::Arc<Fake>, it: &valetkey_model::Integration, seen: &mut Seen) {
    let mut last = None;
    for _ in 0..8 {
        last = Some(bench.process().usable_from(fake.clone(), it).await);
        bench.clock.advance(minutes(1));
    }
    let sends = fake.sends();
    assert!(sends <= 2, "{sends} requests for one generation");
    assert_eq!(fake.sent_blindly(), 0, "sent again though it could have been used up");
    match (last.unwrap(), bench.outcome(it).await) {
        (Ok(current), CheckOutcome::Connected) => {
            assert!(fake.accepts(&access(&current)), "connected, with a token that works");
            assert!(current.integration.expires_at.unwrap() > bench.clock.now());
            seen.connected += 1;
        }
        (Err(problem), CheckOutcome::Disconnected { code, reason }) => {
            assert_eq!((problem.code, &problem.detail), (code, &reason));
            assert_eq!(code, ProblemCode::TokenRevoked);
            assert!(reason.contains("answer was lost") && reason.contains("Connect the account again."), "{reason}");
            *(if fake.has_renewed() { &mut seen.lost } else { &mut seen.given_up }) += 1;
        }
        other => panic!("neither connected nor disconnected: {other:?}"),
    }
}

/// Dies while the one request is under way.
async fn crash_with_the_request(rotation: Rotation, left: i64, death: Course) -> Seen {
    let bench = Bench::new().await;
    let mut seen = Seen { crashes: 1, ..Seen::default() };
    let fake = Fake::new(rotation, &bench.clock, [death]);
    let it = bench.connected_to(&fake, left).await;
    let process = bench.process();
    tokio::select! {
        done = process.in_turn(&it, &*fake, Cause::Due) => panic!("it outlived its crash: {done:?}"),
        () = fake.death.notified() => {}
    }
    settle(&bench, &fake, &it, &mut seen).await;
    seen
}

const SCRIPTS: [&[Course]; 3] = [&[], &[Course::AnswerLost], &[Course::RequestLost]];

#[tokio::test]
async fn a_refresh_token_that_stays_survives_every_crash() {
    for (left, script) in [4, 0].into_iter().flat_map(|left| SCRIPTS.map(|script| (left, script))) {
        let seen = crash_everywhere(Rotation::None, left, script).await;
        assert_eq!((seen.lost, seen.given_up), (0, 0));
        assert!(seen.crashes >= 2 && seen.connected == seen.crashes + 1);
    }
}

#[tokio::test]
async fn a_refresh_token_that_rotates_is_never_sent_blindly_whatever_crashes() {
    for rotation in [Rotation::RefreshOnly, Rotation::KillsAccess] {
        for (left, script) in [4, 0].into_iter().flat_map(|left| SCRIPTS.map(|script| (left, script))) {
            let seen = crash_everywhere(rotation, left, script).await;
            assert!(seen.crashes >= 2);
            assert_eq!(seen.connected + seen.lost + seen.given_up, seen.crashes + 1);
        }
    }
}

#[tokio::test]
async fn where_the_access_token_lives_it_tells_that_the_request_was_lost() {
    let seen = crash_everywhere(Rotation::KillsAccess, 4, &[Course::RequestLost]).await;
    assert_eq!((seen.lost, seen.given_up), (0, 0));
}

#[tokio::test]
async fn what_a_crash_with_the_request_costs() {
    use Course::{ReceiverDies, SenderDies};
    use Rotation::{KillsAccess, None, RefreshOnly};
    // Connected again, disconnected with new tokens lost, disconnected for want of proof.
    for (rotation, left, death, expected) in [
        (None, 4, SenderDies, (1, 0, 0)),
        (None, 0, ReceiverDies, (1, 0, 0)),
        (KillsAccess, 4, SenderDies, (1, 0, 0)),
        (KillsAccess, 4, ReceiverDies, (0, 1, 0)),
        (KillsAccess, 0, SenderDies, (0, 0, 1)),
        (KillsAccess, 0, ReceiverDies, (0, 1, 0)),
        (RefreshOnly, 4, SenderDies, (0, 0, 1)),
        (RefreshOnly, 4, ReceiverDies, (0, 1, 0)),
    ] {
        let seen = crash_with_the_request(rotation, left, death.clone()).await;
        let found = (seen.connected, seen.lost, seen.given_up);
        assert_eq!(found, expected, "{rotation:?}, {left} minutes, {death:?}");
    }
}
