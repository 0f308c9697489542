use valetkey_model::{Actor, Integration, Problem, ProblemCode, ProviderKind, RepositorySpec, Role, Slot};

use crate::{
    run::Run,
    slots::{self, Toolbox},
};

/// Which integration serves what.
pub(crate) struct Resolved {
    /// The repositories of the session, in its order.
    pub(crate) repositories: Vec<Served>,
    /// For the environment: one per connected provider that none of the repositories uses.
    pub(crate) others: Vec<Integration>,
}

/// A repository and the integration that serves it.
#[derive(Clone)]
pub(crate) struct Served {
    /// Which of the session's repositories it is.
    pub(crate) index: usize,
    /// What was asked.
    pub(crate) spec: RepositorySpec,
    /// What the session acts with there.
    pub(crate) integration: Integration,
}

/// Decides, per repository, which integration serves it, and notes why.
pub(crate) async fn choose_integrations(run: &mut Run) -> Result<Resolved, Problem> {
    // What somebody may use is what they may use now, not when they asked for the session.
    let by = run.parts.integrations.actor(&run.session.owner).await?;
    by.require(Role::Member, &run.session.project)?;
    let (project, tools) = (run.session.project.clone(), run.session.spec.tools().into_owned());
    let toolbox = Toolbox::open(&run.parts.store, &by, &project, tools).await?;
    let mut repositories = Vec::new();
    for (index, spec) in run.session.spec.repositories.clone().into_iter().enumerate() {
        let integration = choose(run, &toolbox, index, &spec).await?;
        repositories.push(Served { index, spec, integration });
    }
    let others = choose_others(run, &by, &toolbox, &repositories).await?;
    Ok(Resolved { repositories, others })
}

async fn choose(
    run: &mut Run,
    toolbox: &Toolbox<'_>,
    index: usize,
    spec: &RepositorySpec,
) -> Result<Integration, Problem> {
    let resolved = toolbox.serving(&run.parts.integrations, &spec.url, spec.integration.as_ref()).await;
    let resolved = resolved.map_err(|problem| for_all(problem, spec))?;
    let record = &mut run.session.repositories[index];
    record.provider = Some(resolved.integration.provider);
    record.integration = Some(resolved.integration.id.clone());
    let reason = resolved.reason_for_all();
    record.integration_reason = Some(reason.clone());
    let line = format!("{}: {reason}", spec.url.path());
    run.log_at(resolved.integration.provider, line).await?;
    Ok(resolved.integration)
}

/// A refusal without the list of what is somebody's own: everybody in the project may read it.
fn for_all(problem: Problem, spec: &RepositorySpec) -> Problem {
    if problem.code != ProblemCode::IntegrationAmbiguous {
        return problem;
    }
    let detail = format!("Several integrations would do for {}, and none is chosen or marked default.", spec.url);
    Problem::new(problem.code, detail)
        .remedy(format!("Whoever starts it sees them with `valetkey integrations resolve {}`.", spec.url))
}

async fn choose_others(
    run: &Run,
    by: &Actor,
    toolbox: &Toolbox<'_>,
    repositories: &[Served],
) -> Result<Vec<Integration>, Problem> {
    let mut others = Vec::new();
    for provider in ProviderKind::ALL {
        if repositories.iter().any(|served| served.integration.provider == provider) {
            continue;
        }
        match toolbox.slot(provider) {
            Slot::Automatic => {}
            Slot::None => continue,
            Slot::Pinned(_) => {
                others.extend(toolbox.pinned(provider).cloned());
                continue;
            }
        }
        match run.parts.integrations.resolve(by, &run.session.project, Some(provider), None, None).await {
            Ok(resolved) => others.push(resolved.integration),
            Err(problem) if problem.code == ProblemCode::IntegrationMissing => {
                slots::note_missing(run, provider).await?;
            }
            Err(problem) if problem.code == ProblemCode::IntegrationAmbiguous => {
                let line = "several integrations are connected and none is marked default; the agent gets no token of this provider";
                run.log_at(provider, line).await?;
            }
            Err(problem) => return Err(problem),
        }
    }
    Ok(others)
}
