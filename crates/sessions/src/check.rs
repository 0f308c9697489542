//! What a session would find before it does anything.

use futures_util::future::join_all;
use valetkey_integrations::Integrations;
use valetkey_model::{Integration, IntegrationId, Problem, ProblemCode, RepoUrl};

use crate::{
    NewRepository,
    preflight::{failed_tokens, require_push},
    slots::Toolbox,
    spec::MAX_REPOSITORIES,
};

/// What a session would find at one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedRepository {
    /// Which.
    pub url: RepoUrl,
    /// What the session would act with there, and why that one; none if there is nothing to act with.
    pub served_by: Option<(Integration, String)>,
    /// Its default branch, where the provider said it; none while it is empty.
    pub default_branch: Option<String>,
    /// Why the session could not push there; it can if there is none.
    pub problem: Option<Problem>,
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
            Ok(resolved) => (Some((resolved.integration, resolved.reason)), None),
            Err(problem) => (None, Some(problem)),
        };
        checked.push(CheckedRepository { url: url.clone(), served_by, default_branch: None, problem });
    }
    let serving = checked.iter().filter_map(|it| it.served_by.as_ref()).map(|(integration, _)| integration);
    let failed = failed_tokens(integrations, serving).await?;
    join_all(checked.iter_mut().map(|it| ask_repository(integrations, &failed, it))).await;
    Ok(checked)
}

async fn ask_repository(with: &Integrations, failed: &[(IntegrationId, Problem)], checked: &mut CheckedRepository) {
    let Some((integration, _)) = &checked.served_by else { return };
    if let Some((_, problem)) = failed.iter().find(|(id, _)| *id == integration.id) {
        checked.problem = Some(problem.clone());
        return;
    }
    let access = with.repository(integration, &checked.url).await;
    checked.default_branch = access.as_ref().ok().and_then(|access| access.default_branch.clone());
    checked.problem = access.and_then(|access| require_push(access, integration)).err();
}
