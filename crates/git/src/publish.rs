use std::{fs, io};

use jiff::Timestamp;
use valetkey_model::ObjectId;

use crate::{
    Checkout, CheckoutError, Git, GitError, Head,
    checkout::blocking,
    own_dir::{BRANCH_REF, OwnGitDir},
    process::Call,
    refs,
    status::{PathList, Status},
};

const MAX_INDEX: u64 = 2 << 30;
const MAX_EXCLUDES: u64 = 1 << 20;

/// Who a commit is by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    name: String,
    email: String,
}

impl Author {
    /// An author with what git accepts of `name` and `email`; without a usable name the e-mail address stands in.
    pub fn new(name: &str, email: &str) -> Self {
        let clean = |text: &str| -> String {
            text.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>')).collect::<String>().trim().to_owned()
        };
        let email = clean(email);
        let named = |text: &String| text.chars().any(char::is_alphanumeric);
        let name = Some(clean(name)).filter(named).or_else(|| Some(email.clone()).filter(named));
        Self { name: name.unwrap_or_else(|| "unknown".to_owned()), email }
    }

    /// Git's `user.name`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Git's `user.email`.
    pub fn email(&self) -> &str {
        &self.email
    }
}

/// How to commit what an agent left uncommitted.
#[derive(Debug, Clone)]
pub struct PublishOptions {
    /// Author and committer.
    pub author: Author,
    /// The whole commit message.
    pub message: String,
    /// When; git's clock if `None`.
    pub at: Option<Timestamp>,
}

/// What there is to push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The commit, `None` if there is none at all.
    pub head: Option<ObjectId>,
    /// Whether [`Checkout::publish`] made it.
    pub committed_by_us: bool,
    /// How many files that commit changes, a file that was staged and then undone included; 0 if it made none.
    pub changed_files: usize,
    /// Folders left out because they are git repositories of their own: nobody could fetch what a commit would say of
    /// them.
    pub left_out: Vec<String>,
}

impl Checkout {
    /// Commits everything that is uncommitted and not ignored on top of what is checked out, and moves the checked out
    /// branch (or a detached head) there. To be called when the agent's processes have ended.
    ///
    /// One git process if nothing is uncommitted, else three; one more each if there are files to remove besides files to
    /// add, if the index can't be used, and if everything that was staged seems to be undone.
    ///
    /// Filters that `.gitattributes` asks for are not applied. An unfinished merge becomes a commit with one parent.
    ///
    /// # Errors
    /// [`GitError::Checkout`] when the agent left something that is not safe to read, [`GitError::Failed`] when a file
    /// can't be read.
    pub async fn publish(&self, git: &Git, options: &PublishOptions) -> Result<Published, GitError> {
        let (checkout, scratch) = (self.clone(), git.scratch().to_owned());
        let (head, own) = blocking(move || checkout.prepare(&scratch)).await?;
        let stage = Stage { git, own, checkout: self };
        let status = match stage.status().await {
            Err(GitError::Failed(_)) => stage.rebuild_index(&head).await?,
            other => other?,
        };
        // Removals by force and first: of a folder that became a link git would not remove the files otherwise.
        stage.update_index(&["--force-remove"], status.to_remove).await?;
        stage.update_index(&["--add", "--remove", "--replace"], status.to_add).await?;
        let differs = status.surely_differs || (status.changed > 0 && stage.differs(&head).await?);
        let left_out = status.foreign;
        if !differs {
            let head = head.commit().cloned();
            return Ok(Published { head, committed_by_us: false, changed_files: 0, left_out });
        }
        let commit = stage.commit(options).await?;
        let (checkout, id, own) = (self.clone(), commit.clone(), stage.own);
        blocking(move || checkout.adopt(&own, head, id)).await?;
        Ok(Published { head: Some(commit), committed_by_us: true, changed_files: status.changed, left_out })
    }

    fn prepare(&self, scratch: &std::path::Path) -> Result<(Head, OwnGitDir), CheckoutError> {
        let git_dir = self.git_dir()?;
        let head = refs::read_head(&git_dir)?;
        let own = self.own_dir_blocking(scratch, head.commit())?;
        if let Some(index) = git_dir.read("index", MAX_INDEX).map_err(CheckoutError::Io)? {
            fs::write(own.path().join("index"), index).map_err(CheckoutError::Io)?;
        } else if head.commit().is_some() {
            // Not an index: status fails and the index is rebuilt. Without one all files would count as deleted.
            fs::write(own.path().join("index"), "missing").map_err(CheckoutError::Io)?;
        }
        // Patterns only; where they can't be read they are no reason to stop.
        let excludes = git_dir.folder("info").and_then(|info| info.read("exclude", MAX_EXCLUDES));
        if let Ok(Some(excludes)) = excludes {
            fs::write(own.path().join("info/exclude"), excludes).map_err(CheckoutError::Io)?;
        }
        Ok((head, own))
    }

