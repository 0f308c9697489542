//! The endpoints: authorize, token, device authorization, revocation.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde_json::{Value, json};

use super::app::OAuthApp;
use super::authority::Authority;
use super::consent::Consent;
use super::dialect::Answers;
use super::ledger::{Binding, Granted, Issued, Ledger};
use super::parameters::{Parameters, scopes};
use super::refusal::Refusal;
use crate::world::locked;

type Server = State<Arc<Authority>>;

/// The authority's routes, for a router of any state.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(authority: &Arc<Authority>) -> Router<S> {
    let paths = authority.dialect.paths;
    let mut router = Router::new().route(paths.authorize, get(authorize)).route(paths.token, post(token));
    if let Some(path) = paths.device {
        router = router.route(path, post(start_device)).route(paths.verification, get(verification));
    }
    if let Some(path) = paths.revoke {
        router = router.route(path, post(revoke));
    }
    router.with_state(Arc::clone(authority))
}

/// The page that asks for consent, answered at once as the test chose.
async fn authorize(State(authority): Server, Query(asked): Query<BTreeMap<String, String>>) -> Response {
    let mut ledger = locked(&authority.ledger);
    let app = asked.get("client_id").and_then(|id| ledger.app(id)).cloned();
    let Some(app) = app else { return page(StatusCode::UNAUTHORIZED, Refusal::UnknownClient.description()) };
    let address =
        asked.get("redirect_uri").or_else(|| app.redirects.first().filter(|_| !authority.dialect.response_type));
    let Some(address) = address.filter(|address| app.redirects.contains(address)).cloned() else {
        return page(StatusCode::BAD_REQUEST, "The redirect URI included is not valid.");
    };
    let mut back = match decide(&authority, &mut ledger, &app, &asked, &address) {
        Ok(code) => vec![("code", code)],
        Err(refusal) => {
            vec![("error", refusal.code().to_owned()), ("error_description", refusal.description().to_owned())]
        }
    };
    back.extend(asked.get("state").map(|state| ("state", state.clone())));
    redirect(&address, &back)
}

fn decide(
    authority: &Authority,
    ledger: &mut Ledger,
    app: &OAuthApp,
    asked: &BTreeMap<String, String>,
    address: &str,
) -> Result<String, Refusal> {
    let dialect = &authority.dialect;
    let field = |name: &str| asked.get(name).map(String::as_str).filter(|value| !value.is_empty());
    if field("response_type").map_or(dialect.response_type, |kind| kind != "code") {
        return Err(Refusal::UnsupportedResponse);
    }
    let challenge = field("code_challenge");
    if challenge.is_some() && field("code_challenge_method") != Some("S256") {
        return Err(Refusal::Malformed("The code challenge method must be S256."));
    }
    if challenge.is_none() && !app.confidential {
        return Err(Refusal::Malformed("A code challenge is required."));
    }
    let wanted = app.narrow(scopes(field("scope"))).ok_or(Refusal::BadScope)?;
    let (account, chosen) = match ledger.next_consent() {
        Some(Consent::Approve { account, scopes }) => (account, scopes),
        Some(Consent::Deny) => return Err(Refusal::Denied),
        None => return Err(Refusal::Malformed("The twin was told no consent: call Authority::consent first.")),
    };
    let scopes = chosen.unwrap_or(wanted);
    let granted = Granted { client_id: app.client_id.clone(), account, scopes, asked: asked.clone() };
    Ok(ledger.add_code(dialect, app, granted, &Binding { redirect: address, challenge }))
}

async fn token(State(authority): Server, headers: HeaderMap, body: Bytes) -> Response {
    let answer = Parameters::read(&authority.dialect, &headers, &body).and_then(|it| exchange(&authority, &it));
    let (status, body) = match answer {
        Ok(issued) => (StatusCode::OK, (authority.dialect.success)(&issued)),
        Err(refusal) => (authority.dialect.refusal)(&refusal),
    };
    encoded(&authority, &headers, status, body)
}

