use serde_json::{Value, json};
use valetkey_model::{Account, AuthMethod, ProblemCode, ProviderKind};

use crate::{
    Credential, Forge, GitAuth, Provider, ProviderError, PullRequest, PullRequestDraft, RepositoryAccess,
    testing::{Fixture, Seen, answer, json as reply},
};

use super::AzureDevOps;

const PAT: &str = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst";
const ENTRA: &str = "eyJ0eXAiOiJKV1QifQ.eyJleHAiOjF9.c2lnbmF0dXJl-_";

const JOHN: &str = r#"{"authenticatedUser":{"id":"0b1c","descriptor":"x","providerDisplayName":"John Doe","isActive":true,
    "properties":{"Account":{"$type":"System.String","$value":"john@x.test"}}},"instanceId":"i","deploymentType":"hosted"}"#;
const NOBODY: &str = r#"{"authenticatedUser":{"id":"aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa",
    "providerDisplayName":"Anonymous"},"instanceId":"i"}"#;
const APP: &str = r#"{"id":"r1","name":"app","project":{"id":"p1","name":"Shop","visibility":"private"},
    "defaultBranch":"refs/heads/main","isDisabled":false}"#;
const NOT_FOUND: &str = r#"{"$id":"1","message":"TF401019: The Git repository with name or identifier app does not exist.",
    "typeKey":"GitRepositoryNotFoundException","errorCode":0,"eventId":3000}"#;

fn credential(token: &str, organisation: &str) -> Credential {
    Credential { method: AuthMethod::Basic, login: Some(organisation.to_owned()), ..Credential::pat(token.into()) }
}

