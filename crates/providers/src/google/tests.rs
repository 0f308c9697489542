use valetkey_model::{Account, AuthMethod, InstanceUrl, ProblemCode, ProviderKind};

use super::Google;
use crate::{
    Checked, Consent, Credential, Provider, ProviderError,
    oauth::{PkceUse, Revocation, Rotation},
    testing::{Fixture, NOW, Seen, answer, json},
};

const TOKEN: &str = "ya29.canarycanarycanarycanary";
const EMAIL: &str = "https://www.googleapis.com/auth/userinfo.email";
const PROFILE: &str = "https://www.googleapis.com/auth/userinfo.profile";
const DRIVE: &str = "https://www.googleapis.com/auth/drive.readonly";
const GMAIL: &str = "https://www.googleapis.com/auth/gmail.send";
const USER: &str = r#"{"sub":"110248495921238986420","email":"jo@example.test","email_verified":true,"name":"Jo Doe"}"#;

fn google_com() -> InstanceUrl {
    "https://accounts.google.com".parse().unwrap()
}

fn consented(asked: &[&str]) -> Credential {
    let asked = asked.iter().map(|scope| (*scope).to_owned()).collect();
    let consent = Consent { redirect_uri: "https://keys.test/oauth/callback".to_owned(), asked, at: None };
    Credential { method: AuthMethod::OAuth, consent: Some(consent), ..Credential::pat(TOKEN.into()) }
}

