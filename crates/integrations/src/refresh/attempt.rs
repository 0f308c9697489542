use std::time::Duration;

use jiff::SignedDuration;
use valetkey_model::{CheckOutcome, Clock, Problem, ProblemCode};
use valetkey_providers::{
    Delivery,
    oauth::{OAuthError, Rotation},
};
use valetkey_seal::{TokenHash, mint};
use valetkey_store::{Claim, Finding, RefreshLease, Store, StoreError};

use super::{
    AuthorizationServer, Current, due,
    server::Vitals,
    words::{self, End},
};
use crate::{Integrations, record::Renewal};

/// How long a caller holds the lease before it sends: time to ask the provider what became of an earlier refresh.
pub(super) const HELD: SignedDuration = SignedDuration::from_mins(1);

/// How long a caller holds the lease from when it sends. A call ends after 30 seconds, storing its answer takes a few
/// more; the rest is for clocks that differ between replicas.
pub(super) const SENT: SignedDuration = SignedDuration::from_mins(2);

/// The longest pause between two looks at somebody else's refresh.
const LONGEST_NAP: Duration = Duration::from_secs(1);

/// Why there is no new token.
#[derive(Debug)]
pub(super) enum NotRenewed {
    /// It may pass. The old token serves while it lives.
    Later(Problem),
    /// The grant, or the integration, is gone.
    Ended(Problem),
}

/// One try to replace the credential of one generation. Dropped at any moment, it leaves behind a lease that tells the next
/// one what may have happened.
pub(super) struct Attempt<'a> {
    pub(super) with: &'a Integrations,
    pub(super) current: &'a Current,
    pub(super) server: &'a dyn AuthorizationServer,
    pub(super) lease: RefreshLease,
}

/// How the lease was got.
enum Won {
    /// Nobody sent the refresh token before.
    Clean,
    /// Somebody did, and stored no answer.
    Unanswered,
}

/// What is known of a refresh without an answer.
enum Fate {
    /// It has not happened so far.
    NotCarriedOut,
    /// It is over, for this reason.
    Over(End),
    /// The provider can't be asked now, and the old token lives: it can tell later.
    NotYetKnown,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(with: &'a Integrations, current: &'a Current, server: &'a dyn AuthorizationServer) -> Self {
        let lease = RefreshLease {
            integration: current.integration.id.clone(),
            generation: current.integration.generation,
            holder: TokenHash::of_secret(&mint("", &*with.entropy)).as_str().to_owned(),
        };
        Self { with, current, server, lease }
    }

    /// Ends with a credential of another generation in the store, ours or somebody else's; waits `patience` for the latter.
    pub(super) async fn run(&self, patience: SignedDuration) -> Result<(), NotRenewed> {
        match self.claim(patience).await? {
            None => return Ok(()),
            Some(Won::Clean) => {}
            Some(Won::Unanswered) => self.recover().await?,
        }
        self.send().await
    }

    /// None when somebody else has refreshed.
    async fn claim(&self, patience: SignedDuration) -> Result<Option<Won>, NotRenewed> {
        let give_up = self.clock().now() + patience;
        let mut nap = Duration::from_millis(50);
        loop {
            let now = self.clock().now();
            match self.store().claim_refresh(&self.lease, now, now + HELD).await? {
                Claim::Won => return Ok(Some(Won::Clean)),
                Claim::WonStale { .. } => return Ok(Some(Won::Unanswered)),
                Claim::Superseded => return Ok(None),
                Claim::Ended(outcome) => {
                    return Err(NotRenewed::Ended(words::ended(&self.current.integration, &outcome)));
                }
                Claim::Busy { .. } if now >= give_up => {
                    return Err(NotRenewed::Later(words::busy(&self.current.integration)));
                }
                Claim::Busy { until } => {
                    let left = until.min(give_up).duration_since(now).unsigned_abs();
                    self.with.turns.pause.pause(nap.min(left).max(Duration::from_millis(1))).await;
                    nap = (nap * 2).min(LONGEST_NAP);
                }
            }
        }
    }

    /// After somebody sent the refresh token and stored no answer: may it be sent again?
    async fn recover(&self) -> Result<(), NotRenewed> {
        match self.fate().await {
            Fate::NotCarriedOut => Ok(()),
            Fate::Over(end) => self.end(&end).await,
            Fate::NotYetKnown => {
                self.store().abandon_refresh(&self.lease).await?;
                Err(self.later(words::not_yet_told(&self.current.integration)).await)
            }
        }
    }

