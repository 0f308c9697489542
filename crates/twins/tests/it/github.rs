//! GitHub's API.

use serde_json::json;
use valetkey_twins::{ExpirationFormat, Forge, Repository, Token, TokenState, User};

use crate::support::{Answer, Fixture, PROJECT};

const REPOSITORY_ROUTE: &str = "/api/v3/repos/group/project";

#[tokio::test]
async fn a_classic_token_names_its_scopes_and_its_end() {
    let fixture = Fixture::new(Forge::GitHub).await;
    let user = fixture.get("/api/v3/user").await;
    assert_eq!(user.json()["login"], "john");
    assert_eq!(user.header("x-oauth-scopes"), Some("api, repo"));
    assert_eq!(user.header("github-authentication-token-expiration"), Some("2027-01-31 00:00:00 UTC"));
}

#[tokio::test]
async fn a_fine_grained_token_names_no_scopes_and_may_write_its_end_with_an_offset() {
    let fixture = Fixture::new(Forge::GitHub).await;
    let token = Token::generated().fine_grained([("contents", "read")]).expires("2027-01-31");
    let token = fixture.twin.token(&fixture.john, token.expiration_format(ExpirationFormat::Offset));
    let user = fixture.get_as(&token, "/api/v3/user").await;
    assert!(token.starts_with("github_pat_"));
    assert_eq!(user.header("x-oauth-scopes"), None);
    assert_eq!(user.header("github-authentication-token-expiration"), Some("2027-01-31 00:00:00 +0200"));

    let pull = json!({"head": "topic", "base": "main", "title": "T"});
    let url = format!("{}{REPOSITORY_ROUTE}/pulls", fixture.twin.url());
    let refused = Answer::of(fixture.http.post(url).bearer_auth(&token).json(&pull).send().await.unwrap()).await;
    assert_eq!(
        (refused.status, refused.json()["message"].as_str()),
        (403, Some("Resource not accessible by personal access token"))
    );
}

#[tokio::test]
async fn errors_carry_a_message_a_link_and_the_status() {
    let fixture = Fixture::new(Forge::GitHub).await;
    let bad = fixture.get_as("ghp_unknown", "/api/v3/user").await;
    let body =
        json!({"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401"});
    assert_eq!((bad.status, bad.json()), (401, body));
    let unknown = fixture.get("/api/v3/repos/group/none").await;
    assert_eq!((unknown.status, unknown.json()["message"].as_str()), (404, Some("Not Found")));
    let stranger = fixture.twin.token(&fixture.twin.user(User::new("ann")), Token::generated().scopes(["repo"]));
    assert_eq!(fixture.get_as(&stranger, REPOSITORY_ROUTE).await.status, 404);
    let no_scope = fixture.twin.token(&fixture.john, Token::generated().scopes([]));
    assert_eq!(fixture.get_as(&no_scope, REPOSITORY_ROUTE).await.status, 404);
    assert_eq!(fixture.get(&format!("{REPOSITORY_ROUTE}/")).await.status, 404);
}