async fn fixture(answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Fixture {
    Fixture { credential: credential(PAT, "octo"), ..Fixture::new("", answers).await }
}

fn path_of(seen: &Seen) -> &str {
    seen.line.split('?').next().unwrap()
}

/// What somebody gets who is not known.
fn sign_in_pages() -> [Vec<u8>; 5] {
    let html = "Content-Type: text/html; charset=utf-8";
    [
        answer(203, html, "<html>Sign In</html>"),
        answer(302, "Location: https://spsprodeus1.vssps.visualstudio.com/_signin?realm=dev.azure.com", ""),
        answer(200, html, "<html>Sign In</html>"),
        answer(401, html, "<html>Access Denied</html>"),
        answer(401, "WWW-Authenticate: Basic", ""),
    ]
}

mod form {
    use super::*;

    fn of(credential: &Credential) -> Result<(), ProviderError> {
        AzureDevOps.check_form(&"https://dev.azure.com".parse().unwrap(), credential)
    }

    #[test]
    fn of_tokens() {
        let new = "a".repeat(84);
        for fine in [PAT, &new, ENTRA] {
            assert_eq!(of(&credential(fine, "octo")), Ok(()));
        }
        let long = format!("eyJ{}", "a".repeat(8190));
        for wrong in ["", "short", "abcdefghijklmnopqrstuvwxyz 34567abcdefghijklmnopqrst", "eyJ0\neXAi", &long] {
            assert_eq!(of(&credential(wrong, "octo")), Err(ProviderError::TokenMalformed), "{wrong:?}");
        }
    }

    #[test]
    fn an_organisation_is_a_name() {
        for wrong in ["", "octo/shop", "../octo", "-octo", "octo.cat", "https://dev.azure.com/octo", &"a".repeat(51)] {
            let error = of(&credential(PAT, wrong)).unwrap_err();
            assert!(matches!(error, ProviderError::Unsuitable { .. }), "{wrong:?}");
        }
        assert!(matches!(of(&Credential::pat(PAT.into())), Err(ProviderError::Unsuitable { .. })));
    }

    #[test]
    fn git_takes_entra_tokens_as_bearer() {
        assert_eq!(AzureDevOps.git_auth(&credential(PAT, "octo")), GitAuth::Basic { user: String::new() });
        assert_eq!(AzureDevOps.git_auth(&credential(ENTRA, "octo")), GitAuth::Bearer);
    }
}

mod check {
    use super::*;

    #[tokio::test]
    async fn says_who() {
        let fixture = fixture(|_| reply(200, "", JOHN)).await;
        let checked = AzureDevOps.check(fixture.at()).await.unwrap();
        let john = Account {
            id: "0b1c".into(),
            username: "john@x.test".into(),
            name: Some("John Doe".into()),
            email: Some("john@x.test".into()),
        };
        assert_eq!((checked.account, checked.details.team.as_deref()), (john, Some("octo")));
        assert_eq!(checked.details.notes.len(), 1);
        let requests = fixture.server.requests();
        assert_eq!(requests[0].line, "GET /octo/_apis/connectionData");
        let basic = "authorization: Basic OmFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MjM0NTY3YWJjZGVmZ2hpamtsbW5vcHFyc3Q=\n";
        assert!(requests[0].head.contains(basic), "{}", requests[0].head);
    }

    #[tokio::test]
    async fn an_entra_token_is_sent_as_bearer() {
        let fixture =
            Fixture { credential: credential(ENTRA, "octo"), ..Fixture::new("", |_| reply(200, "", JOHN)).await };
        AzureDevOps.check(fixture.at()).await.unwrap();
        assert!(fixture.server.requests()[0].head.contains(&format!("authorization: Bearer {ENTRA}\n")));
    }

    async fn refused(bytes: Vec<u8>) -> ProviderError {
        let fixture = fixture(move |_| bytes.clone()).await;
        let error = AzureDevOps.check(fixture.at()).await.unwrap_err();
        assert_eq!(fixture.server.requests().len(), 1, "asked once, never again");
        error
    }

    #[tokio::test]
    async fn who_is_shown_the_way_to_the_sign_in_page_is_not_known() {
        for bytes in sign_in_pages().into_iter().chain([reply(200, "", NOBODY)]) {
            assert_eq!(refused(bytes).await, ProviderError::TokenInvalid);
        }
    }

    #[tokio::test]
    async fn an_account_that_is_named_is_known_and_lacks_a_scope() {
        let refusing = |user: &str| {
            let message = format!("TF400813: The user '{user}' is not authorized to access this resource.");
            reply(401, "", &json!({ "$id": "1", "message": message }).to_string())
        };
        let lacks = ProviderError::InsufficientScope { missing: Vec::new() };
        assert_eq!(refused(refusing("john@x.test")).await, lacks);
        for nobody in ["", "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"] {
            assert_eq!(refused(refusing(nobody)).await, ProviderError::TokenInvalid);
        }
    }

    #[tokio::test]
    async fn each_refusal_has_its_meaning() {
        let expired = "Access Denied: The Personal Access Token used has expired.";
        let forbidden = r#"{"message":"TF50309: The following account does not have sufficient permissions"}"#;
        let said = "TF50309: The following account does not have sufficient permissions".to_owned();
        for (bytes, wanted) in [
            (answer(401, "Content-Type: text/html", expired), ProviderError::TokenExpired),
            (reply(403, "", forbidden), ProviderError::Forbidden { said }),
            (answer(429, "Retry-After: 9", "slow"), ProviderError::RateLimited { retry_after_seconds: Some(9) }),
            (answer(503, "", ""), ProviderError::Failed { status: 503, said: String::new() }),
        ] {
            assert_eq!(refused(bytes).await, wanted);
        }
        for bytes in [reply(404, "", "{}"), answer(404, "Content-Type: text/html", "<html>"), reply(200, "", "[]")] {
            assert!(matches!(refused(bytes).await, ProviderError::NotTheProvider { .. }));
        }
    }

    #[tokio::test]
    async fn a_refusal_says_where_to_make_a_token() {
        let problem = ProviderError::TokenInvalid
            .into_problem(ProviderKind::AzureDevOps, &"https://dev.azure.com".parse().unwrap());
        assert_eq!(problem.code, ProblemCode::TokenInvalid);
        let wanted = "Create a new token at https://dev.azure.com, then reconnect: valetkey connect azure-devops";
        assert_eq!(problem.remediation.as_deref(), Some(wanted));
    }
}

mod repository {
    use super::*;

    async fn ask(app: String, may_push: Vec<u8>) -> (RepositoryAccess, Vec<String>) {
        let fixture = fixture(move |seen| match path_of(seen) {
            "GET /octo/Shop/_apis/git/repositories/app" => reply(200, "", &app),
            _ => may_push.clone(),
        })
        .await;
        let access = AzureDevOps.repository(fixture.at(), &fixture.server.repo("octo/Shop/_git/app")).await.unwrap();
        (access, fixture.server.lines())
    }

    #[tokio::test]
    async fn can_be_pushed_to_if_the_account_may_contribute() {
        let (access, lines) = ask(APP.into(), reply(200, "", r#"{"count":1,"value":[true]}"#)).await;
        let wanted = RepositoryAccess {
            path: "octo/Shop/_git/app".into(),
            default_branch: Some("main".into()),
            archived: false,
            why_not_push: None,
        };
        assert_eq!(access, wanted);
        assert_eq!(
            lines,
            [
                "GET /octo/Shop/_apis/git/repositories/app?api-version=7.1",
                "GET /octo/_apis/permissions/2e9eb7ed-3c0a-47d4-87c1-0ffdd275fd87/4?tokens=repoV2%2Fp1%2Fr1&api-version=7.1",
            ]
        );
    }

    #[tokio::test]
    async fn can_not_be_pushed_to_otherwise() {
        let (access, _) = ask(APP.into(), reply(200, "", r#"{"count":1,"value":[false]}"#)).await;
        assert_eq!(access.why_not_push.as_deref(), Some("the account may only read it"));
        let disabled = APP.replace(r#""isDisabled":false"#, r#""isDisabled":true"#);
        let (access, lines) = ask(disabled, Vec::new()).await;
        assert_eq!((access.why_not_push.as_deref(), lines.len()), (Some("the repository is disabled"), 1));
    }

    #[tokio::test]
    async fn a_token_that_may_not_ask_is_left_to_the_push() {
        for bytes in sign_in_pages().into_iter().chain([reply(403, "", "{}"), reply(404, "", "{}")]) {
            let (access, _) = ask(APP.into(), bytes).await;
            assert_eq!(access.why_not_push, None);
        }
    }

    #[tokio::test]
    async fn of_another_organisation_does_not_speak_against_the_token() {
        for bytes in sign_in_pages() {
            let fixture = fixture(move |_| bytes.clone()).await;
            let own = AzureDevOps.repository(fixture.at(), &fixture.server.repo("Octo/Shop/_git/app")).await;
            assert_eq!(own, Err(ProviderError::TokenInvalid));
            let other = AzureDevOps.repository(fixture.at(), &fixture.server.repo("corp/Shop/_git/app")).await;
            assert_eq!(other, Err(ProviderError::RepositoryNotFound { path: "corp/Shop/_git/app".into() }));
        }
    }

    #[tokio::test]
    async fn hidden_and_forbidden_ones_are_not_found() {
        for status in [403, 404] {
            let fixture = fixture(move |_| reply(status, "", NOT_FOUND)).await;
            let error = AzureDevOps.repository(fixture.at(), &fixture.server.repo("octo/Shop/_git/app")).await;
            assert_eq!(error, Err(ProviderError::RepositoryNotFound { path: "octo/Shop/_git/app".into() }));
        }
    }

    #[tokio::test]
    async fn of_another_form_is_not_asked_for() {
        let fixture = fixture(|_| reply(200, "", APP)).await;
        let error = AzureDevOps.repository(fixture.at(), &fixture.server.repo("octo/app")).await.unwrap_err();
        assert!(matches!(error, ProviderError::RepositoryMalformed(_)));
        assert!(fixture.server.requests().is_empty());
    }

    #[tokio::test]
    async fn branches_are_listed_over_all_pages() {
        let fixture = fixture(|seen| {
            let named = |name: &str| {
                format!(r#"{{"value":[{{"name":"refs/heads/{name}","objectId":"abc","isLocked":true}}]}}"#)
            };
            match path_of(seen) {
                "GET /octo/Shop/_apis/git/repositories/app" => reply(200, "", APP),
                _ if seen.line.contains("continuationToken=t%2F1") => reply(200, "", &named("x/main")),
                _ => reply(200, "x-ms-continuationtoken: t/1", &named("main")),
            }
        })
        .await;
        let all = AzureDevOps.branches(fixture.at(), &fixture.server.repo("octo/Shop/_git/app")).await.unwrap();
        let named: Vec<_> = all.iter().map(|branch| (&*branch.name, branch.default, branch.protected)).collect();
        assert_eq!(named, [("main", true, true), ("x/main", false, true)]);
        assert!(fixture.server.lines()[1].contains("/refs?filter=heads%2F&api-version=7.1&%24top=100"));
    }

    #[tokio::test]
    async fn all_of_the_organisation_are_searched() {
        let fixture = fixture(|_| {
            let spaced = APP.replace("\"app\"", "\"an app\"");
            let public = APP.replace("\"app\"", "\"APP-2\"").replace("private", "public");
            reply(200, "", &format!(r#"{{"count":3,"value":[{APP},{spaced},{public}]}}"#))
        })
        .await;
        let found = AzureDevOps.search(fixture.at(), "App", 9).await.unwrap();
        let urls: Vec<_> = found.iter().map(|one| (one.url.path(), one.private)).collect();
        assert_eq!(urls, [("octo/Shop/_git/app", true), ("octo/Shop/_git/APP-2", false)]);
        assert_eq!(AzureDevOps.search(fixture.at(), "", 1).await.unwrap().len(), 1);
        assert_eq!(fixture.server.lines()[0], "GET /octo/_apis/git/repositories?api-version=7.1");
    }

    #[tokio::test]
    async fn a_search_is_told_of_a_token_that_died() {
        for bytes in sign_in_pages() {
            let fixture = fixture(move |_| bytes.clone()).await;
            assert_eq!(AzureDevOps.search(fixture.at(), "", 9).await, Err(ProviderError::TokenInvalid));
        }
    }
}

mod pull_requests {
    use super::*;

    fn draft() -> PullRequestDraft {
        PullRequestDraft { head: "fix".into(), base: "main".into(), title: "Fix".into(), body: "It works.".into() }
    }

    async fn open(fixture: &Fixture, draft: &PullRequestDraft) -> Result<PullRequest, ProviderError> {
        AzureDevOps.open_pull_request(fixture.at(), &fixture.server.repo("octo/Shop/_git/app"), draft).await
    }

    async fn azure(listed: &'static str) -> Fixture {
        fixture(move |seen| match seen.line.split(' ').next().unwrap() {
            "GET" => reply(200, "", &format!(r#"{{"count":1,"value":[{listed}]}}"#)),
            "POST" => reply(201, "", r#"{"pullRequestId":3}"#),
            _ => reply(200, "", r#"{"pullRequestId":7}"#),
        })
        .await
    }

    const PATH: &str = "/octo/Shop/_apis/git/repositories/app/pullrequests";

    #[tokio::test]
    async fn are_opened_though_a_fork_has_one_like_it() {
        let fixture = azure(r#"{"pullRequestId":2,"forkSource":{"name":"refs/heads/fix"}}"#).await;
        let opened = open(&fixture, &draft()).await.unwrap();
        let url = format!("{}/octo/Shop/_git/app/pullrequest/3", fixture.server.instance);
        assert_eq!(opened, PullRequest { url, created: true });
        let requests = fixture.server.requests();
        let question = "searchCriteria.status=active&searchCriteria.sourceRefName=refs%2Fheads%2Ffix\
                        &searchCriteria.targetRefName=refs%2Fheads%2Fmain&api-version=7.1";
        assert_eq!(requests[0].line, format!("GET {PATH}?{question}"));
        assert_eq!(requests[1].line, format!("POST {PATH}?api-version=7.1"));
        let sent: Value = serde_json::from_slice(&requests[1].body).unwrap();
        assert_eq!(
            sent,
            json!({"title": "Fix", "description": "It works.", "sourceRefName": "refs/heads/fix",
                "targetRefName": "refs/heads/main"})
        );
    }

    #[tokio::test]
    async fn an_open_one_is_changed() {
        let fixture = azure(r#"{"pullRequestId":7}"#).await;
        let opened = open(&fixture, &draft()).await.unwrap();
        assert!(!opened.created && opened.url.ends_with("/pullrequest/7"));
        let last = fixture.server.requests().pop().unwrap();
        assert_eq!(last.line, format!("PATCH {PATH}/7?api-version=7.1"));
        let sent: Value = serde_json::from_slice(&last.body).unwrap();
        assert_eq!(sent, json!({"title": "Fix", "description": "It works."}));
    }

    #[tokio::test]
    async fn a_text_is_cut_to_what_is_taken() {
        for (body, length) in [("a".repeat(4000), 4000), ("a".repeat(4001), 4000), ("𝕏".repeat(2001), 3999)] {
            let fixture = azure("").await;
            open(&fixture, &PullRequestDraft { body, ..draft() }).await.unwrap();
            let sent: Value = serde_json::from_slice(&fixture.server.requests()[1].body).unwrap();
            assert_eq!(sent["description"].as_str().unwrap().encode_utf16().count(), length);
        }
    }

    #[tokio::test]
    async fn refused_ones_say_why() {
        let why = r#"{"$id":"1","message":"TF401398: The pull request cannot be activated because the source branch is gone."}"#;
        for status in [400, 409] {
            let fixture = fixture(move |seen| match seen.line.starts_with("GET ") {
                true => reply(200, "", r#"{"value":[]}"#),
                false => reply(status, "", why),
            })
            .await;
            let error = open(&fixture, &draft()).await.unwrap_err();
            assert!(matches!(error, ProviderError::PullRequestRefused { said } if said.starts_with("TF401398")));
        }
    }
}
