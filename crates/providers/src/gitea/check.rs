//! Whose a credential is and what it may do.

use valetkey_model::{Account, AuthMethod, Details};

use super::{
    current_user,
    scopes::{self, ACCOUNT, PUSH, Scopes},
    wire::Version,
};
use crate::{Checked, ProviderError, api::Api, token};

pub(super) async fn check(api: &Api<'_>) -> Result<Checked, ProviderError> {
    let (user, scopes, version) = tokio::join!(current_user(api), scopes::learn(api), version(api));
    let hidden = matches!(user, Err(ProviderError::InsufficientScope { .. }));
    let account = match user {
        Ok(user) => user.into(),
        Err(ProviderError::InsufficientScope { .. }) => stand_in(api),
        Err(other) => return Err(other),
    };
    let scopes = scopes?;
    let missing_scopes = missing(&scopes, hidden);
    let chosen_repositories = hidden && missing_scopes.is_empty() && version.as_ref().is_some_and(Version::is_forgejo);
    if hidden && !chosen_repositories {
        let missing = [ACCOUNT.to_owned()].into_iter().chain(missing_scopes).collect();
        return Err(ProviderError::InsufficientScope { missing });
    }
    let details = Details {
        notes: notes(api, &scopes, chosen_repositories),
        version: version.map(|version| version.to_string()),
        withheld_scopes: withheld(api, &scopes),
        ..Details::default()
    };
    let granted_scopes = match scopes {
        Scopes::Stated(granted) => granted,
        Scopes::Unstated { .. } => Vec::new(),
    };
    Ok(Checked { account, granted_scopes, expires_at: None, missing_scopes, details })
}

fn missing(scopes: &Scopes, hidden: bool) -> Vec<String> {
    let needed = if hidden { &[PUSH][..] } else { &[ACCOUNT, PUSH] };
    needed.iter().filter(|scope| scopes.lacks(scope)).map(|scope| (*scope).to_owned()).collect()
}

/// Nothing else tells two tokens apart that hide their account, and one must not be taken for the other.
fn stand_in(api: &Api<'_>) -> Account {
    let name = format!("access-token-{}", token::fingerprint(&api.at.credential.token));
    Account { id: name.clone(), username: name, name: Some("Access token".to_owned()), email: None }
}

fn notes(api: &Api<'_>, scopes: &Scopes, chosen_repositories: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |text: &str| notes.push(text.to_owned());
    if chosen_repositories {
        note("This token hides its account, as tokens for chosen repositories do. It reaches no others.");
    }
    match scopes {
        Scopes::Stated(granted) if granted.iter().any(|scope| scope == "public-only") => {
            note("This token reaches public repositories only.");
        }
        Scopes::Unstated { pushes: true } if api.at.credential.method == AuthMethod::OAuth => {
            note(
                "This server does not say what it granted. Gitea before 1.23 grants full access, whatever is asked for.",
            );
        }
        Scopes::Unstated { pushes: true } => {
            note("This server does not say which scopes the token has. Those that are needed are among them.");
        }
        Scopes::Stated(_) | Scopes::Unstated { .. } => {}
    }
    notes
}

fn withheld(api: &Api<'_>, scopes: &Scopes) -> Vec<String> {
    let asked = api.at.credential.consent.iter().flat_map(|consent| &consent.asked);
    asked.filter(|scope| scopes.lacks(scope)).cloned().collect()
}

/// None where nobody says it; nothing depends on it.
async fn version(api: &Api<'_>) -> Option<Version> {
    let answer = api.get("/version", &[]).await.ok()?;
    answer.status.is_success().then(|| answer.json().ok()).flatten()
}
