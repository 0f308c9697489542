//! Bitbucket Data Center.

use reqwest::Method;
use serde_json::json;
use valetkey_twins::{Forge, Switch, Token};

use crate::forge::Credential::{self, Basic, Bearer};
use crate::forge::Site;

const API: &str = "/rest/api/latest";
const REPOSITORY: &str = "/rest/api/latest/projects/ACME/repos/project";

async fn site() -> Site {
    Site::new(Forge::BitbucketDataCenter, "scm/ACME/project", &["PROJECT_READ", "REPO_WRITE"]).await
}

#[tokio::test]
async fn a_header_names_the_user_of_a_token() {
    let site = site().await;
    assert!(site.token.starts_with("BBDC-"));
    let properties = format!("{API}/application-properties");
    let named = site.get(&properties, Bearer(&site.token)).await;
    assert_eq!((named.status, named.header("x-ausername")), (200, Some("john")));
    assert_eq!(site.get(&properties, Credential::None).await.header("x-ausername"), None);
    let users = site.get(&format!("{API}/users?filter=joh"), Bearer(&site.token)).await.json();
    assert_eq!(users["values"][0]["emailAddress"], "john@example.test");
    let bad = site.get(REPOSITORY, Bearer("BBDC-unknown")).await;
    let exception = "com.atlassian.bitbucket.auth.IncorrectPasswordAuthenticationException";
    assert_eq!((bad.status, &bad.json()["errors"][0]["exceptionName"]), (401, &json!(exception)));
    let tokens = site.get("/rest/access-tokens/latest/users/john", Bearer(&site.token)).await.json();
    assert_eq!(tokens["values"][0]["permissions"], json!(["PROJECT_READ", "REPO_WRITE"]));
}

#[tokio::test]
async fn lists_are_paged_by_their_start_and_narrowed_by_permission() {
    let site = site().await;
    let first = site.get(&format!("{REPOSITORY}/branches?limit=1"), Bearer(&site.token)).await.json();
    assert_eq!((&first["isLastPage"], &first["nextPageStart"]), (&json!(false), &json!(1)));
    let last = site.get(&format!("{REPOSITORY}/branches?limit=1&start=1"), Bearer(&site.token)).await.json();
    assert_eq!((&last["isLastPage"], &last["values"][0]["displayId"]), (&json!(true), &json!("topic")));
    assert_eq!(
        site.get(&format!("{REPOSITORY}/default-branch"), Bearer(&site.token)).await.json()["displayId"],
        "main"
    );
    for (permission, found) in [("REPO_WRITE", 1), ("REPO_ADMIN", 0)] {
        let route = format!("{API}/repos?name=proj&permission={permission}");
        assert_eq!(site.get(&route, Bearer(&site.token)).await.json()["size"], found, "{permission}");
    }
}

#[tokio::test]
async fn a_duplicate_names_the_pull_request_and_a_change_its_version() {
    let site = site().await;
    let route = format!("{REPOSITORY}/pull-requests");
    let body = json!({"title": "T", "fromRef": {"id": "refs/heads/topic"}, "toRef": {"id": "refs/heads/main"}});
    let open = || site.call(Method::POST, &route, Bearer(&site.token), Some(body.clone()));
    assert_eq!(open().await.status, 409, "nothing to merge");
    site.twin.commit(site.repository, "topic", "file", "text");
    assert_eq!(open().await.json()["version"], 0);
    let again = open().await;
    assert_eq!((again.status, &again.json()["errors"][0]["existingPullRequest"]["id"]), (409, &json!(1)));

    let change = |version: u64| {
        let body = json!({"version": version, "title": "New", "description": "Why"});
        site.call(
            Method::PUT,
            "/rest/api/latest/projects/ACME/repos/project/pull-requests/1",
            Bearer(&site.token),
            Some(body),
        )
    };
    assert_eq!(change(0).await.json()["version"], 1);
    assert_eq!(change(0).await.status, 409);
    let query = "state=OPEN&direction=OUTGOING&at=refs/heads/topic";
    let found = site.get(&format!("{route}?{query}"), Bearer(&site.token)).await.json();
    assert_eq!(found["values"][0]["title"], "New");
}

#[tokio::test]
async fn a_repository_token_is_a_bearer_token_for_git_too() {
    let site = site().await;
    site.ls_remote(&[], ("john", &site.token)).await.succeeded();
    site.ls_remote(&[], ("ann", &site.token)).await.failed();
    let token = Token::generated().scopes(["REPO_WRITE"]).limited_to("scm/ACME/project");
    let token = site.twin.token(&site.john, token);
    site.ls_remote(&[], ("john", &token)).await.failed();
    let header = format!("http.extraHeader=Authorization: Bearer {token}");
    site.ls_remote(&["-c", &header], ("", "")).await.succeeded();
    assert_eq!(site.get(REPOSITORY, Basic("john", &token)).await.status, 401);
}

#[tokio::test]
async fn git_is_refused_in_its_own_protocol_where_there_is_nothing_to_see() {
    let site = site().await;
    let ann = site.twin.user(valetkey_twins::User::new("ann"));
    let stranger = site.twin.token(&ann, Token::generated().scopes(["REPO_WRITE"]));
    let refused = site.ls_remote(&[], ("ann", &stranger)).await.failed();
    assert!(refused.contains("remote error: Repository not found"), "{refused}");
    site.push("feature", ("john", &site.token)).await.succeeded();
    let refused = site.push("main", ("john", &site.token)).await.failed();
    assert!(refused.contains("Branch refs/heads/main can only be modified through pull requests."), "{refused}");
    let reader = site.token_with(&["REPO_READ"]);
    assert!(site.push("feature", ("john", &reader)).await.failed().contains("403"));
}

#[tokio::test]
async fn a_limit_shows_in_the_refusal_only() {
    let site = site().await;
    assert_eq!(site.get(REPOSITORY, Bearer(&site.token)).await.header("x-ratelimit-limit"), None);
    site.twin.switch(Switch::RateLimited { retry_after: Some(3) });
    let limited = site.get(REPOSITORY, Bearer(&site.token)).await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("3")));
}
