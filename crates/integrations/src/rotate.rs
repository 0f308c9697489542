use std::time::Duration;

use jiff::SignedDuration;
use valetkey_model::{Actor, AuditAction, AuthMethod, CheckOutcome, Integration, IntegrationRef, Problem, ProblemCode};
use valetkey_providers::{Consent, Credential, ProviderError, Rotated, Verdict, provider};
use valetkey_seal::{TokenHash, mint};
use valetkey_store::{Claim, Finding, RefreshLease};

use crate::{Integrations, connect::Ends, consent::oauth_problem, events::Happening, refresh::Current};

/// For how long nobody else rotates or refreshes: well above what a call may take.
const LEASE: SignedDuration = SignedDuration::from_mins(2);

/// The pauses between tries to store a new token.
const NAPS: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(2)];

/// What came of a wish to rotate.
#[derive(Debug)]
pub enum Rotation {
    /// The provider made a new credential; the old one works no more.
    Done(Box<Integration>),
    /// The provider can't: a person creates a new token on this page and puts it in.
    ByHand {
        /// The page.
        page: String,
    },
}

impl Integrations {
    /// Lets the provider replace the credential by a new one, where it can.
    ///
    /// The new one is stored before anything uses it. It is asked for once: a second question, after an answer that was
    /// lost, could end the whole family of tokens.
    ///
    /// # Errors
    /// The provider's refusal; then the old one stays. `token_revoked` if the answer was lost and the old one is dead.
    pub async fn rotate(&self, by: &Actor, which: &IntegrationRef) -> Result<Rotation, Problem> {
        let Current { integration: known, credential: old } = self.fresh(&self.managed(by, which).await?).await?;
        // In a task of its own: once the provider has answered, nobody else has the new credential.
        let (this, by) = (self.clone(), by.clone());
        let work = self.turns.running.spawn(async move {
            let rotation = this.rotated_in_turn(&known, &old).await?;
            if let Rotation::Done(new) = &rotation {
                this.record_change(&by, AuditAction::IntegrationRotate, new).await?;
            }
            Ok(rotation)
        });
        let rotation = work.await.unwrap_or_else(|_| Err(interrupted()))?;
        if let Rotation::Done(new) = &rotation {
            // Its words about the new one are the status that is shown; a failure to ask changes nothing.
            self.check(new).await.map(drop)?;
            return Ok(Rotation::Done(Box::new(self.by_id(&new.id).await?)));
        }
        Ok(rotation)
    }

    async fn rotated_in_turn(&self, known: &Integration, old: &Credential) -> Result<Rotation, Problem> {
        let slot = self.turns.of(&known.id);
        let _turn = slot.lock().await;
        let lease = self.lease_for_rotation(known).await?;
        let rotation = self.rotated(known, old).await;
        // What replaced the credential has ended the lease already; one that stays ends by itself.
        if let Err(error) = self.store.abandon_refresh(&lease).await {
            tracing::warn!(integration = %known.id, %error, "the lease of a rotation was not given back");
        }
        rotation
    }

    /// Keeps others, in other processes too, from rotating or refreshing the same token: a second time may end the whole
    /// family.
    async fn lease_for_rotation(&self, known: &Integration) -> Result<RefreshLease, Problem> {
        let busy = || {
            Problem::new(ProblemCode::Conflict, "This credential is being replaced at this moment.")
                .remedy("Look at it again in a minute.")
        };
        let now = self.clock.now();
        let holder = TokenHash::of_secret(&mint("", &*self.entropy)).as_str().to_owned();
        let lease = RefreshLease { integration: known.id.clone(), generation: known.generation, holder };
        match self.store.claim_refresh(&lease, now, now + LEASE).await? {
            Claim::Won | Claim::WonStale { .. } => Ok(lease),
            Claim::Busy { .. } | Claim::Superseded => Err(busy()),
            Claim::Ended(_) => Err(Problem::new(ProblemCode::IntegrationUnusable, "The consent has ended.")
                .remedy("Connect the account again.")),
        }
    }

