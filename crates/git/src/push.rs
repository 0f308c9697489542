use valetkey_model::{BranchName, ObjectId, RepoUrl};

use crate::{Checkout, Git, GitError, error::remote_message};

/// How a push ended that the server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushOutcome {
    /// The branch is there now.
    Pushed,
    /// The branch was there already.
    UpToDate,
    /// The branch is as it was.
    Refused {
        /// What git shows behind the ref, as in `pre-receive hook declined` or `non-fast-forward`.
        reason: String,
        /// What the server said to the person, as in `GitLab: You are not allowed to push code …`; often empty.
        message: String,
    },
}

impl Checkout {
    /// Sets `branch` of the repository `to` to `commit`; with `force` even if that loses commits there. One `git push`.
    ///
    /// # Errors
    /// When there is no verdict on the branch: the server refused the request as a whole
    /// ([`Failure::http_status`](crate::Failure::http_status)), can't be reached, or the transfer broke off.
    pub async fn push(
        &self,
        git: &Git,
        commit: &ObjectId,
        to: &RepoUrl,
        branch: &BranchName,
        force: bool,
    ) -> Result<PushOutcome, GitError> {
        let own = self.own_dir(git, Some(commit)).await?;
        let target = branch.full_ref();
        let refspec = format!("{}{commit}:{target}", if force { "+" } else { "" });
        let push = ["push", "--porcelain", "--no-verify", "--no-signed", "--no-follow-tags", "--recurse-submodules=no"];
        let call = git.call_in("push", &own).transfer().args(push).args(["--", &to.clone_url(), &refspec]);
        let output = call.output().await?;
        let verdict = verdict(&String::from_utf8_lossy(&output.stdout), &target, &output.stderr);
        match (output.code, verdict) {
            (_, Some(refused @ PushOutcome::Refused { .. })) => Ok(refused),
            (Some(0), Some(outcome)) => Ok(outcome),
            _ => Err(output.into_failure()),
        }
    }
}

/// Lines are `FLAG TAB FROM:TO TAB SUMMARY [(REASON)]`.
fn verdict(stdout: &str, target: &str, stderr: &str) -> Option<PushOutcome> {
    stdout.lines().find_map(|line| {
        let mut fields = line.splitn(3, '\t');
        let (flag, refs, summary) = (fields.next()?, fields.next()?, fields.next()?);
        if refs.rsplit_once(':')?.1 != target {
            return None;
        }
        match flag {
            " " | "+" | "*" => Some(PushOutcome::Pushed),
            "=" => Some(PushOutcome::UpToDate),
            "!" => {
                let words = summary.split_once('(').map(|(_, reason)| reason.strip_suffix(')').unwrap_or(reason));
                let reason: String = words.unwrap_or(summary).chars().filter(|c| !c.is_control()).collect();
                Some(PushOutcome::Refused { reason, message: remote_message(stderr) })
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<PushOutcome> {
        verdict(&format!("To https://h/a/b.git\n{line}\nDone\n"), "refs/heads/x", "remote: \nremote: no way\n")
    }

    #[test]
    fn verdicts() {
        assert_eq!(of("*\taaaa:refs/heads/x\t[new branch]"), Some(PushOutcome::Pushed));
        assert_eq!(of(" \taaaa:refs/heads/x\taaaa..bbbb"), Some(PushOutcome::Pushed));
        assert_eq!(of("+\taaaa:refs/heads/x\taaaa...bbbb (forced update)"), Some(PushOutcome::Pushed));
        assert_eq!(of("=\taaaa:refs/heads/x\t[up to date]"), Some(PushOutcome::UpToDate));
        assert_eq!(of("*\taaaa:refs/heads/y\t[new branch]"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn refusals_give_their_reason() {
        for (summary, wanted) in [
            ("[remote rejected] (pre-receive hook declined)", "pre-receive hook declined"),
            ("[rejected] (non-fast-forward)", "non-fast-forward"),
            ("[remote rejected] (only to feature/x (this session))", "only to feature/x (this session)"),
            ("[remote failure]", "[remote failure]"),
        ] {
            let wanted = PushOutcome::Refused { reason: wanted.to_owned(), message: "no way".to_owned() };
            assert_eq!(of(&format!("!\taaaa:refs/heads/x\t{summary}")), Some(wanted));
        }
    }
}
