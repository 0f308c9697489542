//! Gitea and Forgejo.

use reqwest::Method;
use serde_json::json;
use valetkey_twins::{Forge, Repository, Token};

use crate::forge::Credential::{self, Basic, Bearer};
use crate::forge::Site;

const REPOSITORY: &str = "/api/v1/repos/acme/project";

async fn site() -> Site {
    Site::new(Forge::Gitea, "acme/project", &["read:user", "write:repository"]).await
}

#[tokio::test]
async fn forgejo_tells_both_versions() {
    let gitea = site().await;
    assert!(!gitea.get("/api/v1/version", Credential::None).await.json()["version"].as_str().unwrap().contains('+'));
    assert_eq!(gitea.get("/api/forgejo/v1/version", Credential::None).await.status, 404);
    let forgejo = Site::new(Forge::Forgejo, "acme/project", &["read:user"]).await;
    let version = forgejo.get("/api/v1/version", Credential::None).await.json();
    assert!(version["version"].as_str().unwrap().ends_with("+gitea-1.22.0"));
    assert_eq!(forgejo.get("/api/forgejo/v1/version", Credential::None).await.json(), version);
}

#[tokio::test]
async fn a_token_has_no_prefix_and_many_ways_to_come() {
    let site = site().await;
    assert!(site.token.len() == 40 && site.token.bytes().all(|byte| byte.is_ascii_hexdigit()));
    for credential in [Bearer(&site.token), Basic("anybody", &site.token), Basic(&site.token, "x-oauth-basic")] {
        assert_eq!(site.get("/api/v1/user", credential).await.json()["login"], "john");
    }
    assert_eq!(site.get("/api/v1/user", Bearer("0")).await.status, 401);
    assert_eq!(site.get("/api/v1/user", Credential::None).await.json()["message"], "token is required");
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let site = site().await;
    let token = site.token_with(&["read:repository"]);
    let refused = site.get("/api/v1/user", Bearer(&token)).await;
    let message = "token does not have at least one of required scope(s): [read:user]";
    assert_eq!((refused.status, &refused.json()["message"]), (403, &json!(message)));
    assert_eq!(site.get(REPOSITORY, Bearer(&token)).await.status, 200);
}

#[tokio::test]
async fn a_forgejo_token_may_be_for_one_repository() {
    let site = Site::new(Forge::Forgejo, "acme/project", &["read:user"]).await;
    let token = Token::generated().scopes(["write:repository"]).limited_to("acme/project");
    let token = site.twin.token(&site.john, token);
    let open = Repository::new().member(&site.john, valetkey_twins::AccessLevel::Developer);
    site.twin.repository("acme/other", open);
    let permissions = json!({"admin": false, "push": true, "pull": true});
    assert_eq!(site.get(REPOSITORY, Bearer(&token)).await.json()["permissions"], permissions);
    assert_eq!(site.get("/api/v1/repos/acme/other", Bearer(&token)).await.status, 404);
}

#[tokio::test]
async fn lists_are_paged_by_link_and_counted() {
    let site = site().await;
    let first = site.get(&format!("{REPOSITORY}/branches?limit=1"), Bearer(&site.token)).await;
    assert_eq!(first.header("x-total-count"), Some("2"));
    assert!(first.header("link").unwrap().contains("page=2&limit=1>; rel=\"next\""));
    let found = site.get("/api/v1/repos/search?q=proj", Bearer(&site.token)).await.json();
    assert_eq!(found["data"][0]["full_name"], "acme/project");
    assert_eq!(site.get("/api/v1/user/repos", Bearer(&site.token)).await.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_pull_request_is_opened_once_found_by_its_branches_and_changed() {
    let site = site().await;
    let route = format!("{REPOSITORY}/pulls");
    let body = json!({"head": "topic", "base": "main", "title": "T", "body": "Why"});
    let open = || site.call(Method::POST, &route, Bearer(&site.token), Some(body.clone()));
    assert_eq!(open().await.status, 201);
    let again = open().await;
    assert!(again.status == 409 && again.text.contains("pull request already exists for these targets"), "{again:?}");
    assert_eq!(site.get(&format!("{route}/main/topic"), Bearer(&site.token)).await.json()["number"], 1);
    let change = Some(json!({"title": "New"}));
    let changed = site.call(Method::PATCH, &format!("{route}/1"), Bearer(&site.token), change).await;
    assert_eq!(
        (changed.status, &changed.json()["title"], &changed.json()["body"]),
        (201, &json!("New"), &json!("Why"))
    );
}

#[tokio::test]
async fn git_takes_any_user_name() {
    let site = site().await;
    site.ls_remote(&[], ("anybody", &site.token)).await.succeeded();
    site.push("feature", ("anybody", &site.token)).await.succeeded();
    let refused = site.push("main", ("x", &site.token)).await.failed();
    assert!(refused.contains("Gitea: Not allowed to push to protected branch main"), "{refused}");
    let reader = site.token_with(&["read:repository"]);
    let refused = site.push("feature", ("x", &reader)).await.failed();
    assert!(refused.contains("User permission denied for writing."), "{refused}");
}
