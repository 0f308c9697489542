use valetkey_model::AuthMethod;

use super::{GitLab, TOKEN, USER, forge, instance, refusing, token_info};
use crate::{
    Consent, Credential, Provider, ProviderError,
    oauth::{PkceUse, Revocation, Revoked, Rotation},
    testing::{Fixture, answer, json},
};

const ACCESS_TOKEN: &str = "2f7c0f86a3b54d1c9e8d7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d";

fn consent(asked: &[&str]) -> Credential {
    let asked = asked.iter().map(|scope| (*scope).to_owned()).collect();
    Credential {
        method: AuthMethod::OAuth,
        refresh: Some("refresh".into()),
        consent: Some(Consent { redirect_uri: "https://valetkey.test/oauth/callback".into(), asked, at: None }),
        ..Credential::pat(ACCESS_TOKEN.into())
    }
}

/// A GitLab that says this of an OAuth token.
async fn consented(asked: &[&str], info: Vec<u8>) -> Fixture {
    let answers = move |seen: &crate::testing::Seen| match seen.line.as_str() {
        "GET /api/v4/user" => json(200, "", USER),
        "GET /oauth/token/info" => info.clone(),
        other => panic!("{other}"),
    };
    Fixture { credential: consent(asked), ..forge(answers).await }
}

fn info(scope: &str, expires_in: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"resource_owner_id":42,"scope":{scope},"expires_in":{expires_in},"application":{{"uid":"1cb242f4"}},
        "created_at":1795170000}}"#
    );
    json(200, "", &body)
}

mod consents {
    use super::*;

