use valetkey_model::{ProblemCode, ProviderKind};

use super::{Gitea, TOKEN, USER, forge, refusing};
use crate::{
    BranchInfo, Forge, ProviderError, PullRequest, PullRequestDraft, RepositoryAccess, RepositoryInfo,
    testing::{FOREIGN_PAGES, Fixture, Seen, answer, json},
};

const NOT_FOUND: &str = r#"{"errors":null,"message":"not found","url":"https://forge.test/api/swagger"}"#;

fn repository(permissions: &str, more: &str) -> String {
    format!(
        r#"{{"id":9,"name":"App","full_name":"Team/App","default_branch":"main","private":true,
        "permissions":{permissions}{more}}}"#
    )
}

const WRITER: &str = r#"{"admin":false,"push":true,"pull":true}"#;
const READER: &str = r#"{"admin":false,"push":false,"pull":true}"#;

async fn access(body: &str) -> RepositoryAccess {
    let forge = refusing(json(200, "", body)).await;
    let access = Gitea.repository(forge.at(), &forge.server.repo("team/app")).await.unwrap();
    assert_eq!(forge.server.lines(), ["GET /api/v1/repos/team/app"]);
    access
}

#[tokio::test]
async fn whoever_has_the_right_may_push() {
    let owner = r#"{"admin":true,"push":true,"pull":true}"#;
    for permissions in [WRITER, owner] {
        let wanted = RepositoryAccess {
            path: "Team/App".into(),
            default_branch: Some("main".into()),
            archived: false,
            why_not_push: None,
        };
        assert_eq!(access(&repository(permissions, "")).await, wanted);
    }
}

