//! Our OAuth client against a certified authorization server, run for real: `cargo xtask peers` starts it and names it in
//! `VALETKEY_TEST_OIDC`.

use std::{collections::BTreeMap, env, time::Duration};

use jiff::Timestamp;
use url::{Url, form_urlencoded};
use valetkey_providers::{
    AddressPolicy, Delivery, Http, HttpConfig, UpstreamBody,
    oauth::{
        Callback, ClientAuth, DevicePoll, Issuer, OAuthApp, OAuthClient, OAuthError, OAuthProfile, Pkce, Revocation,
        Revoked, Rotation, State, Tokens,
    },
};
use valetkey_seal::{Secret, SystemEntropy, TokenHash};

const REDIRECT: &str = "http://127.0.0.1:1/oauth/callback";

/// The server, and an app registered there.
struct Server {
    http: Http,
    address: Url,
    profile: OAuthProfile,
    client_id: &'static str,
    client_secret: Option<Secret<String>>,
}

/// What came back to our callback.
struct Answered {
    code: Secret<String>,
    pkce: Pkce,
}

impl Server {
    /// The server with each app that is registered there, one for each way to prove who it is.
    fn with_each_app() -> Vec<Self> {
        let apps = [
            ("with basic", ClientAuth::Basic, Some("a secret: 100% + more/&=")),
            ("with-form", ClientAuth::Form, Some("another secret: 100% + more/&=")),
            ("public", ClientAuth::Form, None),
        ];
        apps.into_iter().filter_map(|(id, auth, secret)| Self::with_app(id, auth, secret)).collect()
    }

    fn with_public_app() -> Option<Self> {
        Self::with_app("public", ClientAuth::Form, None)
    }

    fn with_app(client_id: &'static str, client_auth: ClientAuth, secret: Option<&str>) -> Option<Self> {
        let Ok(address) = env::var("VALETKEY_TEST_OIDC") else {
            eprintln!("skipped: the certified authorization server (VALETKEY_TEST_OIDC is not set)");
            return None;
        };
        let address: Url = address.parse().unwrap();
        let at = |path: &str| address.join(path).unwrap();
        let profile = OAuthProfile {
            device_url: Some(at("device/auth")),
            revocation: Some(Revocation::Standard { url: at("token/revocation") }),
            client_auth,
            rotation: Rotation::RefreshOnly,
            issuer: Some(Issuer { name: address.as_str().trim_end_matches('/').to_owned(), always_stated: true }),
            ..OAuthProfile::new(at("auth"), at("token"))
        };
        let addresses = AddressPolicy::new(true, "").unwrap();
        let http = Http::new(HttpConfig { extra_ca_pem: None, addresses, proxy: None }).unwrap();
        Some(Self { http, address, profile, client_id, client_secret: secret.map(Secret::from) })
    }

    fn app(&self) -> OAuthApp<'_> {
        OAuthApp { client_id: self.client_id, client_secret: self.client_secret.as_ref(), redirect_uri: REDIRECT }
    }

    fn client(&self) -> OAuthClient<'_> {
        OAuthClient { http: &self.http, profile: &self.profile, app: self.app(), now: Timestamp::UNIX_EPOCH }
    }

    /// Asks for access in a browser; what is added to the address stands for what the person does.
    async fn callback(&self, scopes: &[&str], person: &str) -> (Callback, State, Pkce) {
        let (state, pkce) = (State::new(&SystemEntropy), Pkce::new(&SystemEntropy));
        let mut url = self.profile.authorization_url(self.app(), scopes, &state, pkce.challenge());
        url.set_query(Some(&format!("{}{person}", url.query().unwrap())));
        let back = Browser::new(self).open(url).await.callback.expect("the browser is sent back to us");
        (Callback::parse(back.query().unwrap()), state, pkce)
    }

    async fn authorize(&self) -> Answered {
        let (callback, sent, pkce) = self.callback(&["api", "read_user"], "").await;
        let Callback::Code { code, state, iss } = callback else { panic!("{callback:?}") };
        assert_eq!(TokenHash::of(&state), sent.hash());
        assert_eq!(self.profile.check_issuer(iss.as_deref()), Ok(()));
        assert_eq!(self.profile.check_issuer(None), Err(OAuthError::WrongIssuer));
        Answered { code, pkce }
    }

    async fn connect(&self) -> Tokens {
        let Answered { code, pkce } = self.authorize().await;
        self.client().exchange(&code, pkce.verifier()).await.unwrap()
    }

    /// Types a device's code in and presses a button.
    async fn at_the_device_page(&self, page: Url, button: &str) {
        let mut browser = Browser::new(self);
        let typed_in = browser.open(page).await;
        let asked = browser.submit(&typed_in, "").await;
        let done = browser.submit(&asked, button).await;
        assert!(done.callback.is_none());
    }
}

