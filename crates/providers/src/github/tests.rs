mod consent;
mod contents;
mod search;

use valetkey_model::{AuthMethod, InstanceUrl, Problem, ProblemCode, ProviderKind};

use crate::{
    BranchInfo, Checked, Credential, Forge, Provider, ProviderError, PullRequest, PullRequestDraft, RepositoryAccess,
    Verdict,
    testing::{FOREIGN_PAGES, Fixture, NOW, Seen, answer, json, now},
};

use super::{GitHub, api_base, check::account, wire};

fn instance() -> InstanceUrl {
    "https://forge.example.com".parse().unwrap()
}

const TOKEN: &str = "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";

const USER: &str = r#"{"login":"octocat","id":583231,"type":"User","name":"The Octocat","email":"octo@cat.test"}"#;

async fn forge(answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Fixture {
    Fixture::new(TOKEN, answers).await
}

/// A GitHub that answers these bytes to everything.
async fn refusing(bytes: Vec<u8>) -> Fixture {
    forge(move |_| bytes.clone()).await
}

async fn check(headers: &str) -> Checked {
    let forge = refusing(json(200, headers, USER)).await;
    GitHub.check(forge.at()).await.unwrap()
}

mod form {
    use super::*;

    #[test]
    fn has_one_of_githubs_prefixes() {
        let stateless = format!("ghs_123456_{}.{}.{}", "a".repeat(40), "b-_".repeat(120), "c".repeat(86));
        let fine_grained = format!("github_pat_{}_{}", "1".repeat(22), "b".repeat(59));
        for fine in [TOKEN, "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", &stateless, &fine_grained] {
            assert_eq!(GitHub.check_form(&instance(), &Credential::pat(fine.into())), Ok(()), "{fine}");
        }
        let endless = format!("ghs_{}", "a".repeat(5000));
        for wrong in [
            "",
            "ghp_",
            "ghp_short",
            "glpat-abcdefghijklmnopqrst",
            "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",
            "0123456789abcdef0123456789abcdef01234567",
            "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\n",
            "ghp_zQWBuTSOoRi4A9spHc VY5ncnsDkxkJ0mLq17",
            &endless,
        ] {
            assert_eq!(
                GitHub.check_form(&instance(), &Credential::pat(wrong.into())),
                Err(ProviderError::TokenMalformed),
                "{wrong:?}"
            );
        }
    }
}

mod check {
    use super::*;

    #[tokio::test]
    async fn says_who_with_which_scopes_and_until_when() {
        let headers = "X-OAuth-Scopes: repo, read:org\nX-Accepted-OAuth-Scopes:\nGitHub-Authentication-Token-Expiration: 2027-09-06 12:00:00 UTC";
        let checked = check(headers).await;
        assert_eq!((checked.account.id.as_str(), checked.account.username.as_str()), ("583231", "octocat"));
        assert_eq!(checked.account.name.as_deref(), Some("The Octocat"));
        assert_eq!(checked.account.email.as_deref(), Some("octo@cat.test"));
        assert_eq!(checked.granted_scopes, ["repo", "read:org"]);
        assert_eq!(checked.expires_at, Some("2027-09-06T12:00:00Z".parse().unwrap()));
        assert!(checked.missing_scopes.is_empty() && checked.details.notes.is_empty());
    }

    #[tokio::test]
    async fn speaks_as_github_wants_it() {
        let forge = refusing(json(200, "X-OAuth-Scopes: repo", USER)).await;
        GitHub.check(forge.at()).await.unwrap();
        let requests = forge.server.requests();
        assert_eq!(forge.server.lines(), ["GET /api/v3/user", "GET /api/v3/user/repos?per_page=1"]);
        for header in [
            &*format!("authorization: Bearer {TOKEN}\n"),
            "accept: application/vnd.github+json\n",
            "x-github-api-version: 2022-11-28\n",
            "user-agent: valetkey/",
        ] {
            assert!(requests[0].head.contains(header), "{header}");
        }
    }

    #[tokio::test]
    async fn classic_tokens_need_repo() {
        for (header, missing, notes) in [
            ("X-OAuth-Scopes: repo", &[][..], 0),
            ("X-OAuth-Scopes: gist, repo", &[], 0),
            ("X-OAuth-Scopes: public_repo", &[], 1),
            ("X-OAuth-Scopes: repo:status, read:user", &["repo"], 0),
            ("X-OAuth-Scopes:", &["repo"], 0),
        ] {
            let checked = check(header).await;
            assert_eq!(
                (checked.missing_scopes.as_slice(), checked.details.notes.len()),
                (&*missing.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>(), notes),
                "{header}"
            );
        }
    }

    #[tokio::test]
    async fn fine_grained_tokens_say_nothing_of_scopes() {
        let checked = check("X-Accepted-GitHub-Permissions: allows_permissionless_access=true").await;
        assert!(checked.granted_scopes.is_empty() && checked.missing_scopes.is_empty());
        assert_eq!(checked.details.notes.len(), 1);
    }

    #[test]
    fn the_end_comes_in_two_forms() {
        for (text, wanted) in [
            ("2027-09-06 12:00:00 UTC", Some("2027-09-06T12:00:00Z")),
            ("2027-10-26 20:14:08 +0200", Some("2027-10-26T18:14:08Z")),
            ("2027-01-01 00:00:00 -0530", Some("2027-01-01T05:30:00Z")),
            ("2026-11-20 12:00:00 UTC", None), // now
            ("2026-11-20 12:01:00 UTC", None),
            ("2026-11-20 12:01:01 UTC", Some("2026-11-20T12:01:01Z")),
            ("2020-01-01 00:00:00 UTC", None),
            ("never", None),
            ("", None),
        ] {
            assert_eq!(wire::expiration(text, now()), wanted.map(|at| at.parse().unwrap()), "{text}");
        }
    }

    #[tokio::test]
    async fn what_can_not_be_seen_in_a_name_is_taken_out() {
        let user = r#"{"login":"octo\u0000cat","id":1,"name":"The \u202eOctocat\n","email":"octo\u200b@cat.test"}"#;
        let account = GitHub.check(refusing(json(200, "", user)).await.at()).await.unwrap().account;
        assert_eq!(account.username, "octocat");
        assert_eq!((account.name.as_deref(), account.email.as_deref()), (Some("The Octocat"), Some("octo@cat.test")));
    }

    #[test]
    fn a_hidden_address_is_replaced_by_githubs_own_and_only_there() {
        let user =
            |email: &str| -> wire::User { serde_json::from_str(&USER.replace(r#""octo@cat.test""#, email)).unwrap() };
        let email = |email: &str, instance: &InstanceUrl| account(&user(email), instance).email;
        let hidden = Some("583231+octocat@users.noreply.github.com".to_owned());
        assert_eq!(email("null", &InstanceUrl::github_com()), hidden);
        assert_eq!(email(r#""""#, &InstanceUrl::github_com()), hidden);
        assert_eq!(email("null", &"https://github.corp.test".parse().unwrap()), None);
        assert_eq!(email(r#""a@b.test""#, &InstanceUrl::github_com()).as_deref(), Some("a@b.test"));
    }

    #[test]
    fn the_api_is_asked_where_it_is() {
        for (instance, wanted) in [
            ("https://github.com", "https://api.github.com"),
            ("https://GitHub.com:443", "https://api.github.com"),
            ("https://github.com:8443", "https://github.com:8443/api/v3"),
            ("https://github.com.evil.test", "https://github.com.evil.test/api/v3"),
            ("https://github.corp.test", "https://github.corp.test/api/v3"),
        ] {
            assert_eq!(api_base(&instance.parse().unwrap()), wanted);
        }
    }
}

mod refusals {
    use super::*;

    async fn of(bytes: Vec<u8>) -> ProviderError {
        let forge = refusing(bytes).await;
        let error = GitHub.check(forge.at()).await.unwrap_err();
        assert_eq!(forge.server.requests().len(), 1, "never asked again");
        error
    }

    fn problem(error: ProviderError) -> Problem {
        error.into_problem(ProviderKind::GitHub, &"https://github.com".parse().unwrap())
    }

    #[tokio::test]
    async fn bad_credentials() {
        let body = r#"{"message":"Bad credentials","documentation_url":"https://docs.github.com/rest","status":"401"}"#;
        let problem = problem(of(json(401, "", body)).await);
        assert_eq!(problem.code, ProblemCode::TokenInvalid);
        assert_eq!(
            problem.detail,
            "Authentication failed: GitHub at https://github.com does not accept this token. GitHub does not say whether it \
             is mistyped, expired or revoked."
        );
        assert_eq!(
            problem.remediation.as_deref(),
            Some(
                "Create a new token at https://github.com/settings/tokens/new?description=Valetkey&scopes=repo, then \
                 reconnect: valetkey connect github"
            )
        );
    }

    #[tokio::test]
    async fn locked_out_says_nothing_of_the_token() {
        for message in ["Bad credentials", "Maximum number of login attempts exceeded. Please try again later."] {
            let error = of(json(403, "", &format!(r#"{{"message":"{message}"}}"#))).await;
            assert_eq!(error, ProviderError::LockedOut);
            assert_eq!((error.code(), error.verdict()), (ProblemCode::RateLimited, Verdict::Reachability));
        }
    }

    #[tokio::test]
    async fn the_primary_limit_lasts_until_its_window_ends() {
        let body = r#"{"message":"API rate limit exceeded for user ID 583231.","documentation_url":"…"}"#;
        let headers = format!(
            "x-ratelimit-limit: 5000\nx-ratelimit-remaining: 0\nx-ratelimit-used: 5000\nx-ratelimit-resource: core\nx-ratelimit-reset: {}",
            NOW + 754
        );
        for status in [403, 429] {
            let problem = problem(of(json(status, &headers, body)).await);
            assert_eq!(problem.code, ProblemCode::RateLimited);
            assert_eq!(problem.retry_after_seconds, Some(754));
            assert_eq!(
                problem.detail,
                "GitHub API rate limit exceeded. Please wait a few minutes before retrying. GitHub.com allows 5,000 requests \
                 per hour. Retry in 754 s."
            );
        }
    }

    #[tokio::test]
    async fn a_window_that_has_ended_means_now() {
        let headers = format!("x-ratelimit-remaining: 0\nx-ratelimit-reset: {}", NOW - 5);
        let error = of(json(403, &headers, r#"{"message":"API rate limit exceeded"}"#)).await;
        assert_eq!(error, ProviderError::RateLimited { retry_after_seconds: Some(0) });
    }

    #[tokio::test]
    async fn secondary_limits_last_as_long_as_they_say_or_a_minute() {
        let body = r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#;
        for (status, headers, seconds) in
            [(403, "retry-after: 17", 17), (429, "retry-after: 17", 17), (403, "x-ratelimit-remaining: 4000", 60)]
        {
            let error = of(json(status, headers, body)).await;
            assert_eq!(error, ProviderError::RateLimited { retry_after_seconds: Some(seconds) });
        }
    }

    #[tokio::test]
    async fn single_sign_on_comes_with_its_link() {
        let body = r#"{"message":"Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization."}"#;
        let forge = forge(move |seen| {
            let host = seen.head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
            let url = format!("http://{host}/orgs/acme/sso?authorization_request=AB12");
            json(403, &format!("X-GitHub-SSO: required; url={url}"), body)
        })
        .await;
        let instance = &forge.server.instance;
        let error = GitHub.repository(forge.at(), &forge.server.repo("acme/app")).await.unwrap_err();
        let url = format!("{instance}/orgs/acme/sso?authorization_request=AB12");
        assert_eq!(error, ProviderError::SsoRequired { url: url.clone() });
        let problem = problem(error);
        assert_eq!(problem.code, ProblemCode::SsoRequired);
        assert_eq!(problem.remediation.unwrap(), format!("Open {url} and authorise the token, then try again."));
    }

    #[tokio::test]
    async fn a_sign_on_link_to_elsewhere_is_not_shown() {
        for url in ["https://evil.test/sso", "javascript:alert(1)", "http://127.0.0.1.evil.test/", ""] {
            let forge =
                refusing(json(403, &format!("X-GitHub-SSO: required; url={url}"), r#"{"message":"SAML"}"#)).await;
            let wanted = ProviderError::SsoRequired { url: format!("{}/settings/tokens", forge.server.instance) };
            assert_eq!(GitHub.check(forge.at()).await, Err(wanted), "{url}");
        }
    }

    #[tokio::test]
    async fn missing_permissions_are_named() {
        for by in ["personal access token", "integration"] {
            let body = format!(r#"{{"message":"Resource not accessible by {by}","status":"403"}}"#);
            let headers = "X-Accepted-GitHub-Permissions: contents=write,pull_requests=write; administration=write";
            let error = of(json(403, headers, &body)).await;
            let missing = vec!["contents=write".to_owned(), "pull_requests=write".to_owned()];
            assert_eq!(error, ProviderError::InsufficientScope { missing });
            let wanted = "The GitHub token lacks the scopes 'contents=write' and 'pull_requests=write'.";
            assert_eq!(problem(error).detail, wanted);
        }
        let bare = of(json(403, "", r#"{"message":"Resource not accessible by personal access token"}"#)).await;
        assert_eq!(problem(bare).detail, "The GitHub token lacks a permission that this needs.");
    }

    #[tokio::test]
    async fn other_refusals_are_quoted() {
        let body = r#"{"message":"`acme` forbids access via a personal access token (classic)."}"#;
        let error = of(json(403, "", body)).await;
        assert_eq!(error.code(), ProblemCode::IntegrationUnusable);
        assert_eq!(
            problem(error).detail,
            "GitHub at https://github.com refuses this account or token: \"`acme` forbids access via a personal access token (classic).\""
        );
    }

    #[tokio::test]
    async fn not_a_github() {
        for bytes in [
            answer(200, "Content-Type: text/html", "<html></html>"),
            answer(401, "Content-Type: text/html", "<html></html>"),
            answer(403, "Content-Type: text/html", "<html>Blocked by the firewall</html>"),
            answer(302, "Location: https://login.test/", ""),
            json(404, "", r#"{"message":"Not Found"}"#),
            json(200, "", r#"{"id":1,"username":"a-gitlab-user"}"#),
        ] {
            let error = of(bytes).await;
            assert_eq!((error.code(), error.verdict()), (ProblemCode::NotTheProvider, Verdict::Reachability));
        }
    }

    #[tokio::test]
    async fn failing() {
        let error = of(json(503, "", r#"{"message":"Server\u001b[31m is\nbusy\u202e"}"#)).await;
        assert_eq!(error, ProviderError::Failed { status: 503, said: "Server[31m is busy".into() });
    }
}

mod repository {
    use super::*;

    fn repository(more: &str) -> String {
        format!(
            r#"{{"id":1,"full_name":"Octo/App","private":true,"default_branch":"trunk","archived":false,
            "permissions":{{"admin":false,"maintain":false,"push":true,"triage":true,"pull":true}}{more}}}"#
        )
    }

    async fn access(headers: &str, body: String) -> RepositoryAccess {
        let forge = refusing(json(200, headers, &body)).await;
        let access = GitHub.repository(forge.at(), &forge.server.repo("octo/app")).await.unwrap();
        assert_eq!(forge.server.lines(), ["GET /api/v3/repos/octo/app"]);
        access
    }

    #[tokio::test]
    async fn may_be_pushed_to_if_github_says_so() {
        let wanted = RepositoryAccess {
            path: "Octo/App".into(),
            default_branch: Some("trunk".into()),
            archived: false,
            why_not_push: None,
        };
        assert_eq!(access("X-OAuth-Scopes: repo", repository("")).await, wanted);
        assert_eq!(access("", repository("")).await, wanted);
    }

    #[tokio::test]
    async fn may_not_be_pushed_to_otherwise() {
        let reader = repository("").replace(r#""push":true"#, r#""push":false"#);
        let silent = r#"{"full_name":"o/a","default_branch":"main"}"#.to_owned();
        let archived = repository("").replace(r#""archived":false"#, r#""archived":true"#);
        let public = repository("").replace(r#""private":true"#, r#""private":false"#);
        for (headers, body, why) in [
            ("X-OAuth-Scopes: repo", reader, Some("the account may only read it")),
            ("X-OAuth-Scopes: repo", silent, Some("the account may only read it")),
            ("X-OAuth-Scopes: repo", archived, Some("the repository is archived")),
            ("X-OAuth-Scopes: read:user", repository(""), Some("the token lacks the scope 'repo'")),
            ("X-OAuth-Scopes: public_repo", repository(""), Some("the token lacks the scope 'repo'")),
            ("X-OAuth-Scopes: public_repo", public, None),
        ] {
            let access = access(headers, body).await;
            assert_eq!(access.why_not_push.as_deref(), why);
        }
    }

    async fn refusal(bytes: Vec<u8>) -> Problem {
        let forge = refusing(bytes).await;
        let error = GitHub.repository(forge.at(), &forge.server.repo("octo/app")).await.unwrap_err();
        error.into_problem(ProviderKind::GitHub, &forge.server.instance)
    }

    #[tokio::test]
    async fn not_found_is_explained() {
        let problem = refusal(json(404, "", r#"{"message":"Not Found","status":"404"}"#)).await;
        assert_eq!(problem.code, ProblemCode::RepositoryNotFound);
        assert_eq!(
            problem.detail,
            "GitHub has no repository 'octo/app' that this account can see: it does not exist, or the account has no access \
             to it. GitHub answers both the same way."
        );
        assert_eq!(
            problem.remediation.as_deref(),
            Some(
                "Check the URL, or ask an owner to give the connected account access. A fine-grained token must also name \
                 the repository or its organisation, and a GitHub App be installed on it."
            )
        );
    }

    #[tokio::test]
    async fn renamed_is_told() {
        let problem =
            refusal(json(301, "Location: /api/v3/repositories/1", r#"{"message":"Moved Permanently"}"#)).await;
        assert_eq!(problem.detail, "The repository 'octo/app' was renamed or moved.");
    }

    #[tokio::test]
    async fn has_an_owner_and_a_name_and_no_more() {
        let forge = refusing(json(200, "", "{}")).await;
        let error = GitHub.repository(forge.at(), &forge.server.repo("a/b/c")).await.unwrap_err();
        assert_eq!(error.code(), ProblemCode::InvalidInput);
        assert!(forge.server.requests().is_empty());
    }

    #[tokio::test]
    async fn elsewhere_is_not_asked_about() {
        let forge = refusing(json(200, "", "{}")).await;
        let repo = "https://github.com.evil.test/octo/app".parse().unwrap();
        let error = GitHub.repository(forge.at(), &repo).await.unwrap_err();
        assert!(matches!(error, ProviderError::OtherInstance { .. }));
        assert!(forge.server.requests().is_empty());
    }
}

mod pull_requests {
    use super::*;

    async fn open(forge: &Fixture) -> Result<PullRequest, ProviderError> {
        let draft = PullRequestDraft {
            head: "feature/x".into(),
            base: "main".into(),
            title: "Add x".into(),
            body: "Because.".into(),
        };
        GitHub.open_pull_request(forge.at(), &forge.server.repo("octo/app"), &draft).await
    }

    fn pull(number: u64, page: &str) -> String {
        serde_json::json!({ "number": number, "html_url": page }).to_string()
    }

    const DUPLICATE: &str = r#"{"message":"Validation Failed","errors":[{"resource":"PullRequest","code":"custom",
        "message":"A pull request already exists for octo:feature/x."}]}"#;

    #[tokio::test]
    async fn are_opened() {
        let forge = forge(|seen| json(201, "", &pull(3, &seen.fill_in("ORIGIN/octo/renamed/pull/3")))).await;
        let url = format!("{}/octo/renamed/pull/3", forge.server.instance);
        assert_eq!(open(&forge).await, Ok(PullRequest { url, created: true }));
        let seen = &forge.server.requests()[0];
        assert_eq!(seen.line, "POST /api/v3/repos/octo/app/pulls");
        let wanted = serde_json::json!({ "head": "feature/x", "base": "main", "title": "Add x", "body": "Because." });
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&seen.body).unwrap(), wanted);
    }

    #[tokio::test]
    async fn get_the_new_words_if_open_already() {
        let forge = forge(|seen| match seen.line.as_str() {
            "POST /api/v3/repos/octo/app/pulls" => json(422, "", DUPLICATE),
            "GET /api/v3/repos/octo/app/pulls?state=open&head=octo%3Afeature%2Fx&base=main" => {
                json(200, "", &format!("[{}]", pull(2, "https://evil.test/octo/app/pull/2")))
            }
            "PATCH /api/v3/repos/octo/app/pulls/2" => json(200, "", &pull(2, "")),
            other => panic!("{other}"),
        })
        .await;
        let url = format!("{}/octo/app/pull/2", forge.server.instance);
        assert_eq!(open(&forge).await, Ok(PullRequest { url, created: false }));
        let words: serde_json::Value = serde_json::from_slice(&forge.server.requests()[2].body).unwrap();
        assert_eq!(words, serde_json::json!({ "title": "Add x", "body": "Because." }));
    }

    #[tokio::test]
    async fn that_can_not_be_changed_are_refused_in_githubs_words() {
        let forge = forge(|seen| match seen.line.split(' ').next() {
            Some("POST") => json(422, "", DUPLICATE),
            Some("GET") => json(200, "", &format!("[{}]", pull(2, ""))),
            _ => json(422, "", r#"{"message":"Validation Failed","errors":[{"message":"body is too long"}]}"#),
        })
        .await;
        let said = "Validation Failed: body is too long".to_owned();
        assert_eq!(open(&forge).await, Err(ProviderError::PullRequestRefused { said }));
    }

    #[tokio::test]
    async fn lead_to_a_page_of_this_github_whatever_it_says() {
        for stated in FOREIGN_PAGES {
            let forge = forge(|seen| json(201, "", &pull(3, &seen.fill_in(stated)))).await;
            let url = format!("{}/octo/app/pull/3", forge.server.instance);
            assert_eq!(open(&forge).await, Ok(PullRequest { url, created: true }), "{stated:?}");
        }
    }

    #[tokio::test]
    async fn are_refused_in_the_providers_words() {
        let body = r#"{"message":"Validation Failed","errors":[{"resource":"PullRequest","code":"custom","message":"No commits between main and feature/x"}]}"#;
        let forge = refusing(json(422, "", body)).await;
        let said = "Validation Failed: No commits between main and feature/x".to_owned();
        assert_eq!(open(&forge).await, Err(ProviderError::PullRequestRefused { said }));
    }
}

mod branches {
    use super::*;

    #[tokio::test]
    async fn are_listed_page_by_page_with_the_default_one_marked() {
        let forge = forge(|seen| match seen.line.as_str() {
            "GET /api/v3/repos/octo/app" => json(200, "", r#"{"full_name":"octo/app","default_branch":"main"}"#),
            "GET /api/v3/repos/octo/app/branches?per_page=100&page=1" => json(
                200,
                "Link: <http://evil.test/?page=2>; rel=\"next\", <http://evil.test/?page=2>; rel=\"last\"",
                r#"[{"name":"dev","commit":{"sha":"bb","url":"…"},"protected":false}]"#,
            ),
            "GET /api/v3/repos/octo/app/branches?per_page=100&page=2" => json(
                200,
                "Link: <http://evil.test/?page=1>; rel=\"prev\"",
                r#"[{"name":"main","commit":{"sha":"aa","url":"…"},"protected":true}]"#,
            ),
            other => panic!("{other}"),
        })
        .await;
        let branches = GitHub.branches(forge.at(), &forge.server.repo("octo/app")).await.unwrap();
        let branch = |name: &str, commit: &str, main| BranchInfo {
            name: name.into(),
            commit: commit.into(),
            protected: main,
            default: main,
        };
        assert_eq!(branches, [branch("dev", "bb", false), branch("main", "aa", true)]);
    }
}
