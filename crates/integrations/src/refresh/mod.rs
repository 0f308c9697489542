//! Keeping access tokens alive: docs/refresh.md argues why this is right.
//!
//! [`Integrations::usable`] stands before every use of a credential. The callers of one process queue in [`Turns`]; an
//! [`Attempt`] is one claim of the store's lease row, one request at most, and its answer stored before anybody uses it.

mod attempt;
mod due;
mod keep;
mod server;
#[cfg(test)]
mod tests;
mod turns;
mod words;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use valetkey_model::{Integration, IntegrationId, Problem, ProblemCode};
use valetkey_providers::Credential;

use self::{
    attempt::{Attempt, NotRenewed},
    due::Moment,
    server::{AtProvider, AuthorizationServer},
    turns::Rest,
};
pub(crate) use self::{due::ahead_of_end, turns::Turns};
use crate::Integrations;

/// How long a caller whose token still lives waits for somebody else's refresh, before it takes the old one.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

/// How long a caller waits whose token is of no use. It sees one holder fail, and one more.
const LONG_PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// For how long nobody tries again after a failure that may pass, where the provider does not say.
const REST: SignedDuration = SignedDuration::from_secs(15);

/// The longest such rest, whatever the provider says.
const LONGEST_REST: SignedDuration = SignedDuration::from_mins(10);

/// A token that came of a refusal, and is refused itself so soon, is not replaced again: that would go on forever.
const REFUSED_AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// An integration with its credential, both of one generation.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    pub(crate) integration: Integration,
    pub(crate) credential: Credential,
}

/// What there is to do after a provider refused an access token.
#[derive(Debug)]
pub(crate) enum AfterRefusal {
    /// Try this one.
    Newer(Box<Current>),
    /// Nothing: the refusal is the last word.
    Stands,
    /// A new one could not be had: not now, or, as is recorded then, never again.
    NotRenewed(Problem),
}

/// Why somebody wants a new token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// The old one ends soon.
    Due,
    /// The provider refused it.
    Refused,
}

impl Integrations {
    /// The credential to use now, and its generation. An access token that ends soon is replaced first; if that fails
    /// for a reason that may pass, the old one serves while it lives.
    ///
    /// # Errors
    /// As [`open`](Self::open); what keeps a token from being replaced that is over.
    pub(crate) async fn usable(&self, integration: &Integration) -> Result<(Credential, i64), Problem> {
        let Current { integration, credential } = self.fresh(integration).await?;
        Ok((credential, integration.generation))
    }

    /// As [`usable`](Self::usable), with the integration as it is by then.
    pub(crate) async fn fresh(&self, integration: &Integration) -> Result<Current, Problem> {
        let current = self.current(integration).await?;
        if !current.is_due(Moment::Use, self.clock.now()) {
            return Ok(current);
        }
        let server = self.server_of(&current).await;
        self.fresh_from(server, current).await
    }

    async fn fresh_from(
        &self,
        server: Result<Arc<dyn AuthorizationServer>, Problem>,
        current: Current,
    ) -> Result<Current, Problem> {
        let renewed = match server {
            Ok(server) => self.renewed(&current, server, Cause::Due).await,
            Err(problem) => Err(NotRenewed::Later(problem)),
        };
        current.unless(renewed, self.clock.now())
    }

