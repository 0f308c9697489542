use std::path::Path;

use valetkey_model::RepoUrl;

use crate::{Checkout, Git, GitError};

impl Git {
    /// Clones every branch and tag of `url` into the folder `into`, which must be missing or empty; no file is checked
    /// out yet ([`Checkout::start_branch`] does that) and no submodule is followed. `progress` gets git's messages line
    /// by line.
    ///
    /// In the clone a plain `git push` pushes the current branch to one of the same name.
    ///
    /// # Errors
    /// [`GitError::Failed`] when the server refuses ([`Failure::http_status`](crate::Failure::http_status) says how) or
    /// the transfer breaks off.
    pub async fn clone_repo(
        &self,
        url: &RepoUrl,
        into: &Path,
        mut progress: impl FnMut(&str) + Send,
    ) -> Result<Checkout, GitError> {
        self.version().await?;
        let into = std::path::absolute(into).map_err(GitError::Run)?;
        let clone =
            ["clone", "--progress", "--no-checkout", "--no-recurse-submodules", "--template=", "--origin=origin"];
        let call =
            self.call("clone").transfer().args(clone).args(["--config=push.default=current", "--", &url.clone_url()]);
        let output = call.args([&into]).output_with(&mut progress).await?;
        if output.code != Some(0) {
            return Err(output.into_failure());
        }
        Ok(Checkout::open(into)?)
    }
}
