//! Whose a credential is and what it may do.

use http::StatusCode;
use valetkey_model::{Account, AuthMethod, Details};

use super::{
    refusal::{granted, refusal},
    wire::{Email, User, scope_list},
    workspaces,
};
use crate::{
    Checked, ProviderError,
    account::Described,
    api::{Answer, Api},
    paging::Paging,
    token,
};

pub(super) async fn check(api: &Api<'_>) -> Result<Checked, ProviderError> {
    let answer = api.get("/user", &[]).await?;
    let hidden = matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    if hidden && api.at.credential.method == AuthMethod::Pat {
        return check_access_token(api, &answer).await;
    }
    let user: User = answer.or_refusal(|answer| refusal(api, answer))?.json()?;
    let email = email(api).await;
    Ok(checked(user.into_account(email.as_deref()), scopes(&answer), Details::default()))
}

/// An access token belongs to a repository, project or workspace; most may not ask for an account.
async fn check_access_token(api: &Api<'_>, answer: &Answer) -> Result<Checked, ProviderError> {
    let lacks_scopes = |error: &ProviderError| matches!(error, ProviderError::InsufficientScope { .. });
    let known = lacks_scopes(&refusal(api, answer));
    let team = match workspaces(api).await {
        Ok(all) => <[String; 1]>::try_from(all).ok().map(|[only]| only),
        Err(error) if known || lacks_scopes(&error) => None,
        Err(error) => return Err(error),
    };
    let note = "Bitbucket does not say which repository, project or workspace this access token belongs to; each repository \
                is asked before a session.";
    let details = Details { notes: vec![note.to_owned()], team, ..Details::default() };
    // Nothing else tells two such tokens apart, and one must not be taken for the other.
    let name = format!("access-token-{}", token::fingerprint(&api.at.credential.token));
    let account = Account::from(Described { id: &name, username: &name, name: Some("Access token"), emails: &[] });
    Ok(checked(account, scopes(answer), details))
}

/// The address for commits: an API token's account has the one that goes with it, another is asked for it.
async fn email(api: &Api<'_>) -> Option<String> {
    if let Some(login) = &api.at.credential.login {
        return Some(login.clone());
    }
    let refused = |answer: &Answer| refusal(api, answer);
    let all: Vec<Email> = api.list("/user/emails", &[], Paging::bitbucket(), refused).await.ok()?;
    all.into_iter().find(|email| email.is_primary).map(|email| email.email)
}

fn scopes(answer: &Answer) -> Option<Vec<String>> {
    answer.header("x-oauth-scopes").map(scope_list).or_else(|| granted(answer))
}

fn checked(account: Account, scopes: Option<Vec<String>>, mut details: Details) -> Checked {
    let mut missing_scopes = Vec::new();
    match scopes.as_deref() {
        None => details
            .notes
            .push("Bitbucket does not say which scopes this token has; a lack shows when it is used.".to_owned()),
        Some(scopes) if !may_push(scopes) => {
            let name = if speaks_new(scopes) { AuthMethod::Basic } else { AuthMethod::Pat };
            missing_scopes.push(push_scope(name).to_owned());
        }
        Some(scopes) if !has(scopes, &["pullrequest:write", "write:pullrequest:bitbucket"]) => {
            let scope = if speaks_new(scopes) { "write:pullrequest:bitbucket" } else { "pullrequest:write" };
            details.notes.push(format!("Opening pull requests needs the scope '{scope}', which this token lacks."));
        }
        Some(_) => {}
    }
    Checked { account, granted_scopes: scopes.unwrap_or_default(), expires_at: None, missing_scopes, details }
}

/// The scope for pushes, which API tokens call otherwise than access tokens and consumers.
pub(super) fn push_scope(method: AuthMethod) -> &'static str {
    match method {
        AuthMethod::Basic => "write:repository:bitbucket",
        _ => "repository:write",
    }
}

/// Whether the scopes suffice for a push; to write pull requests includes it, save for API tokens.
pub(super) fn may_push(scopes: &[String]) -> bool {
    has(scopes, &["repository:write", "pullrequest:write", "write:repository:bitbucket"])
}

/// Whether the scopes are an API token's.
fn speaks_new(scopes: &[String]) -> bool {
    scopes.iter().any(|scope| scope.ends_with(":bitbucket"))
}

fn has(scopes: &[String], any_of: &[&str]) -> bool {
    scopes.iter().any(|scope| any_of.contains(&scope.as_str()))
}
