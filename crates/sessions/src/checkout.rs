use std::{
    collections::HashSet,
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use futures_util::future::try_join_all;
use tokio::{sync::watch, time::timeout};
use valetkey_git::{Checkout, Git, GitError};
use valetkey_model::{BranchName, ObjectId, Problem, ProblemCode, RepoUrl, RepositorySpec};
use valetkey_providers::GitAuth;

use crate::{
    preflight::{Ready, Target},
    run::Run,
};

/// The session's folders on disk.
pub(crate) struct Workspace<'a> {
    /// What the agent may see: the repositories side by side.
    pub(crate) root: PathBuf,
    /// The repositories of the session, in its order.
    pub(crate) copies: Vec<WorkingCopy<'a>>,
    /// Git, led through the gateway.
    pub(crate) git: Git,
}

/// A repository's clone, on its push branch.
pub(crate) struct WorkingCopy<'a> {
    /// What it is a clone of.
    pub(crate) target: &'a Target,
    /// Where it is.
    pub(crate) folder: PathBuf,
    /// The branch and the commit that it was cloned at.
    pub(crate) start: Start,
}

/// Where a repository's work starts from; an empty one has no commit.
pub(crate) struct Start {
    pub(crate) branch: Option<BranchName>,
    pub(crate) commit: Option<ObjectId>,
}

/// Clones every repository, in parallel, and puts each on its push branch.
pub(crate) async fn clone_all<'a>(run: &mut Run, ready: &'a Ready) -> Result<Workspace<'a>, Problem> {
    let root = make_folders(run)?;
    run.session.workspace = Some(root.display().to_string());
    run.save().await?;

    let git = run.parts.git.with_config(&ready.git_config);
    let names = directory_names(ready.targets.iter().map(|target| &target.spec.url));
    let clones = ready.targets.iter().zip(names).map(|(target, name)| clone(run, &git, ready, target, root.join(name)));
    let copies = try_join_all(clones).await?;
    for WorkingCopy { target, folder, start } in &copies {
        let record = &mut run.session.repositories[target.index];
        record.directory = folder.file_name().map(|name| name.to_string_lossy().into_owned());
        record.base_commit = start.commit.clone();
        record.branch = start.branch.clone();
    }
    run.save().await?;
    Ok(Workspace { root, copies, git })
}

/// Makes the session's folder and, in it, the workspace, which is returned.
fn make_folders(run: &Run) -> Result<PathBuf, Problem> {
    let folder = run.folder();
    let root = folder.join("workspace");
    for path in [&folder, &root] {
        make_private(path).map_err(|e| {
            Problem::new(ProblemCode::CheckoutFailed, format!("The folder {} can't be made: {e}.", path.display()))
                .remedy("Make room and see that the data directory is writable; `valetkey doctor` checks it.")
        })?;
    }
    Ok(root)
}

fn make_private(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Each repository's last path segment, with `-2`, `-3` … where that is taken.
fn directory_names<'a>(urls: impl Iterator<Item = &'a RepoUrl>) -> impl Iterator<Item = String> {
    let mut taken = HashSet::new();
    urls.map(move |url| {
        let name = url.name();
        let numbered = (2..).map(|n| format!("{name}-{n}"));
        let free = std::iter::once(name.to_owned()).chain(numbered).find(|n| !taken.contains(&n.to_lowercase()));
        let free = free.expect("there is always a higher number");
        taken.insert(free.to_lowercase());
        free
    })
}

async fn clone<'a>(
    run: &Run,
    git: &Git,
    ready: &Ready,
    target: &'a Target,
    folder: PathBuf,
) -> Result<WorkingCopy<'a>, Problem> {
    let Target { spec, provider, .. } = target;
    let provider = *provider;
    run.log_at(provider, format!("Cloning {}", display_url(&spec.url, ready.git_auth(target).as_ref()))).await?;
    let failed = |error: GitError| clone_problem(&error, spec).by(provider);
    let checkout = clone_with_progress(run, git, target, &folder).await?.map_err(failed)?;
    let start = starting_point(&checkout, spec)?;
    checkout.start_branch(git, start.commit.as_ref(), &spec.push_branch).await.map_err(failed)?;
    run.parts.gateway.register_checkout(&run.session.id, &spec.url, folder.clone());
    let directory = folder.file_name().unwrap_or_default().display();
    run.log_at(provider, format!("Cloned {} into {directory}", spec.url.path())).await?;
    Ok(WorkingCopy { target, folder, start })
}

