//! Azure DevOps.

use reqwest::Method;
use serde_json::json;
use valetkey_twins::{Forge, Switch, Token};

use crate::forge::Credential::{self, Basic, Bearer};
use crate::forge::Site;

const REPOSITORY: &str = "/acme/team/_apis/git/repositories/project";

async fn site() -> Site {
    Site::new(Forge::AzureDevOps, "acme/team/_git/project", &["vso.code_write"]).await
}

#[tokio::test]
async fn a_personal_token_is_the_password_of_nobody() {
    let site = site().await;
    assert_eq!((site.token.len(), &site.token[76..80]), (84, "AZDO"));
    let answer = site.get("/acme/_apis/connectionData", Basic("", &site.token)).await;
    assert_eq!(answer.json()["authenticatedUser"]["providerDisplayName"], "John Doe");
    assert!(answer.header("x-vss-userdata").unwrap().ends_with(":john@example.test"));
    let entra = site.twin.token(&site.john, Token::generated().scopes(["user_impersonation"]).oauth());
    assert_eq!(entra.split('.').count(), 3);
    assert_eq!(site.get(REPOSITORY, Bearer(&entra)).await.json()["name"], "project");
}

#[tokio::test]
async fn a_bad_credential_is_shown_a_page_to_sign_in() {
    let site = site().await;
    for credential in [Credential::None, Basic("", "unknown"), Bearer(&site.token)] {
        let page = site.get(REPOSITORY, credential).await;
        assert!(page.status == 203 && page.text.contains("Sign In"), "{page:?}");
    }
    site.twin.switch(Switch::BadCredentialStatus(302));
    assert!(site.get(REPOSITORY, Credential::None).await.header("location").is_some());
    site.twin.switch(Switch::BadCredentialStatus(401));
    assert_eq!(site.get(REPOSITORY, Credential::None).await.json()["typeKey"], "UnauthorizedRequestException");
    assert_eq!(site.get(REPOSITORY, Basic("", &site.token)).await.status, 200);
}

#[tokio::test]
async fn what_one_may_do_is_asked_of_the_security_namespace() {
    let site = site().await;
    let repository = site.get(REPOSITORY, Basic("", &site.token)).await.json();
    let token =
        format!("repoV2/{}/{}", repository["project"]["id"].as_str().unwrap(), repository["id"].as_str().unwrap());
    let route = format!("/acme/_apis/permissions/2e9eb7ed-3c0a-47d4-87c1-0ffdd275fd87/4?tokens={token}");
    assert_eq!(site.get(&route, Basic("", &site.token)).await.json()["value"], json!([true]));
    site.twin.repository("acme/team/_git/open", valetkey_twins::Repository::new().public());
    let list = site.get("/acme/team/_apis/git/repositories", Basic("", &site.token)).await.json();
    assert_eq!(list["count"], 2);
    let missing = site.get("/acme/team/_apis/git/repositories/none", Basic("", &site.token)).await;
    assert_eq!((missing.status, &missing.json()["typeKey"]), (404, &json!("GitRepositoryNotFoundException")));
}

#[tokio::test]
async fn refs_go_on_behind_a_token() {
    let site = site().await;
    let route = format!("{REPOSITORY}/refs?filter=heads/&$top=1");
    let first = site.get(&route, Basic("", &site.token)).await;
    assert_eq!(first.json()["value"][0]["name"], "refs/heads/main");
    let token = first.header("x-ms-continuationtoken").unwrap();
    let last = site.get(&format!("{route}&continuationToken={token}"), Basic("", &site.token)).await;
    assert_eq!(last.json()["value"][0]["name"], "refs/heads/topic");
    assert_eq!(last.header("x-ms-continuationtoken"), None);
}

#[tokio::test]
async fn a_pull_request_wants_a_version_and_is_opened_once() {
    let site = site().await;
    let route = format!("{REPOSITORY}/pullrequests");
    let body = json!({"sourceRefName": "refs/heads/topic", "targetRefName": "refs/heads/main", "title": "T"});
    let call =
        async |method: Method, path: &str, body| site.call(method, path, Basic("", &site.token), Some(body)).await;
    let versioned = format!("{route}?api-version=7.1");
    let unversioned = call(Method::POST, &route, body.clone()).await;
    assert_eq!((unversioned.status, &unversioned.json()["typeKey"]), (400, &json!("VssVersionNotSpecifiedException")));
    assert_eq!(call(Method::POST, &versioned, body.clone()).await.json()["pullRequestId"], 1);
    let again = call(Method::POST, &versioned, body).await;
    assert!(again.status == 409 && again.text.contains("TF401179"), "{again:?}");
    let change = json!({"description": "Why"});
    assert_eq!(call(Method::PATCH, &format!("{route}/1?api-version=7.1"), change).await.json()["description"], "Why");
}

#[tokio::test]
async fn git_is_refused_by_number() {
    let site = site().await;
    site.push("feature", ("", &site.token)).await.succeeded();
    let refused = site.push("main", ("", &site.token)).await.failed();
    assert!(refused.contains("TF402455"), "{refused}");
    site.twin.switch(Switch::PushForbidden);
    let refused = site.push("feature", ("", &site.token)).await.failed();
    assert!(refused.contains("TF401027: You need the Git 'GenericContribute' permission"), "{refused}");
    site.ls_remote(&[], ("x", "unknown")).await.failed();
}

#[tokio::test]
async fn the_limit_is_a_429_with_a_number_too() {
    let site = site().await;
    site.twin.switch(Switch::RateLimited { retry_after: Some(9) });
    let limited = site.get(REPOSITORY, Basic("", &site.token)).await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("9")));
    assert!(limited.text.contains("TF400733") && limited.header("x-ratelimit-resource").is_some());
}