    #[tokio::test]
    async fn say_their_scopes_and_their_end() {
        let forge = consented(&["api"], info(r#"["api"]"#, "5400")).await;
        let checked = GitLab.check(forge.at()).await.unwrap();
        assert_eq!(checked.granted_scopes, ["api"]);
        assert_eq!(checked.expires_at, Some("2026-11-20T13:30:00Z".parse().unwrap()));
        assert!(checked.missing_scopes.is_empty() && checked.details.withheld_scopes.is_empty());
        for seen in forge.server.requests() {
            assert!(seen.head.contains(&format!("authorization: Bearer {ACCESS_TOKEN}\n")), "{}", seen.head);
            assert!(!seen.head.contains("private-token"));
        }
    }

    #[tokio::test]
    async fn may_have_no_end() {
        let forge = consented(&["api"], info(r#"["api"]"#, "null")).await;
        assert_eq!(GitLab.check(forge.at()).await.unwrap().expires_at, None);
    }

    #[tokio::test]
    async fn with_less_than_was_asked_say_what_was_withheld() {
        let forge = consented(&["api", "read_user"], info(r#"["read_user"]"#, "7200")).await;
        let checked = GitLab.check(forge.at()).await.unwrap();
        assert_eq!(checked.details.withheld_scopes, ["api"]);
        assert_eq!(checked.missing_scopes, ["read_api", "read_repository", "write_repository"]);
    }

    #[tokio::test]
    async fn that_gitlab_says_nothing_of_are_fine() {
        let forge = consented(&["api"], json(404, "", r#"{"error":"404 Not Found"}"#)).await;
        let checked = GitLab.check(forge.at()).await.unwrap();
        assert!(checked.granted_scopes.is_empty() && checked.details.withheld_scopes.is_empty());
        assert_eq!(checked.details.notes.len(), 1);
    }

    #[tokio::test]
    async fn that_ended_are_told() {
        for (said, wanted) in [
            ("The access token expired", ProviderError::TokenExpired),
            ("The access token was revoked", ProviderError::TokenRevoked),
        ] {
            let body = format!(r#"{{"error":"invalid_token","error_description":"{said}","state":"unauthorized"}}"#);
            let forge = consented(&["api"], json(401, "", &body)).await;
            assert_eq!(GitLab.check(forge.at()).await, Err(wanted));
        }
    }

    #[test]
    fn go_to_the_instance_alone() {
        let profile = GitLab.oauth(&instance()).unwrap();
        let at = |path: &str| format!("https://forge.example.com/oauth/{path}").parse().unwrap();
        assert_eq!((profile.authorize_url, profile.token_url), (at("authorize"), at("token")));
        assert_eq!(profile.device_url, Some(at("authorize_device")));
        assert_eq!(profile.revocation, Some(Revocation::Standard { url: at("revoke") }));
        assert_eq!((profile.pkce, profile.rotation), (PkceUse::S256, Rotation::KillsAccess));
        assert!(profile.refresh_wants_redirect_uri && profile.device_page_hosts.is_empty());
    }

    #[test]
    fn ask_for_api_and_work_by_code_too() {
        let catalogue = GitLab.catalogue();
        let method = catalogue.method(AuthMethod::OAuth).unwrap();
        assert!(method.device && method.fields.iter().all(|field| !field.secret));
        let asked: Vec<_> = method.required_scopes[0].scopes.iter().map(|scope| &*scope.name).collect();
        assert_eq!(asked, ["api"]);
    }

    #[tokio::test]
    async fn are_renewed_and_ended_elsewhere() {
        let forge = Fixture { credential: consent(&["api"]), ..refusing(json(200, "", "{}")).await };
        assert!(GitLab.rotate(forge.at()).await.unwrap().is_none());
        assert_eq!(GitLab.revoke(forge.at()).await, Ok(Revoked::NotOffered));
        assert!(forge.server.requests().is_empty());
    }
}

mod rotation {
    use super::*;

    const NEW: &str = "glpat-newnewnewnewnewnew12";

    /// A GitLab with a token that was made on the first day and ends on the second, and answers a rotation so.
    async fn rotating(made: &str, ends: &str, rotated: Vec<u8>) -> Fixture {
        let info = token_info(r#"["api"]"#, ends).replace("2026-01-01T00:00:00.000Z", made);
        forge(move |seen| match seen.line.as_str() {
            "GET /api/v4/personal_access_tokens/self" => json(200, "", &info),
            "POST /api/v4/personal_access_tokens/self/rotate" => rotated.clone(),
            other => panic!("{other}"),
        })
        .await
    }

    fn rotated(token: &str) -> Vec<u8> {
        let info = token_info(r#"["api"]"#, r#""2027-01-19""#);
        json(200, "", &info.replacen('{', &format!(r#"{{"token":"{token}","#), 1))
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the test looks at made-up secrets")]
    async fn gives_another_token_in_place_of_this_one() {
        let forge = rotating("2026-10-01T08:00:00.000Z", r#""2026-11-30""#, rotated(NEW)).await;
        let rotated = GitLab.rotate(forge.at()).await.unwrap().unwrap();
        assert_eq!(rotated.credential.token.expose(), NEW);
        assert_eq!(rotated.credential.method, AuthMethod::Pat);
        assert_eq!(rotated.expires_at, Some("2027-01-19T00:00:00Z".parse().unwrap()));
        assert!(!format!("{rotated:?}").contains("newnew"));
        for seen in forge.server.requests() {
            assert!(seen.head.contains(&format!("private-token: {TOKEN}\n")));
        }
    }

    #[tokio::test]
    async fn keeps_the_length_of_a_tokens_life() {
        for (made, ends, wanted) in [
            ("2026-10-01T23:00:00.000Z", r#""2026-10-31""#, "2026-12-20"),
            ("2026-11-20T00:00:00.000Z", r#""2026-11-20""#, "2026-11-21"),
            ("2026-01-01T00:00:00.000Z", r#""2030-01-01""#, "2027-11-20"),
            ("2026-01-01T00:00:00.000Z", "null", "2027-02-18"),
        ] {
            let forge = rotating(made, ends, rotated(NEW)).await;
            GitLab.rotate(forge.at()).await.unwrap().unwrap();
            let sent: serde_json::Value = serde_json::from_slice(&forge.server.requests()[1].body).unwrap();
            assert_eq!(sent, serde_json::json!({ "expires_at": wanted }), "{made} {ends}");
        }
    }

    #[tokio::test]
    async fn is_never_tried_twice() {
        let too_few = r#"{"error":"insufficient_scope","error_description":"…","scope":"api self_rotate"}"#;
        let revoked = r#"{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}"#;
        for (bytes, wanted) in [
            (json(403, "", too_few), ProviderError::InsufficientScope { missing: vec!["api".into()] }),
            (json(401, "", revoked), ProviderError::TokenRevoked),
            (answer(502, "", ""), ProviderError::Failed { status: 502, said: String::new() }),
            (answer(429, "Retry-After: 3", ""), ProviderError::RateLimited { retry_after_seconds: Some(3) }),
        ] {
            let forge = rotating("2026-10-01T08:00:00.000Z", "null", bytes).await;
            assert_eq!(GitLab.rotate(forge.at()).await.unwrap_err(), wanted);
            assert_eq!(forge.server.requests().len(), 2);
        }
        let lost = rotating("2026-10-01T08:00:00.000Z", "null", Vec::new()).await;
        assert!(matches!(GitLab.rotate(lost.at()).await, Err(ProviderError::Call(_))));
        assert_eq!(lost.server.requests().len(), 2);
    }

    #[tokio::test]
    async fn is_not_there_for_other_kinds_of_tokens_and_in_old_gitlabs() {
        for bytes in
            [json(405, "", r#"{"message":"405 Method Not Allowed"}"#), json(404, "", r#"{"error":"404 Not Found"}"#)]
        {
            let forge = rotating("2026-10-01T08:00:00.000Z", "null", bytes).await;
            assert!(GitLab.rotate(forge.at()).await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn that_answers_with_no_token_is_no_gitlabs() {
        for bytes in [rotated("short"), json(200, "", "{}"), answer(404, "Content-Type: text/html", "<html>")] {
            let forge = rotating("2026-10-01T08:00:00.000Z", "null", bytes).await;
            let error = GitLab.rotate(forge.at()).await.unwrap_err();
            assert!(matches!(error, ProviderError::NotTheProvider { .. }), "{error}");
        }
    }

    #[tokio::test]
    async fn is_not_begun_with_a_dead_token() {
        let forge = refusing(json(401, "", r#"{"message":"401 Unauthorized"}"#)).await;
        assert_eq!(GitLab.rotate(forge.at()).await.unwrap_err(), ProviderError::TokenInvalid);
        assert_eq!(forge.server.lines(), ["GET /api/v4/personal_access_tokens/self"]);
    }
}

mod revocation {
    use super::*;

    #[tokio::test]
    async fn is_asked_of_the_token_itself() {
        for (bytes, wanted) in [
            (answer(204, "", ""), Revoked::Done),
            (json(401, "", r#"{"message":"401 Unauthorized"}"#), Revoked::NotKnown),
            (json(404, "", r#"{"error":"404 Not Found"}"#), Revoked::NotOffered),
        ] {
            let forge = refusing(bytes).await;
            assert_eq!(GitLab.revoke(forge.at()).await, Ok(wanted));
            assert_eq!(forge.server.lines(), ["DELETE /api/v4/personal_access_tokens/self"]);
        }
    }

    #[tokio::test]
    async fn that_failed_says_so() {
        let page = refusing(answer(404, "Content-Type: text/html", "<html>")).await;
        assert!(matches!(GitLab.revoke(page.at()).await, Err(ProviderError::NotTheProvider { .. })));
        let failing = refusing(answer(500, "", "")).await;
        let wanted = ProviderError::Failed { status: 500, said: String::new() };
        assert_eq!(GitLab.revoke(failing.at()).await, Err(wanted));
    }
}
