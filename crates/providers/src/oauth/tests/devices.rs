use std::time::Duration;

use super::*;
use crate::testing::{answer, json};

const INTERVAL: Duration = Duration::from_secs(5);

async fn started(body: &'static str) -> (Fixture, Result<DeviceAuthorization, OAuthError>) {
    let mut at = Fixture::new(move |seen| json(200, "", &seen.fill_in(body))).await;
    at.profile.device_page_hosts = &["www.google.com"];
    let outcome = at.client().device_start(&["a", "b"]).await;
    (at, outcome)
}

async fn polled(status: u16, body: &'static str) -> Result<DevicePoll, OAuthError> {
    let at = Fixture::new(move |_| json(status, "", body)).await;
    at.client().device_poll(&"canary-device".into(), INTERVAL).await
}

#[tokio::test]
async fn a_device_s_beginning_is_read_as_each_provider_writes_it() {
    // GitHub.
    let (at, device) = started(r#"{"device_code":"3584d83530557fdd1f46af8289938c8ef79f9dc5","user_code":"WDJB-MJHT","verification_uri":"ORIGIN/login/device","expires_in":900,"interval":7}"#).await;
    let device = device.unwrap();
    assert_eq!(open(&device.device_code), "3584d83530557fdd1f46af8289938c8ef79f9dc5");
    assert_eq!((device.user_code.as_str(), device.interval), ("WDJB-MJHT", Duration::from_secs(7)));
    assert_eq!(device.verification_uri, at.at("/login/device"));
    assert_eq!(device.expires_at.duration_since(now()).as_secs(), 900);
    assert_eq!(at.body(), "scope=a+b&client_id=an+id&client_secret=canary-secret%2F1%2B%3D");
    assert!(!format!("{device:?}").contains("3584d8"));

    // GitLab gives the page with the code in it, too.
    let (at, device) = started(r#"{"device_code":"GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS","user_code":"0A44L90H","verification_uri":"ORIGIN/oauth/device","verification_uri_complete":"ORIGIN/oauth/device?user_code=0A44L90H","expires_in":300,"interval":5}"#).await;
    assert_eq!(device.unwrap().verification_uri_complete, Some(at.at("/oauth/device?user_code=0A44L90H")));

    // Google spells the page's name differently, and it is at another host.
    let (_, device) = started(r#"{"device_code":"AH-1Ng","user_code":"GQVQ-JKEC","verification_url":"https://www.google.com/device","expires_in":1800}"#).await;
    let device = device.unwrap();
    assert_eq!((device.verification_uri.as_str(), device.interval), ("https://www.google.com/device", INTERVAL));
}

#[tokio::test]
async fn nobody_is_sent_to_a_page_of_somebody_else() {
    let pages = [
        "https://evil.test/device",
        "javascript:alert(1)",
        "//evil.test",
        "device",
        "http://www.google.com/device",
        "https://www.google.com:8443/device",
        "https://www.google.com.evil.test/",
        "http://a:b@AUTHORITY/device",
        "https://a@www.google.com/device",
        "ORIGIN.evil.test/device",
    ];
    for page in pages {
        let good =
            r#"{"device_code":"d","user_code":"u","verification_uri":"ORIGIN/d","verification_uri_complete":"PAGE"}"#;
        let (good, bad) = (good.replace("PAGE", page), good.replace("ORIGIN/d", page));
        let at = Fixture::new(move |seen| json(200, "", &seen.fill_in(&good))).await;
        assert_eq!(at.client().device_start(&[]).await.unwrap().verification_uri_complete, None, "{page}");
        let at = Fixture::new(move |seen| json(200, "", &seen.fill_in(&bad))).await;
        assert!(matches!(at.client().device_start(&[]).await, Err(OAuthError::NotOAuth { .. })), "{page}");
    }
}

#[tokio::test]
async fn a_beginning_without_a_code_to_type_in_is_none() {
    for code in ["", "a b", "\\u001b[2J", "é", &"a".repeat(65)] {
        let body = format!(r#"{{"device_code":"d","user_code":"{code}","verification_uri":"ORIGIN/d"}}"#);
        let at = Fixture::new(move |seen| json(200, "", &seen.fill_in(&body))).await;
        assert!(matches!(at.client().device_start(&[]).await, Err(OAuthError::NotOAuth { .. })), "{code}");
    }
}

#[tokio::test]
async fn the_device_flow_may_be_off() {
    let mut at = Fixture::new(|_| json(200, "", "{}")).await;
    at.profile.device_url = None;
    assert_eq!(at.client().device_start(&[]).await.unwrap_err(), OAuthError::DeviceFlowOff);
    assert_eq!(at.server.requests().len(), 0);

    let github =
        r#"{"error":"device_flow_disabled","error_description":"Device Flow must be explicitly enabled for this App"}"#;
    for (status, body) in [(200, github), (400, r#"{"error":"unauthorized_client"}"#), (404, "")] {
        let at = Fixture::new(move |_| json(status, "", body)).await;
        assert_eq!(at.client().device_start(&[]).await.unwrap_err(), OAuthError::DeviceFlowOff, "{body}");
    }
    // An old GitLab has a page in its place.
    let at = Fixture::new(|_| answer(404, "Content-Type: text/html", "<html>The page could not be found</html>")).await;
    assert_eq!(at.client().device_start(&[]).await.unwrap_err(), OAuthError::DeviceFlowOff);
}

#[tokio::test]
async fn github_is_not_shown_the_secret_and_does_not_know_every_id() {
    let mut at = Fixture::new(|_| json(404, "", r#"{"error":"Not Found"}"#)).await;
    at.profile.device_without_secret = true;
    let outcome = at.client().device_start(&[]).await;
    assert!(matches!(outcome, Err(OAuthError::ClientRejected { .. })));
    assert_eq!(at.body(), "client_id=an+id");
}

#[tokio::test]
async fn who_waits_is_told_so_with_whatever_status() {
    for status in [200, 400, 428] {
        let pending = polled(status, r#"{"error":"authorization_pending","error_description":"…"}"#).await;
        assert!(matches!(pending, Ok(DevicePoll::Pending)), "{status}");
    }
}

#[tokio::test]
async fn who_asks_too_often_waits_longer() {
    let cases = [
        // GitHub states the new time.
        (200, r#"{"error":"slow_down","interval":10}"#, 10),
        (200, r#"{"error":"slow_down","interval":12}"#, 12),
        (400, r#"{"error":"slow_down"}"#, 10),
        (429, r#"{"error":"slow_down"}"#, 10),
        (400, r#"{"error":"slow_down","interval":1}"#, 10),
        (400, r#"{"error":"slow_down","interval":1000000000}"#, 300),
    ];
    for (status, body, seconds) in cases {
        let Ok(DevicePoll::SlowDown { interval }) = polled(status, body).await else { panic!("{body}") };
        assert_eq!(interval, Duration::from_secs(seconds), "{body}");
    }
}

#[tokio::test]
async fn in_the_end_there_are_tokens_or_a_reason() {
    let done = polled(200, r#"{"access_token":"gho_1","token_type":"bearer","scope":"repo,gist"}"#).await;
    let Ok(DevicePoll::Done(tokens)) = done else { panic!("{done:?}") };
    assert_eq!(open(&tokens.access), "gho_1");

    let cases = [
        (200, "access_denied", OAuthError::Denied),
        (403, "access_denied", OAuthError::Denied),
        (400, "authorization_declined", OAuthError::Denied),
        (200, "expired_token", OAuthError::DeviceExpired),
        (200, "token_expired", OAuthError::DeviceExpired),
        (200, "incorrect_device_code", OAuthError::DeviceExpired),
        (400, "invalid_grant", OAuthError::DeviceExpired),
        (200, "device_flow_disabled", OAuthError::DeviceFlowOff),
        (200, "unsupported_grant_type", OAuthError::DeviceFlowOff),
        (
            200,
            "incorrect_client_credentials",
            OAuthError::ClientRejected { said: "incorrect_client_credentials".to_owned() },
        ),
        (503, "authorization_pending", OAuthError::Unavailable { retry_after_seconds: None }),
    ];
    for (status, word, wanted) in cases {
        let body: &str = Box::leak(format!(r#"{{"error":"{word}"}}"#).into_boxed_str());
        assert_eq!(polled(status, body).await.unwrap_err(), wanted, "{status} {word}");
    }
}
