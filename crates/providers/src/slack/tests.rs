use valetkey_model::{Account, AuthMethod, InstanceUrl, ProblemCode, ProviderKind};
use valetkey_seal::Secret;

use super::Slack;
use crate::{
    Checked, Consent, Credential, Provider, ProviderError,
    oauth::{ClientAuth, OAuthApp, OAuthError, PkceUse, Revocation, Revoked, Rotation, TokenAnswer, Tokens},
    testing::{Fixture, NOW, Seen, answer, json},
};

const TOKEN: &str = "xoxb-10000000001-10000000002-canarycanarycanary";
const BOT: &str = r#"{"ok":true,"url":"https://acme.slack.com/","team":"Acme","user":"valetkey","team_id":"T0001",
    "user_id":"U0001","bot_id":"B0001","is_enterprise_install":false}"#;
const PERSON: &str =
    r#"{"ok":true,"url":"https://acme.slack.com/","team":"Acme","user":"jo","team_id":"T0001","user_id":"U0002"}"#;

fn slack_com() -> InstanceUrl {
    "https://slack.com".parse().unwrap()
}

async fn slack(bytes: Vec<u8>) -> Fixture {
    Fixture::new(TOKEN, move |_| bytes.clone()).await
}

async fn check(bytes: Vec<u8>) -> Result<Checked, ProviderError> {
    Slack.check(slack(bytes).await.at()).await
}

