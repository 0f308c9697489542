//! Who comes to a site of Jira Cloud, by which of its two doors.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::cloud::{JiraCloud, Site};
use super::refusal::{LOGIN_FAILED, LOGIN_REASON, Refusal};
use super::rest::View;
use crate::auth;
use crate::fixtures::Account;
use crate::service::Origin;

/// What the caller may do.
#[derive(Debug, Clone)]
enum Rights {
    /// Whatever its account may.
    Everything,
    /// What the scopes cover.
    Scopes(Vec<String>),
}

#[derive(Debug, Clone)]
struct Caller {
    account: Account,
    rights: Rights,
}

/// An address of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// Its own.
    Site,
    /// Below `/ex/jira`.
    Gateway,
}

/// A request that reached a site.
pub(super) struct Visit {
    pub(super) site: Arc<Site>,
    pub(super) version: String,
    base: String,
    caller: Option<Caller>,
    login_failed: bool,
}

impl Visit {
    /// The address of the site, by the door that the caller took.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn view(&self) -> View<'_> {
        View { base: &self.base, version: &self.version }
    }

    /// The account, which must be signed in and have one of the scopes.
    pub(super) fn account(&self, any_of: &[&str]) -> Result<&Account, Refusal> {
        self.look(any_of)?;
        let nobody = || if self.login_failed { Refusal::LoginFailed } else { Refusal::Anonymous };
        self.caller.as_ref().map(|caller| &caller.account).ok_or_else(nobody)
    }

    /// Lets those look who have one of the scopes, and everybody on a public site.
    pub(super) fn look(&self, any_of: &[&str]) -> Result<(), Refusal> {
        match &self.caller {
            Some(Caller { rights: Rights::Scopes(scopes), .. }) => {
                let fits = scopes.iter().any(|scope| any_of.contains(&scope.as_str()));
                if fits { Ok(()) } else { Err(Refusal::scope_does_not_match()) }
            }
            Some(_) => Ok(()),
            None if self.site.is_public() => Ok(()),
            None if self.login_failed => Err(Refusal::LoginFailed),
            None => Err(Refusal::Anonymous),
        }
    }

    /// Adds what Jira tells of a login that failed on a page that needs none.
    pub(super) fn answer(&self, answer: impl IntoResponse) -> Response {
        let reason = self.login_failed.then_some([(LOGIN_REASON, LOGIN_FAILED)]);
        (reason, answer).into_response()
    }
}

impl FromRequestParts<Arc<JiraCloud>> for Visit {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, jira: &Arc<JiraCloud>) -> Result<Self, Refusal> {
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, jira).await;
        let Path(path) = path.map_err(|_| Refusal::not_found("There is nothing here."))?;
        let origin = parts.extensions.get::<Origin>().map(|origin| origin.0.clone()).unwrap_or_default();
        let (door, site, base) = match path.get("cloud") {
            Some(cloud) => (Door::Gateway, jira.site_by_id(cloud), format!("{origin}/ex/jira/{cloud}")),
            None => {
                let site = jira.site_by_name(path.get("site").map(String::as_str));
                (Door::Site, site.clone(), site.map(|site| site.url(&origin)).unwrap_or_default())
            }
        };
        let no_site = || Refusal::Gateway(StatusCode::NOT_FOUND, "Site not found");
        let site = site.ok_or_else(no_site)?;
        let (caller, login_failed) = match caller(jira, &site, door, &parts.headers) {
            Ok(caller) => (caller, false),
            Err(Refusal::LoginFailed) if door == Door::Site => (None, true),
            Err(refusal) => return Err(refusal),
        };
        Ok(Self { site, version: path.get("version").cloned().unwrap_or_default(), base, caller, login_failed })
    }
}

fn caller(jira: &JiraCloud, site: &Site, door: Door, headers: &HeaderMap) -> Result<Option<Caller>, Refusal> {
    if let Some(token) = auth::bearer(headers) {
        return by_bearer(jira, site, door, token).map(Some);
    }
    let Some((email, token)) = auth::basic(headers) else {
        return if door == Door::Site {
            Ok(None)
        } else {
            Err(Refusal::Gateway(StatusCode::UNAUTHORIZED, "Unauthorized"))
        };
    };
    by_api_token(jira, site, door, &email, &token).map(Some)
}

/// A token without scopes is for the site's own address, one with scopes for the gateway.
fn by_api_token(jira: &JiraCloud, site: &Site, door: Door, email: &str, token: &str) -> Result<Caller, Refusal> {
    let refused = || match door {
        Door::Site => Refusal::LoginFailed,
        Door::Gateway => Refusal::Gateway(StatusCode::UNAUTHORIZED, "Unauthorized"),
    };
    let key = jira.people.key(token).filter(|key| key.works() && key.account.email.as_deref() == Some(email));
    let key = key.filter(|key| jira.may_enter(&key.account, site)).ok_or_else(refused)?;
    let rights = if key.scopes.is_empty() { Rights::Everything } else { Rights::Scopes(key.scopes) };
    match (door, &rights) {
        (Door::Site, Rights::Everything) | (Door::Gateway, Rights::Scopes(_)) => {
            Ok(Caller { account: key.account, rights })
        }
        _ => Err(refused()),
    }
}

fn by_bearer(jira: &JiraCloud, site: &Site, door: Door, token: &str) -> Result<Caller, Refusal> {
    if door == Door::Site {
        return Err(Refusal::NoBearerHere);
    }
    let unauthorized = || Refusal::Gateway(StatusCode::UNAUTHORIZED, "Unauthorized");
    let (account, scopes) = jira.app_access(token).ok_or_else(unauthorized)?;
    if !jira.may_enter(&account, site) {
        return Err(Refusal::Gateway(StatusCode::FORBIDDEN, "The app is not installed on this instance"));
    }
    Ok(Caller { account, rights: Rights::Scopes(scopes) })
}
