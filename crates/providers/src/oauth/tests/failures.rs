//! What each refusal means, whether it may be tried again, and that nothing secret is in it.

use tokio::{io::AsyncReadExt, net::TcpListener};

use super::*;
use crate::{
    CallError, Delivery,
    testing::{answer, json},
};

fn said(text: &str) -> String {
    text.to_owned()
}

async fn refusing(status: u16, body: &'static str) -> Fixture {
    let mut at = Fixture::new(move |_| json(status, "Retry-After: 7", body)).await;
    at.profile.dead_grant_words = &["unauthorized_client"];
    at
}

#[tokio::test]
async fn a_code_is_refused_in_each_provider_s_words() {
    let github = r#"{"error":"bad_verification_code","error_description":"The code passed is incorrect or expired.","error_uri":"https://docs.github.com/x"}"#;
    let client = r#"{"error":"incorrect_client_credentials","error_description":"The client_id and/or client_secret passed are incorrect."}"#;
    let auth0 = r#"{"error":"access_denied","error_description":"Unauthorized"}"#;
    let cases = [
        (200, github, OAuthError::CodeRejected { said: said("The code passed is incorrect or expired.") }),
        (
            200,
            client,
            OAuthError::ClientRejected { said: said("The client_id and/or client_secret passed are incorrect.") },
        ),
        (
            200,
            "error=redirect_uri_mismatch&error_description=No+match.",
            OAuthError::ClientRejected { said: said("No match.") },
        ),
        (200, r#"{"ok":false,"error":"invalid_code"}"#, OAuthError::CodeRejected { said: said("invalid_code") }),
        (
            200,
            r#"{"ok":false,"error":"bad_client_secret"}"#,
            OAuthError::ClientRejected { said: said("bad_client_secret") },
        ),
        (400, r#"{"error":"invalid_grant"}"#, OAuthError::CodeRejected { said: said("invalid_grant") }),
        (401, r#"{"error":"invalid_client"}"#, OAuthError::ClientRejected { said: said("invalid_client") }),
        (401, auth0, OAuthError::ClientRejected { said: said("Unauthorized") }),
        (401, "", OAuthError::ClientRejected { said: said("") }),
        (400, r#"{"error":"invalid_scope"}"#, OAuthError::ScopeRejected { said: said("invalid_scope") }),
        (
            200,
            r#"{"error":"unverified_user_email"}"#,
            OAuthError::Refused { status: Some(200), said: said("unverified_user_email") },
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"Bad.","status":"INVALID_ARGUMENT"}}"#,
            OAuthError::Refused { status: Some(400), said: said("Bad.") },
        ),
        (422, r#"{"message":"No."}"#, OAuthError::Refused { status: Some(422), said: said("No.") }),
    ];
    for (status, body, wanted) in cases {
        let error = refusing(status, body).await.exchange().await.unwrap_err();
        assert_eq!(error, wanted, "{status} {body}");
        assert_eq!(error.outcome(), Delivery::Answered);
    }
}

#[tokio::test]
async fn the_end_of_an_authorization_is_told_from_a_wrong_app() {
    let gitlab = r#"{"error":"invalid_grant","error_description":"The provided authorization grant is invalid, expired, revoked."}"#;
    let atlassian = r#"{"error":"unauthorized_client","error_description":"refresh_token is invalid"}"#;
    let google = r#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#;
    let dead = [
        (200, r#"{"error":"bad_refresh_token"}"#),
        (400, gitlab),
        (403, atlassian),
        (400, google),
        (200, r#"{"ok":false,"error":"invalid_refresh_token"}"#),
        (200, r#"{"ok":false,"error":"token_revoked"}"#),
    ];
    for (status, body) in dead {
        let error = refusing(status, body).await.refresh().await.unwrap_err();
        assert!(matches!(error, OAuthError::GrantDead { .. }), "{body}: {error}");
        assert_eq!(error.outcome(), Delivery::Answered);
    }
    let mut strict = refusing(403, atlassian).await;
    strict.profile.dead_grant_words = &[];
    for error in [strict.refresh().await, refusing(401, r#"{"error":"invalid_client"}"#).await.refresh().await] {
        assert!(matches!(error, Err(OAuthError::ClientRejected { .. })));
    }
}

#[tokio::test]
async fn what_was_not_done_may_be_tried_again_and_what_may_have_been_done_is_unknown() {
    let later = Some(7);
    let limited = || OAuthError::RateLimited { retry_after_seconds: later };
    let away = || OAuthError::Unavailable { retry_after_seconds: later };
    let failed = |status, text: &str| OAuthError::Failed { status, said: said(text) };
    let strange = |status, saw| OAuthError::NotOAuth { status, saw };
    let cases = [
        (429, "Retry later", limited(), Delivery::NotProcessed),
        (200, r#"{"ok":false,"error":"ratelimited"}"#, limited(), Delivery::NotProcessed),
        (503, "", away(), Delivery::NotProcessed),
        (400, r#"{"error":"temporarily_unavailable"}"#, away(), Delivery::NotProcessed),
        (500, r#"{"error":"invalid_grant"}"#, failed(500, "invalid_grant"), Delivery::Unknown),
        (502, "<html>", failed(502, ""), Delivery::Unknown),
        (504, "", failed(504, ""), Delivery::Unknown),
        (400, r#"{"error":"server_error"}"#, failed(400, "server_error"), Delivery::Unknown),
        (200, r#"{"ok":false,"error":"fatal_error"}"#, failed(200, "fatal_error"), Delivery::Unknown),
        (200, r#"{"access_token":"a","refr"#, strange(200, "neither JSON nor a form"), Delivery::Unknown),
        (200, "<html>", strange(200, "a web page"), Delivery::Unknown),
        (302, "", strange(302, "a redirect"), Delivery::NotProcessed),
        (404, "<html>", strange(404, "a web page"), Delivery::NotProcessed),
    ];
    for (status, body, wanted, delivery) in cases {
        let at = refusing(status, body).await;
        let error = at.refresh().await.unwrap_err();
        assert_eq!((error.outcome(), error), (delivery, wanted), "{status} {body}");
        assert_eq!(at.server.requests().len(), 1, "nothing is sent twice");
    }
}

async fn refreshing(token_url: &str) -> Delivery {
    let mut at = Fixture::new(|_| answer(500, "", "")).await;
    at.profile.token_url = token_url.parse().unwrap();
    let outcome = at.refresh().await.unwrap_err().outcome();
    assert!(at.server.requests().is_empty());
    outcome
}

/// A port where connections are taken, read from once, and dropped.
async fn dropping() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
        }
    });
    format!("127.0.0.1:{port}/token")
}

#[tokio::test]
async fn what_never_reached_the_provider_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/token", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(refreshing(&nobody).await, Delivery::NotSent);
    assert_eq!(refreshing("http://169.254.169.254/token").await, Delivery::NotSent);
    // Dropped in the middle of the TLS handshake.
    assert_eq!(refreshing(&format!("https://{}", dropping().await)).await, Delivery::NotSent);
}

#[tokio::test]
async fn a_connection_cut_after_the_request_leaves_its_outcome_unknown() {
    assert_eq!(refreshing(&format!("http://{}", dropping().await)).await, Delivery::Unknown);
    let cut = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"access_token\"";
    let error = Fixture::new(|_| cut.to_vec()).await.refresh().await.unwrap_err();
    assert!(matches!(error, OAuthError::Call(CallError::Unreachable { .. })));
    assert_eq!(error.outcome(), Delivery::Unknown);
}

#[tokio::test]
async fn no_answer_can_put_a_secret_into_an_error() {
    const BODIES: [&str; 5] = [
        r#"{"error":"invalid_grant","error_description":"@ is bad"}"#,
        r#"{"error":"@","error_description":""}"#,
        r#"{"message":"@"}"#,
        r#"{"error":"x","access_token":"canary-new","error_description":"canary-new"}"#,
        "<html>@</html>",
    ];
    // As they are, as a form has them, and as the header has them.
    let basic = "YW4raWQ6Y2FuYXJ5LXNlY3JldCUyRjElMkIlM0Q=";
    let forms = [SECRET, CODE, VERIFIER, REFRESH, "canary-secret%2F1%2B%3D", basic, "canary-device", "canary-access"];
    for form in forms {
        for body in BODIES {
            for status in [200, 302, 400, 401, 403, 404, 422, 500] {
                let body = body.replace('@', form);
                let mut at =
                    Fixture::new(move |_| json(status, &format!("Location: http://x.test/{form}"), &body)).await;
                at.profile.client_auth = ClientAuth::Basic;
                at.profile.revocation = Some(Revocation::Standard { url: at.at("/revoke") });
                let mut texts = Vec::new();
                let mut note = |error: OAuthError| texts.push(format!("{error} {error:?}"));
                match form {
                    CODE | VERIFIER => note(at.exchange().await.unwrap_err()),
                    "canary-access" => {
                        let revoked = at.client().revoke(&form.into(), None).await;
                        revoked.map_or_else(note, |revoked| assert_eq!(status, 200, "{revoked:?}"));
                    }
                    "canary-device" => {
                        let polled = at.client().device_poll(&form.into(), std::time::Duration::ZERO).await;
                        note(polled.unwrap_err());
                    }
                    _ => note(at.refresh().await.unwrap_err()),
                }
                for text in texts {
                    assert!(!text.contains("canary") && !text.contains(basic), "{text}");
                }
            }
        }
    }
}
