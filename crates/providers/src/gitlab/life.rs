//! Renewing and ending an access token, which it can do for itself.

use http::StatusCode;
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde_json::json;

use super::{
    GitLab, api,
    refusal::refusal,
    wire::{NewToken, TokenInfo},
};
use crate::{Access, Credential, Provider, ProviderError, Rotated, oauth::Revoked};

const USUAL_LIFE: i32 = 90;
/// The longest that GitLab allows unless its administrator says otherwise.
const LONGEST_LIFE: i32 = 365;

/// Asked once: a second rotation of the same token makes GitLab revoke every token that came of it.
pub(super) async fn rotate(at: Access<'_>) -> Result<Option<Rotated>, ProviderError> {
    let api = api(at)?;
    let known = api.get("/personal_access_tokens/self", &[]).await?;
    let old: TokenInfo = known.or_refusal(|answer| refusal(answer, at.now))?.json()?;
    let wanted = json!({ "expires_at": new_end(&old, at.now).to_string() });
    let answer = api.post("/personal_access_tokens/self/rotate", &wanted).await?;
    let unknown = matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
    if unknown && answer.common_refusal().is_none() {
        return Ok(None);
    }
    let new: NewToken = answer.or_refusal(|answer| refusal(answer, at.now))?.json()?;
    let expires_at = new.end();
    let credential = Credential { token: new.token, ..at.credential.clone() };
    GitLab.check_form(at.instance, &credential).map_err(|_| answer.not_the_provider())?;
    Ok(Some(Rotated { credential, expires_at }))
}

pub(super) async fn revoke(at: Access<'_>) -> Result<Revoked, ProviderError> {
    let answer = api(at)?.delete("/personal_access_tokens/self").await?;
    if answer.status.is_success() {
        return Ok(Revoked::Done);
    }
    match refusal(&answer, at.now) {
        ProviderError::TokenInvalid | ProviderError::TokenExpired | ProviderError::TokenRevoked => {
            Ok(Revoked::NotKnown)
        }
        // An instance that is too old for the question.
        ProviderError::NotTheProvider { .. } if answer.common_refusal().is_none() => Ok(Revoked::NotOffered),
        other => Err(other),
    }
}

/// The new token lives as long as the old one was meant to, where that is known.
fn new_end(old: &TokenInfo, now: Timestamp) -> Date {
    let life = old.life_in_days().unwrap_or(USUAL_LIFE).clamp(1, LONGEST_LIFE);
    now.to_zoned(TimeZone::UTC).date().saturating_add(life.days())
}
