use futures_util::{StreamExt as _, stream};
use valetkey_model::{Installation, InstallationState};

use super::wire::Installed;
use crate::{
    Access, ProviderError,
    api::{Answer, Api, one_line},
    github::{api, refusal::refusal, wire::Repository},
    paging::Paging,
};

/// How many installations are asked about at a time.
const AT_ONCE: usize = 4;
/// How many repositories of an installation are shown.
const SHOWN: usize = 100;

/// An installation, and why its repositories could not be listed, if so.
pub(crate) struct Listed {
    pub(crate) installation: Installation,
    pub(crate) refused: Option<ProviderError>,
}

/// The installations of the app that a person can see, with the repositories that both may see, a hundred of each at most. The
/// credential is the person's token of that app.
///
/// # Errors
/// Any refusal. One that is about a single installation's repositories is none.
pub async fn installations_of_user(at: Access<'_>) -> Result<Vec<Installation>, ProviderError> {
    let api = api(at)?;
    Ok(with_repositories(&api).await?.into_iter().map(|listed| listed.installation).collect())
}

pub(crate) async fn with_repositories(api: &Api<'_>) -> Result<Vec<Listed>, ProviderError> {
    let all = list(api).await?;
    let listed = stream::iter(all).map(|installation| async move {
        if installation.state != InstallationState::Active {
            return Ok(Listed { installation, refused: None });
        }
        let paths = repositories_of(api, installation.id, SHOWN, |one| Some(one_line(&one.full_name))).await;
        Ok(match unless_only_there(paths)? {
            Ok(repositories) => Listed { installation: Installation { repositories, ..installation }, refused: None },
            Err(refused) => Listed { installation, refused: Some(refused) },
        })
    });
    listed.buffered(AT_ONCE).collect::<Vec<_>>().await.into_iter().collect()
}

/// All installations that the person can see, without repositories.
pub(crate) async fn list(api: &Api<'_>) -> Result<Vec<Installation>, ProviderError> {
    let refusal = |answer: &Answer| refusal(api, answer);
    let all: Vec<Installed> = api.list("/user/installations", &[], Paging::numbered("/installations"), refusal).await?;
    Ok(all.into_iter().map(Installed::into_installation).collect())
}

/// The first repositories of an installation that the person can see and `pick` takes.
pub(crate) async fn repositories_of<T>(
    api: &Api<'_>,
    installation: u64,
    limit: usize,
    pick: impl Fn(Repository) -> Option<T>,
) -> Result<Vec<T>, ProviderError> {
    let path = format!("/user/installations/{installation}/repositories");
    let paging = Paging::numbered("/repositories");
    api.pick(limit, &path, &[], paging, |answer| refusal(api, answer), pick).await
}

/// Keeps what is wrong with one installation only from hiding the others: its organisation wants something, or it was removed
/// a moment ago.
pub(crate) fn unless_only_there<T>(
    answer: Result<T, ProviderError>,
) -> Result<Result<T, ProviderError>, ProviderError> {
    match answer {
        Err(
            refused @ (ProviderError::Forbidden { .. }
            | ProviderError::InsufficientScope { .. }
            | ProviderError::SsoRequired { .. }
            | ProviderError::NotTheProvider { .. }),
        ) => Ok(Err(refused)),
        Err(other) => Err(other),
        Ok(found) => Ok(Ok(found)),
    }
}
