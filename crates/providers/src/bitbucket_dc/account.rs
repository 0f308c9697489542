//! Whose a token is, what it may do and until when.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::StatusCode;
use valetkey_model::{Account, Details};

use super::{
    refusal::{refusal, user_name},
    wire::{AccessToken, ApplicationProperties, User},
};
use crate::{
    Checked, ProviderError,
    account::Described,
    api::{Answer, Api},
    paging::Paging,
    token,
};

/// Any one of these lets a token push, as far as its account may.
const PUSH_PERMISSIONS: [&str; 4] = ["REPO_WRITE", "REPO_ADMIN", "PROJECT_WRITE", "PROJECT_ADMIN"];

pub(super) async fn check(api: &Api<'_>) -> Result<Checked, ProviderError> {
    // Answered to everybody: only the header tells whether the token was accepted.
    let answer = api.get("/rest/api/latest/application-properties", &[]).await?;
    let properties: ApplicationProperties = answer.or_refusal(|answer| refusal(api, answer))?.json()?;
    let name = user_name(&answer).ok_or(ProviderError::TokenInvalid)?;
    let mut details = Details { version: Some(properties.version()), ..Details::default() };
    let (account, token) = match slug(&name) {
        Some(slug) => tokio::try_join!(person(api, &slug, &name), own_token(api, &slug))?,
        None => (None, None),
    };
    let account = account.unwrap_or_else(|| {
        let note = "Bitbucket shows no person of this account's name; most likely the token is a project's or a repository's own.";
        details.notes.push(note.to_owned());
        let id = answer.header("x-auserid").unwrap_or(&name);
        Account::from(Described { id, username: &name, name: None, emails: &[] })
    });
    if token.is_none() {
        let note = "Bitbucket does not say what this token may do and when it ends.";
        details.notes.push(note.to_owned());
    }
    let may_push = |token: &AccessToken| token.permissions.iter().any(|it| PUSH_PERMISSIONS.contains(&&**it));
    let lacks = token.as_ref().is_some_and(|token| !token.permissions.is_empty() && !may_push(token));
    Ok(Checked {
        account,
        expires_at: token.as_ref().and_then(AccessToken::expires_at),
        granted_scopes: token.map(|token| token.permissions).unwrap_or_default(),
        missing_scopes: if lacks { vec![PUSH_PERMISSIONS[0].to_owned()] } else { Vec::new() },
        details,
    })
}

/// The person of a name; none where it is none, as with projects' and repositories' tokens.
async fn person(api: &Api<'_>, slug: &str, name: &str) -> Result<Option<Account>, ProviderError> {
    let answer = api.get(&format!("/rest/api/latest/users/{slug}"), &[]).await?;
    if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) {
        return Ok(None);
    }
    let user: User = answer.or_refusal(|answer| refusal(api, answer))?.json()?;
    Ok(Some(user).filter(|user| user.name.eq_ignore_ascii_case(name)).map(Account::from))
}

/// The token's own entry in its owner's list, where that is shown and leaves no doubt.
async fn own_token(api: &Api<'_>, slug: &str) -> Result<Option<AccessToken>, ProviderError> {
    let path = format!("/rest/access-tokens/latest/users/{slug}");
    let refused = |answer: &Answer| refusal(api, answer);
    let mut listed: Vec<AccessToken> = match api.list(&path, &[], Paging::bitbucket_data_center(), refused).await {
        Err(ProviderError::TokenInvalid | ProviderError::Forbidden { .. } | ProviderError::NotTheProvider { .. }) => {
            return Ok(None);
        }
        other => other?,
    };
    listed.retain(|token| token.expires_at().is_none_or(|end| end > api.at.now));
    if let Some(own) = listed.iter().position(|entry| is_of(api, &entry.id)) {
        return Ok(Some(listed.swap_remove(own)));
    }
    let only = listed.pop().filter(|_| listed.is_empty());
    Ok(only.filter(|_| !names_an_entry(api)))
}

/// A token is the Base64 form of its entry's number, a colon and random bytes.
fn is_of(api: &Api<'_>, id: &str) -> bool {
    token::has_form(&api.at.credential.token, |text| entry_of(text).is_some_and(|own| own == id))
}

fn names_an_entry(api: &Api<'_>) -> bool {
    token::has_form(&api.at.credential.token, |text| entry_of(text).is_some())
}

fn entry_of(token: &str) -> Option<String> {
    let bytes = STANDARD.decode(token.strip_prefix("BBDC-").unwrap_or(token)).ok()?;
    let digits: String = bytes.iter().take_while(|byte| byte.is_ascii_digit()).map(|byte| char::from(*byte)).collect();
    (!digits.is_empty() && bytes.get(digits.len()) == Some(&b':')).then_some(digits)
}

/// How a name stands in addresses: in lower case, with what is special replaced.
fn slug(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let slug: String = name.to_lowercase().chars().map(|c| if plain(c) { c } else { '_' }).collect();
    slug.chars().any(|c| c != '.').then_some(slug)
}
