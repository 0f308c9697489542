//! What a session would find before it does anything.

use futures_util::future::join_all;
use valetkey_integrations::Integrations;
use valetkey_model::{Integration, IntegrationId, Problem, ProblemCode, RepoUrl};

use crate::{
    NewRepository,
    preflight::{failed_tokens, require_push},
    slots::{Serving, Toolbox},
    spec::MAX_REPOSITORIES,
};

/// What a session would find at one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedRepository {
    /// Which.
    pub url: RepoUrl,
    /// What the session would act with there; none if that can't be said.
    pub served_by: Option<ServedBy>,
    /// Its default branch, where the provider said it; none while it is empty.
    pub default_branch: Option<String>,
    /// Why the session could not start there; it can if there is none.
    pub problem: Option<Problem>,
}

/// What a session acts with at a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServedBy {
    /// An integration, and why that one.
    Integration(Box<Integration>, String),
    /// Nothing, and why: it reads what anybody may read, and pushes nothing.
    Nothing(String),
}

impl ServedBy {
    /// The integration, if it is one.
    pub fn integration(&self) -> Option<&Integration> {
        match self {
            Self::Integration(integration, _) => Some(integration),
            Self::Nothing(_) => None,
        }
    }
}

impl CheckedRepository {
    /// Whether a session could push there.
    pub fn can_push(&self) -> bool {
        self.problem.is_none() && self.served_by.as_ref().is_some_and(|it| it.integration().is_some())
    }
}

/// Asks for every repository, in parallel, what the steps `resolve` and `preflight` would ask.
pub(crate) async fn check(
    integrations: &Integrations,
    toolbox: &Toolbox<'_>,
    repositories: &[NewRepository],
) -> Result<Vec<CheckedRepository>, Problem> {
    if repositories.len() > MAX_REPOSITORIES {
        return Err(Problem::new(ProblemCode::InvalidInput, "A session needs 1 to 20 repositories."));
    }
    let mut checked = Vec::new();
    for NewRepository { url, integration, .. } in repositories {
        let (served_by, problem) = match toolbox.serving(integrations, url, integration.as_ref()).await {
            Ok(Serving::Integration(resolved)) => {
                let told = resolved.told();
                (Some(ServedBy::Integration(Box::new(resolved.integration), told)), None)
            }
            Ok(Serving::Nothing(why)) => (Some(ServedBy::Nothing(why)), None),
            Err(problem) => (None, Some(problem)),
        };
        checked.push(CheckedRepository { url: url.clone(), served_by, default_branch: None, problem });
    }
    let serving = checked.iter().filter_map(|it| it.served_by.as_ref()?.integration());
    let failed = failed_tokens(integrations, serving).await?;
    join_all(checked.iter_mut().map(|it| ask_repository(integrations, &failed, it))).await;
    Ok(checked)
}

async fn ask_repository(with: &Integrations, failed: &[(IntegrationId, Problem)], checked: &mut CheckedRepository) {
    let integration = match &checked.served_by {
        Some(ServedBy::Integration(integration, _)) => integration,
        Some(ServedBy::Nothing(_)) => {
            checked.problem = with.readable_by_anybody(&checked.url).await.err();
            return;
        }
        None => return,
    };
    if let Some((_, problem)) = failed.iter().find(|(id, _)| *id == integration.id) {
        checked.problem = Some(problem.clone());
        return;
    }
    let access = with.repository(integration, &checked.url).await;
    checked.default_branch = access.as_ref().ok().and_then(|access| access.default_branch.clone());
    checked.problem = access.and_then(|access| require_push(access, integration)).err();
}
