use valetkey_model::{Account, AuthMethod, InstanceUrl, ProblemCode, ProviderKind, Site};

use super::Jira;
use crate::{
    Checked, Consent, Credential, Provider, ProviderError, Verdict,
    oauth::{ClientAuth, PkceUse, Rotation},
    testing::{Fixture, NOW, Seen, answer, json},
};

const TOKEN: &str = "ATATT3xFfGF0canarycanarycanary=0A1B2C3D";
const CLOUD: &str = "11223344-a1b2-4c3d-8e9f-000000000001";
const EMAIL: &str = "jo@example.test";

const CLOUD_ACCOUNT: &str = r#"{"self":"https://team.atlassian.net/rest/api/3/user?accountId=5b10a2","accountId":"5b10a2",
    "accountType":"atlassian","emailAddress":"jo@example.test","displayName":"Jo Doe","active":true}"#;
const SERVER_ACCOUNT: &str = r#"{"self":"http://jira/rest/api/2/user?username=jo","key":"JIRAUSER10100","name":"jo",
    "emailAddress":"jo@example.test","displayName":"Jo Doe","active":true}"#;
const NOT_SIGNED_IN: &str = r#"{"message":"Client must be authenticated to access this resource.","status-code":401}"#;

fn unauthorized() -> Vec<u8> {
    json(401, "X-Seraph-LoginReason: AUTHENTICATED_FAILED", NOT_SIGNED_IN)
}

fn instance(text: &str) -> InstanceUrl {
    text.parse().unwrap()
}

fn api_token(token: &str, address: &str) -> Credential {
    Credential { method: AuthMethod::Basic, login: Some(address.to_owned()), ..Credential::pat(token.into()) }
}

fn consented(asked: &[&str]) -> Credential {
    let asked = asked.iter().map(|scope| (*scope).to_owned()).collect();
    let consent = Consent { redirect_uri: "https://keys.test/oauth/callback".to_owned(), asked, at: None };
    Credential { method: AuthMethod::OAuth, consent: Some(consent), ..Credential::pat(TOKEN.into()) }
}

