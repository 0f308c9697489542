//! Whose a credential is, what it may do and until when.

use http::StatusCode;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use valetkey_model::{AuthMethod, Details};

use super::{
    api, api_at, current_user,
    refusal::refusal,
    wire::{ConsentInfo, TokenInfo, missing_scopes},
};
use crate::{
    Access, Checked, ProviderError,
    api::{Answer, Api},
};

/// What GitLab says of a credential itself.
struct Standing {
    scopes: Vec<String>,
    end: Option<Timestamp>,
}

pub(super) async fn check(at: Access<'_>) -> Result<Checked, ProviderError> {
    let api = api(at)?;
    let (user, standing) = tokio::join!(current_user(&api), standing(&api));
    let standing = standing?;
    let missing_scopes = standing.as_ref().map(|known| missing_scopes(&known.scopes)).unwrap_or_default();
    let user = match user {
        // The provider hides the account from such a token; what exactly it lacks is known from the token itself.
        Err(ProviderError::InsufficientScope { .. }) if !missing_scopes.is_empty() => {
            return Err(ProviderError::InsufficientScope { missing: missing_scopes });
        }
        other => other?,
    };
    let details = Details {
        notes: notes(standing.as_ref(), &missing_scopes),
        withheld_scopes: withheld(at, standing.as_ref()),
        ..Details::default()
    };
    let (granted_scopes, expires_at) = standing.map(|known| (known.scopes, known.end)).unwrap_or_default();
    Ok(Checked { account: user.into(), granted_scopes, expires_at, missing_scopes, details })
}

/// None where the instance is too old to say it or the token is of another kind.
async fn standing(api: &Api<'_>) -> Result<Option<Standing>, ProviderError> {
    if api.at.credential.method == AuthMethod::OAuth {
        let info: Option<ConsentInfo> = known(api, &consent_info(api).await?)?;
        return Ok(info.map(|info| Standing { end: info.end(api.at.now), scopes: info.scope }));
    }
    let info: Option<TokenInfo> = known(api, &api.get("/personal_access_tokens/self", &[]).await?)?;
    Ok(info.map(|info| Standing { end: info.end(), scopes: info.scopes }))
}

/// The OAuth server is beside the API, not below it.
async fn consent_info(api: &Api<'_>) -> Result<Answer, ProviderError> {
    api_at(api.at, &api.at.instance.to_string())?.get("/oauth/token/info", &[]).await
}

/// What GitLab says, if it knows the question.
fn known<T: DeserializeOwned>(api: &Api<'_>, answer: &Answer) -> Result<Option<T>, ProviderError> {
    if answer.status.is_success() {
        return answer.json().map(Some);
    }
    if answer.status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    match refusal(answer, api.at.now) {
        // Also said to tokens of another kind; `GET /user` tells whether the token works.
        ProviderError::TokenInvalid => Ok(None),
        other => Err(other),
    }
}

fn notes(standing: Option<&Standing>, missing: &[String]) -> Vec<String> {
    let note = match standing {
        None => "GitLab does not say which scopes this token has; a lack shows when it is used.",
        Some(known) if known.scopes.iter().any(|scope| scope == "api") || !missing.is_empty() => return Vec::new(),
        Some(_) => "Opening merge requests needs the scope 'api', which this token lacks.",
    };
    vec![note.to_owned()]
}

fn withheld(at: Access<'_>, standing: Option<&Standing>) -> Vec<String> {
    let (Some(consent), Some(known)) = (&at.credential.consent, standing) else { return Vec::new() };
    consent.asked.iter().filter(|asked| !known.scopes.contains(asked)).cloned().collect()
}
