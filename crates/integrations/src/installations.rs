//! Tokens of GitHub App installations: made for one session's repositories, and kept until shortly before they end.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use valetkey_model::{
    Actor, CheckOutcome, Installation, InstallationState, Integration, IntegrationId, Problem, ProblemCode,
    ProviderKind, RepoUrl,
};
use valetkey_providers::{
    Credential, ProviderError,
    github_app::{AppClient, AppKey, Level, Permissions, install_url, revoke_installation_token},
};
use valetkey_seal::Secret;

use crate::{Integrations, apps::App};

/// A token is not handed out any more when it ends within this time.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// So many tokens are kept; then those that have ended are dropped, and if need be all of them.
const MOST: usize = 1024;

/// The tokens that were made and have not ended. Each process has its own: another one makes another token.
#[derive(Default)]
pub(crate) struct Made(Mutex<HashMap<Key, (Secret<String>, Timestamp)>>);

/// Whose token, and for which repositories.
type Key = (IntegrationId, Vec<RepoUrl>);

impl Made {
    fn get(&self, key: &Key, now: Timestamp) -> Option<Secret<String>> {
        let made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        made.get(key).filter(|(_, end)| *end > now + MARGIN).map(|(token, _)| token.clone())
    }

    fn keep(&self, key: Key, token: Secret<String>, end: Timestamp, now: Timestamp) {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if made.len() >= MOST {
            made.retain(|_, (_, end)| *end > now + MARGIN);
        }
        if made.len() >= MOST {
            made.clear();
        }
        made.insert(key, (token, end));
    }

    /// Takes out the tokens of an integration that may be used no more.
    fn take(&self, of: &IntegrationId) -> Vec<Secret<String>> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        made.extract_if(|(id, _), _| id == of).map(|(_, (token, _))| token).collect()
    }
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Made(***)")
    }
}

impl Integrations {
    /// A token of the installation that covers these repositories, which must all have the same owner. It reaches them and
    /// nothing else.
    ///
    /// # Errors
    /// When the app is not installed there, not by this person, suspended, or does not cover one of them.
    pub(crate) async fn installation_token(&self, of: &Integration, repos: &[RepoUrl]) -> Result<Credential, Problem> {
        if let CheckOutcome::Disconnected { code, reason } = &of.outcome {
            return Err(Problem::new(*code, reason.clone()).by(of.provider));
        }
        let now = self.clock.now();
        let mut repos = repos.to_vec();
        repos.sort_unstable();
        let key = (of.id.clone(), repos);
        if let Some(token) = self.made.get(&key, now) {
            return Ok(Credential::pat(token));
        }
        let app = self.app(of.provider, &of.instance_url).await?;
        let client = client(self, of, &app, now)?;
        let problem = |error: ProviderError| error.into_problem(of.provider, &of.instance_url);
        let first = key.1.first().ok_or_else(|| no_repository(of))?;
        let found = client.installation_for(first).await.map_err(problem)?;
        let installation = found.ok_or_else(|| not_installed(of, &app, first))?;
        known_to_person(of, &app, &installation)?;
        // The app may do more than the person: what is theirs no more is not lent out in their name.
        for repo in &key.1 {
            self.repository(of, repo).await?.require_push().map_err(problem)?;
        }
        let permissions = as_granted(&installation);
        let minted = client.mint(installation.id, &key.1, permissions).await.map_err(problem)?;
        tracing::info!(integration = %of.id, installation = installation.id, "made an installation token");
        self.made.keep(key, minted.token.clone(), minted.expires_at, now);
        Ok(Credential::pat(minted.token))
    }

    /// Ends the tokens that were made for an integration, also where a session's processes still have them.
    pub(crate) async fn end_installation_tokens(&self, of: &Integration) {
        for token in self.made.take(&of.id) {
            let credential = Credential::pat(token);
            if let Err(error) = revoke_installation_token(self.access(of, &credential)).await {
                tracing::warn!(integration = %of.id, %error, "an installation token lives on until its hour is over");
            }
        }
    }