/// Just enough of a browser: cookies, redirects, hidden fields.
struct Browser<'a> {
    server: &'a Server,
    cookies: BTreeMap<String, String>,
}

struct Page {
    text: String,
    callback: Option<Url>,
}

impl<'a> Browser<'a> {
    fn new(server: &'a Server) -> Self {
        Self { server, cookies: BTreeMap::new() }
    }

    async fn open(&mut self, url: Url) -> Page {
        self.follow("GET", url, String::new()).await
    }

    /// Sends a device page's form.
    async fn submit(&mut self, page: &Page, button: &str) -> Page {
        let field = |name: &str| {
            let (_, after) = page.text.split_once(&format!("name=\"{name}\" value=\"")).expect("a form");
            after.split('"').next().unwrap().to_owned()
        };
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("xsrf", &field("xsrf")).append_pair("user_code", &field("user_code"));
        if !button.is_empty() {
            form.append_pair(button, "yes");
        }
        let url = self.server.address.join("device").unwrap();
        self.follow("POST", url, form.finish()).await
    }

    async fn follow(&mut self, mut method: &str, mut url: Url, mut body: String) -> Page {
        for _ in 0..10 {
            let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let request = http::Request::builder()
                .method(method)
                .uri(url.as_str())
                .header("content-type", "application/x-www-form-urlencoded")
                .header("cookie", cookies.join("; "))
                .body(UpstreamBody::from(body))
                .unwrap();
            let instance = self.server.address.as_str().trim_end_matches('/').parse().unwrap();
            let response = self.server.http.stream(&instance, request).await.unwrap();
            for cookie in response.headers().get_all("set-cookie") {
                let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
            let Some(location) = response.headers().get("location") else {
                return Page { text: response.text().await.unwrap(), callback: None };
            };
            url = url.join(location.to_str().unwrap()).unwrap();
            if url.as_str().starts_with(REDIRECT) {
                return Page { text: String::new(), callback: Some(url) };
            }
            (method, body) = ("GET", String::new());
        }
        panic!("redirected for ever, last to {url}");
    }
}

/// The tokens that a second refresh with the same token must not give.
async fn is_dead(server: &Server, refresh: &Secret<String>) {
    let error = server.client().refresh(refresh).await.unwrap_err();
    assert!(matches!(error, OAuthError::GrantDead { .. }), "{error}");
    assert_eq!(error.outcome(), Delivery::Answered);
}

#[expect(clippy::disallowed_methods, reason = "tests look inside")]
fn same(a: &Secret<String>, b: &Secret<String>) -> bool {
    a.expose() == b.expose()
}

#[tokio::test]
async fn a_code_with_its_verifier_gives_tokens() {
    for server in Server::with_each_app() {
        let tokens = server.connect().await;
        assert_eq!(tokens.expires_at, Some(Timestamp::from_second(600).unwrap()));
        assert_eq!(tokens.scopes, Some(vec!["api".to_owned(), "read_user".to_owned()]));
        assert!(tokens.refresh.is_some());
    }
}

#[tokio::test]
async fn a_code_is_worth_nothing_without_its_verifier_or_a_second_time() {
    let Some(server) = Server::with_public_app() else { return };
    let Answered { code, pkce } = server.authorize().await;
    let strangers = Pkce::new(&SystemEntropy);
    let error = server.client().exchange(&code, strangers.verifier()).await.unwrap_err();
    assert!(matches!(error, OAuthError::CodeRejected { .. }), "{error}");

    let tokens = server.client().exchange(&code, pkce.verifier()).await.unwrap();
    let error = server.client().exchange(&code, pkce.verifier()).await.unwrap_err();
    assert!(matches!(error, OAuthError::CodeRejected { .. }), "{error}");
    // Somebody had the code: what it gave is dead as well.
    is_dead(&server, &tokens.refresh.unwrap()).await;
}

#[tokio::test]
async fn who_declines_or_is_asked_for_the_impossible_sends_a_reason() {
    let Some(server) = Server::with_public_app() else { return };
    let (callback, sent, _) = server.callback(&["api"], "&login_hint=declines").await;
    let Callback::Refused { error, description, state } = callback else { panic!("{callback:?}") };
    assert_eq!(TokenHash::of(&state.unwrap()), sent.hash());
    assert_eq!(Callback::refusal(&error, &description), OAuthError::Denied);

    let (callback, ..) = server.callback(&["api"], "&scope=twice").await;
    assert!(matches!(callback, Callback::Refused { .. }), "{callback:?}");
}

#[tokio::test]
async fn a_wrong_secret_is_the_administrators_matter() {
    for mut server in Server::with_each_app().into_iter().filter(|server| server.client_secret.is_some()) {
        let tokens = server.connect().await;
        let right = server.client_secret.replace("wrong".into());
        let error = server.client().refresh(tokens.refresh.as_ref().unwrap()).await.unwrap_err();
        assert!(matches!(error, OAuthError::ClientRejected { .. }), "{error}");
        server.client_secret = right;
        server.client().refresh(tokens.refresh.as_ref().unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_device_is_pending_until_the_person_agrees() {
    for server in Server::with_each_app() {
        let started = server.client().device_start(&["api"]).await.unwrap();
        assert_eq!(started.verification_uri, server.address.join("device").unwrap());
        assert_eq!(
            (started.interval, started.expires_at),
            (Duration::from_secs(5), Timestamp::from_second(600).unwrap())
        );
        let poll = || async { server.client().device_poll(&started.device_code, started.interval).await };
        assert!(matches!(poll().await, Ok(DevicePoll::Pending)));

        server.at_the_device_page(started.verification_uri_complete.clone().unwrap(), "confirm").await;
        let Ok(DevicePoll::Done(tokens)) = poll().await else { panic!("not done") };
        assert_eq!(tokens.scopes, Some(vec!["api".to_owned()]));
        server.client().refresh(&tokens.refresh.unwrap()).await.unwrap();
        assert_eq!(poll().await.unwrap_err(), OAuthError::DeviceExpired);
    }
}

#[tokio::test]
async fn a_device_that_the_person_declines_is_denied() {
    let Some(server) = Server::with_public_app() else { return };
    let started = server.client().device_start(&["api"]).await.unwrap();
    server.at_the_device_page(started.verification_uri_complete.unwrap(), "abort").await;
    let outcome = server.client().device_poll(&started.device_code, started.interval).await;
    assert_eq!(outcome.unwrap_err(), OAuthError::Denied);
}

#[tokio::test]
async fn an_app_without_the_device_flow_is_told_so() {
    let Some(server) = Server::with_app("no-device", ClientAuth::Form, None) else { return };
    // With `invalid_request`, which may mean anything; so its words are passed on.
    let error = server.client().device_start(&["api"]).await.unwrap_err();
    assert!(error.to_string().contains("is not allowed for this client"), "{error}");
}

#[tokio::test]
async fn each_refresh_gives_a_new_refresh_token_and_using_an_old_one_ends_them_all() {
    for server in Server::with_each_app() {
        let first = server.connect().await.refresh.unwrap();
        let second = server.client().refresh(&first).await.unwrap().refresh.unwrap();
        let third = server.client().refresh(&second).await.unwrap().refresh.unwrap();
        assert!(!same(&first, &second) && !same(&second, &third));

        is_dead(&server, &first).await;
        is_dead(&server, &third).await;
    }
}

#[tokio::test]
async fn what_is_revoked_is_dead() {
    for server in Server::with_each_app() {
        let tokens = server.connect().await;
        let refresh = tokens.refresh.unwrap();
        for _ in 0..2 {
            assert_eq!(server.client().revoke(&tokens.access, Some(&refresh)).await, Ok(Revoked::Done));
        }
        is_dead(&server, &refresh).await;
    }
}
