use std::borrow::Cow;

use valetkey_git::{ChangesLimits, Checkout, Git};
use valetkey_model::{ChangedFile, Changes, LeftOut, ObjectId, Problem, RepositoryChanges};
use valetkey_redact::Redactor;

use crate::{
    checkout::{WorkingCopy, checkout_problem},
    run::Run,
};

/// How much of one session's changes is kept, for all of its repositories together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    files: usize,
    patch: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { files: 200, patch: 256 << 10 }
    }
}

/// How long the patch of one file may be.
const FILE_PATCH: usize = 64 << 10;

/// Records what lies between the commit that the agent started from and the one that is to be pushed. That it can't be
/// shown is no reason not to push it.
pub(crate) async fn record(
    run: &Run,
    git: &Git,
    copy: &WorkingCopy<'_>,
    commit: &ObjectId,
    room: &mut Room,
) -> Result<(), Problem> {
    let (url, provider) = (&copy.target.spec.url, copy.target.provider);
    let found = match compare(git, copy, commit, *room).await {
        Ok(changes) => changes,
        Err(problem) => {
            let line = format!("{}: what changed can't be shown: {}", url.path(), problem.detail);
            return run.log_at(provider, line).await;
        }
    };
    let changes = without_secrets(found, &run.redactor);
    room.files -= changes.files.len();
    room.patch -=
        changes.files.iter().filter_map(|file| file.patch.as_ref()).map(String::len).sum::<usize>().min(room.patch);
    let changes =
        RepositoryChanges { url: url.clone(), base_commit: copy.start.commit.clone(), commit: commit.clone(), changes };
    Ok(run.parts.store.set_changes(&run.session.id, copy.target.index, &changes).await?)
}

async fn compare(git: &Git, copy: &WorkingCopy<'_>, commit: &ObjectId, room: Room) -> Result<Changes, Problem> {
    let limits = ChangesLimits { files: room.files, patch: room.patch, file_patch: FILE_PATCH };
    let checkout = Checkout::open(&copy.folder).map_err(|e| checkout_problem(&e.into()))?;
    let changes = checkout.changes(git, copy.start.commit.as_ref(), commit, limits).await;
    changes.map_err(|e| checkout_problem(&e))
}

fn without_secrets(mut changes: Changes, redactor: &Redactor) -> Changes {
    for ChangedFile { path, old_path, patch, left_out, .. } in &mut changes.files {
        *path = redactor.redact(path).into_owned();
        *old_path = old_path.take().map(|path| redactor.redact(&path).into_owned());
        let Some(text) = patch.take() else { continue };
        *patch = without_secrets_in(&text, redactor);
        *left_out = patch.is_none().then_some(LeftOut::Secret);
    }
    changes
}

/// The patch redacted; none where a secret goes over several lines, each of which has a sign in front of it here.
fn without_secrets_in(patch: &str, redactor: &Redactor) -> Option<String> {
    let redacted = redactor.redact(patch).into_owned();
    let shows = |sign: char| {
        let lines = redacted.lines().filter_map(|line| line.strip_prefix([sign, ' ']));
        let content: String = lines.flat_map(|line| [line, "\n"]).collect();
        matches!(redactor.redact(&content), Cow::Owned(_))
    };
    (!shows('+') && !shows('-')).then_some(redacted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(secret: &str) -> Redactor {
        let redactor = Redactor::new();
        let _ = redactor.add(secret);
        redactor
    }

    #[test]
    fn a_secret_in_a_patch_is_hidden_and_one_over_lines_hides_it_all() {
        let patch = |added: &str| format!("diff --git a/x b/x\n@@ -1 +1,3 @@\n-old\n{added} end\n");
        let one = redactor("a-secret-that-is-long-enough");
        let shown = without_secrets_in(&patch("+token = a-secret-that-is-long-enough\n"), &one).unwrap();
        assert_eq!(shown, patch("+token = ***\n"));
        let key = redactor("-----BEGIN KEY-----\nc2VjcmV0IGtleSBtYXRlcmlhbA==\n-----END KEY-----");
        let lines = "+-----BEGIN KEY-----\n+c2VjcmV0IGtleSBtYXRlcmlhbA==\n+-----END KEY-----\n";
        assert_eq!(without_secrets_in(&patch(lines), &key), None);
        assert_eq!(without_secrets_in(&patch(&lines.replace('+', "-")), &key), None);
        assert_eq!(without_secrets_in(&patch("+nothing\n"), &key), Some(patch("+nothing\n")));
    }
}