fn exchange(authority: &Authority, it: &Parameters) -> Result<Issued, Refusal> {
    let dialect = &authority.dialect;
    let mut ledger = locked(&authority.ledger);
    // Slack names no grant type for a code.
    let grant = it.get("grant_type").unwrap_or("authorization_code");
    let secretless = dialect.secretless_device
        && (grant == DEVICE_CODE || it.get("refresh_token").is_some_and(|token| ledger.is_from_device(token)));
    let app = client(authority, &ledger, it, secretless)?;
    match grant {
        "authorization_code" => {
            let code = it.need("code")?;
            ledger.redeem(dialect, &app, code, it.get("redirect_uri"), it.get("code_verifier"))
        }
        "refresh_token" => {
            let token = it.need("refresh_token")?;
            ledger.refresh(dialect, &app, token, it.get("redirect_uri"), it.get("scope"))
        }
        DEVICE_CODE if dialect.paths.device.is_some() => {
            if !app.device_flow {
                return Err(Refusal::DeviceFlowDisabled);
            }
            ledger.poll_device(dialect, &app, it.need("device_code")?)
        }
        "client_credentials" if dialect.client_credentials => {
            let owner = app.owner.clone().ok_or(Refusal::NotAllowed)?;
            let wanted = app.narrow(scopes(it.get("scope"))).ok_or(Refusal::BadScope)?;
            Ok(ledger.grant(dialect, &app, &owner, wanted))
        }
        _ => Err(Refusal::UnsupportedGrant),
    }
}

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The app that asks. A secret that is given must be right, needed or not.
fn client(authority: &Authority, ledger: &Ledger, it: &Parameters, secretless: bool) -> Result<OAuthApp, Refusal> {
    let (id, secret) = it.client(&authority.dialect).ok_or(Refusal::UnknownClient)?;
    let app = ledger.app(id).ok_or(Refusal::UnknownClient)?;
    let proven = match secret {
        Some(secret) => app.client_secret.as_deref() == Some(secret),
        None => !app.confidential || secretless,
    };
    if proven { Ok(app.clone()) } else { Err(Refusal::UnknownClient) }
}

async fn start_device(State(authority): Server, headers: HeaderMap, body: Bytes) -> Response {
    let answer = Parameters::read(&authority.dialect, &headers, &body).and_then(|it| device_start(&authority, &it));
    let (status, body) =
        answer.map_or_else(|refusal| (authority.dialect.refusal)(&refusal), |body| (StatusCode::OK, body));
    encoded(&authority, &headers, status, body)
}

fn device_start(authority: &Authority, it: &Parameters) -> Result<Value, Refusal> {
    let dialect = &authority.dialect;
    let mut ledger = locked(&authority.ledger);
    let app = client(authority, &ledger, it, true)?;
    if !app.device_flow {
        return Err(Refusal::DeviceFlowDisabled);
    }
    let wanted = app.narrow(scopes(it.get("scope"))).ok_or(Refusal::BadScope)?;
    let address = format!("{}{}", authority.url, dialect.paths.verification);
    let start = ledger.start_device(dialect, &app, wanted, address);
    Ok((dialect.device_success)(&start))
}

async fn verification() -> Response {
    page(StatusCode::OK, "Type the code that your device shows.")
}

async fn revoke(State(authority): Server, headers: HeaderMap, body: Bytes) -> Response {
    let dialect = &authority.dialect;
    let ended = Parameters::read(dialect, &headers, &body).and_then(|it| {
        let mut ledger = locked(&authority.ledger);
        let app = client(&authority, &ledger, &it, false);
        let token = it.need("token")?;
        let known = if dialect.revocation_needs_client {
            let app = app?;
            ledger.client_of(token) == Some(&app.client_id)
        } else {
            true
        };
        if dialect.unknown_revocation_is_error && !ledger.works(token) {
            return Ok(false);
        }
        Ok(known && ledger.revoke_family(token))
    });
    let (status, body) = match ended {
        Ok(false) if dialect.unknown_revocation_is_error => (
            StatusCode::BAD_REQUEST,
            json!({"error": "invalid_token", "error_description": "Token expired or revoked"}),
        ),
        Ok(_) => (StatusCode::OK, json!({})),
        Err(refusal) => (dialect.refusal)(&refusal),
    };
    (status, Json(body)).into_response()
}

fn encoded(authority: &Authority, headers: &HeaderMap, status: StatusCode, body: Value) -> Response {
    let accepts = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let form = authority.dialect.answers == Answers::FormUnlessJsonIsAsked && !accepts.contains("json");
    let fresh = [(CACHE_CONTROL, "no-store")];
    if form { (status, fresh, Form(body)).into_response() } else { (status, fresh, Json(body)).into_response() }
}

/// 302 to an address with these parameters added.
pub(crate) fn redirect(address: &str, parameters: &[(&str, String)]) -> Response {
    let separator = if address.contains('?') { '&' } else { '?' };
    let query = serde_urlencoded::to_string(parameters).unwrap_or_default();
    (StatusCode::FOUND, [(LOCATION, format!("{address}{separator}{query}"))]).into_response()
}

fn page(status: StatusCode, text: &str) -> Response {
    (status, Html(format!("<!doctype html><title>Authorize</title><p>{text}</p>"))).into_response()
}
