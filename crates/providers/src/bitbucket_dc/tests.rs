use serde_json::{Value, json};
use valetkey_model::Account;

use crate::{
    Checked, Credential, Forge, GitAuth, Provider, ProviderError, PullRequest, PullRequestDraft, RepositoryAccess,
    testing::{FOREIGN_PAGES, Fixture, NOW, Seen, answer, json as reply},
};

use super::BitbucketDataCenter;

/// Of the entry 252973515069: `252973515069:` and random bytes in Base64.
const TOKEN: &str = "BBDC-MjUyOTczNTE1MDY5OgABAgMEBQYHCAkKCwwNDg8QERIT";
const OPAQUE: &str = "opaque-token-of-a-project";

const PROPERTIES: &str = r#"{"version":"9.4.2","buildNumber":"9004002","buildDate":"1","displayName":"Bitbucket"}"#;
const JOHN: &str = r#"{"name":"john","emailAddress":"john@x.test","active":true,"displayName":"John Doe","id":42,
    "slug":"john","type":"NORMAL"}"#;
const NOT_PERMITTED: &str = r#"{"errors":[{"context":null,"message":"You are not permitted to access this resource",
    "exceptionName":"com.atlassian.bitbucket.AuthorisationException"}]}"#;
const NOT_FOUND: &str = r#"{"errors":[{"context":null,"message":"Repository OCT/app does not exist.",
    "exceptionName":"com.atlassian.bitbucket.repository.NoSuchRepositoryException"}]}"#;