    /// What to do after a provider refused the access token of `generation`, which should live: it is replaced, once.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) async fn refresh_refused(
        &self,
        integration: &Integration,
        generation: i64,
    ) -> Result<AfterRefusal, Problem> {
        let current = self.current(integration).await?;
        if current.integration.generation != generation {
            return Ok(AfterRefusal::Newer(Box::new(current)));
        }
        if current.credential.refresh.is_none() {
            return Ok(AfterRefusal::Stands);
        }
        let server = match self.server_of(&current).await {
            Ok(server) => server,
            Err(problem) => return Ok(AfterRefusal::NotRenewed(problem)),
        };
        Ok(self.after_refusal(&current, server).await)
    }

    /// Replaces the access token of an integration if it ends soon; earlier than who uses it would. Says whether there
    /// is another one now.
    ///
    /// # Errors
    /// Why it could not be replaced.
    pub async fn refresh_if_due(&self, id: &IntegrationId) -> Result<bool, Problem> {
        let current = self.current(&self.by_id(id).await?).await?;
        if !current.is_due(Moment::Ahead, self.clock.now()) {
            return Ok(false);
        }
        match self.renewed(&current, self.server_of(&current).await?, Cause::Due).await {
            Ok(_) => Ok(true),
            Err(NotRenewed::Later(problem) | NotRenewed::Ended(problem)) => Err(problem),
        }
    }

    /// Waits until no refresh is under way: for a server that stops. One that is cut off may cost a person a new consent.
    pub async fn finish_refreshes(&self) {
        self.turns.running.close();
        self.turns.running.wait().await;
    }

    async fn server_of(&self, current: &Current) -> Result<Arc<dyn AuthorizationServer>, Problem> {
        Ok(Arc::new(AtProvider::of(self, &current.integration).await?))
    }

    async fn after_refusal(&self, current: &Current, server: Arc<dyn AuthorizationServer>) -> AfterRefusal {
        match self.renewed(current, server, Cause::Refused).await {
            Ok(newer) if newer.integration.generation == current.integration.generation => AfterRefusal::Stands,
            Ok(newer) => AfterRefusal::Newer(Box::new(newer)),
            Err(NotRenewed::Later(problem) | NotRenewed::Ended(problem)) => AfterRefusal::NotRenewed(problem),
        }
    }

    /// The credential with the integration that it belongs to.
    async fn current(&self, known: &Integration) -> Result<Current, Problem> {
        let mut integration = known.clone();
        // Each round, somebody has replaced the credential between two looks.
        for _ in 0..8 {
            let (credential, generation) = self.open(&integration).await?;
            if generation == integration.generation {
                return Ok(Current { integration, credential });
            }
            integration = self.by_id(&known.id).await?;
        }
        Err(Problem::new(ProblemCode::Conflict, "The credential is being replaced again and again; try again."))
    }

    /// A credential newer than `old`, whoever gets it. The work goes on if the caller goes away.
    async fn renewed(
        &self,
        old: &Current,
        server: Arc<dyn AuthorizationServer>,
        cause: Cause,
    ) -> Result<Current, NotRenewed> {
        let (this, old) = (self.clone(), old.integration.clone());
        let work = self.turns.running.spawn(async move { this.in_turn(&old, &*server, cause).await });
        work.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a refresh ended early");
            Err(NotRenewed::Later(Problem::new(ProblemCode::Internal, "The access could not be renewed.")))
        })
    }

    /// The same, in this task. With [`Cause::Refused`] the old one comes back if it is not to be replaced again.
    async fn in_turn(
        &self,
        old: &Integration,
        server: &dyn AuthorizationServer,
        cause: Cause,
    ) -> Result<Current, NotRenewed> {
        let turn = self.turns.of(&old.id);
        let mut memory = turn.lock().await;
        let current = self.current(&self.by_id(&old.id).await?).await?;
        let (generation, now) = (current.integration.generation, self.clock.now());
        if generation != old.generation {
            return Ok(current);
        }
        let again = |(forced, at): (i64, Timestamp)| forced == generation && now.duration_since(at) < REFUSED_AGAIN;
        if cause == Cause::Refused && memory.forced.is_some_and(again) {
            return Ok(current);
        }
        if let Some(rest) = memory.rest.as_ref().filter(|rest| rest.generation == generation && rest.until > now) {
            return Err(NotRenewed::Later(rest.problem.clone()));
        }
        let over = cause == Cause::Refused || due::is_over(&current.integration, now);
        let patience = if over { LONG_PATIENCE } else { PATIENCE };
        memory.rest = match Attempt::new(self, &current, server).run(patience).await {
            Ok(()) => None,
            Err(NotRenewed::Later(problem)) => Some(Rest::after(problem, generation, self.clock.now())),
            Err(ended) => return Err(ended),
        };
        if let Some(rest) = &memory.rest {
            return Err(NotRenewed::Later(rest.problem.clone()));
        }
        let newer = self.current(&self.by_id(&old.id).await?).await?;
        if cause == Cause::Refused {
            memory.forced = Some((newer.integration.generation, self.clock.now()));
        }
        Ok(newer)
    }
}

impl Current {
    fn is_due(&self, moment: Moment, now: Timestamp) -> bool {
        self.credential.refresh.is_some() && due::is_due(&self.integration, moment, now)
    }

    /// The newer one if there is one, this one while it lives.
    fn unless(self, renewed: Result<Self, NotRenewed>, now: Timestamp) -> Result<Self, Problem> {
        match renewed {
            Ok(newer) => Ok(newer),
            Err(NotRenewed::Later(_)) if !due::is_over(&self.integration, now) => Ok(self),
            Err(NotRenewed::Later(problem) | NotRenewed::Ended(problem)) => Err(problem),
        }
    }
}

impl Rest {
    fn after(problem: Problem, generation: i64, now: Timestamp) -> Self {
        let asked = problem.retry_after_seconds.and_then(|seconds| i64::try_from(seconds).ok());
        let rest = asked.map_or(REST, |seconds| SignedDuration::from_secs(seconds).min(LONGEST_REST));
        Self { generation, until: now + rest, problem }
    }
}
