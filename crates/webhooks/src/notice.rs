//! What a notification says. Never a secret: who may see it is up to the receiver.

use jiff::Timestamp;
use serde::Serialize;
use valetkey_model::{
    Alias, BranchName, InstanceUrl, Integration, IntegrationId, ObjectId, Phase, Problem, ProblemCode, ProjectName,
    ProviderKind, RepoUrl, RepositoryRun, Session, SessionId, WebhookDeliveryId, WebhookEvent,
};
use valetkey_store::NewDelivery;

use crate::Webhooks;

/// The longest title of a task, in characters.
const LONGEST_TITLE: usize = 200;

/// The body of a notification.
#[derive(Serialize)]
struct Payload<'a, D> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: Timestamp,
    data: D,
}

/// How a session ended.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionNotice<'a> {
    session: &'a SessionId,
    project: &'a ProjectName,
    phase: Phase,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    url: String,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    repositories: Vec<RepositoryNotice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureNotice<'a>>,
}

/// What became of a repository.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RepositoryNotice<'a> {
    url: &'a RepoUrl,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<ProviderKind>,
    /// The branch that was pushed, as are those that follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<&'a BranchName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'a ObjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_request_url: Option<&'a str>,
    /// Whether it changed and nothing may be pushed to it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unpushed: bool,
}

/// Why a session did not end well.
#[derive(Debug, Serialize)]
struct FailureNotice<'a> {
    code: ProblemCode,
    detail: &'a str,
}

/// What happened to one of a project's integrations.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IntegrationNotice<'a> {
    integration: &'a IntegrationId,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<&'a ProjectName>,
    provider: ProviderKind,
    alias: &'a Alias,
    instance_url: &'a InstanceUrl,
    /// Why it was disconnected.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<Timestamp>,
}

impl<'a> SessionNotice<'a> {
    /// Of a session that is over. `task` is its task with all secrets hidden, of which the first line is told; `url` is its
    /// page.
    pub fn new(session: &'a Session, task: Option<&str>, url: String) -> Self {
        let failure = session.failure.as_ref();
        Self {
            session: &session.id,
            project: &session.project,
            phase: session.phase,
            task: task.map(title),
            url,
            created_at: session.times.created_at,
            ended_at: session.times.ended_at,
            repositories: session.repositories.iter().map(RepositoryNotice::from).collect(),
            failure: failure.map(|Problem { code, detail, .. }| FailureNotice { code: *code, detail }),
        }
    }

    fn event(&self) -> Option<WebhookEvent> {
        match self.phase {
            Phase::Completed => Some(WebhookEvent::SessionCompleted),
            Phase::Failed => Some(WebhookEvent::SessionFailed),
            Phase::Stopped => Some(WebhookEvent::SessionStopped),
            Phase::Pending | Phase::Preparing | Phase::Running | Phase::Publishing => None,
        }
    }
}

impl<'a> From<&'a RepositoryRun> for RepositoryNotice<'a> {
    fn from(run: &'a RepositoryRun) -> Self {
        Self {
            url: &run.url,
            provider: run.provider,
            branch: run.push_branch.as_ref().filter(|_| run.branch_url.is_some()),
            branch_url: run.branch_url.as_deref(),
            commit: run.commit.as_ref(),
            pull_request_url: run.pull_request_url.as_deref(),
            unpushed: run.unpushed,
        }
    }
}

impl<'a> IntegrationNotice<'a> {
    /// Of an integration that was disconnected, for this reason if one is known, or that ends then.
    pub fn new(of: &'a Integration, reason: Option<&'a str>, ends_at: Option<Timestamp>) -> Self {
        Self {
            integration: &of.id,
            project: of.scope.project(),
            provider: of.provider,
            alias: &of.alias,
            instance_url: &of.instance_url,
            reason,
            ends_at,
        }
    }
}

/// The first line of a task that says something.
fn title(task: &str) -> String {
    let line = task.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    match line.char_indices().nth(LONGEST_TITLE) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line.to_owned(),
    }
}

impl Webhooks {
    /// The notifications of a session's end, to be stored with it. After that, [`wake`](Self::wake).
    ///
    /// That nobody could be told is no reason for a session not to end, so a failure is only logged.
    pub async fn of_session(&self, notice: &SessionNotice<'_>) -> Vec<NewDelivery> {
        let Some(event) = notice.event() else { return Vec::new() };
        self.of(notice.project, event, notice).await.unwrap_or_else(|problem| {
            tracing::warn!(session = %notice.session, %problem, "the webhooks could not be looked up; nobody is told");
            Vec::new()
        })
    }

    /// Tells those who want to know what happened to one of a project's integrations. It has happened whether they are told
    /// or not, so a failure is only logged.
    pub async fn tell(&self, project: &ProjectName, event: WebhookEvent, notice: &IntegrationNotice<'_>) {
        let told = async {
            let new = self.of(project, event, notice).await?;
            if !new.is_empty() {
                self.store.insert_deliveries(&new).await?;
                self.wake();
            }
            Ok::<_, Problem>(())
        };
        if let Err(problem) = told.await {
            tracing::warn!(%project, %event, %problem, "nobody could be told");
        }
    }

    async fn of(
        &self,
        project: &ProjectName,
        event: WebhookEvent,
        data: &impl Serialize,
    ) -> Result<Vec<NewDelivery>, Problem> {
        let all = self.store.webhooks(project).await?;
        let wanting = all.into_iter().filter(|webhook| webhook.enabled && webhook.events.contains(&event));
        let now = self.clock.now();
        let body = body(event.as_str(), now, data);
        let new = wanting.map(|webhook| NewDelivery {
            id: WebhookDeliveryId::new(now, &*self.entropy),
            webhook: webhook.id,
            event: event.as_str(),
            body: body.clone(),
            created_at: now,
            leased_until: None,
        });
        Ok(new.collect())
    }
}

/// The body of a notification of this kind.
pub(crate) fn body(kind: &str, timestamp: Timestamp, data: impl Serialize) -> String {
    serde_json::to_string(&Payload { kind, timestamp, data }).expect("notices have only text keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_first_line_that_says_something() {
        assert_eq!(title("\n  Add X \nand Y"), "Add X");
        assert_eq!(title(""), "");
        assert_eq!(title(&"é".repeat(200)), "é".repeat(200));
        assert_eq!(title(&"é".repeat(201)), format!("{}…", "é".repeat(200)));
    }
}
