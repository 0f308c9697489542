//! Every service without git, from connecting to disconnecting, as each behaves by its documents.

use jiff::SignedDuration;
use url::Url;
use valetkey_integrations::{
    AppFacts, AppSecrets, Connect, ConsentRequest, Disconnected, NewApp, RevokedAtProvider, Rotation,
};
use valetkey_model::{
    Actor, AuthMethod, Clock as _, Integration, IntegrationRef, OwnerScope, Problem, ProblemCode, ProviderKind, Status,
};
use valetkey_providers::{Credential, UpstreamBody};
use valetkey_seal::TokenHash;
use valetkey_store::AppOrigin;
use valetkey_testbed::Testbed;
use valetkey_twins::{
    Authority, Consent, Endpoint, Google, JiraCloud, JiraDataCenter, OAuthApp, Service, Slack, Token, TokenState, User,
    Wants,
};

const REDIRECT: &str = "http://127.0.0.1:8080/oauth/callback";

fn credential(method: AuthMethod, login: Option<&str>, token: &str) -> Credential {
    Credential { method, login: login.map(str::to_owned), ..Credential::pat(token.into()) }
}

async fn connect(bed: &Testbed, kind: ProviderKind, url: &str, credential: Credential) -> Result<Integration, Problem> {
    let wanted = Connect {
        provider: kind,
        scope: OwnerScope::UserGlobal,
        by: Actor::admin(),
        alias: None,
        instance_url: Some(url.parse().unwrap()),
        credential,
    };
    bed.integrations.connect(wanted).await
}

async fn register(bed: &Testbed, kind: ProviderKind, url: &str, authority: &Authority) {
    let app = authority.register(OAuthApp::confidential(REDIRECT));
    let secrets = AppSecrets { client_secret: Some(app.client_secret().into()), ..AppSecrets::default() };
    let (instance_url, client_id) = (Some(url.parse().unwrap()), app.client_id().to_owned());
    let new = NewApp { provider: kind, instance_url, client_id, secrets, facts: AppFacts::default() };
    bed.integrations.register_app(new, AppOrigin::Ui).await.unwrap();
}

/// A person consents in the browser.
async fn consent(bed: &Testbed, kind: ProviderKind, url: &str) -> Result<Integration, Problem> {
    let browser = TokenHash::of("a browser");
    let request = ConsentRequest {
        provider: kind,
        method: AuthMethod::OAuth,
        instance_url: Some(url.parse().unwrap()),
        scope: OwnerScope::UserGlobal,
        by: Actor::admin(),
        alias: None,
        choices: None,
        reconnect: None,
        redirect_uri: REDIRECT.to_owned(),
    };
    let begun = bed.integrations.begin_consent(request, &browser).await.unwrap();
    let ask = http::Request::builder().uri(begun.authorize_url.as_str()).body(UpstreamBody::default()).unwrap();
    let answer = bed.http.stream(&url.parse().unwrap(), ask).await.unwrap();
    let location: Url = answer.headers()["location"].to_str().unwrap().parse().unwrap();
    bed.integrations.finish_consent(location.query().unwrap(), &[browser]).await.unwrap().result
}

async fn status(bed: &Testbed, it: &Integration) -> Status {
    let which = IntegrationRef::Id(it.id.clone());
    bed.integrations.test(&Actor::admin(), &which).await.unwrap().status(bed.clock.now()).0
}

async fn disconnect(bed: &Testbed, it: Integration) -> RevokedAtProvider {
    let gone = bed.integrations.disconnect(&Actor::admin(), &IntegrationRef::Id(it.id), false).await.unwrap();
    let Disconnected::Erased(revoked) = gone else { panic!("no session holds it") };
    revoked
}

