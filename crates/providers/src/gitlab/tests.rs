mod contents;
mod life;
mod listings;
mod merge_requests;

use valetkey_model::{Account, Details, InstanceUrl, Problem, ProblemCode, ProviderKind};

use crate::{
    CallError, Checked, Credential, Forge, Http, Provider, ProviderError, RepositoryAccess, Verdict, Why,
    testing::{Fixture, Seen, answer, json},
};

use super::GitLab;

fn instance() -> InstanceUrl {
    "https://forge.example.com".parse().unwrap()
}

const TOKEN: &str = "glpat-abcdefghijklmnopqrst";

const USER: &str = r#"{"id":42,"username":"john","name":"John Doe","state":"active","public_email":"",
    "email":"john@login.test","commit_email":"john@commit.test"}"#;

const RETRY_LATER: &str = "Retry later\n";

fn token_info(scopes: &str, expires: &str) -> String {
    format!(
        r#"{{"id":7,"name":"valetkey","revoked":false,"created_at":"2026-01-01T00:00:00.000Z","description":null,
        "scopes":{scopes},"user_id":42,"last_used_at":null,"active":true,"expires_at":{expires}}}"#
    )
}

async fn forge(answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Fixture {
    Fixture::new(TOKEN, answers).await
}

/// A GitLab that answers these bytes to everything.
async fn refusing(bytes: Vec<u8>) -> Fixture {
    forge(move |_| bytes.clone()).await
}

async fn check_with(user: Vec<u8>, info: Vec<u8>) -> Result<Checked, ProviderError> {
    let forge = forge(move |seen| match seen.line.as_str() {
        "GET /api/v4/user" => user.clone(),
        "GET /api/v4/personal_access_tokens/self" => info.clone(),
        other => panic!("{other}"),
    });
    GitLab.check(forge.await.at()).await
}

async fn check_scopes(scopes: &str) -> Checked {
    check_with(json(200, "", USER), json(200, "", &token_info(scopes, "null"))).await.unwrap()
}

mod form {
    use super::*;

    #[test]
    fn of_20_to_255_plain_characters() {
        let long = "a".repeat(255);
        for fine in [TOKEN, "glpat-vSY1cyL948aAB440qB6L4zlu9OzsUmEV.01.0w0sfevch", "12345678901234567890", &long] {
            assert_eq!(GitLab.check_form(&instance(), &Credential::pat(fine.into())), Ok(()), "{fine}");
        }
        let longer = "a".repeat(256);
        for wrong in [
            "",
            "1234567890123456789",
            &longer,
            "glpat-abcdefghijklmnop rst",
            "glpat-abcdefghijklmno\nrst",
            "glpat-äbcdefghijklmnopqrst",
        ] {
            assert_eq!(
                GitLab.check_form(&instance(), &Credential::pat(wrong.into())),
                Err(ProviderError::TokenMalformed),
                "{wrong:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_token_that_fits_no_header_is_not_sent() {
        let forge = Fixture::new("glpat-abc\r\nX-Evil: 1", |_| json(200, "", USER)).await;
        assert_eq!(GitLab.check(forge.at()).await, Err(ProviderError::TokenMalformed));
        assert!(forge.server.requests().is_empty());
    }
}

mod check {
    use super::*;

    #[tokio::test]
    async fn what_can_not_be_seen_in_a_name_is_taken_out() {
        let user = r#"{"id":42,"username":"jo\u0000hn","name":"John \u202eDoe\n","commit_email":"\u0007","email":"j@x\u200b.test"}"#;
        let checked = check_with(json(200, "", user), json(200, "", &token_info(r#"["api"]"#, "null"))).await;
        let account = checked.unwrap().account;
        assert_eq!(account.username, "john");
        assert_eq!((account.name.as_deref(), account.email.as_deref()), (Some("John Doe"), Some("j@x.test")));
    }

    #[tokio::test]
    async fn says_who_with_which_scopes_and_until_when() {
        let info = json(200, "", &token_info(r#"["api","read_user"]"#, r#""2027-01-31""#));
        let checked = check_with(json(200, "", USER), info).await.unwrap();
        assert_eq!(
            checked,
            Checked {
                account: Account {
                    id: "42".into(),
                    username: "john".into(),
                    name: Some("John Doe".into()),
                    email: Some("john@commit.test".into()),
                },
                granted_scopes: vec!["api".into(), "read_user".into()],
                expires_at: Some("2027-01-31T00:00:00Z".parse().unwrap()),
                missing_scopes: vec![],
                details: Details::default(),
            }
        );
    }

    #[tokio::test]
    async fn sends_the_token_in_its_own_header_only() {
        let forge = forge(|seen| match seen.line.as_str() {
            "GET /api/v4/user" => json(200, "", USER),
            _ => json(200, "", &token_info(r#"["api"]"#, "null")),
        })
        .await;
        GitLab.check(forge.at()).await.unwrap();
        let requests = forge.server.requests();
        assert_eq!(requests.len(), 2);
        for seen in requests {
            assert_eq!(seen.head.matches(TOKEN).count(), 1);
            assert!(seen.head.contains(&format!("private-token: {TOKEN}\n")), "{}", seen.head);
            assert!(!seen.line.contains(TOKEN));
        }
    }

    #[tokio::test]
    async fn takes_the_address_for_commits_then_the_public_one_then_the_login() {
        for (emails, wanted) in [
            (r#""commit_email":"c@x.test","public_email":"p@x.test","email":"e@x.test""#, Some("c@x.test")),
            (r#""commit_email":null,"public_email":"p@x.test","email":"e@x.test""#, Some("p@x.test")),
            (r#""commit_email":"","public_email":"","email":"e@x.test""#, Some("e@x.test")),
            (r#""public_email":"""#, None),
        ] {
            let user = format!(r#"{{"id":42,"username":"john","name":"",{emails}}}"#);
            let info = token_info(r#"["api"]"#, "null");
            let checked = check_with(json(200, "", &user), json(200, "", &info)).await.unwrap();
            assert_eq!(checked.account.email.as_deref(), wanted, "{emails}");
            assert_eq!(checked.account.name, None);
        }
    }

    #[tokio::test]
    async fn names_exactly_the_scopes_that_are_missing() {
        for (granted, missing) in [
            (r#"["api"]"#, &[][..]),
            (r#"["read_api","read_user","read_repository","write_repository"]"#, &[]),
            (r#"["read_api","read_user","read_repository"]"#, &["write_repository"]),
            (r#"["read_user"]"#, &["read_api", "read_repository", "write_repository"]),
            (r#"["sudo"]"#, &["read_api", "read_user", "read_repository", "write_repository"]),
        ] {
            assert_eq!(check_scopes(granted).await.missing_scopes, missing, "{granted}");
        }
    }

    #[tokio::test]
    async fn notes_that_merge_requests_need_api() {
        let least = check_scopes(r#"["read_api","read_user","read_repository","write_repository"]"#).await;
        assert_eq!(least.details.notes, ["Opening merge requests needs the scope 'api', which this token lacks."]);
        assert!(check_scopes(r#"["api"]"#).await.details.notes.is_empty());
    }

    #[tokio::test]
    async fn names_the_missing_scopes_even_if_the_account_is_hidden() {
        let hidden = r#"{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"api read_api read_user"}"#;
        let info = token_info(r#"["read_repository","write_repository"]"#, "null");
        let error = check_with(json(403, "", hidden), json(200, "", &info)).await.unwrap_err();
        let missing = vec!["read_api".to_owned(), "read_user".to_owned()];
        assert_eq!(error, ProviderError::InsufficientScope { missing });
    }

    #[tokio::test]
    async fn an_old_gitlab_that_does_not_know_the_question_is_fine() {
        let unknown = json(404, "", r#"{"error":"404 Not Found"}"#);
        let checked = check_with(json(200, "", USER), unknown).await.unwrap();
        assert!(checked.missing_scopes.is_empty() && checked.granted_scopes.is_empty());
        assert_eq!(checked.details.notes.len(), 1);
    }

    #[tokio::test]
    async fn a_token_of_another_kind_is_fine_too() {
        let not_a_pat = json(401, "", r#"{"message":"401 Unauthorized"}"#);
        let checked = check_with(json(200, "", USER), not_a_pat).await.unwrap();
        assert_eq!((checked.account.username.as_str(), checked.details.notes.len()), ("john", 1));
    }

    #[tokio::test]
    async fn a_token_revoked_between_the_two_questions_is_revoked() {
        let revoked = r#"{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}"#;
        let error = check_with(json(200, "", USER), json(401, "", revoked)).await.unwrap_err();
        assert_eq!(error, ProviderError::TokenRevoked);
    }
}

mod refusals {
    use super::*;

    async fn of(bytes: Vec<u8>) -> ProviderError {
        let forge = refusing(bytes).await;
        let error = GitLab.check(forge.at()).await.unwrap_err();
        assert_eq!(forge.server.requests().len(), 2, "each question is asked once, never again");
        error
    }

    async fn problem(bytes: Vec<u8>) -> Problem {
        of(bytes).await.into_problem(ProviderKind::GitLab, &"https://gitlab.example.com".parse().unwrap())
    }

    const RECONNECT: &str = "Create a new token at https://gitlab.example.com/-/user_settings/personal_access_tokens?name=Valetkey&scopes=api, \
                             then reconnect: valetkey connect gitlab --instance https://gitlab.example.com";

    #[tokio::test]
    async fn expired() {
        let body = r#"{"error":"invalid_token","error_description":"Token is expired. You can either do re-authorization or token refresh."}"#;
        let problem = problem(json(401, "WWW-Authenticate: Bearer realm=\"Protected by OAuth 2.0\"", body)).await;
        assert_eq!(problem.code, ProblemCode::TokenExpired);
        assert_eq!(problem.detail, "Authentication failed: the GitLab token has expired.");
        assert_eq!(problem.remediation.as_deref(), Some(RECONNECT));
        assert_eq!(problem.provider, Some(ProviderKind::GitLab));
    }

    #[tokio::test]
    async fn revoked() {
        let body = r#"{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}"#;
        let problem = problem(json(401, "", body)).await;
        assert_eq!(problem.code, ProblemCode::TokenRevoked);
        assert_eq!(problem.detail, "Authentication failed: the GitLab token was revoked.");
        assert_eq!(problem.remediation.as_deref(), Some(RECONNECT));
    }

    #[tokio::test]
    async fn unknown() {
        for body in [
            r#"{"message":"401 Unauthorized"}"#,
            r#"{"error":"invalid_token","error_description":"Bad Access Token."}"#,
        ] {
            let problem = problem(json(401, "", body)).await;
            assert_eq!(problem.code, ProblemCode::TokenInvalid);
            let wanted = "Authentication failed: GitLab at https://gitlab.example.com does not accept this token.";
            assert_eq!(problem.detail, wanted);
            assert_eq!(problem.remediation.as_deref(), Some(RECONNECT));
        }
    }

    #[tokio::test]
    async fn dpop() {
        let body = r#"{"error":"dpop_error","error_description":"DPoP validation error: Missing DPoP header"}"#;
        let error = of(json(401, "", body)).await;
        assert_eq!(error, ProviderError::DpopRequired);
        assert_eq!((error.code(), error.verdict()), (ProblemCode::TokenInvalid, Verdict::Credential));
    }

    #[tokio::test]
    async fn insufficient_scope() {
        let body = r#"{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"api read_api"}"#;
        let problem = problem(json(403, "", body)).await;
        assert_eq!(problem.code, ProblemCode::InsufficientScope);
        assert_eq!(problem.detail, "The GitLab token lacks the scope 'read_api'.");
        let remedy = problem.remediation.unwrap();
        assert!(remedy.starts_with("Create a token with the scope 'api', which covers the others, at "), "{remedy}");
    }

    #[tokio::test]
    async fn blocked() {
        let body = r#"{"message":"403 Forbidden - Your account has been blocked."}"#;
        let error = of(json(403, "", body)).await;
        assert_eq!(error, ProviderError::Forbidden { said: "403 Forbidden - Your account has been blocked.".into() });
        assert_eq!(error.verdict(), Verdict::Credential);
    }

    #[tokio::test]
    async fn rate_limited_in_plain_text() {
        const TEXT: &str = "GitLab API rate limit exceeded. Please wait a few minutes before retrying. GitLab.com allows 300 requests per minute.";
        let limited = |headers: &str| answer(429, &format!("Content-Type: text/plain\n{headers}"), RETRY_LATER);

        let said = problem(limited("Retry-After: 30")).await;
        assert_eq!(said.code, ProblemCode::RateLimited);
        assert_eq!((said.detail, said.retry_after_seconds), (format!("{TEXT} Retry in 30 s."), Some(30)));

        let silent = problem(limited("")).await;
        assert_eq!((silent.detail.as_str(), silent.retry_after_seconds), (TEXT, None));

        let reset =
            format!("RateLimit-Limit: 300\nRateLimit-Remaining: 0\nRateLimit-Reset: {}", crate::testing::NOW + 12);
        assert_eq!(problem(limited(&reset)).await.retry_after_seconds, Some(12));

        let date = "Retry-After: Fri, 20 Nov 2026 12:01:30 GMT";
        assert_eq!(problem(limited(date)).await.retry_after_seconds, Some(90));
    }

    #[tokio::test]
    async fn not_a_gitlab() {
        let instance = "https://gitlab.example.com";
        for (bytes, saw) in [
            (answer(200, "Content-Type: text/html; charset=utf-8", "<html>Sign in</html>"), "a web page (200)"),
            (answer(401, "Content-Type: text/html", "<html>Login</html>"), "a web page (401)"),
            (answer(404, "Content-Type: text/html", "<html>404</html>"), "a web page (404)"),
            (json(404, "", r#"{"message":"404 page not found"}"#), "something that is not its API (404)"),
            (json(200, "", r#"{"hello":"world"}"#), "something that is not its API (200)"),
            (json(200, "", "[]"), "something that is not its API (200)"),
            (answer(302, "Location: https://sso.corp.test/login?x=1", ""), "a redirect to sso.corp.test"),
            (answer(302, "Location: /users/sign_in", ""), "a redirect"),
        ] {
            let problem = problem(bytes).await;
            assert_eq!(problem.code, ProblemCode::NotTheProvider);
            assert_eq!(problem.detail, format!("{instance} does not answer as GitLab: it sent {saw}."));
        }
    }

    #[tokio::test]
    async fn failing() {
        let error = of(answer(502, "Content-Type: text/html", "<html>GitLab is not responding</html>")).await;
        assert_eq!(error, ProviderError::Failed { status: 502, said: String::new() });
        assert_eq!((error.code(), error.verdict()), (ProblemCode::ProviderUnreachable, Verdict::Reachability));
    }

    #[tokio::test]
    async fn silent() {
        let forge = forge(|_| Vec::new()).await;
        let wanted = CallError::Unreachable { host: "127.0.0.1".to_owned(), why: Why::Broken };
        assert_eq!(GitLab.check(forge.at()).await, Err(ProviderError::Call(wanted)));
    }
}

mod repository {
    use super::*;

    fn project(permissions: &str, more: &str) -> String {
        format!(
            r#"{{"id":9,"path_with_namespace":"Team/sub/Repo","default_branch":"main","visibility":"private",
            "archived":false,"permissions":{permissions}{more}}}"#
        )
    }

    fn levels(project: &str, group: &str) -> String {
        let level = |level: &str| match level {
            "null" => "null".to_owned(),
            level => format!(r#"{{"access_level":{level},"notification_level":3}}"#),
        };
        format!(r#"{{"project_access":{},"group_access":{}}}"#, level(project), level(group))
    }

    /// The access to a project that answers so, the account having `member` level by inheritance.
    async fn access(project: String, member: Option<u8>) -> (RepositoryAccess, Vec<String>) {
        let forge = forge(move |seen| match (seen.line.as_str(), member) {
            ("GET /api/v4/projects/team%2Fsub%2Frepo", _) => json(200, "", &project),
            ("GET /api/v4/user", _) => json(200, "", USER),
            ("GET /api/v4/projects/9/members/all/42", Some(level)) => {
                json(200, "", &format!(r#"{{"id":42,"username":"john","access_level":{level}}}"#))
            }
            ("GET /api/v4/projects/9/members/all/42", None) => json(404, "", r#"{"message":"404 Not found"}"#),
            (other, _) => panic!("{other}"),
        })
        .await;
        let access = GitLab.repository(forge.at(), &forge.server.repo("team/sub/repo")).await.unwrap();
        (access, forge.server.lines())
    }

    #[tokio::test]
    async fn developer_or_more_may_push_and_one_question_is_enough() {
        for (project_level, group_level) in [("30", "null"), ("null", "40"), ("10", "50"), ("30", "10")] {
            let (access, lines) = access(project(&levels(project_level, group_level), ""), None).await;
            assert_eq!(
                access,
                RepositoryAccess {
                    path: "Team/sub/Repo".into(),
                    default_branch: Some("main".into()),
                    archived: false,
                    why_not_push: None,
                }
            );
            assert_eq!(lines, ["GET /api/v4/projects/team%2Fsub%2Frepo"]);
        }
    }

    #[tokio::test]
    async fn access_by_a_parent_or_shared_group_is_found() {
        let (access, lines) = access(project(&levels("null", "null"), ""), Some(30)).await;
        assert_eq!(access.why_not_push, None);
        assert_eq!(lines.len(), 3);
    }

    #[tokio::test]
    async fn less_than_developer_may_not_push() {
        for (level, role) in [("20", "Reporter"), ("15", "Planner"), ("10", "Guest"), ("5", "Minimal Access")] {
            let (access, _) = access(project(&levels(level, "null"), ""), Some(level.parse().unwrap())).await;
            let why = format!("the account's role is {role}; pushing needs Developer or higher");
            assert_eq!(access.why_not_push.as_deref(), Some(&*why));
            let refused = ProviderError::PushNotAllowed { path: "Team/sub/Repo".into(), why };
            assert_eq!(access.require_push(), Err(refused));
        }
    }

    #[tokio::test]
    async fn a_public_project_without_membership_is_read_only() {
        for permissions in [levels("null", "null"), "null".to_owned()] {
            let (access, _) = access(project(&permissions, ""), None).await;
            let wanted = "the account is not a member and may only read it";
            assert_eq!(access.why_not_push.as_deref(), Some(wanted));
        }
    }

    #[tokio::test]
    async fn an_archived_project_is_read_only_for_all() {
        let archived = project(&levels("50", "null"), "").replace(r#""archived":false"#, r#""archived":true"#);
        let (access, lines) = access(archived, None).await;
        assert!(access.archived);
        assert_eq!(access.why_not_push.as_deref(), Some("the project is archived"));
        assert_eq!(lines.len(), 1);
    }

    #[tokio::test]
    async fn an_empty_project_has_no_default_branch() {
        let empty = project(&levels("30", "null"), "").replace(r#""main""#, "null");
        assert_eq!(access(empty, None).await.0.default_branch, None);
    }

    async fn refusal(bytes: Vec<u8>) -> Problem {
        let forge = refusing(bytes).await;
        let error = GitLab.repository(forge.at(), &forge.server.repo("team/sub/repo")).await.unwrap_err();
        error.into_problem(ProviderKind::GitLab, &forge.server.instance)
    }

    #[tokio::test]
    async fn not_found_is_explained() {
        let problem = refusal(json(404, "", r#"{"message":"404 Project Not Found"}"#)).await;
        assert_eq!(problem.code, ProblemCode::RepositoryNotFound);
        assert_eq!(
            problem.detail,
            "GitLab has no repository 'team/sub/repo' that this account can see: it does not exist, or the account has no \
             access to it. GitLab answers both the same way."
        );
    }

    #[tokio::test]
    async fn a_renamed_project_is_told_apart_from_a_foreign_redirect() {
        let moved = answer(301, "Location: /api/v4/projects/9", "");
        assert_eq!(refusal(moved).await.detail, "The repository 'team/sub/repo' was renamed or moved.");
        let away = answer(301, "Location: https://evil.test/api/v4/projects/9", "");
        assert_eq!(refusal(away).await.code, ProblemCode::NotTheProvider);
        let sign_in = answer(302, "Location: /users/sign_in", "");
        assert_eq!(refusal(sign_in).await.code, ProblemCode::NotTheProvider);
    }

    #[tokio::test]
    async fn a_web_page_instead_of_404_is_not_a_missing_project() {
        let page = answer(404, "Content-Type: text/html", "<html>not here</html>");
        assert_eq!(refusal(page).await.code, ProblemCode::NotTheProvider);
    }

    #[tokio::test]
    async fn a_repository_elsewhere_is_not_asked_about() {
        let forge = refusing(json(200, "", "{}")).await;
        let repo = "https://evil.test/team/repo".parse().unwrap();
        let error = GitLab.repository(forge.at(), &repo).await.unwrap_err();
        assert_eq!(error, ProviderError::OtherInstance { repository: "https://evil.test".parse().unwrap() });
        assert!(forge.server.requests().is_empty());
    }

    #[tokio::test]
    async fn a_limit_in_the_second_question_is_not_taken_for_missing_membership() {
        let body = project(&levels("null", "null"), "");
        let forge = forge(move |seen| match seen.line.as_str() {
            "GET /api/v4/user" => json(200, "", USER),
            line if line.contains("/members/") => answer(429, "Retry-After: 7", RETRY_LATER),
            _ => json(200, "", &body),
        })
        .await;
        let error = GitLab.repository(forge.at(), &forge.server.repo("team/sub/repo")).await.unwrap_err();
        assert_eq!(error, ProviderError::RateLimited { retry_after_seconds: Some(7) });
    }
}

#[test]
fn access_is_cheap_to_pass_and_shows_no_token() {
    let http: Http = crate::testing::http();
    let instance = "https://gitlab.com".parse().unwrap();
    let credential = Credential::pat(TOKEN.into());
    let at = crate::Access { http: &http, instance: &instance, credential: &credential, now: crate::testing::now() };
    let copy = at;
    assert!(!format!("{at:?}{copy:?}").contains("abcdefgh"));
}
