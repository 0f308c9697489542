use valetkey_model::{Integration, Problem, ProblemCode, ProviderKind};

use crate::run::Run;

/// Which integration serves what.
pub(crate) struct Resolved {
    /// Per repository of the session, in its order.
    pub(crate) repositories: Vec<Integration>,
    /// For the environment: one per connected provider that none of the repositories uses.
    pub(crate) others: Vec<Integration>,
}

/// Decides, per repository, which integration serves it, and notes why.
pub(crate) async fn choose_integrations(run: &mut Run) -> Result<Resolved, Problem> {
    let mut repositories = Vec::new();
    for n in 0..run.session.repositories.len() {
        let spec = &run.session.spec.repositories[n];
        let resolved = run
            .parts
            .integrations
            .resolve(
                &run.session.owner,
                &run.session.project,
                None,
                Some(spec.url.instance()),
                spec.integration.as_ref(),
            )
            .await?;
        let record = &mut run.session.repositories[n];
        record.provider = Some(resolved.integration.provider);
        record.integration = Some(resolved.integration.id.clone());
        record.integration_reason = Some(resolved.reason.clone());
        let line = format!("{}: {}", record.url.path(), resolved.reason);
        run.log_at(resolved.integration.provider, line).await?;
        repositories.push(resolved.integration);
    }
    let others = choose_others(run, &repositories).await?;
    Ok(Resolved { repositories, others })
}

async fn choose_others(run: &Run, repositories: &[Integration]) -> Result<Vec<Integration>, Problem> {
    let mut others = Vec::new();
    for provider in ProviderKind::ALL {
        if repositories.iter().any(|i| i.provider == provider) {
            continue;
        }
        let (owner, project) = (&run.session.owner, &run.session.project);
        match run.parts.integrations.resolve(owner, project, Some(provider), None, None).await {
            Ok(resolved) => others.push(resolved.integration),
            Err(problem) if problem.code == ProblemCode::IntegrationMissing => {}
            Err(problem) if problem.code == ProblemCode::IntegrationAmbiguous => {
                let line = "several integrations are connected and none is marked default; the agent gets no token of this provider";
                run.log_at(provider, line).await?;
            }
            Err(problem) => return Err(problem),
        }
    }
    Ok(others)
}
