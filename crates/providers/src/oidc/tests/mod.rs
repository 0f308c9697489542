mod attacks;
mod flow;
mod issuer;
mod keys;

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;
use valetkey_model::Claims;
use valetkey_seal::{Secret, SystemEntropy, mint};

use self::keys::{RSA, Signer};
use super::{AttemptSecrets, IssuerUrl, OidcError, RelyingParty, RelyingPartyConfig};
use crate::testing::{Responder, Seen, http, json as answer, now};

pub(super) const CLIENT: &str = "valetkey";
pub(super) const REDIRECT: &str = "https://valetkey.example.com/sign-in/oidc/callback";

/// What an issuer answers; `ORIGIN` is its own address.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    pub(super) metadata: Value,
    pub(super) jwks: Value,
    pub(super) tokens: Value,
    pub(super) userinfo: Value,
}

/// An OpenID provider whose every answer a test sets, and us as its client.
pub(super) struct Fixture {
    pub(super) server: Responder,
    pub(super) answers: Arc<Mutex<Answers>>,
    pub(super) party: RelyingParty,
    pub(super) secrets: AttemptSecrets,
}

impl Fixture {
    pub(super) async fn new() -> Self {
        let answers = Arc::new(Mutex::new(Answers {
            metadata: json!({
                "issuer": "ORIGIN",
                "authorization_endpoint": "ORIGIN/authorize?tenant=1",
                "token_endpoint": "ORIGIN/token",
                "userinfo_endpoint": "ORIGIN/userinfo",
                "jwks_uri": "ORIGIN/jwks",
            }),
            jwks: json!({ "keys": [RSA.jwk()] }),
            tokens: json!({}),
            userinfo: json!({}),
        }));
        let told = Arc::clone(&answers);
        let server = Responder::start(move |seen| respond(&told.lock().unwrap(), seen)).await;
        let party = Self::party(&server.instance.to_string(), Some("a secret"));
        let secrets = AttemptSecrets { state: random(), nonce: random(), verifier: random() };
        Self { server, answers, party, secrets }
    }

    pub(super) fn party(issuer: &str, secret: Option<&str>) -> RelyingParty {
        let config = RelyingPartyConfig {
            issuer: issuer.parse().unwrap(),
            client_id: CLIENT.to_owned(),
            client_secret: secret.map(Secret::from),
            scopes: vec!["openid".to_owned(), "profile".to_owned()],
            groups_claim: "groups".to_owned(),
        };
        RelyingParty::new(http(), config)
    }

    pub(super) fn issuer(&self) -> &IssuerUrl {
        self.party.issuer()
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut Answers)) {
        change(&mut self.answers.lock().unwrap());
    }

    /// What an honest ID token for this sign-in says.
    #[expect(clippy::disallowed_methods, reason = "the issuer repeats the nonce")]
    pub(super) fn id_claims(&self) -> Value {
        json!({
            "iss": self.issuer().as_str(), "sub": "anna-1", "aud": CLIENT, "nonce": self.secrets.nonce.expose(),
            "iat": now().as_second(), "exp": now().as_second() + 300,
            "name": "Anna", "email": "Anna@Example.com", "email_verified": true, "groups": ["dev"],
        })
    }

    /// Lets the token endpoint answer with this ID token.
    pub(super) fn gives(&self, id_token: &str) {
        self.set(|answers| {
            answers.tokens = json!({ "access_token": "access-1", "token_type": "Bearer", "id_token": id_token });
        });
    }

    /// Comes back from the issuer with a code.
    #[expect(clippy::disallowed_methods, reason = "the issuer repeats the state")]
    pub(super) async fn finish(&self) -> Result<Claims, OidcError> {
        let query = format!("code=c0de&state={}", self.secrets.state.expose());
        self.party.finish(REDIRECT, &query, &self.secrets, now()).await
    }

    /// Signs in with these claims, signed honestly.
    pub(super) async fn sign_in(&self, claims: &Value) -> Result<Claims, OidcError> {
        self.gives(&RSA.sign(claims));
        self.finish().await
    }

    pub(super) async fn authorize(&self, now: Timestamp) -> Result<Url, OidcError> {
        self.party.authorize_url(REDIRECT, &self.secrets, now).await
    }
}

fn random() -> Secret<String> {
    mint("", &SystemEntropy)
}

fn respond(answers: &Answers, seen: &Seen) -> Vec<u8> {
    let path = seen.line.split_once(' ').unwrap().1;
    let body = match path {
        "/.well-known/openid-configuration" => &answers.metadata,
        "/jwks" => &answers.jwks,
        "/token" => &answers.tokens,
        "/userinfo" => &answers.userinfo,
        _ => return answer(404, "", "{}"),
    };
    if body.is_null() {
        return answer(500, "", "{}");
    }
    answer(200, "", &seen.fill_in(&body.to_string()))
}
