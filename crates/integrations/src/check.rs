use valetkey_model::{
    CheckOutcome, InstanceUrl, Integration, IntegrationId, IntegrationRef, Problem, ProviderKind, RepoUrl, UserId,
};
use valetkey_providers::{
    Access, Checked, Provider, ProviderError, PullRequest, PullRequestDraft, RepositoryAccess, Verdict, provider,
};
use valetkey_seal::Secret;
use valetkey_store::{CheckRecord, Finding};

use crate::Integrations;

/// What the provider says of a token.
#[derive(Debug)]
#[must_use]
pub enum TokenCheck {
    /// It works, and has the scopes that it needs.
    Passed,
    /// It can't be used, or the provider can't be asked.
    Failed(Problem),
}

/// An integration whose token is open, to ask its provider something.
struct Opened<'a> {
    with: &'a Integrations,
    integration: &'a Integration,
    token: Secret<String>,
    generation: i64,
}

impl Opened<'_> {
    fn provider(&self) -> &'static dyn Provider {
        provider(self.integration.provider)
    }

    fn access(&self) -> Access<'_> {
        let Integrations { http, clock, .. } = self.with;
        Access { http, instance: &self.integration.instance_url, token: &self.token, now: clock.now() }
    }

    fn problem(&self, error: ProviderError) -> Problem {
        error.into_problem(self.integration.provider, &self.integration.instance_url)
    }
}

/// The refusal of a token that is alive but lacks scopes.
pub(crate) fn lacking(kind: ProviderKind, instance: &InstanceUrl, checked: &Checked) -> Option<Problem> {
    let missing = checked.missing_scopes.clone();
    (!missing.is_empty()).then(|| ProviderError::InsufficientScope { missing }.into_problem(kind, instance))
}

/// What is recorded of a token that the provider described.
pub(crate) fn described(checked: Checked, lacking: Option<&Problem>) -> Finding {
    let outcome = match lacking {
        Some(problem) => CheckOutcome::InsufficientScope { reason: problem.detail.clone() },
        None => CheckOutcome::Connected,
    };
    Finding::Described {
        outcome,
        account: checked.account,
        granted_scopes: checked.granted_scopes,
        expires_at: checked.expires_at,
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

impl Integrations {
    /// Asks the provider now and stores what it says.
    ///
    /// # Errors
    /// `not_found`, or a store or seal problem. A refusal by the provider is no error: it is the new status.
    pub async fn test(&self, owner: &UserId, which: &IntegrationRef) -> Result<Integration, Problem> {
        let integration = self.get(owner, which).await?;
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
        let opened = self.opened(integration).await?;
        let (finding, problem) = match opened.provider().check(opened.access()).await {
            Ok(checked) => {
                let lacking = lacking(integration.provider, &integration.instance_url, &checked);
                (described(checked, lacking.as_ref()), lacking)
            }
            Err(error) => {
                let verdict = error.verdict();
                let problem = opened.problem(error);
                (refused(verdict, &problem), Some(problem))
            }
        };
        let record = CheckRecord { generation: opened.generation, checked_at: self.clock.now(), finding };
        self.store.record_check(&integration.id, &record).await?;
        Ok(problem.map_or(TokenCheck::Passed, TokenCheck::Failed))
    }

    /// Asks the provider what the account may do with a repository.
    ///
    /// # Errors
    /// The provider's refusal. A repository that the account may only read is none.
    pub async fn repository(&self, integration: &Integration, repo: &RepoUrl) -> Result<RepositoryAccess, Problem> {
        let opened = self.opened(integration).await?;
        opened.provider().repository(opened.access(), repo).await.map_err(|e| opened.problem(e))
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
        opened.provider().open_pull_request(opened.access(), repo, draft).await.map_err(|e| opened.problem(e))
    }

    async fn opened<'a>(&'a self, integration: &'a Integration) -> Result<Opened<'a>, Problem> {
        let (token, generation) = self.open(&integration.id).await?;
        Ok(Opened { with: self, integration, token, generation })
    }
}
