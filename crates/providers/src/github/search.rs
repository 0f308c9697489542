//! Repositories by name, as the account's own listing has them: those pushed to last come first.
//!
//! GitHub's search would be one call, but knows nothing of the repositories that others share with the account, of its private
//! organisations' ones only if they are named, and of new ones for a while; and it allows thirty calls a minute.

use std::collections::HashSet;

use valetkey_model::{InstallationState, InstanceUrl, RepoUrl};

use super::{app, ask_repository, is_of_app, refusal::refusal, wire::Repository};
use crate::{ProviderError, RepositoryInfo, api::Api, paging::Paging};

pub(super) async fn search(api: &Api<'_>, text: &str, limit: usize) -> Result<Vec<RepositoryInfo>, ProviderError> {
    let text = text.trim();
    let named = named(api, text).await;
    let listed =
        if is_of_app(api.at.credential) { of_app(api, text, limit).await? } else { own(api, text, limit).await? };
    let mut found: Vec<_> = named.into_iter().collect();
    found.extend(listed);
    let mut seen = HashSet::new();
    found.retain(|repository| seen.insert(repository.path.to_lowercase()));
    found.truncate(limit);
    Ok(found)
}

/// The very repository whose whole path was typed in, however far down the listing it may be.
async fn named(api: &Api<'_>, text: &str) -> Option<RepositoryInfo> {
    let instance = api.at.instance;
    let repo = format!("{instance}/{text}").parse::<RepoUrl>().ok().filter(|_| text.split('/').count() == 2)?;
    // What is wrong beyond this one repository, the listing says too.
    let (_, repository) = ask_repository(api, &repo).await.ok()?;
    repository.into_info(instance)
}

async fn own(api: &Api<'_>, text: &str, limit: usize) -> Result<Vec<RepositoryInfo>, ProviderError> {
    let (paging, wanted) = (Paging::numbered(""), Wanted::new(api, text));
    // Small pages are remembered: what an empty field shows costs nothing the second time.
    let paging = if text.is_empty() { paging.of_at_most(limit.clamp(1, 30)) } else { paging };
    let query = [("sort", "pushed")];
    api.pick(limit, "/user/repos", &query, paging, |answer| refusal(api, answer), |one| wanted.pick(one)).await
}

/// What the person and the app may both see.
async fn of_app(api: &Api<'_>, text: &str, limit: usize) -> Result<Vec<RepositoryInfo>, ProviderError> {
    let wanted = Wanted::new(api, text);
    let mut found = Vec::new();
    for installation in app::list(api).await? {
        if installation.state == InstallationState::Active && found.len() < limit {
            let more = app::repositories_of(api, installation.id, limit - found.len(), |one| wanted.pick(one)).await;
            found.extend(app::unless_only_there(more)?.unwrap_or_default());
        }
    }
    Ok(found)
}

struct Wanted<'a> {
    text: String,
    instance: &'a InstanceUrl,
}

impl<'a> Wanted<'a> {
    fn new(api: &Api<'a>, text: &str) -> Self {
        Self { text: text.to_lowercase(), instance: api.at.instance }
    }

    fn pick(&self, repository: Repository) -> Option<RepositoryInfo> {
        repository.full_name.to_lowercase().contains(&self.text).then(|| repository.into_info(self.instance))?
    }
}