    async fn send(&self) -> Result<(), NotRenewed> {
        if !self.store().mark_refresh_sent(&self.lease, self.clock().now() + SENT).await? {
            return Err(NotRenewed::Later(words::busy(&self.current.integration)));
        }
        let error = match self.server.refresh(&self.current.credential).await {
            Ok(tokens) => return self.keep(tokens).await,
            Err(error) => error,
        };
        match (error.outcome(), error) {
            (_, error @ OAuthError::GrantDead { .. }) => self.end(&End::Refused(error)).await,
            (Delivery::Unknown, error) => self.unanswered(error).await,
            (Delivery::NotSent | Delivery::NotProcessed | Delivery::Answered, error) => self.withdraw(error).await,
        }
    }

    /// The refresh token was certainly not used up.
    async fn withdraw(&self, error: OAuthError) -> Result<(), NotRenewed> {
        self.store().abandon_refresh(&self.lease).await?;
        Err(self.later(words::refused(&self.current.integration, error)).await)
    }

    /// The refresh token was sent, and no answer came.
    async fn unanswered(&self, error: OAuthError) -> Result<(), NotRenewed> {
        if self.server.rotation() == Rotation::None {
            return self.withdraw(error).await;
        }
        match self.fate().await {
            Fate::Over(end) => self.end(&end).await,
            // What was sent may still be on its way. The lease stays as it is; when its time is up, who claims it asks again.
            Fate::NotCarriedOut | Fate::NotYetKnown => {
                Err(self.later(words::unsettled(&self.current.integration, error, SENT.as_secs().unsigned_abs())).await)
            }
        }
    }

    /// What can be found out about a refresh without an answer.
    async fn fate(&self) -> Fate {
        match self.server.rotation() {
            // A refresh token that stays can be sent as often as one likes.
            Rotation::None => return Fate::NotCarriedOut,
            // The old access token lives on either way: it proves nothing.
            Rotation::RefreshOnly => return Fate::Over(End::Untold),
            Rotation::KillsAccess => {}
        }
        let vitals = self.server.ask(&self.current.credential).await;
        let over = due::is_over(&self.current.integration, self.clock().now());
        match (vitals, over) {
            (Vitals::Alive, _) => Fate::NotCarriedOut,
            (Vitals::Dead, false) => Fate::Over(End::AnswerLost),
            // Its own time would have ended it too.
            (Vitals::Dead | Vitals::Unknown, true) => Fate::Over(End::Untold),
            (Vitals::Unknown, false) => Fate::NotYetKnown,
        }
    }

    /// Records that the grant is over.
    async fn end(&self, end: &End) -> Result<(), NotRenewed> {
        let now = self.clock().now();
        let outcome = words::end_of(&self.current.integration, end, now);
        if !self.store().fail_refresh(&self.lease, &outcome, now).await? {
            // Somebody else has the say by now.
            return Err(NotRenewed::Later(words::busy(&self.current.integration)));
        }
        let CheckOutcome::Disconnected { code, reason } = &outcome else {
            unreachable!("the end of a grant disconnects")
        };
        tracing::warn!(integration = %self.lease.integration, generation = self.lease.generation, %code, reason, "disconnected");
        self.with.refreshed(&self.current.integration, Renewal::Ended(&outcome)).await;
        Err(NotRenewed::Ended(words::ended(&self.current.integration, &outcome)))
    }

    /// Shows a failure that may pass as the integration's state.
    async fn later(&self, problem: Problem) -> NotRenewed {
        let RefreshLease { integration, generation, .. } = &self.lease;
        tracing::warn!(%integration, generation, %problem, "an access token could not be renewed");
        let finding = Finding::Unreachable(problem.detail.clone());
        self.with.refreshed(&self.current.integration, Renewal::Failed(&problem)).await;
        match self.with.record(integration, *generation, finding, problem.retry_after_seconds).await {
            Ok(_) => NotRenewed::Later(problem),
            Err(error) => error.into(),
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.with.store
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.with.clock
    }
}

impl From<StoreError> for NotRenewed {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

impl From<Problem> for NotRenewed {
    fn from(problem: Problem) -> Self {
        match problem.code {
            ProblemCode::Internal | ProblemCode::Conflict => Self::Later(problem),
            _ => Self::Ended(problem),
        }
    }
}