    /// Whether an installation is this person's to use, asked with their own token: the number alone proves nothing.
    ///
    /// # Errors
    /// `forbidden` if it is not, or that can't be told; `integration_missing` where GitHub is not connected by an app.
    pub(crate) async fn verify_installation(
        &self,
        of: &Integration,
        installation: u64,
    ) -> Result<Integration, Problem> {
        self.check(of).await.map(drop)?;
        let integration = self.by_id(&of.id).await?;
        let theirs = integration.details.installations.iter().any(|known| known.id == installation);
        if theirs { Ok(integration) } else { Err(not_owned()) }
    }

    /// This person's GitHub account that is connected by an app, if there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn app_integration(&self, by: &Actor) -> Result<Option<Integration>, Problem> {
        let all = self.own(by, Some(ProviderKind::GitHub)).await?;
        Ok(all.into_iter().rfind(|it| it.auth_method == valetkey_model::AuthMethod::App))
    }
}

/// What to answer whoever names an installation that is not theirs.
pub(crate) fn not_owned() -> Problem {
    Problem::new(ProblemCode::Forbidden, "installation not owned by user")
        .remedy("Install the app with the GitHub account that is connected here, then try again.")
        .by(ProviderKind::GitHub)
}

fn client<'a>(
    with: &'a Integrations,
    of: &'a Integration,
    app: &'a App,
    now: Timestamp,
) -> Result<AppClient<'a>, Problem> {
    let Some(private_key) = &app.secrets.private_key else {
        let detail = format!("The app registered for {} has no private key.", of.instance_url);
        return Err(Problem::new(ProblemCode::OauthNotConfigured, detail)
            .remedy("An administrator creates a GitHub App under Settings.")
            .by(of.provider));
    };
    let key = AppKey { client_id: &app.client_id, private_key };
    Ok(AppClient { http: &with.http, instance: &of.instance_url, key, slug: app.facts.slug.as_deref(), now })
}

/// The installation must be one that GitHub named to this person.
fn known_to_person(of: &Integration, app: &App, installation: &Installation) -> Result<(), Problem> {
    let known = of.details.installations.iter().find(|known| known.id == installation.id);
    let detail = match (known, installation.state) {
        (Some(_), InstallationState::Active) => return Ok(()),
        (Some(_), InstallationState::Suspended) => {
            format!("The app's installation on {} is suspended.", installation.account)
        }
        (Some(_), _) => format!("The app's installation on {} is not active.", installation.account),
        (None, _) => {
            format!("{} may not use the app's installation on {}.", of.account.username, installation.account)
        }
    };
    Err(Problem::new(ProblemCode::IntegrationUnusable, detail).remedy(install_remedy(of, app)).by(of.provider))
}

fn not_installed(of: &Integration, app: &App, repo: &RepoUrl) -> Problem {
    let detail = format!("The app is not installed where it could reach '{}'.", repo.path());
    Problem::new(ProblemCode::PushNotAllowed, detail).remedy(install_remedy(of, app)).by(of.provider)
}

fn no_repository(of: &Integration) -> Problem {
    Problem::new(ProblemCode::IntegrationUnusable, format!("'{}' gives tokens for repositories only.", of.alias))
}

fn install_remedy(of: &Integration, app: &App) -> String {
    match &app.facts.slug {
        Some(slug) => format!("Install it, or add the repository, at {}.", install_url(&of.instance_url, slug, None)),
        None => "Install the app there.".to_owned(),
    }
}

/// What a session needs, as far as the installation has it.
fn as_granted(installation: &Installation) -> Permissions {
    let writes = |name: &str| installation.permissions.get(name).is_some_and(|level| level != "read");
    Permissions {
        contents: if writes("contents") { Level::Write } else { Level::Read },
        pull_requests: writes("pull_requests").then_some(Level::Write),
        issues: writes("issues").then_some(Level::Write),
        workflows: writes("workflows"),
    }
}