#[tokio::test]
async fn a_user_agent_is_wanted_and_an_unknown_version_is_not() {
    let fixture = Fixture::new(Forge::GitHub).await;
    let url = format!("{}/api/v3/user", fixture.twin.url());
    let nameless = fixture.http.get(&url).bearer_auth(&fixture.token).header("user-agent", "");
    assert_eq!(nameless.send().await.unwrap().status(), 403);
    let future = fixture.http.get(&url).bearer_auth(&fixture.token).header("x-github-api-version", "2099-01-01");
    assert_eq!(future.send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_repository_tells_what_the_caller_may_do() {
    let fixture = Fixture::new(Forge::GitHub).await;
    let repository = fixture.get(REPOSITORY_ROUTE).await;
    let expected = json!({"admin": false, "maintain": false, "push": true, "triage": true, "pull": true});
    assert_eq!(repository.json()["permissions"], expected);
    assert_eq!(repository.header("x-accepted-oauth-scopes"), Some("repo"));
    fixture.twin.repository("team/open", Repository::new().public());
    assert_eq!(fixture.get("/api/v3/repos/team/open").await.json()["permissions"]["push"], false);
}

#[tokio::test]
async fn lists_are_paged_by_link_and_searched_by_name() {
    let fixture = Fixture::with(Forge::GitHub, |repository| repository.branch("a").branch("b")).await;
    let route = format!("{REPOSITORY_ROUTE}/branches");
    let first = fixture.get(&format!("{route}?per_page=2")).await;
    assert!(first.header("link").unwrap().contains(&format!("{route}?page=2&per_page=2>; rel=\"next\"")));
    let last = fixture.get(&format!("{route}?per_page=2&page=2")).await;
    assert!(!last.header("link").unwrap().contains("rel=\"next\""));
    assert_eq!(last.json()[0]["name"], "main");
    assert_eq!(fixture.get(&route).await.header("link"), None);

    fixture.twin.repository("team/open", Repository::new().public());
    assert_eq!(fixture.get("/api/v3/user/repos").await.json().as_array().unwrap().len(), 1);
    let found = fixture.get("/api/v3/search/repositories?q=open+in:name").await.json();
    assert_eq!((&found["total_count"], &found["items"][0]["full_name"]), (&json!(1), &json!("team/open")));
    assert_eq!(fixture.get("/api/v3/search/repositories").await.status, 422);
}

#[tokio::test]
async fn a_pull_request_needs_a_change_and_is_opened_once() {
    let fixture = Fixture::with(Forge::GitHub, |repository| repository.branch("topic")).await;
    let route = format!("{REPOSITORY_ROUTE}/pulls");
    let new = json!({"head": "topic", "base": "main", "title": "Topic", "body": "Why", "draft": true});
    let message = |answer: &Answer| answer.json()["errors"][0]["message"].as_str().map(str::to_owned);

    let idle = fixture.post(&route, new.clone()).await;
    assert_eq!((idle.status, message(&idle).as_deref()), (422, Some("No commits between main and topic")));
    fixture.twin.commit(PROJECT, "topic", "file", "text");
    let opened = fixture.post(&route, new.clone()).await;
    assert_eq!((opened.status, &opened.json()["number"]), (201, &json!(1)));
    let again = fixture.post(&route, new).await;
    assert_eq!(
        (again.status, message(&again).as_deref()),
        (422, Some("A pull request already exists for group:topic."))
    );
    let absent = fixture.post(&route, json!({"head": "none", "base": "main", "title": "T"})).await;
    assert_eq!(absent.json()["errors"][0]["code"], "invalid");

    let found = fixture.get(&format!("{route}?head=group:topic&state=open")).await.json();
    assert_eq!(found[0]["html_url"], format!("{}/{PROJECT}/pull/1", fixture.twin.url()));
    assert!(fixture.twin.pull_requests(PROJECT)[0].draft);
}

#[tokio::test]
async fn single_sign_on_hides_the_organization_and_gives_the_way_in() {
    let fixture = Fixture::new(Forge::GitHub).await;
    fixture.twin.set_token_state(&fixture.token, TokenState::SsoRequired);
    let refused = fixture.get(REPOSITORY_ROUTE).await;
    let link = format!("required; url={}/orgs/group/sso?authorization_request=A2TWIN", fixture.twin.url());
    assert_eq!((refused.status, refused.header("x-github-sso")), (403, Some(link.as_str())));
    assert_eq!(fixture.get("/api/v3/user").await.status, 200);
    let partial = fixture.get("/api/v3/user/repos").await;
    assert_eq!(partial.json(), json!([]));
    assert_eq!(partial.header("x-github-sso"), Some("partial-results; organizations=21955855,20582480"));
}

#[tokio::test]
async fn every_answer_tells_the_limit() {
    let fixture = Fixture::new(Forge::GitHub).await;
    for path in ["/api/v3/user", "/api/v3/nothing"] {
        let answer = fixture.get(path).await;
        for header in ["limit", "remaining", "used", "reset", "resource"] {
            assert!(answer.header(&format!("x-ratelimit-{header}")).is_some(), "{header}");
        }
    }
    assert_eq!(fixture.get("/api/v3/rate_limit").await.json()["resources"]["core"]["limit"], 5000);
}
