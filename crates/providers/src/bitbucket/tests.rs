use serde_json::{Value, json};
use valetkey_model::{Account, AuthMethod};

use crate::{
    Checked, Credential, Forge, GitAuth, Provider, ProviderError, PullRequest, PullRequestDraft, RepositoryAccess,
    Verdict,
    testing::{FOREIGN_PAGES, Fixture, Seen, answer, json as reply},
};

use super::Bitbucket;

const API_TOKEN: &str = "ATATT3xFfGF0abcdefghijklmnop=1234ABCD";
const ACCESS_TOKEN: &str = "ATCTT3xFfGN0abcdefghijklmnop=1234ABCD";

const USER: &str = r#"{"type":"user","uuid":"{1b2c}","username":"john","nickname":"johnny","display_name":"John Doe"}"#;
const LACKS_SCOPES: &str = r#"{"type":"error","error":{"message":"Your credentials lack one or more required privilege scopes.",
    "detail":{"required":["account"],"granted":["repository:write","pullrequest:write"]}}}"#;
const UNKNOWN: &str =
    r#"{"type":"error","error":{"message":"Token is invalid, expired, or not supported for this endpoint."}}"#;
const REMOVED: &str = r#"{"type":"error","error":{"message":"CHANGE-2770 - Functionality has been deprecated",
    "detail":"Gone.","data":{"announcement_url":"https://x.test"}}}"#;

fn api_token(token: &str, login: &str) -> Credential {
    Credential { method: AuthMethod::Basic, login: Some(login.to_owned()), ..Credential::pat(token.into()) }
}

