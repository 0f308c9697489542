use http::StatusCode;
use serde_json::json;
use valetkey_model::ProviderKind;

use super::{FIXED_HEADERS, api_base, app::revoke_installation_token, refusal::refusal};
use crate::{Access, ProviderError, api::Api, oauth::Revoked, token};

/// Ends a token for everybody who has it. GitHub lets anybody do that who knows one, and does not say whether it knew it
/// before; the token's owner gets a mail. An OAuth app that is still registered ends the whole grant instead, by its
/// [profile](super::oauth::profile).
pub(super) async fn revoke(at: Access<'_>) -> Result<Revoked, ProviderError> {
    if token::has_form(&at.credential.token, |token| token.starts_with("ghs_")) {
        return revoke_installation_token(at).await;
    }
    // One of another app that was pasted, such as the one of `gh`, is not ours to end.
    if token::has_form(&at.credential.token, |token| token.starts_with("gho_") || token.starts_with("ghu_")) {
        return Ok(Revoked::NotOffered);
    }
    let api = Api::anonymous(at, &api_base(at.instance), &FIXED_HEADERS)?;
    let answer =
        api.post("/credentials/revoke", &json!({ "credentials": [token::json(&at.credential.token)] })).await?;
    // GitHub Enterprise Server has no such endpoint, and may want a sign-in where it does not know one.
    let absent = [StatusCode::NOT_FOUND, StatusCode::UNAUTHORIZED].contains(&answer.status);
    if absent && !ProviderKind::GitHub.is_public(at.instance) && answer.common_refusal().is_none() {
        return Ok(Revoked::NotOffered);
    }
    answer.or_refusal(|answer| refusal(&api, answer))?;
    Ok(Revoked::Done)
}