fn refused(word: &str) -> Vec<u8> {
    json(200, "", &format!(r#"{{"ok":false,"error":"{word}"}}"#))
}

mod form {
    use super::*;

    fn of(token: &str) -> Result<(), ProviderError> {
        Slack.check_form(&slack_com(), &Credential::pat(token.into()))
    }

    #[test]
    fn of_an_app_or_a_person() {
        for fine in [
            TOKEN,
            "xoxp-10000000001-10000000002-10000000003-abcdef",
            "xoxe.xoxb-1-ABCDEFGHIJKLMNOP",
            "xoxe.xoxp-1-ABCDEFGHIJKLMNOP",
        ] {
            assert_eq!(of(fine), Ok(()), "{fine}");
        }
        for wrong in
            ["", "xoxb-", "ghp_abcdefghijklmnopqrst", "xoxb-1000 0000001-10000000002-x", "xoxb-100000000\n01-1002-x"]
        {
            assert_eq!(of(wrong), Err(ProviderError::TokenMalformed), "{wrong:?}");
        }
    }

    #[test]
    fn others_are_refused_with_the_reason() {
        for (token, reason) in [
            ("xoxc-10000000001-10000000002-x", "browser"),
            ("xoxd-abcdefghijklmnop", "browser"),
            ("xapp-1-A0001-10000000001-x", "app-level"),
            ("xoxe-1-ABCDEFGHIJKLMNOP", "refresh token"),
        ] {
            let refused = of(token).unwrap_err();
            assert!(matches!(&refused, ProviderError::Unsuitable { why, .. } if why.contains(reason)), "{refused:?}");
        }
    }
}

mod checks {
    use super::*;

    #[tokio::test]
    async fn say_which_bot_in_which_team_with_which_scopes() {
        let slack = slack(json(200, "X-OAuth-Scopes: chat:write, channels:read", BOT)).await;
        let checked = Slack.check(slack.at()).await.unwrap();
        let bot = Account { id: "T0001/U0001".into(), username: "valetkey".into(), name: None, email: None };
        assert_eq!(checked.account, bot);
        assert_eq!(checked.granted_scopes, ["chat:write", "channels:read"]);
        assert!(checked.missing_scopes.is_empty() && checked.details.notes.is_empty());
        assert_eq!((checked.details.team.as_deref(), checked.expires_at), (Some("Acme"), None));
        let requests = slack.server.requests();
        assert_eq!((requests.len(), requests[0].line.as_str()), (1, "POST /api/auth.test"));
        assert!(requests[0].head.contains(&format!("authorization: Bearer {TOKEN}\n")) && requests[0].body.is_empty());
    }

    #[tokio::test]
    async fn name_the_scopes_that_are_missing_or_were_withheld() {
        let asked = ["chat:write", "channels:read", "files:read"].map(str::to_owned).to_vec();
        let consent = Consent { redirect_uri: String::new(), asked, at: None };
        let mut slack = slack(json(200, "X-OAuth-Scopes: channels:read", BOT)).await;
        slack.credential = Credential { consent: Some(consent), method: AuthMethod::OAuth, ..slack.credential };
        let checked = Slack.check(slack.at()).await.unwrap();
        assert_eq!(checked.missing_scopes, ["chat:write"]);
        assert_eq!(checked.details.withheld_scopes, ["chat:write", "files:read"]);
    }

    #[tokio::test]
    async fn assume_nothing_where_slack_does_not_say() {
        let checked = check(json(200, "", BOT)).await.unwrap();
        assert!(checked.granted_scopes.is_empty() && checked.missing_scopes.is_empty());
        assert!(checked.details.notes[0].starts_with("Slack does not say which scopes"));
    }

    #[tokio::test]
    async fn tell_a_persons_token_and_one_that_rotates() {
        let person = check(json(200, "X-OAuth-Scopes: chat:write", PERSON)).await.unwrap();
        assert!(person.details.notes[0].starts_with("This is a person's token"), "{:?}", person.details);
        let fixture = Fixture::new("xoxe.xoxb-1-CANARYCANARY", |_| json(200, "X-OAuth-Scopes: chat:write", BOT)).await;
        let rotating = Slack.check(fixture.at()).await.unwrap();
        assert!(rotating.details.notes[0].contains("within 12 hours"), "{:?}", rotating.details);
    }
}

mod refusals {
    use super::*;

    #[tokio::test]
    async fn come_with_the_status_of_a_success() {
        for (word, wanted) in [
            ("invalid_auth", ProviderError::TokenInvalid),
            ("not_authed", ProviderError::TokenInvalid),
            ("token_expired", ProviderError::TokenExpired),
            ("token_revoked", ProviderError::TokenRevoked),
            ("account_inactive", ProviderError::TokenRevoked),
            ("org_login_required", ProviderError::Forbidden { said: "org_login_required".into() }),
            ("internal_error", ProviderError::Failed { status: 200, said: "internal_error".into() }),
        ] {
            assert_eq!(check(refused(word)).await, Err(wanted), "{word}");
        }
    }

    #[tokio::test]
    async fn for_want_of_a_scope() {
        let body = r#"{"ok":false,"error":"missing_scope","needed":"chat:write,Evil Text","provided":"identify"}"#;
        let error = check(json(200, "", body)).await.unwrap_err();
        assert_eq!(error, ProviderError::InsufficientScope { missing: vec!["chat:write".into()] });
        let problem = error.into_problem(ProviderKind::Slack, &slack_com());
        assert_eq!(problem.code, ProblemCode::InsufficientScope);
        assert!(problem.remediation.unwrap().contains("https://api.slack.com/apps"));
    }

    #[tokio::test]
    async fn of_limits_with_either_status() {
        let body = r#"{"ok":false,"error":"ratelimited"}"#;
        for status in [200, 429] {
            let error = check(json(status, "Retry-After: 30", body)).await.unwrap_err();
            assert_eq!(error, ProviderError::RateLimited { retry_after_seconds: Some(30) }, "{status}");
        }
    }

    #[tokio::test]
    async fn not_slack() {
        for bytes in
            [answer(200, "Content-Type: text/html", "<html>"), json(200, "", "{}"), json(200, "", r#"{"ok":true}"#)]
        {
            assert!(matches!(check(bytes).await, Err(ProviderError::NotTheProvider { .. })));
        }
        let failing = check(answer(503, "", "down")).await;
        assert_eq!(failing, Err(ProviderError::Failed { status: 503, said: String::new() }));
    }

    #[tokio::test]
    async fn never_repeat_the_token() {
        for body in [
            r#"{"ok":false,"error":"@"}"#,
            r#"{"ok":false,"error":"missing_scope","needed":"@"}"#,
            &BOT.replace("valetkey", "@"),
        ] {
            let result = check(json(200, &format!("X-OAuth-Scopes: {TOKEN}"), &body.replace('@', TOKEN))).await;
            assert!(!format!("{result:?}").contains("canary"), "{result:?}");
        }
    }
}

mod revoking {
    use super::*;

    #[tokio::test]
    async fn is_answered_honestly() {
        for (bytes, wanted) in [
            (json(200, "", r#"{"ok":true,"revoked":true}"#), Ok(Revoked::Done)),
            (json(200, "", r#"{"ok":true,"revoked":false}"#), Ok(Revoked::NotKnown)),
            (refused("token_revoked"), Ok(Revoked::NotKnown)),
            (refused("invalid_auth"), Ok(Revoked::NotKnown)),
            (answer(500, "", ""), Err(ProviderError::Failed { status: 500, said: String::new() })),
        ] {
            let slack = slack(bytes).await;
            assert_eq!(Slack.revoke(slack.at()).await, wanted);
            assert_eq!(slack.server.requests()[0].line, "POST /api/auth.revoke");
        }
    }
}

mod exchanging {
    use super::*;

    async fn with(bytes: Vec<u8>) -> (Result<Tokens, OAuthError>, Vec<Seen>) {
        let slack = slack(bytes).await;
        let secret: Secret<String> = "canary-secret".into();
        let app = OAuthApp { client_id: "1.2", client_secret: Some(&secret), redirect_uri: "https://keys.test/c" };
        let tokens = Slack.exchange(slack.at(), app).await.map(|tokens| tokens.unwrap());
        (tokens, slack.server.requests())
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the test looks at made-up secrets")]
    async fn gives_tokens_that_rotate() {
        let body = r#"{"ok":true,"access_token":"xoxe.xoxb-1-new","token_type":"bot","scope":"chat:write","expires_in":43200,
            "refresh_token":"xoxe-1-new","team":{"id":"T0001","name":"Acme"},"bot_user_id":"U0001"}"#;
        let (tokens, requests) = with(json(200, "", body)).await;
        let tokens = tokens.unwrap();
        assert_eq!(tokens.access.expose(), "xoxe.xoxb-1-new");
        assert_eq!(tokens.refresh.unwrap().expose(), "xoxe-1-new");
        assert_eq!(tokens.expires_at.unwrap().as_second(), NOW + 43_200);
        assert_eq!((requests.len(), requests[0].line.as_str()), (1, "POST /api/oauth.v2.exchange"));
        assert_eq!(requests[0].body, format!("token={TOKEN}").into_bytes());
        assert!(requests[0].head.contains("authorization: Basic "), "{}", requests[0].head);
    }

    #[tokio::test]
    async fn says_why_not() {
        for word in ["token_already_exchanged", "invalid_token"] {
            let (tokens, _) = with(refused(word)).await;
            assert_eq!(tokens.unwrap_err(), OAuthError::GrantDead { said: word.into() });
        }
        let (tokens, _) = with(refused("token_rotation_not_enabled")).await;
        let wanted = OAuthError::Refused { status: Some(200), said: "token_rotation_not_enabled".into() };
        assert_eq!(tokens.unwrap_err(), wanted);
        let (tokens, _) = with(refused("bad_client_secret")).await;
        assert_eq!(tokens.unwrap_err(), OAuthError::ClientRejected { said: "bad_client_secret".into() });
    }
}

#[test]
fn the_catalogue_and_the_profile_are_slacks() {
    let profile = Slack.oauth(&slack_com()).unwrap();
    assert_eq!(profile.authorize_url.as_str(), "https://slack.com/oauth/v2/authorize");
    assert_eq!(profile.token_url.as_str(), "https://slack.com/api/oauth.v2.access");
    assert_eq!((profile.scope_separator, profile.token_answer), (',', TokenAnswer::Slack));
    assert_eq!((profile.client_auth, profile.pkce), (ClientAuth::Basic, PkceUse::Unsupported));
    assert_eq!(profile.rotation, Rotation::RefreshOnly);
    let url = "https://slack.com/api/auth.revoke".parse().unwrap();
    assert_eq!(profile.revocation, Some(Revocation::SlackAuth { url }));
    let entry = Slack.catalogue();
    let consent = entry.method(AuthMethod::OAuth).unwrap();
    assert_eq!(consent.required_scopes[0].scopes[0].name, "chat:write");
    assert!(consent.choices.iter().all(|choice| !choice.why.is_empty() && !choice.label.is_empty()));
    assert!(entry.method(AuthMethod::Pat).unwrap().fields[0].secret);
    assert_eq!(Slack.token_page(&slack_com(), AuthMethod::Pat), "https://api.slack.com/apps");
}
