//! Bitbucket Cloud.

use reqwest::Method;
use serde_json::json;
use valetkey_twins::{Forge, Switch, Token};

use crate::forge::Credential::{self, Basic, Bearer};
use crate::forge::Site;

const EMAIL: &str = "john@example.test";
const REPOSITORY: &str = "/2.0/repositories/acme/project";
const SCOPES: [&str; 6] = [
    "read:user:bitbucket",
    "read:workspace:bitbucket",
    "read:repository:bitbucket",
    "write:repository:bitbucket",
    "read:pullrequest:bitbucket",
    "write:pullrequest:bitbucket",
];

async fn site() -> Site {
    Site::new(Forge::Bitbucket, "acme/project", &SCOPES).await
}

#[tokio::test]
async fn an_api_token_goes_with_the_email_address_only() {
    let site = site().await;
    assert!(site.token.starts_with("ATATT3xFfGF0") && site.token.contains('='));
    assert_eq!(site.get("/2.0/user", Basic(EMAIL, &site.token)).await.json()["username"], "john");
    for wrong in
        [Basic("john", &site.token), Bearer(&site.token), Basic(EMAIL, "ATATT3xFfGF0unknown"), Credential::None]
    {
        assert_eq!(site.get("/2.0/user", wrong).await.status, 401);
    }
}

#[tokio::test]
async fn a_missing_scope_is_named_and_writing_implies_no_reading() {
    let site = site().await;
    let token = site.token_with(&["write:repository:bitbucket"]);
    let refused = site.get(REPOSITORY, Basic(EMAIL, &token)).await;
    let detail = json!({"required": ["read:repository:bitbucket"], "granted": ["write:repository:bitbucket"]});
    assert_eq!((refused.status, &refused.json()["error"]["detail"]), (403, &detail));
}

#[tokio::test]
async fn an_access_token_is_a_bearer_token_for_its_repository_and_no_user() {
    let site = site().await;
    let token = Token::generated().scopes(["repository", "repository:write"]).limited_to("acme/project");
    let token = site.twin.token(&site.john, token);
    assert!(token.starts_with("ATCTT3xFfGN0"));
    assert_eq!(site.get(REPOSITORY, Bearer(&token)).await.json()["full_name"], "acme/project");
    assert_eq!(site.get("/2.0/user", Bearer(&token)).await.json()["error"]["detail"]["required"], json!(["account"]));
    site.twin.repository("acme/other", valetkey_twins::Repository::new());
    assert_eq!(site.get("/2.0/repositories/acme/other", Bearer(&token)).await.status, 404);
    site.ls_remote(&[], ("x-token-auth", &token)).await.succeeded();
    site.ls_remote(&[], ("john", &token)).await.failed();
}

#[tokio::test]
async fn an_app_password_is_retired_with_either_status() {
    let site = site().await;
    let password = site.twin.token(&site.john, Token::generated().scopes(["account"]).app_password());
    assert_eq!(site.get("/2.0/user", Basic("john", &password)).await.status, 401);
    site.twin.switch(Switch::BadCredentialStatus(410));
    assert_eq!(site.get("/2.0/user", Basic("john", &password)).await.status, 410);
    let refused = site.ls_remote(&[], ("john", &password)).await.failed();
    assert!(refused.contains("App passwords are deprecated") && refused.contains("410"), "{refused}");
    assert_eq!(site.get("/2.0/user", Basic(EMAIL, &site.token)).await.status, 200);
}

#[tokio::test]
async fn workspaces_lead_to_repositories_and_the_way_across_them_is_gone() {
    let site = site().await;
    let workspaces = site.get("/2.0/user/workspaces", Basic(EMAIL, &site.token)).await.json();
    assert_eq!(workspaces["values"][0]["workspace"]["slug"], "acme");
    for (query, found) in [("role=contributor", 1), ("role=admin", 0), ("q=name+~+%22PRO%22", 1), ("q=name=%22x%22", 0)]
    {
        let list = site.get(&format!("/2.0/repositories/acme?{query}"), Basic(EMAIL, &site.token)).await.json();
        assert_eq!(list["size"], found, "{query}");
    }
    let gone = site.get("/2.0/repositories?role=member", Basic(EMAIL, &site.token)).await;
    assert_eq!(gone.status, 410);
    assert!(gone.json()["error"]["message"].as_str().unwrap().starts_with("CHANGE-2770"));
}

#[tokio::test]
async fn a_list_leads_to_its_next_page() {
    let site = site().await;
    let first = site.get(&format!("{REPOSITORY}/refs/branches?pagelen=1"), Basic(EMAIL, &site.token)).await.json();
    assert_eq!(first["values"][0]["name"], "main");
    let next = first["next"].as_str().unwrap().strip_prefix(site.twin.url()).unwrap();
    let last = site.get(next, Basic(EMAIL, &site.token)).await.json();
    assert_eq!((&last["values"][0]["name"], &last["next"]), (&json!("topic"), &json!(null)));
    assert_eq!(
        site.get(&format!("{REPOSITORY}/refs/branches?pagelen=101"), Basic(EMAIL, &site.token)).await.status,
        400
    );
}

#[tokio::test]
async fn a_second_pull_request_for_the_same_branches_changes_the_first() {
    let site = site().await;
    site.twin.commit(site.repository, "topic", "file", "text");
    let route = format!("{REPOSITORY}/pullrequests");
    let open = |title: &str| {
        let body = json!({"title": title, "source": {"branch": {"name": "topic"}}, "description": "Why"});
        site.call(Method::POST, &route, Basic(EMAIL, &site.token), Some(body))
    };
    let opened = open("One").await;
    assert_eq!((opened.status, &opened.json()["destination"]["branch"]["name"]), (201, &json!("main")));
    assert_eq!(open("Two").await.json()["id"], 1);
    let body = Some(json!({"description": "Because"}));
    let changed = site.call(Method::PUT, &format!("{route}/1"), Basic(EMAIL, &site.token), body).await.json();
    assert_eq!((&changed["title"], &changed["description"]), (&json!("Two"), &json!("Because")));
    let query = "q=source.branch.name+%3D+%22topic%22+AND+state+%3D+%22OPEN%22";
    let found = site.get(&format!("{route}?{query}"), Basic(EMAIL, &site.token)).await.json();
    assert_eq!(found["values"][0]["id"], 1);
}

#[tokio::test]
async fn git_takes_the_user_name_or_the_one_for_all() {
    let site = site().await;
    for user in ["john", "x-bitbucket-api-token-auth"] {
        site.ls_remote(&[], (user, &site.token)).await.succeeded();
    }
    site.ls_remote(&[], ("ann", &site.token)).await.failed();
    site.push("feature", ("john", &site.token)).await.succeeded();
    let refused = site.push("main", ("john", &site.token)).await.failed();
    assert!(refused.contains("Permission denied to update branch main."), "{refused}");
    let reader = site.token_with(&["read:repository:bitbucket"]);
    let refused = site.push("feature", ("john", &reader)).await.failed();
    assert!(refused.contains("Your credentials lack one or more required privilege scopes."), "{refused}");
}

#[tokio::test]
async fn the_limit_is_a_429_and_is_told_before() {
    let site = site().await;
    let answer = site.get(REPOSITORY, Basic(EMAIL, &site.token)).await;
    assert_eq!(answer.header("x-ratelimit-nearlimit"), Some("false"));
    site.twin.switch(Switch::RateLimited { retry_after: None });
    let limited = site.get(REPOSITORY, Basic(EMAIL, &site.token)).await;
    assert_eq!((limited.status, limited.header("x-ratelimit-nearlimit")), (429, Some("true")));
}
