use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use valetkey_git::Git;
use valetkey_model::{RefUpdate, RepoUrl, SessionId};

/// Where each session has its repositories checked out. A command list can't tell whether a push goes forward; the
/// checkout that it comes from can.
#[derive(Clone, Default)]
pub(crate) struct Checkouts(Arc<RwLock<HashMap<SessionId, HashMap<RepoUrl, PathBuf>>>>);

impl Checkouts {
    pub(crate) fn register(&self, session: &SessionId, repository: &RepoUrl, folder: PathBuf) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(session.clone()).or_default().insert(repository.clone(), folder);
    }

    pub(crate) fn forget(&self, session: &SessionId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(session);
    }

    fn folder(&self, session: &SessionId, repository: &RepoUrl) -> Option<PathBuf> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(session)?.get(repository).cloned()
    }

    /// `Err` with git's words for it when the update is not known to go forward.
    pub(crate) async fn check(
        &self,
        git: &Git,
        session: &SessionId,
        repository: &RepoUrl,
        update: &RefUpdate,
    ) -> Result<(), String> {
        let unknown =
            || "can't tell that this only adds commits: fetch, and push from the session's checkout".to_owned();
        let folder = self.folder(session, repository).ok_or_else(unknown)?;
        match git.is_fast_forward(&folder, &update.old, &update.new).await {
            Ok(Some(true)) => Ok(()),
            Ok(Some(false)) => Err("non-fast-forward: this session may not rewrite history".to_owned()),
            Ok(None) | Err(_) => Err(unknown()),
        }
    }
}
