//! Slack's Web API, installing, and rotation.

use serde_json::{Value, json};
use valetkey_twins::{Account, Consent, OAuthApp, Slack, Switch, Token, TokenState, User};

use crate::services::{BACK, Fixture, sent, text};

const SCOPES: &str = "chat:write,channels:read,channels:history,users:read";

impl Fixture<Slack> {
    fn bot(&self) -> String {
        self.twin.bot_token(Token::generated().scopes(SCOPES.split(',')))
    }

    async fn call(&self, token: &str, method: &str, arguments: &[(&str, &str)]) -> Value {
        let answer = sent(self.post(&format!("/api/{method}")).bearer_auth(token).form(arguments)).await;
        assert_eq!(answer.status, 200, "Slack's failures are 200s: {answer:?}");
        answer.json()
    }

    fn app(&self, app: OAuthApp) -> (OAuthApp, Account) {
        let ann = self.twin.user(User::new("ann"));
        self.twin.oauth().consent_always(Consent::approve(&ann));
        (self.twin.oauth().register(app), ann)
    }

    async fn access(&self, app: &OAuthApp, fields: &[(&str, &str)]) -> Value {
        let request = self.post("/api/oauth.v2.access").basic_auth(app.client_id(), Some(app.client_secret()));
        let answer = sent(request.form(fields)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    async fn install(&self, app: &OAuthApp) -> Value {
        let code = self.authorize("/oauth/v2/authorize", app, &[("scope", SCOPES)]).await["code"].clone();
        self.access(app, &[("code", &code), ("redirect_uri", BACK)]).await
    }
}

#[tokio::test]
async fn a_bot_token_says_whose_it_is_and_what_it_may_do() {
    let fixture = Fixture::<Slack>::new().await;
    let answer = fixture.get_as(&fixture.bot(), "/api/auth.test").await;
    let me = answer.json();
    assert_eq!((&me["ok"], &me["team"], &me["user"]), (&json!(true), &json!("acme"), &json!("valetkey")));
    assert!(me["bot_id"].is_string());
    assert_eq!(answer.header("x-oauth-scopes"), Some(SCOPES));
}

#[tokio::test]
async fn each_failure_has_its_own_word() {
    let fixture = Fixture::<Slack>::new().await;
    let ann = fixture.twin.user(User::new("ann"));
    let state = |state| fixture.twin.user_token(&ann, Token::generated().state(state));
    for (token, error) in [
        ("xoxb-unknown".to_owned(), "invalid_auth"),
        (state(TokenState::Expired), "token_expired"),
        (state(TokenState::Revoked), "token_revoked"),
    ] {
        assert_eq!(fixture.call(&token, "auth.test", &[]).await["error"], error);
    }
    assert_eq!(sent(fixture.get("/api/auth.test")).await.json()["error"], "not_authed");
    let token = state(TokenState::Active);
    fixture.twin.deactivate(&ann);
    assert_eq!(fixture.call(&token, "auth.test", &[]).await["error"], "account_inactive");
}

#[tokio::test]
async fn a_missing_scope_is_named_with_those_that_are_there() {
    let fixture = Fixture::<Slack>::new().await;
    let token = fixture.twin.bot_token(Token::generated().scopes(["users:read"]));
    let refused = fixture.call(&token, "chat.postMessage", &[("channel", "general"), ("text", "hi")]).await;
    let wanted = json!({"ok": false, "error": "missing_scope", "needed": "chat:write", "provided": "users:read"});
    assert_eq!(refused, wanted);
}

#[tokio::test]
async fn a_message_is_posted_and_answered_in_its_thread() {
    let fixture = Fixture::<Slack>::new().await;
    let (token, channel) = (fixture.bot(), fixture.twin.channel("general"));
    let first = fixture.call(&token, "chat.postMessage", &[("channel", "#general"), ("text", "hello")]).await;
    let ts = text(&first["ts"]);
    let answer = [("channel", channel.as_str()), ("text", "again"), ("thread_ts", &ts)];
    fixture.call(&token, "chat.postMessage", &answer).await;
    fixture.call(&token, "chat.postMessage", &[("channel", &channel), ("text", "elsewhere")]).await;

    let thread = fixture.call(&token, "conversations.replies", &[("channel", &channel), ("ts", &ts)]).await;
    let texts: Vec<_> = thread["messages"].as_array().unwrap().iter().map(|message| text(&message["text"])).collect();
    assert_eq!(texts, ["hello", "again"]);
    assert_eq!(fixture.twin.messages(&channel).len(), 3);
    let nowhere = fixture.call(&token, "chat.postMessage", &[("channel", "none"), ("text", "hi")]).await;
    assert_eq!(nowhere["error"], "channel_not_found");
}

#[tokio::test]
async fn channels_come_in_pages_by_a_cursor() {
    let fixture = Fixture::<Slack>::new().await;
    let token = fixture.bot();
    let all: Vec<_> = (0..25).map(|number| fixture.twin.channel(&format!("c{number}"))).collect();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = fixture.call(&token, "conversations.list", &[("limit", "10"), ("cursor", &cursor)]).await;
        seen.extend(page["channels"].as_array().unwrap().iter().map(|channel| text(&channel["id"])));
        cursor = text(&page["response_metadata"]["next_cursor"]);
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(seen, all);
    let strange = fixture.call(&token, "conversations.list", &[("cursor", "strange")]).await;
    assert_eq!(strange["error"], "invalid_cursor");
}

#[tokio::test]
async fn a_limit_is_the_one_failure_with_a_status() {
    let fixture = Fixture::<Slack>::new().await;
    fixture.twin.switch(Switch::RateLimited { retry_after: Some(30) });
    let limited = fixture.get_as(&fixture.bot(), "/api/auth.test").await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("30")));
    assert_eq!(limited.json()["error"], "ratelimited");
}

