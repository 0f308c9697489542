//! Whose a credential is, by each of the three ways.

use http::{Method, StatusCode, header};
use reqwest::Request;
use url::Url;
use valetkey_model::{Account, AuthMethod, Details, Site};

use super::{
    catalogue::NEEDED,
    is_cloud_site,
    refusal::{is_anonymous, refusal},
    wire::{Myself, PersonalToken, Resource, ServerInfo, Tenant},
};
use crate::{
    Access, Checked, ProviderError,
    api::{Answer, Api},
    token,
};

/// So many sites are asked for the account before it is given up.
const MOST_ASKED: usize = 3;

const WHEN_TOKENS_END: &str = "Atlassian does not say when an API token ends; none lives longer than a year.";

/// An API token: one without scopes is for the site's own address, one with scopes for the gateway. Nothing in the token
/// tells which it is, so the site is asked first.
pub(super) async fn api_token(at: Access<'_>) -> Result<Checked, ProviderError> {
    match myself(&api(at, &at.instance.to_string())?, "3").await {
        Err(ProviderError::TokenInvalid) => scoped_api_token(at).await,
        account => {
            let rights = "This API token has no scopes: agents may do with it whatever its account may.";
            let notes = vec![rights.to_owned(), WHEN_TOKENS_END.to_owned()];
            Ok(checked(account?, Details { notes, ..Details::default() }))
        }
    }
}

async fn scoped_api_token(at: Access<'_>) -> Result<Checked, ProviderError> {
    let id = cloud_id(at).await?.ok_or(ProviderError::TokenInvalid)?;
    let gateway =
        if is_cloud_site(at.instance) { "https://api.atlassian.com".to_owned() } else { at.instance.to_string() };
    let base = format!("{gateway}/ex/jira/{id}");
    let account = myself(&api(at, &base)?, "3").await?;
    let notes = vec![
        format!("This API token has scopes and works only at {base}."),
        "Jira does not say which scopes it has; a lack shows when it is used.".to_owned(),
        WHEN_TOKENS_END.to_owned(),
    ];
    let name = at.instance.host().split('.').next().unwrap_or_default().to_owned();
    let site = Site { id, url: at.instance.to_string(), name, scopes: Vec::new() };
    Ok(checked(account, Details { notes, sites: vec![site], ..Details::default() }))
}

/// The id by which the gateway knows the site; none if it has none. Everybody may ask, so no credential is sent.
async fn cloud_id(at: Access<'_>) -> Result<Option<String>, ProviderError> {
    let Ok(url) = Url::parse(&format!("{}/_edge/tenant_info", at.instance)) else { return Ok(None) };
    let response = at.http.send(Request::new(Method::GET, url)).await?;
    let answer = token::strike_out(&at.credential.token, response);
    let tenant = answer.status.is_success().then(|| answer.json::<Tenant>().ok()).flatten();
    Ok(tenant.as_ref().and_then(Tenant::cloud_id).map(str::to_owned))
}

/// A personal access token of Data Center.
pub(super) async fn personal_token(at: Access<'_>) -> Result<Checked, ProviderError> {
    let api = api(at, &at.instance.to_string())?;
    let account = myself(&api, "2").await?;
    let (end, version) = tokio::join!(end_of_only_token(&api), version(&api));
    let mut notes = vec!["This token has no scopes: agents may do with it whatever its account may.".to_owned()];
    if end.is_none() {
        notes.push(
            "The account has several tokens, or Jira does not list them: when this one ends is not known.".to_owned(),
        );
    }
    let details = Details { notes, version, ..Details::default() };
    Ok(Checked { expires_at: end.flatten(), ..checked(account, details) })
}

/// The end of the account's only token, if it has but one; the token that asks can't be told from others.
async fn end_of_only_token(api: &Api<'_>) -> Option<Option<jiff::Timestamp>> {
    let answer = api.get("/rest/pat/latest/tokens", &[]).await.ok().filter(|answer| answer.status.is_success())?;
    let tokens: Vec<PersonalToken> = answer.json().ok()?;
    let alive = |token: &&PersonalToken| token.ends_at().is_none_or(|end| end > api.at.now);
    let alive: Vec<_> = tokens.iter().filter(alive).collect();
    if let [only] = alive[..] { Some(only.ends_at()) } else { None }
}