#[tokio::test]
async fn others_are_told_why_not() {
    for (body, why) in [
        (repository(READER, ""), "the account may only read it"),
        (repository("null", ""), "the account may only read it"),
        (repository(WRITER, r#","archived":true"#), "the repository is archived"),
        (repository(WRITER, r#","mirror":true"#), "the repository is a mirror of another"),
    ] {
        let access = access(&body).await;
        assert_eq!(access.why_not_push.as_deref(), Some(why));
    }
}

#[tokio::test]
async fn an_empty_repository_has_no_default_branch_and_no_branches() {
    let body = repository(WRITER, r#","empty":true"#);
    assert_eq!(access(&body).await.default_branch, None);
    let forge = forge(move |seen| match seen.line.as_str() {
        "GET /api/v1/repos/team/app" => json(200, "", &body),
        _ => json(200, "", "null"),
    })
    .await;
    assert_eq!(Gitea.branches(forge.at(), &forge.server.repo("team/app")).await, Ok(vec![]));
}

async fn refusal(bytes: Vec<u8>) -> ProviderError {
    let forge = refusing(bytes).await;
    Gitea.repository(forge.at(), &forge.server.repo("team/app")).await.unwrap_err()
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let path = || "team/app".to_owned();
    assert_eq!(refusal(json(404, "", NOT_FOUND)).await, ProviderError::RepositoryNotFound { path: path() });
    let moved = answer(301, "Location: /api/v1/repos/team/moved\nContent-Type: text/html", "<a>Moved</a>");
    assert_eq!(refusal(moved).await, ProviderError::RepositoryMoved { path: path() });
    let away = answer(301, "Location: https://evil.test/api/v1/repos/team/app", "");
    assert_eq!(refusal(away).await.code(), ProblemCode::NotTheProvider);
    let page = answer(404, "Content-Type: text/plain", "404 page not found\n");
    assert_eq!(refusal(page).await.code(), ProblemCode::NotTheProvider);
    let public = json(403, "", r#"{"message":"token scope is limited to public repos","url":"x"}"#);
    assert_eq!(refusal(public).await, ProviderError::InsufficientScope { missing: vec![] });
    for text in ["(s), required=[read:repository], token scope=read:user", "(s): [read:repository]"] {
        let text = format!(r#"{{"message":"token does not have at least one of required scope{text}","url":"x"}}"#);
        let missing = vec!["read:repository".to_owned()];
        assert_eq!(refusal(json(403, "", &text)).await, ProviderError::InsufficientScope { missing });
    }
    let unit = json(403, "", r#"{"message":"user should have specific permission","url":"x"}"#);
    let said = "user should have specific permission".to_owned();
    assert_eq!(refusal(unit).await, ProviderError::Failed { status: 403, said });
}

#[tokio::test]
async fn a_repository_elsewhere_or_too_deep_is_not_asked_about() {
    let forge = refusing(json(200, "", "{}")).await;
    let elsewhere = "https://evil.test/team/app".parse().unwrap();
    let error = Gitea.repository(forge.at(), &elsewhere).await.unwrap_err();
    assert_eq!(error, ProviderError::OtherInstance { repository: "https://evil.test".parse().unwrap() });
    let error = Gitea.repository(forge.at(), &forge.server.repo("team/sub/app")).await.unwrap_err();
    assert!(matches!(error, ProviderError::RepositoryMalformed(_)));
    assert!(forge.server.requests().is_empty());
}

#[tokio::test]
async fn branches_are_listed_page_by_page() {
    let branch = |name: &str, protected: bool| {
        format!(r#"[{{"name":"{name}","commit":{{"id":"aa"}},"protected":{protected}}}]"#)
    };
    let next = "Link: <http://evil.test/?page=2>; rel=\"next\",<http://evil.test/?page=2>; rel=\"last\"";
    let forge = forge(move |seen| match seen.line.as_str() {
        "GET /api/v1/repos/team/app" => json(200, "", &repository(WRITER, "")),
        "GET /api/v1/repos/team/app/branches?limit=50&page=1" => json(200, next, &branch("feature/x", false)),
        "GET /api/v1/repos/team/app/branches?limit=50&page=2" => json(200, "X-Total-Count: 2", &branch("main", true)),
        other => panic!("{other}"),
    })
    .await;
    let branches = Gitea.branches(forge.at(), &forge.server.repo("team/app")).await.unwrap();
    let branch =
        |name: &str, main| BranchInfo { name: name.into(), commit: "aa".into(), protected: main, default: main };
    assert_eq!(branches, [branch("feature/x", false), branch("main", true)]);
}

mod search {
    use super::*;

    fn found() -> String {
        let one = |path: &str, more: &str| {
            format!(r#"{{"full_name":"{path}","default_branch":"main","permissions":{READER}{more}}}"#)
        };
        let all = [
            one("team/app", r#","private":true"#),
            one("team/old-app", r#","internal":true,"archived":true"#),
            one("team/new-app", r#","empty":true"#).replace(READER, WRITER),
            one("..", ""),
        ];
        format!(r#"{{"ok":true,"data":[{}]}}"#, all.join(","))
    }

    #[tokio::test]
    async fn finds_what_the_account_has_to_do_with() {
        let forge = forge(|seen| match seen.line.as_str() {
            "GET /api/v1/user" => json(200, "", USER),
            "GET /api/v1/repos/search?q=app+%26&sort=updated&order=desc&uid=42&limit=20&page=1" => {
                json(200, "", &found())
            }
            other => panic!("{other}"),
        })
        .await;
        let info = |path: &str, main: bool, private, archived| RepositoryInfo {
            url: forge.server.repo(path),
            path: path.into(),
            default_branch: main.then(|| "main".into()),
            private,
            archived,
        };
        let wanted = [
            info("team/app", true, true, false),
            info("team/old-app", true, true, true),
            info("team/new-app", false, false, false),
        ];
        assert_eq!(Gitea.search(forge.at(), "app &", 20).await.unwrap(), wanted);
    }

    #[tokio::test]
    async fn by_a_token_that_hides_its_account_finds_what_it_may_push_to() {
        let lacks = r#"{"message":"token does not have at least one of required scope(s): [read:user]","url":"x"}"#;
        let forge = forge(move |seen| match seen.line.as_str() {
            "GET /api/v1/user" => json(403, "", lacks),
            "GET /api/v1/repos/search?q=app&sort=updated&order=desc&limit=50&page=1" => json(200, "", &found()),
            other => panic!("{other}"),
        })
        .await;
        let found = Gitea.search(forge.at(), "app", 100).await.unwrap();
        assert_eq!(found.iter().map(|one| &*one.path).collect::<Vec<_>>(), ["team/new-app"]);
    }

    #[tokio::test]
    async fn that_is_refused_says_why() {
        let forge = refusing(json(401, "", r#"{"message":"invalid username, password or token","url":"x"}"#)).await;
        assert_eq!(Gitea.search(forge.at(), "", 10).await, Err(ProviderError::TokenInvalid));
    }
}

mod pull_requests {
    use super::*;

    const DUPLICATE: &str = r#"{"message":"pull request already exists for these targets [id: 7, issue_id: 7, head_repo_id: 9, base_repo_id: 9, head_branch: feature/x, base_branch: main]","url":"x"}"#;

    fn draft() -> PullRequestDraft {
        PullRequestDraft { head: "feature/x".into(), base: "main".into(), title: "T".into(), body: "B".into() }
    }

    fn pull(number: u64, head: &str, repo: i64, page: &str) -> String {
        serde_json::json!({
            "number": number, "html_url": page, "state": "open",
            "head": { "ref": head, "repo_id": repo }, "base": { "ref": "main", "repo_id": 9 },
        })
        .to_string()
    }

    async fn open(forge: &Fixture) -> Result<PullRequest, ProviderError> {
        Gitea.open_pull_request(forge.at(), &forge.server.repo("team/app"), &draft()).await
    }

    fn sent(seen: &Seen) -> serde_json::Value {
        serde_json::from_slice(&seen.body).unwrap()
    }

    #[tokio::test]
    async fn are_opened() {
        let forge =
            forge(|seen| json(201, "", &pull(3, "feature/x", 9, &seen.fill_in("ORIGIN/team/app/pulls/3")))).await;
        let url = format!("{}/team/app/pulls/3", forge.server.instance);
        assert_eq!(open(&forge).await, Ok(PullRequest { url, created: true }));
        let seen = &forge.server.requests()[0];
        assert_eq!(seen.line, "POST /api/v1/repos/team/app/pulls");
        assert_eq!(sent(seen), serde_json::json!({ "head": "feature/x", "base": "main", "title": "T", "body": "B" }));
        assert!(seen.head.contains(&format!("authorization: token {TOKEN}\n")));
    }

    #[tokio::test]
    async fn get_the_new_words_if_open_already() {
        let forge = forge(|seen| match seen.line.as_str() {
            "POST /api/v1/repos/team/app/pulls" => json(409, "", DUPLICATE),
            "GET /api/v1/repos/team/app/pulls?state=open&base_branch=main&limit=50&page=1" => {
                let others = [pull(4, "other", 9, "x"), pull(5, "feature/x", 8, "fork")].join(",");
                json(200, "Link: <http://evil.test/?page=2>; rel=\"next\"", &format!("[{others}]"))
            }
            "GET /api/v1/repos/team/app/pulls?state=open&base_branch=main&limit=50&page=2" => {
                json(200, "", &format!("[{}]", pull(6, "feature/x", 9, "own")))
            }
            "PATCH /api/v1/repos/team/app/pulls/6" => json(201, "", &pull(6, "feature/x", 9, "own")),
            other => panic!("{other}"),
        })
        .await;
        let url = format!("{}/team/app/pulls/6", forge.server.instance);
        assert_eq!(open(&forge).await, Ok(PullRequest { url, created: false }));
        assert_eq!(sent(&forge.server.requests()[3]), serde_json::json!({ "title": "T", "body": "B" }));
    }

    #[tokio::test]
    async fn that_nobody_finds_again_are_refused() {
        let forge = forge(|seen| match seen.line.split(' ').next() {
            Some("POST") => json(409, "", DUPLICATE),
            _ => json(200, "", "[]"),
        })
        .await;
        assert!(matches!(open(&forge).await, Err(ProviderError::PullRequestRefused { .. })));
    }

    #[tokio::test]
    async fn lead_to_a_page_of_this_gitea_whatever_it_says() {
        for stated in FOREIGN_PAGES {
            let forge = forge(|seen| json(201, "", &pull(3, "feature/x", 9, &seen.fill_in(stated)))).await;
            let url = format!("{}/team/app/pulls/3", forge.server.instance);
            assert_eq!(open(&forge).await, Ok(PullRequest { url, created: true }), "{stated:?}");
        }
    }

    #[tokio::test]
    async fn are_refused_in_the_providers_words() {
        for (status, said) in [
            (404, "not found"),
            (403, "user should have a permission to write to the target branch"),
            (422, "Invalid PullRequest: There are no changes between the head and the base"),
            (423, "team/app is archived"),
        ] {
            let body = format!(r#"{{"message":"{said}","url":"x"}}"#);
            let forge = refusing(json(status, "", &body)).await;
            let error = open(&forge).await.unwrap_err();
            assert_eq!(error, ProviderError::PullRequestRefused { said: said.to_owned() });
            let problem = error.into_problem(ProviderKind::Gitea, &forge.server.instance);
            assert_eq!(problem.detail, format!("Gitea refused the pull request: \"{said}\""));
        }
    }

    #[tokio::test]
    async fn need_the_scope() {
        let body = r#"{"message":"token does not have at least one of required scope(s), required=[write:repository], token scope=read:user","url":"x"}"#;
        let forge = refusing(json(403, "", body)).await;
        let missing = vec!["write:repository".to_owned()];
        assert_eq!(open(&forge).await, Err(ProviderError::InsufficientScope { missing }));
    }
}
