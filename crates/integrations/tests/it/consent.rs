//! Connecting by consent, against the authorization server of a GitLab.

use jiff::SignedDuration;
use url::Url;
use valetkey_integrations::{AppSecrets, ConsentRequest, DeviceProgress, NewApp, Outcome};
use valetkey_model::{
    Actor, AuthMethod, Clock as _, Integration, OwnerScope, Problem, ProblemCode, ProviderKind, Status,
};
use valetkey_providers::UpstreamBody;
use valetkey_seal::TokenHash;
use valetkey_store::{AppOrigin, Everybodys};
use valetkey_testbed::{ForgeBed, Testbed};
use valetkey_twins::{Consent, DeviceDecision, OAuthApp, User};

const REDIRECT: &str = "http://127.0.0.1:8080/oauth/callback";

/// A Valetkey with an app registered at a GitLab where John has an account.
pub(crate) struct Bed {
    pub(crate) bed: Testbed,
    pub(crate) forge: ForgeBed,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        let forge = ForgeBed::gitlab().await;
        let bed = Testbed::new(&[&forge]).await;
        let app = forge.twin.oauth().register(OAuthApp::confidential(REDIRECT).device_flow());
        bed.integrations.register_app(new_app(&forge, &app), AppOrigin::Ui).await.unwrap();
        Self { bed, forge }
    }

    /// John's account, connected by consent.
    pub(crate) async fn connected() -> (Self, Integration) {
        let it = Self::new().await;
        it.forge.twin.oauth().consent_always(Consent::approve(&it.forge.john));
        let answer = it.answer(&it.begin(request(&it.forge)).await).await;
        let connected = it.finish(&answer).await.unwrap();
        (it, connected)
    }

    async fn begin(&self, request: ConsentRequest) -> Url {
        self.bed.integrations.begin_consent(request, &browser()).await.unwrap().authorize_url
    }

    /// What the provider sends the browser back with, once it has been asked.
    async fn answer(&self, authorize_url: &Url) -> String {
        let request = http::Request::builder().uri(authorize_url.as_str()).body(UpstreamBody::default()).unwrap();
        let instance = self.forge.twin.url().parse().unwrap();
        let response = self.bed.http.stream(&instance, request).await.unwrap();
        let location: Url = response.headers()["location"].to_str().unwrap().parse().unwrap();
        assert!(location.as_str().starts_with(REDIRECT));
        location.query().unwrap().to_owned()
    }

    async fn finish(&self, query: &str) -> Result<Integration, Problem> {
        self.bed.integrations.finish_consent(query, &[browser()]).await?.result
    }

    async fn count(&self) -> usize {
        self.bed.store.integrations(Everybodys::default()).await.unwrap().len()
    }
}

fn new_app(forge: &ForgeBed, app: &OAuthApp) -> NewApp {
    NewApp {
        provider: ProviderKind::GitLab,
        instance_url: Some(forge.twin.url().parse().unwrap()),
        client_id: app.client_id().to_owned(),
        secrets: AppSecrets { client_secret: Some(app.client_secret().into()), ..AppSecrets::default() },
        facts: valetkey_integrations::AppFacts::default(),
    }
}

fn browser() -> TokenHash {
    TokenHash::of("johns-browser")
}

fn request(forge: &ForgeBed) -> ConsentRequest {
    ConsentRequest {
        provider: ProviderKind::GitLab,
        method: AuthMethod::OAuth,
        instance_url: Some(forge.twin.url().parse().unwrap()),
        scope: OwnerScope::UserGlobal,
        by: Actor::admin(),
        alias: None,
        choices: None,
        reconnect: None,
        redirect_uri: REDIRECT.to_owned(),
    }
}

#[tokio::test]
async fn an_account_is_connected_by_consent() {
    let it = Bed::new().await;
    it.forge.twin.oauth().consent(Consent::approve(&it.forge.john));
    let begun = it.bed.integrations.begin_consent(request(&it.forge), &browser()).await.unwrap();
    let owner = Actor::admin();
    assert_eq!(it.bed.integrations.consent_outcome(&owner, &begun.attempt).await.unwrap(), Outcome::Pending);
    let connected = it.finish(&it.answer(&begun.authorize_url).await).await.unwrap();
    assert_eq!((connected.account.username.as_str(), connected.auth_method), ("john", AuthMethod::OAuth));
    assert_eq!(connected.status(it.bed.clock.now()).0, Status::Connected);
    assert!(connected.expires_at.is_some() && connected.ends_at().is_none());
    let outcome = it.bed.integrations.consent_outcome(&owner, &begun.attempt).await.unwrap();
    assert_eq!(outcome, Outcome::Connected { integration: connected.id.clone() });
    let repository = it.bed.integrations.repository(&connected, &it.forge.url()).await.unwrap();
    assert_eq!(repository.why_not_push, None);
}