    /// Makes the commit and the index that belongs to it the checkout's.
    fn adopt(&self, own: &OwnGitDir, head: Head, commit: ObjectId) -> Result<(), CheckoutError> {
        let git_dir = self.git_dir()?;
        let head = match head {
            Head::Branch(branch, _) => Head::Branch(branch, Some(commit)),
            Head::Detached(_) => Head::Detached(commit),
        };
        refs::write_head(&git_dir, &head)?;
        let index = fs::read(own.path().join("index")).map_err(CheckoutError::Io)?;
        git_dir.replace("index", &index).map_err(CheckoutError::Io)
    }
}

/// The checkout's files and objects with a git directory of our own, in which the commit is made.
struct Stage<'a> {
    git: &'a Git,
    own: OwnGitDir,
    checkout: &'a Checkout,
}

impl Stage<'_> {
    fn call(&self, what: &'static str) -> Call {
        self.git.call_in(what, &self.own).env("GIT_WORK_TREE", self.checkout.dir()).current_dir(self.checkout.dir())
    }

    /// Without `--ignore-submodules=dirty` git would run itself inside each submodule, with the submodule's
    /// configuration; the plain `git add` can't be told not to.
    async fn status(&self) -> Result<Status, GitError> {
        let what = "find what is uncommitted";
        let status =
            ["status", "--porcelain=v2", "-z", "--untracked-files=all", "--ignore-submodules=dirty", "--no-renames"];
        let output = self.call(what).args(status).run().await?;
        Status::parse(&output.stdout).ok_or(GitError::Unexpected { what })
    }

    async fn rebuild_index(&self, head: &Head) -> Result<Status, GitError> {
        match fs::remove_file(self.own.path().join("index")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(GitError::Run(error)),
            _ => {}
        }
        if let Some(commit) = head.commit() {
            self.call("read the last commit").args(["read-tree", commit.as_str()]).run().await?;
        }
        self.status().await
    }

    async fn update_index(&self, how: &[&str], paths: PathList) -> Result<(), GitError> {
        if paths.0.is_empty() {
            return Ok(());
        }
        let call = self.call("stage what is uncommitted").args(["update-index"]).args(how).args(["-z", "--stdin"]);
        call.stdin(paths.0).run().await?;
        Ok(())
    }

    async fn differs(&self, head: &Head) -> Result<bool, GitError> {
        let Some(commit) = head.commit() else { return Ok(true) };
        let diff = ["diff-index", "--cached", "--quiet", commit.as_str(), "--"];
        let output = self.call("compare with the last commit").args(diff).output().await?;
        match output.code {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            _ => Err(output.into_failure()),
        }
    }

    /// With `--allow-empty` git does not look for differences itself, which again would lead into submodules.
    async fn commit(&self, options: &PublishOptions) -> Result<ObjectId, GitError> {
        let what = "commit";
        let flags = ["commit", "--quiet", "--no-verify", "--no-gpg-sign", "--allow-empty", "--allow-empty-message"];
        let Author { name, email } = &options.author;
        let mut call = self.call(what).args(flags).args(["--cleanup=verbatim", "--file=-"]);
        for (role, date) in [("AUTHOR", "GIT_AUTHOR_DATE"), ("COMMITTER", "GIT_COMMITTER_DATE")] {
            call = call.env(&format!("GIT_{role}_NAME"), name).env(&format!("GIT_{role}_EMAIL"), email);
            if let Some(at) = options.at {
                call = call.env(date, format!("@{} +0000", at.as_second()));
            }
        }
        call.stdin(options.message.replace('\0', "").into_bytes()).run().await?;
        let id = fs::read_to_string(self.own.path().join(BRANCH_REF)).map_err(GitError::Run)?;
        id.trim_end().parse().map_err(|_| GitError::Unexpected { what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authors_are_what_git_accepts() {
        for (name, email, wanted) in [
            ("Jo Doe", "jo@x.test", ("Jo Doe", "jo@x.test")),
            (" J<o>\n ", "<jo@x.test>", ("Jo", "jo@x.test")),
            ("...", "jo@x.test", ("jo@x.test", "jo@x.test")),
            ("", "", ("unknown", "")),
        ] {
            let author = Author::new(name, email);
            assert_eq!((author.name.as_str(), author.email.as_str()), wanted);
        }
    }
}