async fn google(asked: &[&str], answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Fixture {
    Fixture { credential: consented(asked), ..Fixture::new(TOKEN, answers).await }
}

fn token_info(scope: &str) -> Vec<u8> {
    json(
        200,
        "",
        &format!(r#"{{"azp":"id","aud":"id","sub":"110248495921238986420","scope":"{scope}","expires_in":"3599"}}"#),
    )
}

async fn granted(asked: &[&str], scope: String) -> Checked {
    let google = google(asked, move |seen| match seen.line.as_str() {
        "POST /tokeninfo" => token_info(&scope),
        "GET /v1/userinfo" => json(200, "", USER),
        other => panic!("{other}"),
    });
    Google.check(google.await.at()).await.unwrap()
}

async fn refusal(bytes: Vec<u8>) -> ProviderError {
    let google = google(&[], move |_| bytes.clone()).await;
    Google.check(google.at()).await.unwrap_err()
}

mod checks {
    use super::*;

    #[tokio::test]
    async fn say_whose_it_is_what_was_granted_and_until_when() {
        let checked =
            granted(&["openid", "email", "profile", DRIVE], format!("{DRIVE} {EMAIL} {PROFILE} openid")).await;
        let account = Account {
            id: "110248495921238986420".into(),
            username: "jo@example.test".into(),
            name: Some("Jo Doe".into()),
            email: Some("jo@example.test".into()),
        };
        assert_eq!(checked.account, account);
        assert_eq!(checked.granted_scopes, [DRIVE, EMAIL, PROFILE, "openid"]);
        assert_eq!(checked.expires_at.unwrap().as_second(), NOW + 3599);
        assert!(checked.missing_scopes.is_empty());
        assert_eq!(checked.details, valetkey_model::Details::default());
    }

    #[tokio::test]
    async fn show_what_was_unticked() {
        let always = format!("{EMAIL} {PROFILE} openid");
        let some = granted(&["openid", "email", "profile", DRIVE, GMAIL], format!("{always} {DRIVE}")).await;
        assert_eq!(some.details.withheld_scopes, [GMAIL]);
        assert!(some.details.notes[0].contains("some access was not allowed"), "{:?}", some.details);
        assert!(some.missing_scopes.is_empty(), "the person may leave it out");
        let none = granted(&["openid", DRIVE, GMAIL], always).await;
        assert_eq!(none.details.withheld_scopes, [DRIVE, GMAIL]);
        assert!(none.details.notes[0].contains("no access was allowed"), "{:?}", none.details);
    }

    #[tokio::test]
    async fn send_the_token_in_its_header_only() {
        let google = google(&[], |seen| match seen.line.as_str() {
            "POST /tokeninfo" => token_info("openid"),
            _ => json(200, "", USER),
        })
        .await;
        Google.check(google.at()).await.unwrap();
        let requests = google.server.requests();
        assert_eq!(requests.len(), 2);
        for seen in requests {
            assert!(seen.head.contains(&format!("authorization: Bearer {TOKEN}\n")), "{}", seen.head);
            assert!(!seen.line.contains(TOKEN) && seen.body.is_empty());
        }
    }
}

mod refusals {
    use super::*;

    #[tokio::test]
    async fn unknown() {
        for (status, body) in [
            (400, r#"{"error":"invalid_token","error_description":"Invalid Value"}"#),
            (401, r#"{"error":"invalid_request","error_description":"Invalid Credentials"}"#),
            (
                401,
                r#"{"error":{"code":401,"message":"Request had invalid authentication credentials.","status":"UNAUTHENTICATED","errors":[{"reason":"authError"}]}}"#,
            ),
        ] {
            let error = refusal(json(status, "", body)).await;
            assert_eq!(error, ProviderError::TokenInvalid, "{body}");
            let problem = error.into_problem(ProviderKind::Google, &google_com());
            assert_eq!(problem.remediation.as_deref(), Some("Connect the account again: valetkey connect google"));
        }
    }

    #[tokio::test]
    async fn of_limits_with_either_status() {
        for (status, reason) in [(429, "rateLimitExceeded"), (403, "userRateLimitExceeded"), (403, "rateLimitExceeded")]
        {
            let body =
                format!(r#"{{"error":{{"code":{status},"message":"Limit","errors":[{{"reason":"{reason}"}}]}}}}"#);
            let error = refusal(json(status, "Retry-After: 30", &body)).await;
            assert_eq!(error, ProviderError::RateLimited { retry_after_seconds: Some(30) }, "{status} {reason}");
        }
    }

    #[tokio::test]
    async fn for_want_of_a_scope() {
        let body = r#"{"error":{"code":403,"message":"Request had insufficient authentication scopes.","errors":[{"reason":"insufficientPermissions"}]}}"#;
        let challenge =
            format!("WWW-Authenticate: Bearer realm=\"x\", error=\"insufficient_scope\", scope=\"{DRIVE} {GMAIL}\"");
        let error = refusal(json(403, &challenge, body)).await;
        assert_eq!(error, ProviderError::InsufficientScope { missing: vec![DRIVE.into()] });
        let problem = error.into_problem(ProviderKind::Google, &google_com());
        assert_eq!(problem.code, ProblemCode::InsufficientScope);
        assert_eq!(refusal(json(403, "", body)).await, ProviderError::InsufficientScope { missing: vec![] });
    }

    #[tokio::test]
    async fn forbidden_in_its_own_words() {
        let body = r#"{"error":{"code":403,"message":"The domain administrators have disabled Drive apps.","errors":[{"reason":"domainPolicy"}]}}"#;
        let said = "The domain administrators have disabled Drive apps.".to_owned();
        assert_eq!(refusal(json(403, "", body)).await, ProviderError::Forbidden { said });
    }

    #[tokio::test]
    async fn not_google() {
        for bytes in [answer(200, "Content-Type: text/html", "<html>"), json(200, "", "{}"), json(404, "", "{}")] {
            assert!(matches!(refusal(bytes).await, ProviderError::NotTheProvider { .. }));
        }
        assert_eq!(refusal(answer(502, "", "")).await, ProviderError::Failed { status: 502, said: String::new() });
    }

    #[tokio::test]
    async fn never_repeat_the_token() {
        for status in [200, 400, 401, 403, 429, 500] {
            let body = format!(r#"{{"error":{{"message":"{TOKEN}"}},"scope":"{TOKEN}","sub":"1","email":"{TOKEN}"}}"#);
            let google = google(&[], move |_| json(status, "", &body)).await;
            let result = Google.check(google.at()).await;
            assert!(!format!("{result:?}").contains("canary"), "{result:?}");
        }
    }
}

#[test]
fn nothing_can_be_pasted() {
    let pasted = Google.check_form(&google_com(), &Credential::pat(TOKEN.into()));
    assert!(matches!(pasted, Err(ProviderError::Unsuitable { .. })));
    assert_eq!(Google.check_form(&google_com(), &consented(&[])), Ok(()));
    let odd = Credential { token: "short".into(), ..consented(&[]) };
    assert_eq!(Google.check_form(&google_com(), &odd), Err(ProviderError::TokenMalformed));
}

#[test]
fn an_app_in_testing_is_noted() {
    let days = |days: i64| jiff::SignedDuration::from_hours(days * 24);
    assert!(Google.note_on_consent(days(7)).unwrap().contains("Testing"));
    assert_eq!(Google.note_on_consent(days(90)), None);
}

#[test]
fn the_catalogue_and_the_profile_are_googles() {
    let profile = Google.oauth(&google_com()).unwrap();
    assert_eq!(profile.authorize_url.as_str(), "https://accounts.google.com/o/oauth2/v2/auth");
    assert_eq!(profile.token_url.as_str(), "https://oauth2.googleapis.com/token");
    let url = "https://oauth2.googleapis.com/revoke".parse().unwrap();
    assert_eq!(profile.revocation, Some(Revocation::Standard { url }));
    assert_eq!((profile.pkce, profile.rotation, &profile.device_url), (PkceUse::S256, Rotation::None, &None));
    assert!(profile.authorize_extra.contains(&("access_type", "offline")));
    let other = Google.oauth(&"http://127.0.0.1:9".parse().unwrap()).unwrap();
    assert_eq!(other.token_url.as_str(), "http://127.0.0.1:9/token");

    let entry = Google.catalogue();
    let [consent] = &entry.methods[..] else { panic!("one way") };
    assert_eq!(consent.required_scopes[0].scopes.len(), 3);
    assert_eq!(consent.choices.len(), 8);
    let full = |name: &str| name.starts_with("https://www.googleapis.com/auth/");
    assert!(consent.choices.iter().all(|choice| full(&choice.name) && !choice.why.is_empty()));
    let preselected = consent.choices.iter().filter(|choice| choice.preselected);
    assert!(preselected.clone().count() > 0 && preselected.into_iter().all(|choice| choice.name.ends_with("readonly")));
}