#[tokio::test]
async fn an_answer_counts_once_in_time_and_in_its_own_browser() {
    let it = Bed::new().await;
    it.forge.twin.oauth().consent_always(Consent::approve(&it.forge.john));
    let refused = async |query: &str, browser: &TokenHash| {
        let finished = it.bed.integrations.finish_consent(query, std::slice::from_ref(browser)).await;
        let problem = finished.expect_err("an answer like that counts for nothing");
        assert_eq!(problem.code, ProblemCode::OauthStateInvalid);
        problem.detail
    };
    for forged in ["code=x&state=made-up", "code=x", "", "state=y", "code=x&code=y&state=z"] {
        refused(forged, &browser()).await;
    }
    let foreign = it.answer(&it.begin(request(&it.forge)).await).await;
    assert!(refused(&foreign, &TokenHash::of("eves-browser")).await.contains("another browser"));
    assert!(refused(&foreign, &browser()).await.contains("used already"));
    let late = it.answer(&it.begin(request(&it.forge)).await).await;
    it.bed.clock.advance(SignedDuration::from_mins(11));
    assert!(refused(&late, &browser()).await.contains("too late"));
    assert_eq!(it.count().await, 0);

    let good = it.answer(&it.begin(request(&it.forge)).await).await;
    it.finish(&good).await.unwrap();
    assert!(refused(&good, &browser()).await.contains("used already"));
    assert_eq!(it.count().await, 1);
}

#[tokio::test]
async fn a_refusal_has_its_own_words_and_stores_nothing() {
    let it = Bed::new().await;
    it.forge.twin.oauth().consent(Consent::Deny);
    let denied = it.finish(&it.answer(&it.begin(request(&it.forge)).await).await).await.unwrap_err();
    assert_eq!(denied.code, ProblemCode::ConsentDenied);
    it.forge.twin.oauth().consent(Consent::approve_only(&it.forge.john, ["read_user"]));
    let lacking = it.finish(&it.answer(&it.begin(request(&it.forge)).await).await).await.unwrap_err();
    assert_eq!(lacking.code, ProblemCode::InsufficientScope);
    it.forge.twin.oauth().consent(Consent::approve(&it.forge.john));
    it.forge.twin.oauth().expire_codes();
    let url = it.begin(request(&it.forge)).await;
    let answer = it.answer(&url).await;
    it.forge.twin.oauth().expire_codes();
    assert_eq!(it.finish(&answer).await.unwrap_err().code, ProblemCode::OauthStateInvalid);
    assert_eq!(it.count().await, 0);
}

#[tokio::test]
async fn to_connect_again_takes_the_same_account() {
    let it = Bed::new().await;
    let token = it.bed.connect(&it.forge).await;
    let again = ConsentRequest { reconnect: Some(token.id.clone()), ..request(&it.forge) };
    let jane = it.forge.twin.user(User::new("jane"));
    it.forge.twin.oauth().consent(Consent::approve(&jane));
    let other = it.finish(&it.answer(&it.begin(again.clone()).await).await).await.unwrap_err();
    assert_eq!(other.code, ProblemCode::IntegrationUnusable);
    it.forge.twin.oauth().consent(Consent::approve(&it.forge.john));
    let same = it.finish(&it.answer(&it.begin(again).await).await).await.unwrap();
    assert_eq!((same.id, same.auth_method, same.generation), (token.id, AuthMethod::OAuth, 2));
    assert_eq!(it.count().await, 1);
}

#[tokio::test]
async fn without_a_registered_app_nobody_is_sent_anywhere() {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    let problem = bed.integrations.begin_consent(request(&forge), &browser()).await.unwrap_err();
    assert_eq!(problem.code, ProblemCode::OauthNotConfigured);
}

#[tokio::test]
async fn consent_is_given_on_another_device() {
    let it = Bed::new().await;
    let owner = Actor::admin();
    let code = it.bed.integrations.begin_device(request(&it.forge)).await.unwrap();
    let poll = async || it.bed.integrations.poll_device(&owner, &code.attempt).await;
    assert!(matches!(poll().await, Ok(DeviceProgress::Pending { .. })));
    it.bed.clock.advance(SignedDuration::from_secs(6));
    assert!(matches!(poll().await, Ok(DeviceProgress::Pending { .. })));
    it.forge.twin.oauth().device(&code.user_code, DeviceDecision::Decide(Consent::approve(&it.forge.john)));
    // Asked before its time, the provider is left in peace.
    let asked = it.forge.twin.journal().len();
    assert!(matches!(poll().await, Ok(DeviceProgress::Pending { .. })));
    assert_eq!(it.forge.twin.journal().len(), asked);
    it.bed.clock.advance(SignedDuration::from_secs(6));
    let Ok(DeviceProgress::Connected(integration)) = poll().await else { panic!("the person has agreed") };
    assert_eq!(integration.account.username, "john");
    assert!(matches!(poll().await, Ok(DeviceProgress::Connected(_))));
    let eve = Actor::new("eve".parse().unwrap(), false, std::collections::BTreeMap::new());
    assert!(it.bed.integrations.poll_device(&eve, &code.attempt).await.is_err());
}

#[tokio::test]
async fn disconnecting_revokes_the_consent_at_the_provider() {
    use valetkey_integrations::{Disconnected, RevokedAtProvider};
    let it = Bed::new().await;
    it.forge.twin.oauth().consent(Consent::approve(&it.forge.john));
    let connected = it.finish(&it.answer(&it.begin(request(&it.forge)).await).await).await.unwrap();
    let which = valetkey_model::IntegrationRef::Id(connected.id);
    let gone = it.bed.integrations.disconnect(&Actor::admin(), &which, false).await.unwrap();
    assert_eq!(gone, Disconnected::Erased(RevokedAtProvider::Yes));
}