/// Lets the access token end, and shows that the account goes on working with another one.
async fn outlives_its_token(bed: &Testbed, it: &Integration, authority: &Authority) {
    let before = authority.refreshes();
    bed.clock.advance(it.expires_at.unwrap().duration_since(bed.clock.now()) + SignedDuration::from_secs(1));
    assert_eq!(status(bed, it).await, Status::Connected);
    assert_eq!(authority.refreshes(), before + 1);
}

#[tokio::test]
async fn jira_cloud_by_token() {
    let jira = Service::<JiraCloud>::builder().start().await.unwrap();
    let ada = jira.user(User::new("ada").email("ada@example.test"));
    let bed = Testbed::new(&[]).await;
    for token in
        [Token::generated(), Token::generated().scopes(["read:jira-user", "read:jira-work", "write:jira-work"])]
    {
        let token = jira.api_token(&ada, token);
        let by_token = credential(AuthMethod::Basic, Some("ada@example.test"), &token);
        let it = connect(&bed, ProviderKind::Jira, jira.url(), by_token).await.unwrap();
        assert_eq!(it.account.email.as_deref(), Some("ada@example.test"));
        assert_eq!(status(&bed, &it).await, Status::Connected);
        jira.set_token_state(&token, TokenState::Revoked);
        assert_eq!(status(&bed, &it).await, Status::Disconnected);
        assert!(matches!(disconnect(&bed, it).await, RevokedAtProvider::NotOffered { .. }));
    }
}

#[tokio::test]
async fn jira_cloud_by_consent() {
    let jira = Service::<JiraCloud>::builder().start().await.unwrap();
    let ada = jira.user(User::new("ada").email("ada@example.test"));
    let bed = Testbed::new(&[]).await;
    register(&bed, ProviderKind::Jira, jira.url(), jira.oauth()).await;
    jira.oauth().consent(Consent::approve(&ada));
    let it = consent(&bed, ProviderKind::Jira, jira.url()).await.unwrap();
    assert_eq!(it.details.sites.len(), 1);
    let days = it.ends_at().unwrap().duration_since(bed.clock.now()).as_hours() / 24;
    assert!((89..=90).contains(&days), "unused it ends after 90 days, not {days}");
    outlives_its_token(&bed, &it, jira.oauth()).await;
    disconnect(&bed, it).await;
}

#[tokio::test]
async fn jira_data_center_by_token() {
    let jira = Service::<JiraDataCenter>::builder().start().await.unwrap();
    let ada = jira.user(User::new("ada").email("ada@example.test"), "secret");
    let token = jira.token(&ada, "valetkey", None);
    let bed = Testbed::new(&[]).await;
    let it = connect(&bed, ProviderKind::Jira, jira.url(), Credential::pat(token.value.as_str().into())).await.unwrap();
    assert_eq!((it.account.username.as_str(), status(&bed, &it).await), ("ada", Status::Connected));
}

#[tokio::test]
async fn google_by_consent_in_part() {
    let google = Service::<Google>::builder().start().await.unwrap();
    let ada = google.user(User::new("ada").email("ada@example.test"));
    let bed = Testbed::new(&[]).await;
    register(&bed, ProviderKind::Google, google.url(), google.oauth()).await;
    let drive = "https://www.googleapis.com/auth/drive.readonly";
    google.oauth().consent(Consent::approve_only(&ada, ["openid", "email", "profile", drive]));
    let it = consent(&bed, ProviderKind::Google, google.url()).await.unwrap();
    assert_eq!(it.account.email.as_deref(), Some("ada@example.test"));
    assert!(it.granted_scopes.iter().any(|scope| scope == drive), "{:?}", it.granted_scopes);
    assert_eq!(it.details.withheld_scopes, ["https://www.googleapis.com/auth/calendar.readonly"]);
    outlives_its_token(&bed, &it, google.oauth()).await;
    assert_eq!(disconnect(&bed, it).await, RevokedAtProvider::Yes);
}

