use valetkey_git::{Author, Checkout, GitError, PublishOptions, PushOutcome};
use valetkey_model::{ObjectId, Problem, ProblemCode, ProviderKind};
use valetkey_providers::PullRequestDraft;

use crate::{
    checkout::{Workspace, checkout_problem, push_branch},
    environment,
    preflight::Ready,
    run::Run,
};

/// Per repository: commits what the agent left uncommitted, pushes what is new, opens the pull request where asked.
///
/// Every repository is tried, so that one refusal does not hold back the others; the first refusal is the result.
pub(crate) async fn commit_and_push(run: &mut Run, ready: &Ready, workspace: &Workspace) -> Result<(), Problem> {
    let mut first_problem = None;
    for n in 0..workspace.repositories.len() {
        if let Err(problem) = publish(run, ready, workspace, n).await {
            run.log_at(ready.integrations[n].provider, &problem.detail).await?;
            first_problem.get_or_insert(problem);
        }
        run.save().await?;
    }
    first_problem.map_or(Ok(()), Err)
}

async fn publish(run: &mut Run, ready: &Ready, workspace: &Workspace, n: usize) -> Result<(), Problem> {
    let Some(commit) = commit(run, ready, workspace, n).await? else {
        let path = run.session.repositories[n].url.path().to_owned();
        return run.log_at(ready.integrations[n].provider, format!("{path}: nothing changed")).await;
    };
    push(run, ready, workspace, n, commit).await?;
    if run.session.spec.pull_request {
        open_pull_request(run, ready, n).await?;
    }
    Ok(())
}

/// The commit to push, if there is anything new.
async fn commit(run: &Run, ready: &Ready, workspace: &Workspace, n: usize) -> Result<Option<ObjectId>, Problem> {
    let (record, provider) = (&run.session.repositories[n], ready.integrations[n].provider);
    let (name, email) = environment::author(&ready.integrations[n]);
    let options =
        PublishOptions { author: Author::new(&name, &email), message: message(run), at: Some(run.parts.clock.now()) };
    let unusable = |error: GitError| {
        let mut problem = checkout_problem(&error).by(provider);
        problem.detail = format!("What the agent left in {} can't be committed: {}", record.url.path(), problem.detail);
        problem
    };
    let checkout = Checkout::open(&workspace.repositories[n]).map_err(|e| unusable(e.into()))?;
    let published = checkout.publish(&workspace.git, &options).await.map_err(unusable)?;
    for folder in &published.left_out {
        let line = format!("{}: {folder} is a repository of its own and was left out", record.url.path());
        run.log_at(provider, line).await?;
    }
    if published.committed_by_us {
        let files = published.changed_files;
        let files = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
        let line = format!("{}: committed what the agent left uncommitted ({files})", record.url.path());
        run.log_at(provider, line).await?;
    }
    Ok(published.head.filter(|head| Some(head) != record.base_commit.as_ref()))
}

async fn push(run: &mut Run, ready: &Ready, workspace: &Workspace, n: usize, commit: ObjectId) -> Result<(), Problem> {
    let (spec, provider) = (run.session.spec.repositories[n].clone(), ready.integrations[n].provider);
    let (branch, folder) = (push_branch(&spec), &workspace.repositories[n]);
    run.log_at(provider, format!("Pushing to {branch}")).await?;
    let refused = |why: String| {
        Problem::new(ProblemCode::PushRefused, why)
            .by(provider)
            .remedy(format!("The work is kept, committed, in {}.", folder.display()))
    };
    let checkout = Checkout::open(folder).map_err(|e| refused(checkout_problem(&e.into()).detail))?;
    match checkout.push(&workspace.git, &commit, &spec.url, branch, spec.allow_force).await {
        Ok(PushOutcome::Pushed | PushOutcome::UpToDate) => {}
        Ok(PushOutcome::Refused { reason, message }) => return Err(refused(refusal(provider, &reason, &message))),
        Err(error) => return Err(refused(checkout_problem(&error).detail)),
    }
    let record = &mut run.session.repositories[n];
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

async fn open_pull_request(run: &mut Run, ready: &Ready, n: usize) -> Result<(), Problem> {
    let record = &run.session.repositories[n];
    let (Some(head), Some(base)) = (record.push_branch.clone(), ready.access[n].default_branch.clone()) else {
        return Ok(());
    };
    let base = run.session.spec.repositories[n].branch.as_ref().map_or(base, |b| b.as_str().to_owned());
    let draft = PullRequestDraft {
        head: head.as_str().to_owned(),
        base,
        title: title(&run.session.spec.task),
        body: message_body(run),
    };
    let opened = run.parts.integrations.open_pull_request(&ready.integrations[n], &record.url.clone(), &draft).await?;
    let word = if opened.created { "Opened" } else { "Found open" };
    run.log_at(ready.integrations[n].provider, format!("{word}: {}", opened.url)).await?;
    run.session.repositories[n].pull_request_url = Some(opened.url);
    Ok(())
}

/// The task's first line, shortened to what a subject line holds.
fn title(task: &str) -> String {
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
