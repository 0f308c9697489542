use valetkey_git::{Checkout, Git, GitError, PublishOptions, PushOutcome};
use valetkey_model::{BranchName, Integration, ObjectId, Problem, ProblemCode, ProviderKind};
use valetkey_providers::PullRequestDraft;

use crate::{
    changes::{self, Room},
    checkout::{WorkingCopy, Workspace, checkout_problem},
    preflight::Target,
    run::Run,
};

/// Per repository: commits what the agent left uncommitted, pushes what is new, opens the pull request where asked.
///
/// Every repository is tried, so that one refusal does not hold back the others; the first refusal is the result.
pub(crate) async fn commit_and_push(run: &mut Run, workspace: &Workspace<'_>) -> Result<(), Problem> {
    let mut first_problem = None;
    let mut room = Room::default();
    for copy in &workspace.copies {
        if let Err(problem) = publish(run, &workspace.git, copy, &mut room).await {
            run.log_at(copy.target.provider, &problem.detail).await?;
            first_problem.get_or_insert(problem);
        }
        run.save().await?;
    }
    first_problem.map_or(Ok(()), Err)
}

async fn publish(run: &mut Run, git: &Git, copy: &WorkingCopy<'_>, room: &mut Room) -> Result<(), Problem> {
    let Some(commit) = commit(run, git, copy).await? else {
        let Target { spec, provider, .. } = copy.target;
        return run.log_at(*provider, format!("{}: nothing changed", spec.url.path())).await;
    };
    // Before the push, which may be refused.
    Box::pin(changes::record(run, git, copy, &commit, room)).await?;
    let Some(integration) = &copy.target.integration else { return leave_unpushed(run, copy).await };
    push(run, git, copy, integration.provider, commit).await?;
    if run.session.spec.pull_request {
        open_pull_request(run, copy.target, integration).await?;
    }
    Ok(())
}

/// Says where the work on a repository is that nothing may be pushed to.
async fn leave_unpushed(run: &mut Run, copy: &WorkingCopy<'_>) -> Result<(), Problem> {
    let WorkingCopy { target, folder, .. } = copy;
    run.session.repositories[target.index].unpushed = true;
    let (path, folder) = (target.spec.url.path(), folder.display());
    let line =
        format!("{path}: not pushed, as no integration is used for it; the work is kept, committed, in {folder}");
    run.log_at(target.provider, line).await
}

/// The commit to push, if there is anything new.
async fn commit(run: &Run, git: &Git, copy: &WorkingCopy<'_>) -> Result<Option<ObjectId>, Problem> {
    let Target { spec, provider, author, .. } = copy.target;
    let (path, provider) = (spec.url.path(), *provider);
    let options = PublishOptions { author: author.clone(), message: message(run), at: Some(run.parts.clock.now()) };
    let unusable = |error: GitError| {
        let mut problem = checkout_problem(&error).by(provider);
        problem.detail = format!("What the agent left in {path} can't be committed: {}", problem.detail);
        problem
    };
    let checkout = Checkout::open(&copy.folder).map_err(|e| unusable(e.into()))?;
    let published = checkout.publish(git, &options).await.map_err(unusable)?;
    for folder in &published.left_out {
        let line = format!("{path}: {folder} is a repository of its own and was left out");
        run.log_at(provider, line).await?;
    }
    if published.committed_by_us {
        let files = published.changed_files;
        let files = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
        let line = format!("{path}: committed what the agent left uncommitted ({files})");
        run.log_at(provider, line).await?;
    }
    Ok(published.head.filter(|head| Some(head) != copy.start.commit.as_ref()))
}

async fn push(
    run: &mut Run,
    git: &Git,
    copy: &WorkingCopy<'_>,
    provider: ProviderKind,
    commit: ObjectId,
) -> Result<(), Problem> {
    let WorkingCopy { target, folder, .. } = copy;
    let spec = &target.spec;
    let branch = &spec.push_branch;
    run.log_at(provider, format!("Pushing to {branch}")).await?;
    let refused = |why: String| {
        Problem::new(ProblemCode::PushRefused, why)
            .by(provider)
            .remedy(format!("The work is kept, committed, in {}.", folder.display()))
    };
    let checkout = Checkout::open(folder).map_err(|e| refused(checkout_problem(&e.into()).detail))?;
    match checkout.push(git, &commit, &spec.url, branch, spec.allow_force).await {
        Ok(PushOutcome::Pushed | PushOutcome::UpToDate) => {}
        Ok(PushOutcome::Refused { reason, message }) => return Err(refused(refusal(provider, &reason, &message))),
        Err(error) => return Err(refused(checkout_problem(&error).detail)),
    }
    let record = &mut run.session.repositories[target.index];
    let url = spec.url.branch_url(provider, branch);
    record.branch_url = Some(url.clone());
    record.commit = Some(commit);
    run.log_at(provider, format!("Pushed {url}")).await
}

/// A refusal of the branch itself, as by branch protection: git's reason and the server's words.
fn refusal(provider: ProviderKind, reason: &str, message: &str) -> String {
    let text = format!("{provider} refused the push: {reason}.");
    if message.is_empty() { text } else { format!("{text}\n{message}") }
}

async fn open_pull_request(run: &mut Run, target: &Target, integration: &Integration) -> Result<(), Problem> {
    let Target { index, spec, default_branch, .. } = target;
    let Some(default_branch) = default_branch else {
        return Ok(());
    };
    let draft = PullRequestDraft {
        head: spec.push_branch.as_str().to_owned(),
        base: spec.branch.as_ref().map_or(default_branch.as_str(), BranchName::as_str).to_owned(),
        title: title(&run.session.spec.task),
        body: message_body(run),
    };
    let opened = run.parts.integrations.open_pull_request(integration, &spec.url, &draft).await?;
    let word = if opened.created { "Opened" } else { "Found open" };
    run.log_at(integration.provider, format!("{word}: {}", opened.url)).await?;
    run.session.repositories[*index].pull_request_url = Some(opened.url);
    Ok(())
}

/// The task's first line, shortened to what a subject line holds.
pub(crate) fn title(task: &str) -> String {
    let line = task.trim().lines().next().unwrap_or_default().trim();
    if line.chars().count() <= 120 { line.to_owned() } else { line.chars().take(119).chain(['…']).collect() }
}

fn message(run: &Run) -> String {
    format!("{}\n\nSession: {}\n", title(&run.session.spec.task), run.parts.config.session_url(&run.session.id))
}

fn message_body(run: &Run) -> String {
    format!("{}\n\nSession: {}\n", run.session.spec.task.trim(), run.parts.config.session_url(&run.session.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_short_line() {
        assert_eq!(title("\n  Add X \nmore"), "Add X");
        assert_eq!(title(&"x".repeat(200)).chars().count(), 120);
    }
}
