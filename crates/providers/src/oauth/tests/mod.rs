//! Each provider's dialect, as its documentation shows it.

mod answers;
mod browser;
mod calls;
mod devices;
mod failures;

use url::Url;
use valetkey_seal::Secret;

use super::*;
use crate::{
    Http,
    testing::{Responder, Seen, http, now},
};

const REDIRECT: &str = "https://keys.test/oauth/callback";

/// A provider that answers in one way, and an app at it.
struct Fixture {
    server: Responder,
    http: Http,
    profile: OAuthProfile,
    secret: Option<Secret<String>>,
}

impl Fixture {
    async fn new(answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let server = Responder::start(answers).await;
        let at = |path: &str| format!("{}{path}", server.instance).parse::<Url>().unwrap();
        let profile =
            OAuthProfile { device_url: Some(at("/device")), ..OAuthProfile::new(at("/authorize"), at("/token")) };
        Self { server, http: http(), profile, secret: Some(SECRET.into()) }
    }

    fn client(&self) -> OAuthClient<'_> {
        OAuthClient { http: &self.http, profile: &self.profile, app: self.app(), now: now() }
    }

    fn app(&self) -> OAuthApp<'_> {
        OAuthApp { client_id: "an id", client_secret: self.secret.as_ref(), redirect_uri: REDIRECT }
    }

    fn at(&self, path: &str) -> Url {
        format!("{}{path}", self.server.instance).parse().unwrap()
    }

    async fn exchange(&self) -> Result<Tokens, OAuthError> {
        self.client().exchange(&CODE.into(), &VERIFIER.into()).await
    }

    async fn refresh(&self) -> Result<Tokens, OAuthError> {
        self.client().refresh(&REFRESH.into()).await
    }

    /// The body of the only request there was.
    fn body(&self) -> String {
        let requests = self.server.requests();
        assert_eq!(requests.len(), 1);
        String::from_utf8(requests[0].body.clone()).unwrap()
    }
}

/// Distinct, and with letters that no encoding leaves as they are.
const SECRET: &str = "canary-secret/1+=";
const CODE: &str = "canary-code/2+=";
const VERIFIER: &str = "canary-verifier";
const REFRESH: &str = "canary-refresh/3+=";

#[expect(clippy::disallowed_methods, reason = "tests look inside")]
fn open(secret: &Secret<String>) -> &str {
    secret.expose()
}
