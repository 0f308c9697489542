use jiff::Timestamp;
use valetkey_model::{
    Actor, AuthMethod, CheckOutcome, InstanceUrl, Integration, IntegrationId, IntegrationRef, Problem, ProblemCode,
    ProviderKind, RepoUrl,
};
use valetkey_providers::{
    Checked, ProviderError, PullRequest, PullRequestDraft, RepositoryAccess, Verdict, readable_by_anybody,
};
use valetkey_store::Finding;

use crate::{
    Integrations,
    opened::Opened,
    record::recorded_since,
    refresh::{AfterRefusal, Current},
    tally::CheckEnd,
};

/// What the provider says of a token.
#[derive(Debug)]
#[must_use]
pub enum TokenCheck {
    /// It works, and has the scopes that it needs.
    Passed,
    /// It can't be used, or the provider can't be asked.
    Failed(Problem),
}

impl Opened<'_> {
    /// What the owner should know of how long their consent lasts.
    fn note_on_consent(&self) -> Option<&'static str> {
        let Current { integration, credential } = &self.current;
        let consented_at = credential.consent.as_ref()?.at?;
        self.provider().note_on_consent(integration.refresh_expires_at?.duration_since(consented_at))
    }

    /// What is recorded of the provider's answer, and its problem if it is one.
    fn finding(&self, answer: Result<Checked, ProviderError>) -> (Finding, Option<Problem>) {
        let Current { integration, .. } = &self.current;
        match answer {
            Ok(mut checked) => {
                checked.details.notes.extend(self.note_on_consent().map(str::to_owned));
                let lacking = lacking(integration.provider, &integration.instance_url, &checked);
                (described(checked, known_end(integration), lacking.as_ref()), lacking)
            }
            Err(error) => {
                let verdict = error.verdict();
                let problem = self.problem(error);
                (refused(verdict, &problem), Some(problem))
            }
        }
    }
}

/// The refusal of a token that is alive but lacks scopes.
pub(crate) fn lacking(kind: ProviderKind, instance: &InstanceUrl, checked: &Checked) -> Option<Problem> {
    let missing = checked.missing_scopes.clone();
    (!missing.is_empty()).then(|| ProviderError::InsufficientScope { missing }.into_problem(kind, instance))
}

/// What is recorded of a token that the provider described.
pub(crate) fn described(checked: Checked, known_end: Option<Timestamp>, lacking: Option<&Problem>) -> Finding {
    let outcome = match lacking {
        Some(problem) => CheckOutcome::InsufficientScope { reason: problem.detail.clone() },
        None => CheckOutcome::Connected,
    };
    Finding::Described {
        outcome,
        account: checked.account,
        granted_scopes: checked.granted_scopes,
        // Few say of an access token when it ends, once it is given out.
        expires_at: checked.expires_at.or(known_end),
        details: checked.details,
    }
}

/// The end that was told with the token, for tokens that say nothing of it later.
fn known_end(integration: &Integration) -> Option<Timestamp> {
    match integration.auth_method {
        AuthMethod::OAuth | AuthMethod::App => integration.expires_at,
        AuthMethod::Pat | AuthMethod::Basic | AuthMethod::Header => None,
    }
}

/// What is recorded of a refusal: only one that speaks of the token changes what is known of it.
fn refused(verdict: Verdict, problem: &Problem) -> Finding {
    let reason = problem.detail.clone();
    match verdict {
        Verdict::Credential => Finding::Judged(CheckOutcome::Disconnected { code: problem.code, reason }),
        Verdict::Scope => Finding::Judged(CheckOutcome::InsufficientScope { reason }),
        Verdict::Reachability => Finding::Unreachable(reason),
    }
}

fn end(finding: &Finding, problem: Option<&Problem>) -> CheckEnd {
    match finding {
        Finding::Unreachable(_) if problem.is_some_and(|p| p.code == ProblemCode::RateLimited) => CheckEnd::RateLimited,
        Finding::Unreachable(_) => CheckEnd::Unreachable,
        Finding::Described { outcome, .. } | Finding::Judged(outcome) => match outcome {
            CheckOutcome::Connected => CheckEnd::Passed,
            CheckOutcome::InsufficientScope { .. } => CheckEnd::InsufficientScope,
            CheckOutcome::Disconnected { .. } => CheckEnd::Refused,
        },
    }
}