/// A Jira that answers so to this credential.
async fn jira(credential: Credential, answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Fixture {
    Fixture { credential, ..Fixture::new(TOKEN, answers).await }
}

async fn check(
    credential: Credential,
    answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static,
) -> Result<Checked, ProviderError> {
    Jira.check(jira(credential, answers).await.at()).await
}

fn account(id: &str, username: &str) -> Account {
    Account { id: id.into(), username: username.into(), name: Some("Jo Doe".into()), email: Some(EMAIL.into()) }
}

mod form {
    use super::*;

    fn of(at: &str, credential: &Credential) -> Result<(), ProviderError> {
        Jira.check_form(&instance(at), credential)
    }

    #[test]
    fn an_api_token_goes_with_an_address_and_a_site() {
        let site = "https://team.atlassian.net";
        assert_eq!(of(site, &api_token(TOKEN, EMAIL)), Ok(()));
        for (at, address) in [(site, "jo"), (site, "j:o@x.test"), (site, ""), ("https://api.atlassian.com", EMAIL)] {
            let refused = of(at, &api_token(TOKEN, address)).unwrap_err();
            assert!(matches!(refused, ProviderError::Unsuitable { .. }), "{at} {address}");
        }
        for malformed in ["", "short", "has spaces in its middle"] {
            assert_eq!(of(site, &api_token(malformed, EMAIL)), Err(ProviderError::TokenMalformed), "{malformed:?}");
        }
    }

    #[test]
    fn a_personal_access_token_is_data_centers() {
        let token = "MDEyMzQ1Njc4OTAxOmFiY2RlZmdoaWprbG1ub3BxcnN0";
        assert_eq!(of("https://jira.example.com", &Credential::pat(token.into())), Ok(()));
        for (at, token) in [
            ("https://team.atlassian.net", token),
            ("https://api.atlassian.com", token),
            ("https://jira.example.com", TOKEN),
        ] {
            let refused = of(at, &Credential::pat(token.into())).unwrap_err();
            assert!(matches!(refused, ProviderError::Unsuitable { .. }), "{at}");
        }
    }
}

mod api_tokens {
    use super::*;

    #[tokio::test]
    async fn without_scopes_are_taken_by_the_site() {
        let jira = jira(api_token(TOKEN, EMAIL), |_| json(200, "X-Seraph-LoginReason: OK", CLOUD_ACCOUNT)).await;
        let checked = Jira.check(jira.at()).await.unwrap();
        assert_eq!(checked.account, account("5b10a2", EMAIL));
        assert!(checked.granted_scopes.is_empty() && checked.missing_scopes.is_empty());
        assert_eq!(checked.expires_at, None);
        assert!(checked.details.notes[0].starts_with("This API token has no scopes"), "{:?}", checked.details);
        let requests = jira.server.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].line, "GET /rest/api/3/myself");
        assert!(requests[0].head.contains("authorization: Basic am9AZXhhbXBsZS50ZXN0OkFUQVRU"), "{}", requests[0].head);
    }

    #[tokio::test]
    async fn with_scopes_are_taken_by_the_gateway_only() {
        let answers = |seen: &Seen| match seen.line.as_str() {
            "GET /rest/api/3/myself" => unauthorized(),
            "GET /_edge/tenant_info" => json(200, "", &format!(r#"{{"cloudId":"{CLOUD}"}}"#)),
            _ => json(200, "", CLOUD_ACCOUNT),
        };
        let jira = jira(api_token(TOKEN, EMAIL), answers).await;
        let checked = Jira.check(jira.at()).await.unwrap();
        assert_eq!(checked.account.id, "5b10a2");
        let site = Site { id: CLOUD.into(), url: jira.server.instance.to_string(), name: "127".into(), scopes: vec![] };
        assert_eq!(checked.details.sites, [site]);
        let requests = jira.server.requests();
        let lines: Vec<_> = requests.iter().map(|seen| seen.line.as_str()).collect();
        let at_gateway = format!("GET /ex/jira/{CLOUD}/rest/api/3/myself");
        assert_eq!(lines, ["GET /rest/api/3/myself", "GET /_edge/tenant_info", &at_gateway]);
        assert!(!requests[1].head.contains("authorization"), "everybody may ask for the id");
    }

    #[tokio::test]
    async fn that_neither_takes_are_invalid() {
        let answers = |seen: &Seen| match seen.line.as_str() {
            "GET /_edge/tenant_info" => json(200, "", &format!(r#"{{"cloudId":"{CLOUD}"}}"#)),
            line if line.starts_with("GET /ex/") => json(401, "", r#"{"code":401,"message":"Unauthorized"}"#),
            _ => unauthorized(),
        };
        assert_eq!(check(api_token(TOKEN, EMAIL), answers).await, Err(ProviderError::TokenInvalid));
    }

    #[tokio::test]
    async fn go_nowhere_else_where_there_is_no_gateway() {
        for tenant in [r#"{"cloudId":"../../evil"}"#, r#"{"cloudId":""}"#, "{}", "<html>"] {
            let jira = jira(api_token(TOKEN, EMAIL), move |seen| match seen.line.as_str() {
                "GET /_edge/tenant_info" => json(200, "", tenant),
                _ => unauthorized(),
            });
            let jira = jira.await;
            assert_eq!(Jira.check(jira.at()).await, Err(ProviderError::TokenInvalid), "{tenant}");
            assert_eq!(jira.server.requests().len(), 2, "{tenant}");
        }
    }

    #[tokio::test]
    async fn without_the_scope_to_see_the_account_lack_it() {
        let answers = |seen: &Seen| match seen.line.as_str() {
            "GET /_edge/tenant_info" => json(200, "", &format!(r#"{{"cloudId":"{CLOUD}"}}"#)),
            line if line.starts_with("GET /ex/") => {
                json(401, "", r#"{"code":401,"message":"Unauthorized; scope does not match"}"#)
            }
            _ => unauthorized(),
        };
        let missing = vec!["read:jira-user".to_owned()];
        assert_eq!(check(api_token(TOKEN, EMAIL), answers).await, Err(ProviderError::InsufficientScope { missing }));
    }

    #[tokio::test]
    async fn are_not_taken_to_work_because_everybody_may_look() {
        for header in ["X-Seraph-LoginReason: AUTHENTICATED_FAILED", "X-AUSERNAME: anonymous"] {
            let answers = move |seen: &Seen| match seen.line.as_str() {
                "GET /_edge/tenant_info" => json(404, "", "{}"),
                _ => json(200, header, CLOUD_ACCOUNT),
            };
            assert_eq!(check(api_token(TOKEN, EMAIL), answers).await, Err(ProviderError::TokenInvalid), "{header}");
        }
    }
}

mod personal_tokens {
    use super::*;

    async fn with_tokens(tokens: (u16, &'static str)) -> Checked {
        let answers = move |seen: &Seen| match seen.line.as_str() {
            "GET /rest/api/2/myself" => json(200, "X-AUSERNAME: jo", SERVER_ACCOUNT),
            "GET /rest/api/2/serverInfo" => json(200, "", r#"{"version":"10.3.1","deploymentType":"Server"}"#),
            "GET /rest/pat/latest/tokens" => json(tokens.0, "", tokens.1),
            other => panic!("{other}"),
        };
        let jira = jira(Credential::pat(TOKEN.into()), answers).await;
        let checked = Jira.check(jira.at()).await.unwrap();
        for seen in jira.server.requests() {
            assert!(seen.head.contains(&format!("authorization: Bearer {TOKEN}\n")), "{}", seen.head);
        }
        checked
    }

    #[tokio::test]
    async fn say_who_where_and_until_when() {
        let one = r#"[{"id":1,"name":"a","createdAt":"2026-01-01T00:00:00.000+0000","expiringAt":"2027-01-31T10:00:00.000+0000"}]"#;
        let checked = with_tokens((200, one)).await;
        assert_eq!(checked.account, account("JIRAUSER10100", "jo"));
        assert_eq!(checked.expires_at, Some("2027-01-31T10:00:00Z".parse().unwrap()));
        assert_eq!(checked.details.version.as_deref(), Some("Jira 10.3.1"));
        assert_eq!(checked.details.notes.len(), 1);
    }

    #[tokio::test]
    async fn end_when_is_said_only_of_one_that_can_be_meant() {
        let end = Some("2027-01-31T10:00:00Z".parse().unwrap());
        for (tokens, wanted, notes) in [
            ((200, r#"[{"id":1,"expiringAt":null}]"#), None, 1),
            ((200, r#"[{"expiringAt":"2025-01-01T00:00:00.000Z"},{"expiringAt":"2027-01-31T10:00:00.000Z"}]"#), end, 1),
            ((200, r#"[{"expiringAt":"2027-01-31T10:00:00.000Z"},{"expiringAt":null}]"#), None, 2),
            ((200, "[]"), None, 2),
            ((404, "{}"), None, 2),
        ] {
            let checked = with_tokens(tokens).await;
            assert_eq!((checked.expires_at, checked.details.notes.len()), (wanted, notes), "{tokens:?}");
        }
    }
}

mod consents {
    use super::*;

    const ALL: [&str; 4] = ["read:jira-work", "write:jira-work", "read:jira-user", "offline_access"];

    fn resources(scopes: &str) -> String {
        format!(
            r#"[{{"id":"{CLOUD}","url":"https://team.atlassian.net","name":"team","scopes":{scopes},"avatarUrl":"x"}},
            {{"id":"{CLOUD}","url":"https://team.atlassian.net","name":"team","scopes":["read:confluence-space.summary"]}},
            {{"id":"second","url":"javascript:alert(1)","name":"two\u202e","scopes":{scopes}}},
            {{"id":"../third","url":"https://x.test","name":"three","scopes":{scopes}}}]"#
        )
    }

    async fn with(asked: &[&str], scopes: &'static str) -> Result<Checked, ProviderError> {
        check(consented(asked), move |seen| match seen.line.as_str() {
            "GET /oauth/token/accessible-resources" => json(200, "", &resources(scopes)),
            _ => json(200, "", CLOUD_ACCOUNT),
        })
        .await
    }

    const GRANTED: &str = r#"["read:jira-work","write:jira-work","read:jira-user"]"#;

    #[tokio::test]
    async fn show_the_sites_of_jira_each_once() {
        let checked = with(&ALL, GRANTED).await.unwrap();
        assert_eq!(checked.account, account("5b10a2", EMAIL));
        let scopes: Vec<String> = ["read:jira-work", "write:jira-work", "read:jira-user"].map(str::to_owned).to_vec();
        let site = |id: &str, url: &str, name: &str| Site {
            id: id.into(),
            url: url.into(),
            name: name.into(),
            scopes: scopes.clone(),
        };
        let wanted = [site(CLOUD, "https://team.atlassian.net", "team"), site("second", "", "two")];
        assert_eq!(checked.details.sites, wanted);
        assert_eq!(checked.granted_scopes, ["read:jira-user", "read:jira-work", "write:jira-work"]);
        assert!(checked.missing_scopes.is_empty(), "offline_access is listed nowhere");
        assert!(checked.details.notes[0].contains("90 days"));
    }

    #[tokio::test]
    async fn name_what_was_asked_for_and_not_granted() {
        let few = r#"["read:jira-work","read:jira-user"]"#;
        assert_eq!(with(&ALL, few).await.unwrap().missing_scopes, ["write:jira-work"]);
        assert_eq!(with(&[], few).await.unwrap().missing_scopes, ["write:jira-work"]);
        assert!(with(&["read:jira-work"], few).await.unwrap().missing_scopes.is_empty());
    }

    #[tokio::test]
    async fn without_a_site_say_how_to_choose_one() {
        let error = check(consented(&ALL), |_| json(200, "", "[]")).await.unwrap_err();
        assert_eq!(error.verdict(), Verdict::Scope);
        let problem = error.into_problem(ProviderKind::Jira, &instance("https://api.atlassian.com"));
        assert_eq!(problem.code, ProblemCode::InsufficientScope);
        assert_eq!(problem.detail, "The Atlassian account consented, but no Jira site was granted.");
        assert!(problem.remediation.unwrap().starts_with("Connect again, and choose a site"));
    }

    #[tokio::test]
    async fn ask_the_next_site_where_one_shuts_the_app_out() {
        let shut = r#"{"code":403,"message":"The app is not installed on this instance"}"#;
        let jira = jira(consented(&ALL), move |seen| match seen.line.as_str() {
            "GET /oauth/token/accessible-resources" => json(200, "", &resources(GRANTED)),
            "GET /ex/jira/second/rest/api/3/myself" => json(200, "", CLOUD_ACCOUNT),
            _ => json(403, "", shut),
        })
        .await;
        assert_eq!(Jira.check(jira.at()).await.unwrap().account.id, "5b10a2");
        for seen in jira.server.requests() {
            assert!(seen.head.contains(&format!("authorization: Bearer {TOKEN}\n")) && !seen.line.contains(TOKEN));
        }
    }

    #[tokio::test]
    async fn that_were_withdrawn_are_invalid() {
        let gone = |_: &Seen| json(401, "", r#"{"code":401,"message":"Unauthorized"}"#);
        assert_eq!(check(consented(&ALL), gone).await, Err(ProviderError::TokenInvalid));
    }

    #[test]
    fn end_after_90_days_unused_and_after_a_year() {
        let day = |n: i64| jiff::Timestamp::from_second(NOW + n * 86_400).unwrap();
        assert_eq!(Jira.consent_end(day(0), day(0)), Some(day(90)));
        assert_eq!(Jira.consent_end(day(0), day(80)), Some(day(170)));
        assert_eq!(Jira.consent_end(day(0), day(300)), Some(day(365)));
    }

    #[test]
    fn begin_at_atlassians_server_or_at_the_one_origin() {
        let public = Jira.oauth(&instance("https://api.atlassian.com")).unwrap();
        assert_eq!(public.authorize_url.as_str(), "https://auth.atlassian.com/authorize");
        assert_eq!(public.token_url.as_str(), "https://auth.atlassian.com/oauth/token");
        assert_eq!(public.authorize_extra, [("audience", "api.atlassian.com"), ("prompt", "consent")]);
        assert_eq!((public.client_auth, public.pkce), (ClientAuth::Json, PkceUse::Unsupported));
        assert_eq!((public.rotation, public.dead_grant_words), (Rotation::RefreshOnly, &["unauthorized_client"][..]));
        let other = Jira.oauth(&instance("http://127.0.0.1:9")).unwrap();
        assert_eq!(other.token_url.as_str(), "http://127.0.0.1:9/oauth/token");
        assert_eq!(Jira.oauth(&instance("https://team.atlassian.net")), None);
    }
}

mod refusals {
    use super::*;

    async fn of(bytes: Vec<u8>) -> ProviderError {
        check(Credential::pat(TOKEN.into()), move |_| bytes.clone()).await.unwrap_err()
    }

    #[tokio::test]
    async fn unknown_as_json_or_as_a_web_page() {
        let page =
            answer(401, "Content-Type: text/html\nX-Seraph-LoginReason: AUTHENTICATED_FAILED", "<html>401</html>");
        for bytes in [unauthorized(), json(401, "", NOT_SIGNED_IN), page] {
            assert_eq!(of(bytes).await, ProviderError::TokenInvalid);
        }
    }

    #[tokio::test]
    async fn a_puzzle_to_solve() {
        let headers = "X-Authentication-Denied-Reason: CAPTCHA_CHALLENGE; login-url=http://jira/login.jsp";
        let error = of(answer(403, headers, "Basic Authentication Failure - Reason : AUTHENTICATION_DENIED")).await;
        let ProviderError::Forbidden { said } = error else { panic!("{error:?}") };
        assert!(said.contains("CAPTCHA"), "{said}");
    }

    #[tokio::test]
    async fn forbidden_in_its_own_words() {
        let error = of(json(403, "", r#"{"errorMessages":["You do not have","the permission."],"errors":{}}"#)).await;
        assert_eq!(error, ProviderError::Forbidden { said: "You do not have the permission.".into() });
    }

    #[tokio::test]
    async fn rate_limited_in_plain_text() {
        for (headers, seconds) in [
            ("Retry-After: 30\nRateLimit-Reason: jira-burst-based", Some(30)),
            ("X-RateLimit-Reset: 2026-11-20T12:02Z\nRateLimit-Reason: jira-quota-tenant-based", Some(120)),
            ("", None),
        ] {
            let error = of(answer(429, headers, "Rate limit exceeded")).await;
            assert_eq!(error, ProviderError::RateLimited { retry_after_seconds: seconds }, "{headers}");
        }
    }

    #[tokio::test]
    async fn a_part_that_was_taken_away() {
        let body = r#"{"errorMessages":["The requested API has been removed. Please migrate to the /rest/api/3/search/jql API."],"errors":{}}"#;
        let error = of(json(410, "", body)).await;
        assert!(
            matches!(&error, ProviderError::Failed { status: 410, said } if said.contains("search/jql")),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn not_a_jira() {
        for bytes in [
            answer(200, "Content-Type: text/html", "<html>"),
            json(200, "", "{}"),
            json(404, "", "{}"),
            answer(302, "Location: https://sso.corp.test/", ""),
        ] {
            assert!(matches!(of(bytes).await, ProviderError::NotTheProvider { .. }));
        }
    }

    #[tokio::test]
    async fn never_repeat_the_token() {
        for status in [200, 400, 401, 403, 404, 429, 500] {
            let body = format!(r#"{{"message":"{TOKEN}","errorMessages":["{TOKEN}"],"accountId":"{TOKEN}"}}"#);
            let result = check(Credential::pat(TOKEN.into()), move |_| json(status, "", &body)).await;
            assert!(!format!("{result:?}").contains("canary"), "{result:?}");
        }
    }
}

#[test]
fn the_catalogue_asks_for_what_each_way_needs() {
    let entry = Jira.catalogue();
    let names = |method: AuthMethod| -> Vec<String> {
        entry.method(method).unwrap().fields.iter().map(|field| field.name.clone()).collect()
    };
    assert_eq!(names(AuthMethod::Basic), ["instanceUrl", "username", "token"]);
    assert_eq!(names(AuthMethod::Pat), ["instanceUrl", "token"]);
    assert_eq!(names(AuthMethod::OAuth), ["instanceUrl"]);
    let asked = &entry.method(AuthMethod::OAuth).unwrap().required_scopes[0].scopes;
    assert!(asked.iter().all(|scope| !scope.why.is_empty()) && asked.iter().any(|s| s.name == "offline_access"));
    let own = instance("https://jira.example.com");
    assert!(Jira.token_page(&own, AuthMethod::Pat).starts_with("https://jira.example.com/secure/ViewProfile.jspa"));
    assert!(Jira.token_page(&own, AuthMethod::Basic).starts_with("https://id.atlassian.com/"));
}