#[tokio::test]
async fn an_installation_gives_a_bot_token_that_lasts() {
    let fixture = Fixture::<Slack>::new().await;
    let (app, _) = fixture.app(OAuthApp::confidential(BACK).without_expiry());
    let installed = fixture.install(&app).await;
    assert!(text(&installed["access_token"]).starts_with("xoxb-"));
    assert_eq!(installed["scope"], SCOPES);
    assert_eq!((&installed["refresh_token"], &installed["expires_in"]), (&Value::Null, &Value::Null));
    assert_eq!(installed["team"]["name"], "acme");
    let me = fixture.call(&text(&installed["access_token"]), "auth.test", &[]).await;
    assert_eq!(me["user_id"], installed["bot_user_id"]);

    let twice = fixture.access(&app, &[("code", "used")]).await;
    assert_eq!(twice, json!({"ok": false, "error": "invalid_code"}));
}

#[tokio::test]
async fn rotating_tokens_are_refreshed_once_each() {
    let fixture = Fixture::<Slack>::new().await;
    let (app, _) = fixture.app(OAuthApp::confidential(BACK));
    let installed = fixture.install(&app).await;
    assert_eq!(installed["expires_in"], 43_200);
    let (access, refresh) = (text(&installed["access_token"]), text(&installed["refresh_token"]));
    assert!(access.starts_with("xoxe.xoxb-1-") && refresh.starts_with("xoxe-1-"), "{access} {refresh}");
    fixture.twin.oauth().expire(&access);
    assert_eq!(fixture.call(&access, "auth.test", &[]).await["error"], "token_expired");

    let again = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    let renewed = fixture.access(&app, &again).await;
    assert_eq!(fixture.call(&text(&renewed["access_token"]), "auth.test", &[]).await["ok"], true);
    assert_eq!(fixture.access(&app, &again).await["error"], "invalid_refresh_token");
    assert_eq!(fixture.twin.oauth().refreshes(), 1);
}

#[tokio::test]
async fn a_long_lived_token_is_exchanged_once() {
    let fixture = Fixture::<Slack>::new().await;
    let (app, _) = fixture.app(OAuthApp::confidential(BACK));
    let token = fixture.bot();
    let exchange = |app: OAuthApp, token: String| {
        let (id, secret) = (app.client_id(), app.client_secret());
        let fields = [("client_id", id), ("client_secret", secret), ("token", &token)];
        sent(fixture.post("/api/oauth.v2.exchange").form(&fields))
    };
    let exchanged = exchange(app.clone(), token.clone()).await.json();
    assert!(text(&exchanged["access_token"]).starts_with("xoxe.xoxb-1-"), "{exchanged}");
    assert_eq!(fixture.call(&token, "auth.test", &[]).await["error"], "token_revoked");
    assert_eq!(exchange(app.clone(), token).await.json()["error"], "token_already_exchanged");
    assert_eq!(exchange(app, "xoxb-unknown".into()).await.json()["error"], "invalid_token");
    let lasting = fixture.twin.oauth().register(OAuthApp::confidential(BACK).without_expiry());
    assert_eq!(exchange(lasting, fixture.bot()).await.json()["error"], "token_rotation_not_enabled");
}

#[tokio::test]
async fn revoking_ends_a_token_of_either_kind() {
    let fixture = Fixture::<Slack>::new().await;
    let (app, _) = fixture.app(OAuthApp::confidential(BACK));
    let installed = text(&fixture.install(&app).await["access_token"]);
    for token in [fixture.bot(), installed] {
        assert_eq!(fixture.call(&token, "auth.revoke", &[("test", "1")]).await["revoked"], false);
        assert_eq!(fixture.call(&token, "auth.revoke", &[]).await["revoked"], true);
        assert_eq!(fixture.call(&token, "auth.test", &[]).await["error"], "token_revoked");
    }
}