impl Integrations {
    /// Asks the provider now and stores what it says.
    ///
    /// # Errors
    /// `not_found`, or a store or seal problem. A refusal by the provider is no error: it is the new status.
    pub async fn test(&self, by: &Actor, which: &IntegrationRef) -> Result<Integration, Problem> {
        let integration = self.testable(by, which).await?;
        // Whatever the provider said is the new status, not an error of this call.
        self.check(&integration).await.map(drop)?;
        self.by_id(&integration.id).await
    }

    /// Asks the provider after it refused the credential somewhere else, and stores what it says.
    ///
    /// # Errors
    /// As [`test`](Self::test).
    pub async fn recheck(&self, id: &IntegrationId) -> Result<(), Problem> {
        let integration = self.by_id(id).await?;
        self.check(&integration).await.map(drop)
    }

    /// Asks the provider of `integration` and records the answer; the answer itself is returned too.
    ///
    /// # Errors
    /// Only ours: the store or the seal. What the provider says is the [`TokenCheck`].
    pub async fn check(&self, integration: &Integration) -> Result<TokenCheck, Problem> {
        let began = self.clock.now();
        let mut opened = match self.opened(integration).await {
            // The provider was asked for a new token first, and did not give one.
            Err(problem) if problem.provider.is_some() => return self.not_renewed(integration, problem, began).await,
            other => other?,
        };
        let mut answer = opened.provider().check(opened.access()).await;
        if answer.as_ref().is_err_and(|error| error.verdict() == Verdict::Credential) {
            // An access token may die before its time. Only if a newer one does not work either the credential is at fault.
            let Current { integration, .. } = &opened.current;
            match self.refresh_refused(integration, integration.generation).await? {
                AfterRefusal::Stands => {}
                AfterRefusal::NotRenewed(problem) => return self.not_renewed(integration, problem, began).await,
                AfterRefusal::Newer(newer) => {
                    opened.current = *newer;
                    answer = opened.provider().check(opened.access()).await;
                }
            }
        }
        let (finding, problem) = opened.finding(answer);
        self.tally.check(end(&finding, problem.as_ref()));
        let wait = problem.as_ref().and_then(|problem| problem.retry_after_seconds);
        self.record(&integration.id, opened.current.integration.generation, finding, wait).await?;
        Ok(problem.map_or(TokenCheck::Passed, TokenCheck::Failed))
    }

    /// Without a token that works nothing can be asked. That the grant has ended is recorded already, and stays.
    async fn not_renewed(
        &self,
        integration: &Integration,
        problem: Problem,
        began: Timestamp,
    ) -> Result<TokenCheck, Problem> {
        let now_is = self.by_id(&integration.id).await?;
        let finding = Finding::Unreachable(problem.detail.clone());
        self.tally.check(end(&finding, Some(&problem)));
        if !recorded_since(&now_is, began) {
            self.record(&now_is.id, now_is.generation, finding, problem.retry_after_seconds).await?;
        }
        Ok(TokenCheck::Failed(problem))
    }

    /// Asks the provider what the account may do with a repository.
    ///
    /// # Errors
    /// The provider's refusal. A repository that the account may only read is none.
    pub async fn repository(&self, integration: &Integration, repo: &RepoUrl) -> Result<RepositoryAccess, Problem> {
        let opened = self.opened(integration).await?;
        opened.repositories()?.repository(opened.access(), repo).await.map_err(|e| opened.problem(e))
    }

    /// Asks whether a repository can be read without an integration.
    ///
    /// # Errors
    /// `repository_not_found` for one that is not there or not for everybody; what keeps its host from being asked.
    pub async fn readable_by_anybody(&self, repo: &RepoUrl) -> Result<(), Problem> {
        let kind = ProviderKind::presumed(repo.instance().host());
        readable_by_anybody(&self.http, repo).await.map_err(|error| {
            let detail = match &error {
                ProviderError::RepositoryNotFound { .. } => {
                    format!("{repo} is not there, or not for everybody to read, and no integration is used for it.")
                }
                ProviderError::NotTheProvider { saw } => format!("{repo} does not answer git: it sent {saw}."),
                _ => return error.into_problem(kind, repo.instance()),
            };
            Problem::new(error.code(), detail).remedy("Check its address, or choose an integration for it.")
        })
    }

    /// Opens a pull (merge) request, or finds the open one of the same branch.
    ///
    /// # Errors
    /// The provider's refusal.
    pub async fn open_pull_request(
        &self,
        integration: &Integration,
        repo: &RepoUrl,
        draft: &PullRequestDraft,
    ) -> Result<PullRequest, Problem> {
        let opened = self.opened(integration).await?;
        let answer = opened.repositories()?.open_pull_request(opened.access(), repo, draft).await;
        answer.map_err(|e| opened.problem(e))
    }
}
