use valetkey_model::{Phase, Problem, Step};

use crate::{agent, announce, checkout, preflight, publish, resolve, run::Run};

/// The main job. Each step hands the next what it needs; the first that fails ends the session with its problem.
pub(crate) async fn run(run: &mut Run) -> Result<(), Problem> {
    run.enter(Phase::Preparing).await?;
    let resolved = run.step(Step::Resolve, async |run| resolve::choose_integrations(run).await).await?;
    let ready = run.step(Step::Preflight, async |run| preflight::ask_providers(run, resolved).await).await?;
    let workspace = run.step(Step::Checkout, async |run| checkout::clone_all(run, &ready).await).await?;

    run.enter(Phase::Running).await?;
    run.step(Step::Agent, async |run| agent::work(run, &ready, &workspace).await).await?;

    run.enter(Phase::Publishing).await?;
    run.step(Step::Publish, async |run| publish::commit_and_push(run, &workspace).await).await?;
    run.step(Step::Announce, async |run| announce::give_notice(run).await).await
}