    async fn rotated(&self, known: &Integration, old: &Credential) -> Result<Rotation, Problem> {
        match provider(known.provider).rotate(self.access(known, old)).await {
            Ok(Some(rotated)) => Ok(Rotation::Done(Box::new(self.take_over(known, old, rotated).await?))),
            Ok(None) => match self.exchanged(known, old).await? {
                Some(integration) => Ok(Rotation::Done(Box::new(integration))),
                None => {
                    let page = provider(known.provider).token_page(&known.instance_url, known.auth_method);
                    Ok(Rotation::ByHand { page })
                }
            },
            Err(error) => Err(self.after_failed_rotation(known, old, error).await?),
        }
    }

    /// Exchanges a token that does not end for one that is refreshed, where the provider and an app of ours allow it.
    async fn exchanged(&self, known: &Integration, old: &Credential) -> Result<Option<Integration>, Problem> {
        let app = match self.app(known.provider, &known.instance_url).await {
            Ok(app) => app,
            Err(problem) if problem.code == ProblemCode::OauthNotConfigured => return Ok(None),
            Err(problem) => return Err(problem),
        };
        let answer = provider(known.provider).exchange(self.access(known, old), app.oauth("")).await;
        let Some(tokens) = answer.map_err(|e| oauth_problem(e, known.provider, &known.instance_url))? else {
            return Ok(None);
        };
        let asked = tokens.scopes.unwrap_or_else(|| known.granted_scopes.clone());
        let consent = Consent { asked, at: Some(self.clock.now()), ..Consent::default() };
        let (method, refresh) = (AuthMethod::OAuth, tokens.refresh);
        let credential = Credential { method, login: None, token: tokens.access, refresh, consent: Some(consent) };
        let rotated = Rotated { credential, expires_at: tokens.expires_at };
        self.take_over(known, old, rotated).await.map(Some)
    }

    /// Stores what nobody else has.
    async fn take_over(&self, known: &Integration, old: &Credential, rotated: Rotated) -> Result<Integration, Problem> {
        let Rotated { credential, expires_at } = rotated;
        let ends = Ends { expires_at, refresh_expires_at: known.refresh_expires_at };
        let mut naps = NAPS.into_iter();
        let stored = loop {
            match (self.store_credential(known, &credential, ends).await, naps.next()) {
                (Err(problem), Some(nap)) if problem.code == ProblemCode::Internal => {
                    tracing::warn!(integration = %known.id, %problem, "a rotated token is not stored yet");
                    self.turns.pause.pause(nap).await;
                }
                (answer, _) => break answer?,
            }
        };
        self.http.forget(&old.token);
        tracing::info!(integration = %known.id, "rotated by the provider");
        self.note(&stored, Happening::Rotated).await;
        Ok(stored)
    }

    /// Finds out what an answer that never came has left behind.
    async fn after_failed_rotation(
        &self,
        known: &Integration,
        old: &Credential,
        error: ProviderError,
    ) -> Result<Problem, Problem> {
        let problem = error.clone().into_problem(known.provider, &known.instance_url);
        let lost = matches!(error.verdict(), Verdict::Reachability);
        if !lost {
            return Ok(problem);
        }
        let asked = provider(known.provider).check(self.access(known, old)).await;
        match asked.map_err(|error| (error.verdict(), error)) {
            Err((Verdict::Credential, _)) => {
                let reason = format!(
                    "{} replaced the token, but its answer was lost, so nobody has the new one.",
                    known.provider
                );
                let outcome = CheckOutcome::Disconnected { code: ProblemCode::TokenRevoked, reason: reason.clone() };
                let finding = Finding::Judged(outcome);
                self.record(&known.id, known.generation, finding, None).await?;
                let page = provider(known.provider).token_page(&known.instance_url, known.auth_method);
                Ok(Problem::new(ProblemCode::TokenRevoked, reason)
                    .remedy(format!("Create a new token at {page} and put it in."))
                    .by(known.provider))
            }
            _ => Ok(problem),
        }
    }
}

fn interrupted() -> Problem {
    Problem::new(ProblemCode::Internal, "The rotation broke off.").remedy("Test the integration to see how it stands.")
}