#[tokio::test]
async fn google_of_an_app_in_testing() {
    let google = Service::<Google>::builder().start().await.unwrap();
    let ada = google.user(User::new("ada").email("ada@example.test"));
    google.publish_for_testing();
    let bed = Testbed::new(&[]).await;
    register(&bed, ProviderKind::Google, google.url(), google.oauth()).await;
    google.oauth().consent(Consent::approve(&ada));
    let it = consent(&bed, ProviderKind::Google, google.url()).await.unwrap();
    assert_eq!(it.status(bed.clock.now()).0, Status::Expiring);
    let tested = bed.integrations.test(&Actor::admin(), &IntegrationRef::Id(it.id)).await.unwrap();
    assert!(tested.details.notes.iter().any(|note| note.contains("Testing")), "{:?}", tested.details);
}

#[tokio::test]
async fn slack_by_token_exchanged_for_one_that_is_refreshed() {
    let slack = Service::<Slack>::builder().start().await.unwrap();
    let token = slack.bot_token(Token::generated().scopes(["chat:write"]));
    let bed = Testbed::new(&[]).await;
    let it = connect(&bed, ProviderKind::Slack, slack.url(), Credential::pat(token.as_str().into())).await.unwrap();
    assert!(it.details.team.is_some());
    let which = IntegrationRef::Id(it.id.clone());
    let rotated = bed.integrations.rotate(&Actor::admin(), &which).await.unwrap();
    assert!(matches!(rotated, Rotation::ByHand { .. }), "no app is registered");
    register(&bed, ProviderKind::Slack, slack.url(), slack.oauth()).await;
    let Rotation::Done(it) = bed.integrations.rotate(&Actor::admin(), &which).await.unwrap() else {
        panic!("Slack exchanges lasting tokens")
    };
    assert_eq!(it.auth_method, AuthMethod::OAuth);
    outlives_its_token(&bed, &it, slack.oauth()).await;
    assert_eq!(disconnect(&bed, *it).await, RevokedAtProvider::Yes);
}

#[tokio::test]
async fn slack_by_consent() {
    let slack = Service::<Slack>::builder().start().await.unwrap();
    let ada = slack.user(User::new("ada"));
    let bed = Testbed::new(&[]).await;
    register(&bed, ProviderKind::Slack, slack.url(), slack.oauth()).await;
    slack.oauth().consent(Consent::approve(&ada));
    let it = consent(&bed, ProviderKind::Slack, slack.url()).await.unwrap();
    outlives_its_token(&bed, &it, slack.oauth()).await;
}

#[tokio::test]
async fn any_http_service_by_the_secret_it_wants() {
    let bed = Testbed::new(&[]).await;
    for (wants, right, wrong) in [
        (
            Wants::Header("x-api-key".into(), "s3cret-value".into()),
            credential(AuthMethod::Header, Some("X-Api-Key"), "s3cret-value"),
            credential(AuthMethod::Header, Some("X-Api-Key"), "another-value"),
        ),
        (
            Wants::Basic("ada".into(), "s3cret-value".into()),
            credential(AuthMethod::Basic, Some("ada"), "s3cret-value"),
            credential(AuthMethod::Basic, Some("ada"), "another-value"),
        ),
        (
            Wants::Bearer("s3cret-value".into()),
            credential(AuthMethod::Pat, None, "s3cret-value"),
            credential(AuthMethod::Pat, None, "another-value"),
        ),
    ] {
        let service = Service::<Endpoint>::builder().start().await.unwrap();
        service.want(wants);
        let refused = connect(&bed, ProviderKind::Http, service.url(), wrong).await.unwrap_err();
        assert_eq!(refused.code, ProblemCode::TokenInvalid);
        let it = connect(&bed, ProviderKind::Http, service.url(), right).await.unwrap();
        assert_eq!(status(&bed, &it).await, Status::Connected);
        drop(service);
        assert_eq!(status(&bed, &it).await, Status::Unreachable);
        disconnect(&bed, it).await;
    }
}