async fn by_api_token(answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Fixture {
    Fixture { credential: api_token(API_TOKEN, "john@x.test"), ..Fixture::new("", answers).await }
}

async fn by_access_token(answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Fixture {
    Fixture::new(ACCESS_TOKEN, answers).await
}

fn path_of(seen: &Seen) -> &str {
    seen.line.split('?').next().unwrap()
}

mod form {
    use super::*;

    fn of(credential: &Credential) -> Result<(), ProviderError> {
        Bitbucket.check_form(&"https://bitbucket.org".parse().unwrap(), credential)
    }

    #[test]
    fn of_each_kind_of_token() {
        assert_eq!(of(&api_token(API_TOKEN, "john@x.test")), Ok(()));
        assert_eq!(of(&Credential::pat(ACCESS_TOKEN.into())), Ok(()));
        for wrong in ["", "short", "ATCTT3xFfGN0 with a space", "ATCTT3xFfGN0\nwith-a-line-break"] {
            assert_eq!(of(&Credential::pat(wrong.into())), Err(ProviderError::TokenMalformed), "{wrong:?}");
        }
    }

    #[test]
    fn what_can_not_work_is_refused_with_what_does() {
        let refused = |credential: Credential| match of(&credential).unwrap_err() {
            ProviderError::Unsuitable { why, instead } => format!("{why} {instead}"),
            other => panic!("{other:?}"),
        };
        for app_password in
            [Credential::pat("ATBBabc".into()), api_token("ATBBabcdefghijklmnopqrstuvwxyz", "john@x.test")]
        {
            let text = refused(app_password);
            assert!(text.contains("ended in 2026"), "{text}");
            assert!(text.contains("https://id.atlassian.com/manage-profile/security/api-tokens"), "{text}");
        }
        for no_address in ["john", "", "john@x.test:more", "john@x\n.test"] {
            assert!(refused(api_token(API_TOKEN, no_address)).contains("e-mail address of the Atlassian account"));
        }
        assert!(refused(api_token(ACCESS_TOKEN, "john@x.test")).contains("goes without an e-mail address"));
        assert!(refused(Credential::pat(API_TOKEN.into())).contains("only together with the account's e-mail address"));
    }
}

mod check {
    use super::*;

    async fn with_scopes(scopes: &'static str) -> Checked {
        let fixture = by_api_token(move |_| reply(200, scopes, USER)).await;
        Bitbucket.check(fixture.at()).await.unwrap()
    }

    #[tokio::test]
    async fn says_who_and_with_which_scopes() {
        let checked =
            with_scopes("X-OAuth-Scopes: read:user:bitbucket, write:repository:bitbucket,write:pullrequest:bitbucket")
                .await;
        let john = Account {
            id: "{1b2c}".into(),
            username: "john".into(),
            name: Some("John Doe".into()),
            email: Some("john@x.test".into()),
        };
        assert_eq!(checked.account, john);
        assert_eq!(
            checked.granted_scopes,
            ["read:user:bitbucket", "write:repository:bitbucket", "write:pullrequest:bitbucket"]
        );
        assert!(checked.missing_scopes.is_empty() && checked.details.notes.is_empty());
    }

    #[tokio::test]
    async fn names_what_is_missing_in_the_tokens_own_words() {
        for (scopes, missing, notes) in [
            ("X-OAuth-Scopes: read:user:bitbucket", &["write:repository:bitbucket"][..], 0),
            ("X-OAuth-Scopes: account", &["repository:write"], 0),
            ("X-OAuth-Scopes: account repository:write", &[], 1),
            ("X-OAuth-Scopes: account pullrequest:write", &[], 0),
            ("", &[], 1),
        ] {
            let checked = with_scopes(scopes).await;
            assert_eq!(
                (&*checked.missing_scopes, checked.details.notes.len()),
                (&*missing.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>(), notes)
            );
        }
    }

    #[tokio::test]
    async fn sends_an_api_token_with_the_address_and_others_alone() {
        let fixture = by_api_token(|_| reply(200, "", USER)).await;
        Bitbucket.check(fixture.at()).await.unwrap();
        let requests = fixture.server.requests();
        assert_eq!(fixture.server.lines(), ["GET /2.0/user"]);
        let basic = "authorization: Basic am9obkB4LnRlc3Q6QVRBVFQzeEZmR0YwYWJjZGVmZ2hpamtsbW5vcD0xMjM0QUJDRA==\n";
        assert!(requests[0].head.contains(basic), "{}", requests[0].head);

        let emails = r#"{"values":[{"email":"old@x.test"},{"email":"main@x.test","is_primary":true}]}"#;
        let fixture = by_access_token(move |seen| match path_of(seen) {
            "GET /2.0/user" => reply(200, "", USER),
            _ => reply(200, "", emails),
        })
        .await;
        let checked = Bitbucket.check(fixture.at()).await.unwrap();
        assert_eq!(checked.account.email.as_deref(), Some("main@x.test"));
        for seen in fixture.server.requests() {
            assert!(seen.head.contains(&format!("authorization: Bearer {ACCESS_TOKEN}\n")));
            assert!(!seen.line.contains(ACCESS_TOKEN));
        }
    }

    #[tokio::test]
    async fn an_access_token_without_an_account_goes_by_a_name_of_its_own() {
        for first in [reply(403, "", LACKS_SCOPES), reply(401, "", UNKNOWN)] {
            let fixture = by_access_token(move |seen| match path_of(seen) {
                "GET /2.0/user" => first.clone(),
                _ => reply(403, "", LACKS_SCOPES),
            })
            .await;
            let checked = Bitbucket.check(fixture.at()).await.unwrap();
            let name = checked.account.username;
            assert!(name.starts_with("access-token-") && !name.contains("ATCTT"), "{name}");
            assert_eq!(checked.account.id, name);
            assert!(checked.missing_scopes.is_empty());
            assert!(checked.details.notes[0].starts_with("Bitbucket does not say which repository"));
        }
    }

    #[tokio::test]
    async fn the_workspace_of_an_access_token_is_shown_where_there_is_one() {
        let fixture = by_access_token(|seen| match path_of(seen) {
            "GET /2.0/user" => reply(403, "", LACKS_SCOPES),
            _ => reply(200, "", r#"{"values":[{"type":"workspace_access","workspace":{"slug":"octo"}}]}"#),
        })
        .await;
        let checked = Bitbucket.check(fixture.at()).await.unwrap();
        assert_eq!(checked.details.team.as_deref(), Some("octo"));
        assert_eq!(checked.granted_scopes, ["repository:write", "pullrequest:write"]);
    }

    #[tokio::test]
    async fn an_access_token_that_is_refused_twice_is_unknown() {
        let fixture = by_access_token(|_| reply(401, "", UNKNOWN)).await;
        assert_eq!(Bitbucket.check(fixture.at()).await, Err(ProviderError::TokenInvalid));
    }
}

mod refusals {
    use super::*;

    async fn of(bytes: Vec<u8>) -> ProviderError {
        let fixture = by_api_token(move |_| bytes.clone()).await;
        let error = Bitbucket.check(fixture.at()).await.unwrap_err();
        assert_eq!(fixture.server.requests().len(), 1, "asked once, never again");
        error
    }

    #[tokio::test]
    async fn each_has_its_meaning() {
        let lacks = ProviderError::InsufficientScope { missing: vec!["account".into()] };
        let forbidden = r#"{"type":"error","error":{"message":"Access denied","detail":"Your IP is not allowed."}}"#;
        for (bytes, wanted) in [
            (reply(401, "", UNKNOWN), ProviderError::TokenInvalid),
            (answer(401, "WWW-Authenticate: Basic", ""), ProviderError::TokenInvalid),
            (reply(403, "", LACKS_SCOPES), lacks),
            (
                reply(403, "", forbidden),
                ProviderError::Forbidden { said: "Access denied: Your IP is not allowed.".into() },
            ),
            (
                answer(429, "Retry-After: 30", "Rate limit for this resource has been exceeded"),
                ProviderError::RateLimited { retry_after_seconds: Some(30) },
            ),
            (answer(429, "", ""), ProviderError::RateLimited { retry_after_seconds: None }),
            (
                reply(410, "", REMOVED),
                ProviderError::Failed {
                    status: 410,
                    said: "CHANGE-2770 - Functionality has been deprecated: Gone.".into(),
                },
            ),
            (answer(502, "", ""), ProviderError::Failed { status: 502, said: String::new() }),
        ] {
            assert_eq!(of(bytes).await, wanted);
        }
    }

    #[tokio::test]
    async fn what_is_gone_is_an_app_password() {
        for bytes in
            [answer(410, "", ""), reply(410, "", r#"{"type":"error","error":{"message":"App passwords are gone"}}"#)]
        {
            let error = of(bytes).await;
            assert!(
                matches!(error, ProviderError::Unsuitable { why, .. } if why.contains("app password")),
                "{error:?}"
            );
            assert_eq!(error.verdict(), Verdict::Credential);
        }
    }

    #[tokio::test]
    async fn something_else_answers() {
        for bytes in [
            answer(200, "Content-Type: text/html", "<html>"),
            answer(401, "Content-Type: text/html", "<html>"),
            answer(410, "Content-Type: text/html", "<html>"),
            answer(302, "Location: https://sso.test/", ""),
            reply(200, "", "[]"),
        ] {
            assert!(matches!(of(bytes).await, ProviderError::NotTheProvider { .. }));
        }
    }
}

mod repository {
    use super::*;

    const REPOSITORY: &str =
        r#"{"full_name":"octo/app","is_private":true,"mainbranch":{"type":"branch","name":"main"}}"#;
    const PUBLIC: &str = r#"{"full_name":"octo/app","is_private":false,"mainbranch":null}"#;
    const LISTED: &str = r#"{"values":[{"full_name":"octo/app"}]}"#;
    const NOT_LISTED: &str = r#"{"values":[]}"#;

    async fn ask(fixture: &Fixture) -> Result<RepositoryAccess, ProviderError> {
        Bitbucket.repository(fixture.at(), &fixture.server.repo("octo/app")).await
    }

    #[tokio::test]
    async fn can_be_pushed_to_by_who_is_listed_with_it() {
        let fixture = by_api_token(|seen| match seen.line.as_str() {
            "GET /2.0/repositories/octo/app" => reply(200, "", REPOSITORY),
            line if line.contains("role=contributor") => reply(200, "", NOT_LISTED),
            _ => reply(200, "", LISTED),
        })
        .await;
        let access = ask(&fixture).await.unwrap();
        assert_eq!((access.path.as_str(), access.default_branch.as_deref()), ("octo/app", Some("main")));
        assert_eq!(access.why_not_push, None);
        let lines = fixture.server.lines();
        assert_eq!(lines[1], "GET /2.0/repositories/octo?role=contributor&q=slug+%3D+%22app%22&pagelen=100");
        assert!(lines[2].contains("role=admin"));
    }

    #[tokio::test]
    async fn can_not_be_pushed_to_by_others() {
        let fixture = by_api_token(|seen| match path_of(seen) {
            "GET /2.0/repositories/octo/app" => reply(200, "", REPOSITORY),
            _ => reply(200, "", NOT_LISTED),
        })
        .await;
        assert_eq!(ask(&fixture).await.unwrap().why_not_push.as_deref(), Some("the account may only read it"));
    }

    #[tokio::test]
    async fn the_tokens_scopes_count_before_the_account() {
        let fixture = by_api_token(|_| reply(200, "X-OAuth-Scopes: read:repository:bitbucket", REPOSITORY)).await;
        let wanted = "the token lacks the scope 'write:repository:bitbucket'";
        assert_eq!(ask(&fixture).await.unwrap().why_not_push.as_deref(), Some(wanted));
        assert_eq!(fixture.server.requests().len(), 1);
    }

    #[tokio::test]
    async fn an_access_token_has_no_rights_but_its_scopes() {
        for (repository, list, can_push) in [
            (REPOSITORY, reply(200, "", NOT_LISTED), true),
            (PUBLIC, reply(200, "", NOT_LISTED), false),
            (PUBLIC, reply(200, "", LISTED), true),
            (PUBLIC, reply(403, "", LACKS_SCOPES), true),
            (PUBLIC, reply(401, "", UNKNOWN), true),
        ] {
            let fixture = by_access_token(move |seen| match path_of(seen) {
                "GET /2.0/repositories/octo/app" => reply(200, "X-OAuth-Scopes: repository:write", repository),
                _ => list.clone(),
            })
            .await;
            assert_eq!(ask(&fixture).await.unwrap().why_not_push.is_none(), can_push);
        }
    }

    #[tokio::test]
    async fn hidden_and_forbidden_ones_are_not_found() {
        let missing = r#"{"type":"error","error":{"message":"You may not have access to this repository"}}"#;
        for status in [403, 404] {
            let fixture = by_api_token(move |_| reply(status, "", missing)).await;
            assert_eq!(ask(&fixture).await, Err(ProviderError::RepositoryNotFound { path: "octo/app".into() }));
        }
    }

    #[tokio::test]
    async fn elsewhere_or_of_another_form_is_not_asked_for() {
        let fixture = by_api_token(|_| reply(200, "", REPOSITORY)).await;
        let foreign = "https://bitbucket.org.evil.test/octo/app".parse().unwrap();
        let error = Bitbucket.repository(fixture.at(), &foreign).await.unwrap_err();
        assert!(matches!(error, ProviderError::OtherInstance { .. }));
        let deep = Bitbucket.repository(fixture.at(), &fixture.server.repo("octo/team/app")).await.unwrap_err();
        assert!(matches!(deep, ProviderError::RepositoryMalformed(_)));
        assert!(fixture.server.requests().is_empty());
    }
}

mod pull_requests {
    use super::*;

    fn draft() -> PullRequestDraft {
        PullRequestDraft {
            head: r#"fix "it" \o/"#.into(),
            base: "main".into(),
            title: "Fix".into(),
            body: "It **works**.".into(),
        }
    }

    fn pull(page: &str) -> String {
        json!({
            "id": 3, "links": {"html": {"href": page}}, "source": {"repository": {"full_name": "octo/app"}},
            "reviewers": [{"uuid": "{r1}"}], "close_source_branch": true,
        })
        .to_string()
    }

    async fn open(fixture: &Fixture) -> Result<PullRequest, ProviderError> {
        Bitbucket.open_pull_request(fixture.at(), &fixture.server.repo("octo/app"), &draft()).await
    }

    #[tokio::test]
    async fn are_opened() {
        let fixture = by_api_token(|seen| match seen.line.split(' ').next().unwrap() {
            "GET" => reply(200, "", r#"{"values":[]}"#),
            _ => reply(201, "", &pull(&seen.fill_in("ORIGIN/octo/app/pull-requests/3"))),
        })
        .await;
        let opened = open(&fixture).await.unwrap();
        let page = format!("{}/octo/app/pull-requests/3", fixture.server.instance);
        assert_eq!(opened, PullRequest { url: page, created: true });
        let requests = fixture.server.requests();
        let filter =
            url::form_urlencoded::parse(requests[0].line.split_once('?').unwrap().1.as_bytes()).next().unwrap().1;
        let wanted =
            r#"source.branch.name = "fix \"it\" \\o/" AND destination.branch.name = "main" AND state = "OPEN""#;
        assert_eq!(filter, wanted);
        assert!(requests[0].line.ends_with("&pagelen=50"));
        let sent: Value = serde_json::from_slice(&requests[1].body).unwrap();
        assert_eq!(requests[1].line, "POST /2.0/repositories/octo/app/pullrequests");
        assert_eq!(
            sent,
            json!({"title": "Fix", "description": "It **works**.", "source": {"branch": {"name": draft().head}},
                "destination": {"branch": {"name": "main"}}})
        );
    }

    #[tokio::test]
    async fn an_open_one_is_changed_and_keeps_what_people_set() {
        let fixture = by_api_token(|seen| match seen.line.as_str() {
            line if line.contains('?') => {
                let fork = r#"{"id":2,"source":{"repository":{"full_name":"fork/app"}}}"#;
                reply(200, "", &format!(r#"{{"values":[{fork},{}]}}"#, pull("")))
            }
            _ => reply(200, "", &pull("")),
        })
        .await;
        assert!(!open(&fixture).await.unwrap().created);
        let last = fixture.server.requests().pop().unwrap();
        assert_eq!(last.line, "PUT /2.0/repositories/octo/app/pullrequests/3");
        let sent: Value = serde_json::from_slice(&last.body).unwrap();
        assert_eq!(
            sent,
            json!({"title": "Fix", "description": "It **works**.", "reviewers": [{"uuid": "{r1}"}],
                "close_source_branch": true})
        );
    }

    #[tokio::test]
    async fn refused_ones_say_why() {
        let why = r#"{"type":"error","error":{"message":"There are no changes to be pulled","fields":{}}}"#;
        let fixture = by_api_token(move |seen| match seen.line.split(' ').next().unwrap() {
            "GET" => reply(200, "", r#"{"values":[]}"#),
            _ => reply(400, "", why),
        })
        .await;
        let said = "There are no changes to be pulled".to_owned();
        assert_eq!(open(&fixture).await, Err(ProviderError::PullRequestRefused { said }));
    }

    #[tokio::test]
    async fn foreign_pages_are_replaced_by_the_known_one() {
        for page in FOREIGN_PAGES {
            let fixture = by_api_token(move |seen| match seen.line.split(' ').next().unwrap() {
                "GET" => reply(200, "", r#"{"values":[]}"#),
                _ => reply(201, "", &pull(&seen.fill_in(page))),
            })
            .await;
            let page = format!("{}/octo/app/pull-requests/3", fixture.server.instance);
            assert_eq!(open(&fixture).await.unwrap().url, page);
        }
    }
}

mod listings {
    use super::*;

    #[tokio::test]
    async fn of_branches_go_over_all_pages() {
        let fixture = by_api_token(|seen| {
            let branch = |name: &str| format!(r#"{{"name":"{name}","target":{{"hash":"abc"}}}}"#);
            match seen.line.as_str() {
                "GET /2.0/repositories/octo/app" => {
                    reply(200, "", r#"{"full_name":"octo/app","mainbranch":{"name":"b"}}"#)
                }
                "GET /2.0/repositories/octo/app/refs/branches?pagelen=100" => {
                    let next = seen.fill_in("ORIGIN/2.0/repositories/octo/app/refs/branches?page=2");
                    reply(200, "", &format!(r#"{{"values":[{}],"next":"{next}"}}"#, branch("a")))
                }
                _ => reply(200, "", &format!(r#"{{"values":[{}]}}"#, branch("b"))),
            }
        })
        .await;
        let all = Bitbucket.branches(fixture.at(), &fixture.server.repo("octo/app")).await.unwrap();
        let named: Vec<_> = all.iter().map(|branch| (&*branch.name, &*branch.commit, branch.default)).collect();
        assert_eq!(named, [("a", "abc", false), ("b", "abc", true)]);
    }

    #[tokio::test]
    async fn that_go_on_elsewhere_are_given_up() {
        for next in ["https://evil.test/2.0/x", "http://127.0.0.1:1/2.0/x", "ORIGIN/1.0/x"] {
            let fixture = by_api_token(move |seen| {
                let next = seen.fill_in(next);
                reply(200, "", &format!(r#"{{"full_name":"octo/app","values":[],"next":"{next}"}}"#))
            })
            .await;
            let error = Bitbucket.branches(fixture.at(), &fixture.server.repo("octo/app")).await.unwrap_err();
            assert!(matches!(error, ProviderError::NotTheProvider { .. }), "{error:?}");
            assert!(fixture.server.requests().len() <= 2);
        }
    }

    #[tokio::test]
    async fn of_repositories_ask_each_workspace_until_enough_are_found() {
        let fixture = by_api_token(|seen| match path_of(seen) {
            "GET /2.0/user/workspaces" => {
                let workspace = |slug: &str| format!(r#"{{"workspace":{{"slug":"{slug}"}}}}"#);
                let all = ["one", "../user", "two", "three"].map(workspace).join(",");
                reply(200, "", &format!(r#"{{"values":[{all}]}}"#))
            }
            "GET /2.0/repositories/one" => {
                reply(200, "", r#"{"values":[{"full_name":"one/app","is_private":true,"mainbranch":{"name":"main"}}]}"#)
            }
            "GET /2.0/repositories/two" => {
                reply(200, "", r#"{"values":[{"full_name":"two/app"},{"full_name":"two/b"}]}"#)
            }
            other => panic!("{other}"),
        })
        .await;
        let found = Bitbucket.search(fixture.at(), "a\"pp", 2).await.unwrap();
        let paths: Vec<_> = found.iter().map(|one| (&*one.path, one.private, one.default_branch.as_deref())).collect();
        assert_eq!(paths, [("one/app", true, Some("main")), ("two/app", false, None)]);
        let lines = fixture.server.lines();
        assert!(
            lines[1].contains("?role=member&sort=-updated_on&q=name+%7E+%22a%5C%22pp%22&pagelen=2"),
            "{}",
            lines[1]
        );
        assert!(!Bitbucket.search(fixture.at(), "", 1).await.unwrap().is_empty());
        assert!(!fixture.server.lines().pop().unwrap().contains("q="));
    }
}

#[test]
fn git_has_its_own_user_names() {
    let user = |name: &str| GitAuth::Basic { user: name.to_owned() };
    assert_eq!(Bitbucket.git_auth(&api_token(API_TOKEN, "john@x.test")), user("x-bitbucket-api-token-auth"));
    assert_eq!(Bitbucket.git_auth(&Credential::pat(ACCESS_TOKEN.into())), user("x-token-auth"));
    let consumer = Credential { method: AuthMethod::OAuth, ..Credential::pat("x".into()) };
    assert_eq!(Bitbucket.git_auth(&consumer), user("x-token-auth"));
}

#[test]
fn consent_is_asked_for_where_the_account_is() {
    for instance in ["https://bitbucket.org", "http://127.0.0.1:9"] {
        let profile = Bitbucket.oauth(&instance.parse().unwrap()).unwrap();
        assert_eq!(profile.authorize_url.as_str(), format!("{instance}/site/oauth2/authorize"));
        assert_eq!(profile.token_url.as_str(), format!("{instance}/site/oauth2/access_token"));
        assert_eq!(profile.pkce, crate::oauth::PkceUse::Unsupported);
    }
}
