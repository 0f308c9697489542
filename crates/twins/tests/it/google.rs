//! Google's consent, tokens and APIs.

use serde_json::{Value, json};
use valetkey_twins::{Account, Consent, DeviceDecision, Google, OAuthApp, Switch, Token, User};

use crate::services::{BACK, CHALLENGE, Fixture, VERIFIER, sent, text};
use crate::support::Answer;

const DRIVE: &str = "https://www.googleapis.com/auth/drive.readonly";
const DRIVE_FILE: &str = "https://www.googleapis.com/auth/drive.file";
const CALENDAR: &str = "https://www.googleapis.com/auth/calendar.readonly";
const GMAIL: &str = "https://www.googleapis.com/auth/gmail.readonly";

impl Fixture<Google> {
    fn john(&self) -> (OAuthApp, Account) {
        let john = self.twin.user(User::new("john").name("John Doe"));
        self.twin.oauth().consent_always(Consent::approve(&john));
        (self.twin.oauth().register(OAuthApp::confidential(BACK).device_flow()), john)
    }

    fn token(&self, account: &Account, scopes: &[&str]) -> String {
        self.twin.access_token(account, Token::generated().scopes(scopes.iter().copied()))
    }

    async fn form(&self, path: &str, app: &OAuthApp, fields: &[(&str, &str)]) -> Answer {
        let client = [("client_id", app.client_id()), ("client_secret", app.client_secret())];
        sent(self.post(path).form(&[&client[..], fields].concat())).await
    }

