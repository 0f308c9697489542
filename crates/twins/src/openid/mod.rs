//! An OpenID provider: who signs in, proven to the programs that ask.

mod key;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, body};
use serde_json::{Map, Value, json};

use crate::auth;
use crate::faults::Voice;
use crate::fixtures::{Account, User};
use crate::limits::in_seconds;
use crate::oauth::{self, Authority, Dialect, Granted, Paths, TokenLife};
use crate::people::People;
use crate::service::Provider;
use crate::world::locked;
use key::Key;

const LIFETIME: i64 = 3_600;

/// An OpenID provider (OpenID Connect Core and Discovery 1.0): authorization code flow, signed ID tokens, userinfo.
pub struct OpenId {
    origin: String,
    people: People,
    claims: Mutex<HashMap<u64, Map<String, Value>>>,
    key: Mutex<Key>,
    authority: Arc<Authority>,
}

impl OpenId {
    /// Creates an account; its address is `<username>@example.test` unless given, and verified.
    pub fn user(&self, user: User) -> Account {
        let email = user.email.clone().unwrap_or_else(|| format!("{}@example.test", user.username));
        self.people.join(user.email(&email))
    }

    /// Has tokens say this of an account, in place of what they would; `null` leaves the claim out.
    pub fn claim(&self, account: &Account, name: &str, value: Value) {
        locked(&self.claims).entry(account.id).or_default().insert(name.to_owned(), value);
    }

    /// Has tokens name the groups of an account.
    pub fn groups<'a>(&self, account: &Account, groups: impl IntoIterator<Item = &'a str>) {
        self.claim(account, "groups", groups.into_iter().collect());
    }

    /// Signs with a new key from now on; the old one is published no more.
    pub fn rotate_key(&self) {
        let mut key = locked(&self.key);
        *key = key.next();
    }

    /// An access token in the form of a JWT, as it is given to a program for the API of `audience`.
    pub fn access_token(&self, account: &Account, audience: &str) -> String {
        let mut claims = self.about(account, audience);
        claims.retain(|name, _| !["name", "email", "email_verified", "groups"].contains(&name.as_str()));
        self.sign(&claims)
    }

    /// The authorization server: apps, consents, tokens.
    pub fn oauth(&self) -> &Authority {
        &self.authority
    }

    fn about(&self, account: &Account, audience: &str) -> Map<String, Value> {
        let now = in_seconds(0).as_second();
        let claims = json!({
            "iss": self.origin, "sub": format!("subject-{}", account.id), "aud": audience,
            "iat": now, "exp": now + LIFETIME,
            "name": account.name, "email": account.email, "email_verified": true,
        });
        let Value::Object(mut claims) = claims else { unreachable!("it is an object") };
        let own = locked(&self.claims).get(&account.id).cloned().unwrap_or_default();
        claims.extend(own);
        claims.retain(|_, value| !value.is_null());
        claims
    }

    fn sign(&self, claims: &Map<String, Value>) -> String {
        locked(&self.key).sign(&Value::Object(claims.clone()))
    }

    fn id_token(&self, granted: &Granted) -> String {
        let mut claims = self.about(&granted.account, &granted.client_id);
        if let Some(nonce) = granted.asked.get("nonce") {
            claims.entry("nonce").or_insert_with(|| json!(nonce));
        }
        self.sign(&claims)
    }
}

impl Provider for OpenId {
    fn at(origin: &str) -> Self {
        let dialect = Dialect::standard(Paths {
            authorize: "/authorize",
            token: "/token",
            device: None,
            verification: "/device",
            revoke: None,
        });
        Self {
            origin: origin.to_owned(),
            people: People::default(),
            claims: Mutex::default(),
            key: Mutex::new(Key::first()),
            authority: Arc::new(Authority::new(origin, dialect)),
        }
    }

    fn router(self: Arc<Self>) -> Router {
        let signed = middleware::from_fn_with_state(Arc::clone(&self), with_id_token);
        Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/jwks", get(async |State(it): State<Arc<Self>>| Json(json!({ "keys": [locked(&it.key).jwk()] }))))
            .route("/userinfo", get(userinfo))
            .merge(oauth::routes(&self.authority).layer(signed))
            .with_state(self)
    }

    fn whose(&self, headers: &HeaderMap) -> Option<String> {
        let (granted, life) = self.authority.lookup(auth::bearer(headers)?)?;
        (life == TokenLife::Live).then_some(granted.account.username)
    }
}

impl Voice for OpenId {
    fn limited(&self, retry_after: Option<u64>) -> Response {
        let retry_after = retry_after.map(|seconds| [("retry-after", seconds.to_string())]);
        (StatusCode::TOO_MANY_REQUESTS, retry_after, Json(json!({ "error": "slow_down" }))).into_response()
    }

    fn limited_otherwise(&self, retry_after: Option<u64>) -> Response {
        self.limited(retry_after)
    }

    fn lacks_scope(&self) -> Response {
        (StatusCode::FORBIDDEN, Json(json!({ "error": "insufficient_scope" }))).into_response()
    }
}

async fn configuration(State(it): State<Arc<OpenId>>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", it.origin);
    Json(json!({
        "issuer": it.origin,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
    }))
}

async fn userinfo(State(it): State<Arc<OpenId>>, headers: HeaderMap) -> Response {
    let granted = auth::bearer(&headers).and_then(|token| it.authority.lookup(token));
    let Some((granted, TokenLife::Live)) = granted else {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_token" }))).into_response();
    };
    let mut claims = it.about(&granted.account, &granted.client_id);
    claims.retain(|name, _| !["iss", "aud", "iat", "exp", "nonce"].contains(&name.as_str()));
    Json(claims).into_response()
}

/// Adds the ID token to what the token endpoint gives.
async fn with_id_token(State(it): State<Arc<OpenId>>, request: Request, next: Next) -> Response {
    let (mut parts, answer) = next.run(request).await.into_parts();
    let answer = body::to_bytes(answer, usize::MAX).await.unwrap_or_default();
    let tokens = serde_json::from_slice::<Map<String, Value>>(&answer).ok();
    let granted = tokens.as_ref().and_then(|tokens| it.authority.lookup(tokens.get("access_token")?.as_str()?));
    let (Some(mut tokens), Some((granted, _))) = (tokens, granted) else {
        return Response::from_parts(parts, answer.into());
    };
    if granted.scopes.iter().any(|scope| scope == "openid") {
        tokens.insert("id_token".to_owned(), it.id_token(&granted).into());
    }
    parts.headers.remove("content-length");
    Response::from_parts(parts, Value::Object(tokens).to_string().into())
}