async fn fixture(token: &str, answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Fixture {
    Fixture::new(token, answers).await
}

fn path_of(seen: &Seen) -> &str {
    seen.line.split('?').next().unwrap()
}

fn page(values: &str) -> Vec<u8> {
    reply(200, "", &format!(r#"{{"size":1,"limit":100,"isLastPage":true,"start":0,"values":[{values}]}}"#))
}

#[test]
fn a_tokens_form_is_checked() {
    let of = |token: &str| {
        let instance = "https://bitbucket.example.com".parse().unwrap();
        BitbucketDataCenter.check_form(&instance, &Credential::pat(token.into()))
    };
    for fine in [TOKEN, "MjUyOTczNTE1MDY5OgABAgMEBQYHCAkKCwwNDg8QERIT", OPAQUE] {
        assert_eq!(of(fine), Ok(()));
    }
    for wrong in
        ["", "short", "with a space in the middle", "with-a-line\nbreak-in-the-middle", "john:a-password-like-thing"]
    {
        assert_eq!(of(wrong), Err(ProviderError::TokenMalformed), "{wrong:?}");
    }
}

#[test]
fn git_sends_it_as_bearer() {
    assert_eq!(BitbucketDataCenter.git_auth(&Credential::pat(TOKEN.into())), GitAuth::Bearer);
}

mod check {
    use super::*;

    async fn with(token: &str, user: &'static str, person: Vec<u8>, tokens: Vec<u8>) -> Checked {
        let fixture = fixture(token, move |seen| match path_of(seen) {
            "GET /rest/api/latest/application-properties" => reply(200, user, PROPERTIES),
            path if path.starts_with("GET /rest/api/latest/users/") => person.clone(),
            path if path.starts_with("GET /rest/access-tokens/latest/users/") => tokens.clone(),
            other => panic!("{other}"),
        })
        .await;
        let checked = BitbucketDataCenter.check(fixture.at()).await.unwrap();
        for seen in fixture.server.requests() {
            assert!(seen.head.contains(&format!("authorization: Bearer {token}\n")));
            assert!(!seen.line.contains(token));
        }
        checked
    }

    fn entry(id: &str, permission: &str, end: i64) -> String {
        json!({"id": id, "name": "valetkey", "createdDate": 1, "expiryDate": end, "permissions": [permission]})
            .to_string()
    }

    const DAY: i64 = 86_400;
    const SOON: i64 = (NOW + DAY) * 1000;

    #[tokio::test]
    async fn says_who_what_and_until_when() {
        let tokens = [entry("1", "REPO_READ", SOON), entry("252973515069", "REPO_WRITE", SOON + DAY * 1000)].join(",");
        let checked = with(TOKEN, "X-AUSERNAME: john", reply(200, "", JOHN), page(&tokens)).await;
        let john = Account {
            id: "42".into(),
            username: "john".into(),
            name: Some("John Doe".into()),
            email: Some("john@x.test".into()),
        };
        assert_eq!(checked.account, john);
        assert_eq!(checked.granted_scopes, ["REPO_WRITE"]);
        assert_eq!(checked.expires_at.unwrap().as_second(), NOW + 2 * DAY);
        assert!(checked.missing_scopes.is_empty() && checked.details.notes.is_empty());
        assert_eq!(checked.details.version.as_deref(), Some("Bitbucket 9.4.2"));
    }

    #[tokio::test]
    async fn only_an_entry_without_doubt_is_the_tokens_own() {
        let (other, past) = (entry("1", "REPO_READ", SOON), entry("2", "REPO_ADMIN", (NOW - DAY) * 1000));
        for (token, tokens, known) in [
            (OPAQUE, other.clone(), true),
            (OPAQUE, format!("{past},{other}"), true),
            (OPAQUE, format!("{other},{other}"), false),
            (OPAQUE, String::new(), false),
            (TOKEN, other.clone(), false),
        ] {
            let checked = with(token, "X-AUSERNAME: john", reply(200, "", JOHN), page(&tokens)).await;
            assert_eq!(checked.expires_at.is_some(), known, "{token} {tokens}");
            let missing: &[String] = if known { &["REPO_WRITE".to_owned()] } else { &[] };
            assert_eq!((&*checked.missing_scopes, checked.details.notes.is_empty()), (missing, known));
        }
    }

    #[tokio::test]
    async fn the_list_of_tokens_may_be_hidden() {
        let user = "X-AUSERNAME: john";
        for hidden in [reply(401, user, NOT_PERMITTED), reply(403, user, NOT_PERMITTED), reply(404, "", NOT_FOUND)] {
            let checked = with(TOKEN, user, reply(200, "", JOHN), hidden).await;
            assert_eq!((checked.account.id.as_str(), checked.expires_at), ("42", None));
            let note = "Bitbucket does not say what this token may do and when it ends.";
            assert_eq!(checked.details.notes, [note]);
        }
    }

    #[tokio::test]
    async fn a_projects_token_goes_by_the_name_that_bitbucket_has_for_it() {
        let user = "X-AUSERNAME: access-token-user%2F1%2F7\nX-AUSERID: 99";
        let checked = with(OPAQUE, user, reply(404, "", NOT_FOUND), reply(404, "", NOT_FOUND)).await;
        assert_eq!((checked.account.id.as_str(), checked.account.username.as_str()), ("99", "access-token-user/1/7"));
        assert!(checked.details.notes[0].contains("a project's or a repository's own"));
    }

    #[tokio::test]
    async fn somebody_else_of_the_same_slug_is_not_taken_for_the_account() {
        let checked = with(OPAQUE, "X-AUSERNAME: JO+HN%40x.test", reply(200, "", JOHN), page("")).await;
        assert_eq!(checked.account.username, "JO+HN@x.test");
    }

    #[tokio::test]
    async fn names_are_asked_for_as_addresses_have_them() {
        for (user, line) in [
            ("X-AUSERNAME: John%40X.test", Some("GET /rest/api/latest/users/john_x.test")),
            ("X-AUSERNAME: ..%2Fadmin", Some("GET /rest/api/latest/users/.._admin")),
            ("X-AUSERNAME: ..", None),
        ] {
            let fixture = fixture(OPAQUE, move |seen| match path_of(seen) {
                "GET /rest/api/latest/application-properties" => reply(200, user, PROPERTIES),
                _ => reply(404, "", NOT_FOUND),
            })
            .await;
            BitbucketDataCenter.check(fixture.at()).await.unwrap();
            let lines = fixture.server.lines();
            assert_eq!(lines.iter().any(|asked| Some(&**asked) == line), line.is_some(), "{lines:?}");
            assert_eq!(lines.len(), if line.is_some() { 3 } else { 1 });
        }
    }
}

mod refusals {
    use super::*;

    async fn of(bytes: Vec<u8>) -> ProviderError {
        let fixture = fixture(TOKEN, move |_| bytes.clone()).await;
        let error = BitbucketDataCenter.check(fixture.at()).await.unwrap_err();
        assert_eq!(fixture.server.requests().len(), 1, "asked once, never again");
        error
    }

    #[tokio::test]
    async fn each_has_its_meaning() {
        let failed =
            r#"{"errors":[{"message":"Authentication failed. Please check your credentials and try again."}]}"#;
        let captcha = r#"{"errors":[{"message":"CAPTCHA required. Your Bitbucket account has been marked."}]}"#;
        let said = "You are not permitted to access this resource".to_owned();
        for (bytes, wanted) in [
            (reply(401, "", failed), ProviderError::TokenInvalid),
            (reply(401, "X-AUSERNAME: anonymous", failed), ProviderError::TokenInvalid),
            (reply(200, "", PROPERTIES), ProviderError::TokenInvalid),
            (reply(200, "X-AUSERNAME: anonymous", PROPERTIES), ProviderError::TokenInvalid),
            (reply(401, "X-AUSERNAME: john", NOT_PERMITTED), ProviderError::Forbidden { said: said.clone() }),
            (reply(403, "", NOT_PERMITTED), ProviderError::Forbidden { said }),
            (reply(403, "", captcha), ProviderError::LockedOut),
            (answer(429, "Retry-After: 7", ""), ProviderError::RateLimited { retry_after_seconds: Some(7) }),
            (answer(503, "", "<html>"), ProviderError::Failed { status: 503, said: String::new() }),
        ] {
            assert_eq!(of(bytes).await, wanted);
        }
    }

    #[tokio::test]
    async fn something_else_answers() {
        for bytes in [
            answer(200, "Content-Type: text/html", "<html>"),
            answer(302, "Location: https://sso.test/", ""),
            reply(200, "X-AUSERNAME: john", r#"{"hello":"world"}"#),
            reply(404, "", "{}"),
        ] {
            assert!(matches!(of(bytes).await, ProviderError::NotTheProvider { .. }));
        }
    }
}

mod repository {
    use super::*;

    const APP: &str =
        r#"{"slug":"app","id":1,"name":"The App","project":{"key":"OCT"},"public":false,"archived":false}"#;
    const OTHER: &str = r#"{"slug":"app-2","id":2,"name":"The App 2","project":{"key":"OCT"}}"#;

    async fn ask(
        app: String,
        branch: Vec<u8>,
        writable: &'static str,
    ) -> (Result<RepositoryAccess, ProviderError>, Vec<String>) {
        let fixture = fixture(TOKEN, move |seen| match path_of(seen) {
            "GET /rest/api/latest/projects/oct/repos/app" => reply(200, "", &app),
            "GET /rest/api/latest/projects/oct/repos/app/default-branch" => branch.clone(),
            _ => page(writable),
        })
        .await;
        let access = BitbucketDataCenter.repository(fixture.at(), &fixture.server.repo("scm/oct/app")).await;
        (access, fixture.server.lines())
    }

    fn main_branch() -> Vec<u8> {
        reply(
            200,
            "",
            r#"{"id":"refs/heads/main","displayId":"main","type":"BRANCH","latestCommit":"abc","isDefault":true}"#,
        )
    }

    #[tokio::test]
    async fn can_be_pushed_to_if_it_is_among_the_writable() {
        let (access, lines) = ask(APP.into(), main_branch(), APP).await;
        let wanted = RepositoryAccess {
            path: "scm/OCT/app".into(),
            default_branch: Some("main".into()),
            archived: false,
            why_not_push: None,
        };
        assert_eq!(access, Ok(wanted));
        let question = "GET /rest/api/latest/repos?name=The+App&projectkey=OCT&permission=REPO_WRITE&limit=100";
        assert!(lines.iter().any(|line| line == question), "{lines:?}");
    }

    #[tokio::test]
    async fn can_not_be_pushed_to_otherwise() {
        for writable in ["", OTHER] {
            let (access, _) = ask(APP.into(), reply(404, "", NOT_FOUND), writable).await;
            let access = access.unwrap();
            assert_eq!(access.default_branch, None);
            assert_eq!(access.why_not_push.as_deref(), Some("the account may only read it"));
        }
        let (archived, _) = ask(APP.replace(r#""archived":false"#, r#""archived":true"#), main_branch(), APP).await;
        assert_eq!(archived.unwrap().why_not_push.as_deref(), Some("the repository is archived"));
    }

    #[tokio::test]
    async fn hidden_and_forbidden_ones_are_not_found() {
        for bytes in
            [reply(404, "", NOT_FOUND), reply(401, "X-AUSERNAME: john", NOT_PERMITTED), reply(403, "", NOT_PERMITTED)]
        {
            let fixture = fixture(TOKEN, move |_| bytes.clone()).await;
            let error = BitbucketDataCenter.repository(fixture.at(), &fixture.server.repo("scm/oct/app")).await;
            assert_eq!(error, Err(ProviderError::RepositoryNotFound { path: "scm/oct/app".into() }));
        }
    }

    #[tokio::test]
    async fn of_another_form_is_not_asked_for() {
        let fixture = fixture(TOKEN, |_| page("")).await;
        let error = BitbucketDataCenter.repository(fixture.at(), &fixture.server.repo("oct/app")).await.unwrap_err();
        assert!(error.to_string().contains("scm/KEY/name"), "{error}");
        assert!(fixture.server.requests().is_empty());
    }

    #[tokio::test]
    async fn branches_and_repositories_are_listed_over_all_pages() {
        let fixture = fixture(TOKEN, |seen| {
            let first = |values: &str| {
                reply(200, "", &format!(r#"{{"isLastPage":false,"nextPageStart":7,"values":[{values}]}}"#))
            };
            let branch =
                |name: &str| format!(r#"{{"displayId":"{name}","latestCommit":"abc","isDefault":{}}}"#, name == "main");
            match (path_of(seen).ends_with("/branches"), seen.line.ends_with("&start=7")) {
                (true, false) => first(&branch("main")),
                (true, true) => page(&branch("fix")),
                (false, false) => first(APP),
                (false, true) => page(&OTHER.replace("OCT", "~JOHN")),
            }
        })
        .await;
        let branches = BitbucketDataCenter.branches(fixture.at(), &fixture.server.repo("scm/oct/app")).await.unwrap();
        let named: Vec<_> = branches.iter().map(|branch| (&*branch.name, branch.default)).collect();
        assert_eq!(named, [("main", true), ("fix", false)]);
        let found = BitbucketDataCenter.search(fixture.at(), "app", 9).await.unwrap();
        let urls: Vec<_> = found.iter().map(|one| one.url.path()).collect();
        assert_eq!(urls, ["scm/oct/app", "scm/~john/app-2"]);
    }
}

mod pull_requests {
    use super::*;

    fn draft() -> PullRequestDraft {
        PullRequestDraft { head: "fix".into(), base: "main".into(), title: "Fix".into(), body: "It works.".into() }
    }

    fn pull(from: &str, page: &str) -> String {
        json!({
            "id": 3, "version": 5,
            "fromRef": {"id": "refs/heads/fix", "repository": {"slug": "app", "project": {"key": from}}},
            "toRef": {"id": "refs/heads/main", "repository": {"slug": "app", "project": {"key": "OCT"}}},
            "reviewers": [{"user": {"name": "jane", "id": 7}, "status": "UNAPPROVED"}],
            "links": {"self": [{"href": page}]},
        })
        .to_string()
    }

    async fn open(fixture: &Fixture) -> Result<PullRequest, ProviderError> {
        BitbucketDataCenter.open_pull_request(fixture.at(), &fixture.server.repo("scm/oct/app"), &draft()).await
    }

    fn is_get(seen: &Seen) -> bool {
        seen.line.starts_with("GET ")
    }

    #[tokio::test]
    async fn are_opened_though_a_fork_has_one_like_it() {
        let fixture = fixture(TOKEN, |seen| match is_get(seen) {
            true => page(&pull("~JOHN", "")),
            false => reply(201, "", &pull("OCT", &seen.fill_in("ORIGIN/projects/OCT/repos/app/pull-requests/3"))),
        })
        .await;
        let opened = open(&fixture).await.unwrap();
        let url = format!("{}/projects/OCT/repos/app/pull-requests/3", fixture.server.instance);
        assert_eq!(opened, PullRequest { url, created: true });
        let requests = fixture.server.requests();
        let question = "GET /rest/api/latest/projects/oct/repos/app/pull-requests\
                        ?state=OPEN&direction=OUTGOING&at=refs%2Fheads%2Ffix&limit=100";
        assert_eq!(requests[0].line, question);
        assert_eq!(requests[1].line, "POST /rest/api/latest/projects/oct/repos/app/pull-requests");
        let sent: Value = serde_json::from_slice(&requests[1].body).unwrap();
        assert_eq!(
            sent,
            json!({"title": "Fix", "description": "It works.", "fromRef": {"id": "refs/heads/fix"},
                "toRef": {"id": "refs/heads/main"}})
        );
    }

    #[tokio::test]
    async fn an_open_one_is_changed_in_its_present_version_and_keeps_its_reviewers() {
        let fixture = fixture(TOKEN, |seen| match is_get(seen) {
            true => page(&pull("OCT", "")),
            false => reply(200, "", &pull("OCT", "")),
        })
        .await;
        assert!(!open(&fixture).await.unwrap().created);
        let last = fixture.server.requests().pop().unwrap();
        assert_eq!(last.line, "PUT /rest/api/latest/projects/oct/repos/app/pull-requests/3");
        let sent: Value = serde_json::from_slice(&last.body).unwrap();
        assert_eq!(
            sent,
            json!({"version": 5, "title": "Fix", "description": "It works.", "reviewers": [{"user": {"name": "jane"}}]})
        );
    }

    #[tokio::test]
    async fn refused_ones_say_why() {
        for status in [400, 409] {
            let fixture = fixture(TOKEN, move |seen| match is_get(seen) {
                true => page(""),
                false => reply(status, "", r#"{"errors":[{"message":"Already up to date."}]}"#),
            })
            .await;
            let said = "Already up to date.".to_owned();
            assert_eq!(open(&fixture).await, Err(ProviderError::PullRequestRefused { said }));
        }
    }

    #[tokio::test]
    async fn foreign_pages_are_replaced_by_the_known_one() {
        for stated in FOREIGN_PAGES {
            let fixture = fixture(TOKEN, move |seen| match is_get(seen) {
                true => page(""),
                false => reply(201, "", &pull("OCT", &seen.fill_in(stated))),
            })
            .await;
            let known = format!("{}/projects/oct/repos/app/pull-requests/3", fixture.server.instance);
            assert_eq!(open(&fixture).await.unwrap().url, known);
        }
    }
}
