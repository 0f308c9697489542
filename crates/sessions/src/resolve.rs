use valetkey_model::{Actor, Integration, Problem, ProblemCode, ProviderKind, RepositorySpec, Role, Slot};

use crate::{
    run::Run,
    slots::{self, Serving, Toolbox},
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
    /// What the session acts with there; without one it reads what anybody may read.
    pub(crate) integration: Option<Integration>,
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
) -> Result<Option<Integration>, Problem> {
    let serving = toolbox.serving(&run.parts.integrations, &spec.url, spec.integration.as_ref()).await;
    let (integration, reason) = match serving.map_err(|problem| for_all(problem, spec))? {
        Serving::Integration(resolved) => {
            let reason = resolved.reason.told_to_all(&resolved.integration);
            (Some(resolved.integration), reason)
        }
        Serving::Nothing(why) => (None, why),
    };
    let provider =
        integration.as_ref().map(|it| it.provider).or_else(|| ProviderKind::guess(spec.url.instance().host()));
    let line = format!("{}: {reason}", spec.url.path());
    let record = &mut run.session.repositories[index];
    record.provider = provider;
    record.integration = integration.as_ref().map(|it| it.id.clone());
    record.integration_reason = Some(reason);
    if integration.is_none() {
        record.push_branch = None;
    }
    run.log_at(provider, line).await?;
    Ok(integration)
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
        if repositories.iter().filter_map(|served| served.integration.as_ref()).any(|it| it.provider == provider) {
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