/// How often a clone that takes long says how far it is.
const PROGRESS: Duration = Duration::from_secs(2);

/// The outer error is ours, the inner one git's.
async fn clone_with_progress(
    run: &Run,
    git: &Git,
    target: &Target,
    folder: &Path,
) -> Result<Result<Checkout, GitError>, Problem> {
    let url = &target.spec.url;
    let (said, mut latest) = watch::channel(String::new());
    let mut cloning = pin!(git.clone_repo(url, folder, move |line| {
        said.send_replace(line.to_owned());
    }));
    loop {
        match timeout(PROGRESS, &mut cloning).await {
            Ok(result) => return Ok(result),
            Err(_) => {
                let line = format!("{}: {}", url.path(), latest.borrow_and_update().trim());
                run.log_at(target.provider, line).await?;
            }
        }
    }
}

/// The branch that was asked for; else the push branch, if it exists, so that a second session goes on where the first
/// ended; else the default branch.
fn starting_point(checkout: &Checkout, spec: &RepositorySpec) -> Result<Start, Problem> {
    let at = |branch: &BranchName| checkout.remote_branch_commit(branch).map_err(|e| checkout_problem(&e.into()));
    if let Some(branch) = &spec.branch {
        let commit = at(branch)?.ok_or_else(|| {
            Problem::new(ProblemCode::BranchNotFound, format!("{} has no branch '{branch}'.", spec.url))
                .remedy("Check the name; without one, a session starts from the default branch.")
        })?;
        return Ok(Start { branch: Some(branch.clone()), commit: Some(commit) });
    }
    if let Some(commit) = at(&spec.push_branch)? {
        return Ok(Start { branch: Some(spec.push_branch.clone()), commit: Some(commit) });
    }
    let branch = checkout.default_branch().map_err(|e| checkout_problem(&e.into()))?;
    let commit = branch.as_ref().map(at).transpose()?.flatten();
    Ok(Start { branch, commit })
}

/// As the log has always shown it: where a token would be is `***`. No URL with a token exists anywhere.
fn display_url(url: &RepoUrl, auth: Option<&GitAuth>) -> String {
    let user = match auth {
        Some(GitAuth::Basic { user }) => format!("{user}:"),
        Some(GitAuth::Bearer) => String::new(),
        None => return url.clone_url(),
    };
    url.clone_url().replacen("://", &format!("://{user}***@"), 1)
}

fn clone_problem(error: &GitError, spec: &RepositorySpec) -> Problem {
    let mut problem = checkout_problem(error);
    problem.detail = format!("{} could not be cloned: {}", spec.url, problem.detail);
    problem
}

/// What failed, in the server's words where it gave any.
pub(crate) fn checkout_problem(error: &GitError) -> Problem {
    let words = match error {
        GitError::Failed(failure) if !failure.remote_message().is_empty() => failure.remote_message(),
        GitError::Run(source) => format!("{error}: {source}"),
        other => other.to_string(),
    };
    Problem::new(ProblemCode::CheckoutFailed, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clashing_names_are_numbered_also_where_only_case_differs() {
        let urls: Vec<RepoUrl> =
            ["https://h.test/a/repo", "https://h.test/b/repo", "https://h.test/c/Repo", "https://h.test/a/repo-2"]
                .iter()
                .map(|url| url.parse().unwrap())
                .collect();
        assert_eq!(directory_names(urls.iter()).collect::<Vec<_>>(), ["repo", "repo-2", "Repo-3", "repo-2-2"]);
    }
}