    async fn connect(&self, app: &OAuthApp, scope: &str, more: &[(&str, &str)]) -> Value {
        let asked = [("scope", scope), ("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];
        let back = self.authorize("/o/oauth2/v2/auth", app, &[&asked[..], more].concat()).await;
        let code = [("grant_type", "authorization_code"), ("code", &back["code"]), ("redirect_uri", BACK)];
        let answer = self.form("/token", app, &[&code[..], &[("code_verifier", VERIFIER)]].concat()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    async fn refresh(&self, app: &OAuthApp, tokens: &Value) -> Answer {
        let token = text(&tokens["refresh_token"]);
        self.form("/token", app, &[("grant_type", "refresh_token"), ("refresh_token", &token)]).await
    }
}

const OFFLINE: (&str, &str) = ("access_type", "offline");

#[tokio::test]
async fn a_refresh_token_comes_with_the_first_consent_or_when_asked_for_again() {
    let fixture = Fixture::<Google>::new().await;
    let (app, _) = fixture.john();
    assert_eq!(fixture.connect(&app, DRIVE, &[]).await["refresh_token"], Value::Null);
    let first = fixture.connect(&app, DRIVE, &[OFFLINE]).await;
    assert!(text(&first["refresh_token"]).starts_with("1//"));
    assert!(text(&first["access_token"]).starts_with("ya29."));
    assert_eq!((&first["expires_in"], &first["scope"]), (&json!(3599), &json!(DRIVE)));
    assert_eq!(first["refresh_token_expires_in"], Value::Null);
    assert_eq!(fixture.connect(&app, DRIVE, &[OFFLINE]).await["refresh_token"], Value::Null);
    assert!(fixture.connect(&app, DRIVE, &[OFFLINE, ("prompt", "consent")]).await["refresh_token"].is_string());
}

#[tokio::test]
async fn a_refresh_keeps_the_refresh_token_until_the_grant_is_revoked() {
    let fixture = Fixture::<Google>::new().await;
    let (app, _) = fixture.john();
    let tokens = fixture.connect(&app, DRIVE, &[OFFLINE]).await;
    for _ in 0..2 {
        let renewed = fixture.refresh(&app, &tokens).await.json();
        assert_eq!(renewed["refresh_token"], Value::Null);
        assert_eq!(fixture.get_as(&text(&renewed["access_token"]), "/drive/v3/files").await.status, 200);
    }
    let access = text(&tokens["access_token"]);
    let revoked = sent(fixture.post("/revoke").form(&[("token", &access)])).await;
    assert_eq!(revoked.status, 200);
    let dead = fixture.refresh(&app, &tokens).await;
    let wanted = json!({"error": "invalid_grant", "error_description": "Token has been expired or revoked."});
    assert_eq!((dead.status, dead.json()), (400, wanted));
    let again = sent(fixture.post("/revoke").form(&[("token", &access)])).await;
    assert_eq!((again.status, again.json()["error"].as_str()), (400, Some("invalid_token")));
    assert_eq!(fixture.get_as(&access, "/drive/v3/files").await.status, 401);
}

#[tokio::test]
async fn a_person_may_untick_scopes() {
    let fixture = Fixture::<Google>::new().await;
    let (app, john) = fixture.john();
    fixture.twin.oauth().consent(Consent::approve_only(&john, [DRIVE]));
    let tokens = fixture.connect(&app, &format!("{DRIVE} {CALENDAR}"), &[OFFLINE]).await;
    assert_eq!(tokens["scope"], DRIVE);
    let refused = fixture.get_as(&text(&tokens["access_token"]), "/calendar/v3/users/me/calendarList").await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.json()["error"]["errors"][0]["reason"], "insufficientPermissions");
    assert!(refused.header("www-authenticate").unwrap().contains("error=\"insufficient_scope\""));
}

#[tokio::test]
async fn denied_consent_and_an_app_for_testing_are_told() {
    let fixture = Fixture::<Google>::new().await;
    let (app, _) = fixture.john();
    fixture.twin.oauth().consent(Consent::Deny);
    assert_eq!(fixture.authorize("/o/oauth2/v2/auth", &app, &[("scope", DRIVE)]).await["error"], "access_denied");
    fixture.twin.publish_for_testing();
    let tokens = fixture.connect(&app, DRIVE, &[OFFLINE]).await;
    assert_eq!(tokens["refresh_token_expires_in"], 604_799);
}

#[tokio::test]
async fn who_it_is_comes_in_three_ways() {
    let fixture = Fixture::<Google>::new().await;
    let (app, _) = fixture.john();
    let tokens = fixture.connect(&app, "openid email", &[]).await;
    assert_eq!(text(&tokens["id_token"]).split('.').count(), 3);
    assert_eq!(tokens["scope"], "openid https://www.googleapis.com/auth/userinfo.email");
    let access = text(&tokens["access_token"]);
    let info = fixture.get_as(&access, "/v1/userinfo").await.json();
    assert_eq!((&info["email"], &info["name"]), (&json!("john@example.test"), &Value::Null));
    let token = sent(fixture.get(&format!("/tokeninfo?access_token={access}"))).await.json();
    assert_eq!((&token["aud"], &token["sub"]), (&json!(app.client_id()), &info["sub"]));
    let unknown = sent(fixture.get("/tokeninfo?access_token=ya29.x")).await;
    assert_eq!((unknown.status, unknown.json()["error"].as_str()), (400, Some("invalid_token")));
}

#[tokio::test]
async fn a_device_waits_for_the_person() {
    let fixture = Fixture::<Google>::new().await;
    let (app, john) = fixture.john();
    let start = fixture.form("/device/code", &app, &[("scope", DRIVE_FILE)]).await.json();
    assert!(start["verification_url"].is_string());
    let device = text(&start["device_code"]);
    let grant = [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", device.as_str())];
    let waiting = fixture.form("/token", &app, &grant).await;
    assert_eq!((waiting.status, waiting.json()["error"].as_str()), (428, Some("authorization_pending")));
    fixture.twin.oauth().device(&text(&start["user_code"]), DeviceDecision::Decide(Consent::approve(&john)));
    assert!(fixture.form("/token", &app, &grant).await.json()["refresh_token"].is_string());
}

#[tokio::test]
async fn drive_lists_in_pages_that_lose_and_repeat_nothing() {
    let fixture = Fixture::<Google>::new().await;
    let (_, john) = fixture.john();
    let all: Vec<_> = (0..25).map(|number| fixture.twin.file(&john, &format!("Report {number}"))).collect();
    let token = fixture.token(&john, &[DRIVE]);
    let (mut seen, mut path) = (Vec::new(), "/drive/v3/files?pageSize=10".to_owned());
    loop {
        let page = fixture.get_as(&token, &path).await.json();
        seen.extend(page["files"].as_array().unwrap().iter().map(|file| text(&file["id"])));
        let Some(next) = page["nextPageToken"].as_str() else { break };
        path = format!("/drive/v3/files?pageSize=10&pageToken={next}");
    }
    assert_eq!(seen, all);
    let partial = fixture.get_as(&token, "/drive/v3/files?pageSize=10&fields=files(id)").await.json();
    assert_eq!(partial["nextPageToken"], Value::Null, "a token that was not asked for is not sent");
    let found = fixture.get_as(&token, "/drive/v3/files?q=name%20contains%20%27Report%2024%27").await.json();
    assert_eq!(found["files"].as_array().unwrap().len(), 1);
    assert_eq!(fixture.get_as(&token, "/drive/v3/files?pageToken=strange").await.status, 400);
}

#[tokio::test]
async fn an_app_with_drive_file_sees_what_it_made() {
    let fixture = Fixture::<Google>::new().await;
    let (_, john) = fixture.john();
    let other = fixture.twin.file(&john, "Secret plans");
    let token = fixture.token(&john, &[DRIVE_FILE]);
    let made = sent(fixture.post("/drive/v3/files").bearer_auth(&token).json(&json!({"name": "Mine"}))).await.json();
    let listed = fixture.get_as(&token, "/drive/v3/files").await.json();
    assert_eq!(listed["files"].as_array().unwrap().len(), 1);
    assert_eq!(listed["files"][0]["id"], made["id"]);
    assert_eq!(fixture.get_as(&token, &format!("/drive/v3/files/{other}")).await.status, 404);
}

#[tokio::test]
async fn about_wants_its_fields_and_every_api_wants_its_scope() {
    let fixture = Fixture::<Google>::new().await;
    let (_, john) = fixture.john();
    fixture.twin.calendar(&john, "Team");
    fixture.twin.message(&john, "Hello");
    let all = fixture.token(&john, &[DRIVE, CALENDAR, GMAIL]);
    assert_eq!(fixture.get_as(&all, "/drive/v3/about").await.json()["error"]["errors"][0]["reason"], "required");
    let user = fixture.get_as(&all, "/drive/v3/about?fields=user").await.json();
    assert_eq!(user["user"]["emailAddress"], "john@example.test");
    let calendars = fixture.get_as(&all, "/calendar/v3/users/me/calendarList").await.json();
    assert_eq!((&calendars["items"][0]["primary"], &calendars["items"][1]["summary"]), (&json!(true), &json!("Team")));
    assert_eq!(fixture.get_as(&all, "/gmail/v1/users/me/profile").await.json()["messagesTotal"], 1);
    let messages = fixture.get_as(&all, "/gmail/v1/users/me/messages?maxResults=1").await.json();
    assert_eq!(messages["messages"].as_array().unwrap().len(), 1);

    let none = fixture.token(&john, &["openid"]);
    for path in ["/drive/v3/files", "/calendar/v3/users/me/calendarList", "/gmail/v1/users/me/profile"] {
        assert_eq!(fixture.get_as(&none, path).await.status, 403, "{path}");
        assert_eq!(fixture.get_as("ya29.unknown", path).await.json()["error"]["errors"][0]["reason"], "authError");
    }
}

#[tokio::test]
async fn limits_come_as_429_and_as_403() {
    let fixture = Fixture::<Google>::new().await;
    let (_, john) = fixture.john();
    let token = fixture.token(&john, &[DRIVE]);
    fixture.twin.switch(Switch::RateLimited { retry_after: None });
    assert_eq!(fixture.get_as(&token, "/drive/v3/files").await.status, 429);
    fixture.twin.heal();
    fixture.twin.switch(Switch::SecondaryRateLimited { retry_after: None });
    let limited = fixture.get_as(&token, "/drive/v3/files").await;
    assert_eq!(limited.status, 403);
    assert_eq!(limited.json()["error"]["errors"][0]["reason"], "userRateLimitExceeded");
}