async fn version(api: &Api<'_>) -> Option<String> {
    let answer = api.get("/rest/api/2/serverInfo", &[]).await.ok().filter(|answer| answer.status.is_success())?;
    answer.json::<ServerInfo>().ok().map(|info| info.described())
}

/// A consent: the sites that it covers, and the account at the first of them that tells it.
pub(super) async fn consent(at: Access<'_>) -> Result<Checked, ProviderError> {
    let gateway = api(at, &at.instance.to_string())?;
    let answer = gateway.get("/oauth/token/accessible-resources", &[]).await?;
    let resources: Vec<Resource> = answer.or_refusal(|answer| refusal(answer, at.now))?.json()?;
    let sites = sites(resources);
    let account = account_at_any(at, &sites).await?;
    let mut granted: Vec<String> = sites.iter().flat_map(|site| site.scopes.iter().cloned()).collect();
    granted.sort_unstable();
    granted.dedup();
    let missing_scopes = missing(at, &granted);
    let notes = vec![
        "Atlassian ends this consent a year after it was given, or when it is not used for 90 days; then connect again."
            .to_owned(),
    ];
    let details = Details { notes, sites, ..Details::default() };
    Ok(Checked { granted_scopes: granted, missing_scopes, ..checked(account, details) })
}

/// Each site once: those that have several products are listed for each of them.
fn sites(resources: Vec<Resource>) -> Vec<Site> {
    let mut sites: Vec<Site> = Vec::new();
    for site in resources.into_iter().filter_map(Resource::site) {
        match sites.iter_mut().find(|known| known.id == site.id) {
            Some(known) => known.scopes.extend(site.scopes),
            None => sites.push(site),
        }
    }
    sites
}

async fn account_at_any(at: Access<'_>, sites: &[Site]) -> Result<Account, ProviderError> {
    let mut refused = ProviderError::NothingGranted {
        why: "The Atlassian account consented, but no Jira site was granted.",
        instead: "Connect again, and choose a site on Atlassian's page; if there is none to choose, ask the site's \
                  administrator for access to Jira.",
    };
    for site in sites.iter().take(MOST_ASKED) {
        match myself(&api(at, &format!("{}/ex/jira/{}", at.instance, site.id))?, "3").await {
            // An app may be blocked at one site and not at the next.
            Err(error @ (ProviderError::Forbidden { .. } | ProviderError::NotTheProvider { .. })) => refused = error,
            other => return other,
        }
    }
    Err(refused)
}

/// What was asked for and is granted nowhere. That it may stay shows in its refresh token, not in its scopes.
fn missing(at: Access<'_>, granted: &[String]) -> Vec<String> {
    let asked = match &at.credential.consent {
        Some(consent) if !consent.asked.is_empty() => consent.asked.clone(),
        _ => NEEDED.map(|(name, _)| name.to_owned()).to_vec(),
    };
    asked.into_iter().filter(|scope| scope != "offline_access" && !granted.contains(scope)).collect()
}

fn checked(account: Account, details: Details) -> Checked {
    Checked { account, granted_scopes: Vec::new(), expires_at: None, missing_scopes: Vec::new(), details }
}

fn api<'a>(at: Access<'a>, base: &str) -> Result<Api<'a>, ProviderError> {
    let credential = at.credential;
    let auth = match credential.method {
        AuthMethod::Basic => credential.basic(credential.login.as_deref().unwrap_or_default())?,
        _ => credential.after("Bearer ")?,
    };
    Api::new(at, base, (header::AUTHORIZATION, auth), &[(header::ACCEPT, "application/json")])
}

async fn myself(api: &Api<'_>, version: &str) -> Result<Account, ProviderError> {
    let answer = api.get(&format!("/rest/api/{version}/myself"), &[]).await?;
    let answer = answer.or_refusal(|answer| account_refusal(answer, api))?;
    if is_anonymous(answer) {
        return Err(ProviderError::TokenInvalid);
    }
    answer.json::<Myself>()?.account().ok_or_else(|| answer.not_the_provider())
}

/// As [`refusal`], where the scope is known that the question needs.
fn account_refusal(answer: &Answer, api: &Api<'_>) -> ProviderError {
    match refusal(answer, api.at.now) {
        ProviderError::InsufficientScope { .. } if answer.status == StatusCode::UNAUTHORIZED => {
            ProviderError::InsufficientScope { missing: vec!["read:jira-user".to_owned()] }
        }
        other => other,
    }
}
