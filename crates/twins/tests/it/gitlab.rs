//! GitLab's API.

use serde_json::json;
use valetkey_twins::{AccessLevel, Forge, Mishap, OAuthApp, Repository, Token, TokenState, User};

use crate::support::{Answer, Fixture, PROJECT};

const PROJECT_ROUTE: &str = "/api/v4/projects/group%2Fproject";

#[tokio::test]
async fn a_token_tells_whose_it_is_what_it_may_and_until_when() {
    let fixture = Fixture::new(Forge::GitLab).await;
    let user = fixture.get("/api/v4/user").await.json();
    assert_eq!((&user["username"], &user["email"]), (&json!("john"), &json!("john@example.test")));
    let token = fixture.get("/api/v4/personal_access_tokens/self").await.json();
    assert_eq!(token["scopes"], json!(["api", "repo"]));
    assert_eq!(token["expires_at"], "2027-01-31");
    assert_eq!(token["user_id"], user["id"]);
    assert_eq!(fixture.get("/api/v4/version").await.status, 200);
}

#[tokio::test]
async fn both_headers_carry_a_token_and_basic_does_not() {
    let fixture = Fixture::new(Forge::GitLab).await;
    let url = format!("{}/api/v4/user", fixture.twin.url());
    let private = fixture.http.get(&url).header("PRIVATE-TOKEN", &fixture.token).send().await.unwrap();
    assert_eq!(private.status(), 200);
    let basic = Answer::of(fixture.http.get(&url).basic_auth("john", Some(&fixture.token)).send().await.unwrap()).await;
    assert_eq!((basic.status, basic.json()), (401, json!({"message": "401 Unauthorized"})));
}

#[tokio::test]
async fn each_way_for_a_token_to_fail_has_its_own_answer() {
    let fixture = Fixture::new(Forge::GitLab).await;
    let invalid = |text: &str| json!({"error": "invalid_token", "error_description": text});
    let refused = fixture.get_as("glpat-unknown", "/api/v4/user").await;
    assert_eq!((refused.status, refused.json()), (401, invalid("Bad Access Token.")));

    let expected = "Token is expired. You can either do re-authorization or token refresh.";
    fixture.twin.set_token_state(&fixture.token, TokenState::Expired);
    let refused = fixture.get("/api/v4/user").await;
    assert_eq!((refused.status, refused.json()), (401, invalid(expected)));

    let expected = "Token was revoked. You have to re-authorize from the user.";
    fixture.twin.set_token_state(&fixture.token, TokenState::Revoked);
    assert_eq!(fixture.get("/api/v4/user").await.json(), invalid(expected));

    fixture.twin.set_token_state(&fixture.token, TokenState::RateLimited { retry_after: Some(7) });
    let limited = fixture.get("/api/v4/user").await;
    assert_eq!((limited.status, limited.text.trim(), limited.header("retry-after")), (429, "Retry later", Some("7")));

    let narrow = fixture.twin.token(&fixture.john, Token::generated().scopes(["read_user"]));
    let refused = fixture.get_as(&narrow, PROJECT_ROUTE).await;
    assert_eq!((refused.status, &refused.json()["scope"]), (403, &json!("api read_api")));
    assert_eq!(refused.header("www-authenticate"), None);
}

#[tokio::test]
async fn a_project_is_found_by_path_and_by_number_with_the_callers_access() {
    let fixture = Fixture::new(Forge::GitLab).await;
    let project = fixture.get(PROJECT_ROUTE).await.json();
    assert_eq!(project["path_with_namespace"], PROJECT);
    assert_eq!(project["permissions"]["project_access"]["access_level"], 30);
    assert_eq!(project["permissions"]["group_access"], json!(null));
    assert_eq!(project["http_url_to_repo"], fixture.twin.clone_url(PROJECT));
    assert_eq!(fixture.get(&format!("/api/v4/projects/{}", project["id"])).await.json()["id"], project["id"]);

    let unknown = fixture.get("/api/v4/projects/group%2Fnone").await;
    assert_eq!((unknown.status, unknown.json()), (404, json!({"message": "404 Project Not Found"})));
    let stranger = fixture.twin.token(&fixture.twin.user(User::new("ann")), Token::generated().scopes(["api"]));
    assert_eq!(fixture.get_as(&stranger, PROJECT_ROUTE).await.status, 404);
}

#[tokio::test]
async fn access_through_a_group_or_an_ancestor_shows_where_gitlab_shows_it() {
    let fixture = Fixture::new(Forge::GitLab).await;
    let (twin, john) = (&fixture.twin, &fixture.john);
    twin.repository("a/group", Repository::new().group_member(john, AccessLevel::Maintainer));
    twin.repository("a/ancestor", Repository::new().inherited_member(john, AccessLevel::Developer));
    twin.repository("a/open", Repository::new().public());

    let group = fixture.get("/api/v4/projects/a%2Fgroup").await.json();
    assert_eq!(group["permissions"]["group_access"]["access_level"], 40);
    let ancestor = fixture.get("/api/v4/projects/a%2Fancestor").await.json();
    assert_eq!(ancestor["permissions"], json!({"project_access": null, "group_access": null}));
    let member = fixture.get(&format!("/api/v4/projects/a%2Fancestor/members/all/{}", john.id)).await.json();
    assert_eq!(member["access_level"], 30);
    let none = fixture.get(&format!("/api/v4/projects/a%2Fopen/members/all/{}", john.id)).await;
    assert_eq!(none.status, 404);
}

#[tokio::test]
async fn projects_are_searched_and_narrowed_to_memberships() {
    let fixture = Fixture::new(Forge::GitLab).await;
    fixture.twin.repository("a/open", Repository::new().public());
    let paths = |answer: Answer| -> Vec<String> {
        let all = answer.json();
        all.as_array()
            .unwrap()
            .iter()
            .map(|project| project["path_with_namespace"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(paths(fixture.get("/api/v4/projects").await), [PROJECT, "a/open"]);
    assert_eq!(paths(fixture.get("/api/v4/projects?membership=True").await), [PROJECT]);
    assert_eq!(paths(fixture.get("/api/v4/projects?search=OPEN&page=1&per_page=5").await), ["a/open"]);
}

#[tokio::test]
async fn branches_come_in_pages_that_lead_to_each_other() {
    let fixture = Fixture::with(Forge::GitLab, |repository| repository.branch("a").branch("b")).await;
    let route = format!("{PROJECT_ROUTE}/repository/branches");
    let first = fixture.get(&format!("{route}?per_page=2")).await;
    assert_eq!(first.json().as_array().unwrap().len(), 2);
    assert_eq!((first.header("x-next-page"), first.header("x-total")), (Some("2"), Some("3")));
    let next = format!("<{}{route}?page=2&per_page=2>; rel=\"next\"", fixture.twin.url());
    assert!(first.header("link").unwrap().contains(&next));

    let last = fixture.get(&format!("{route}?per_page=2&page=2")).await;
    assert_eq!(last.json()[0]["name"], "main");
    assert_eq!(last.header("x-next-page"), Some(""));
}

#[tokio::test]
async fn a_second_merge_request_for_a_branch_is_a_conflict() {
    let fixture = Fixture::with(Forge::GitLab, |repository| repository.branch("topic")).await;
    let route = format!("{PROJECT_ROUTE}/merge_requests");
    let new = json!({"source_branch": "topic", "target_branch": "main", "title": "Draft: Topic", "description": "Why"});
    let opened = fixture.post(&route, new.clone()).await;
    assert_eq!((opened.status, &opened.json()["iid"]), (201, &json!(1)));
    assert_eq!(opened.json()["web_url"], format!("{}/{PROJECT}/-/merge_requests/1", fixture.twin.url()));

    let again = fixture.post(&route, new).await;
    let message = "Another open merge request already exists for this source branch: !1";
    assert_eq!((again.status, again.json()), (409, json!({"message": [message]})));
    let missing = fixture.post(&route, json!({"source_branch": "topic"})).await;
    assert_eq!(
        (missing.status, missing.json()["error"].as_str()),
        (400, Some("target_branch is missing, title is missing"))
    );

    let found = fixture.get(&format!("{route}?source_branch=topic&state=opened")).await.json();
    assert_eq!(found[0]["iid"], 1);
    let recorded = fixture.twin.pull_requests(PROJECT).remove(0);
    assert_eq!((recorded.author.as_str(), recorded.draft, recorded.description.as_str()), ("john", true, "Why"));
}

#[tokio::test]
async fn every_answer_tells_the_limit_and_no_route_is_a_404() {
    let fixture = Fixture::new(Forge::GitLab).await;
    let answer = fixture.get("/api/v4/nothing").await;
    assert_eq!((answer.status, answer.json()), (404, json!({"error": "404 Not Found"})));
    for header in ["ratelimit-limit", "ratelimit-name", "ratelimit-observed", "ratelimit-remaining", "ratelimit-reset"]
    {
        assert!(answer.header(header).is_some(), "{header}");
    }
}

#[tokio::test]
async fn an_oauth_token_works_as_bearer_and_as_gits_password_until_it_ends() {
    let fixture = Fixture::new(Forge::GitLab).await;
    let oauth = fixture.twin.oauth();
    let app = oauth.register(OAuthApp::confidential("https://valetkey.example.test/callback"));
    let token = oauth.grant(&app, &fixture.john, ["api"]).access;
    assert!(token.len() == 64 && token.bytes().all(|letter| letter.is_ascii_hexdigit()));
    assert_eq!(fixture.get_as(&token, "/api/v4/user").await.json()["username"], "john");
    fixture.git(&["ls-remote", &fixture.url_with(&token)]).await.succeeded();
    let info = fixture.get_as(&token, "/oauth/token/info").await.json();
    assert_eq!((&info["scope"], &info["application"]["uid"]), (&json!(["api"]), &json!(app.client_id())));
    assert_eq!(fixture.get_as(&token, "/api/v4/personal_access_tokens/self").await.status, 401);

    oauth.expire(&token);
    let expired = fixture.get_as(&token, "/api/v4/user").await.json();
    assert!(expired["error_description"].as_str().unwrap().starts_with("Token is expired."));
    fixture.git(&["ls-remote", &fixture.url_with(&token)]).await.failed();
}

#[tokio::test]
async fn a_token_rotates_itself_and_a_second_try_ends_the_family() {
    let fixture = Fixture::new(Forge::GitLab).await;
    let route = "/api/v4/personal_access_tokens/self/rotate";
    let rotated = fixture.post(route, json!({"expires_at": "2027-03-01"})).await;
    let fresh = rotated.json()["token"].as_str().expect("a new token").to_owned();
    assert_eq!((rotated.status, &rotated.json()["expires_at"]), (200, &json!("2027-03-01")));
    assert_eq!(fixture.get("/api/v4/user").await.status, 401);
    assert_eq!(fixture.get_as(&fresh, "/api/v4/user").await.status, 200);

    assert_eq!(fixture.post(route, json!({})).await.status, 401);
    assert_eq!(fixture.get_as(&fresh, "/api/v4/user").await.status, 401, "the family ended");
}

#[tokio::test]
async fn rotation_wants_its_scope_and_a_personal_token() {
    let fixture = Fixture::new(Forge::GitLab).await;
    let url = format!("{}/api/v4/personal_access_tokens/self", fixture.twin.url());
    let app = fixture.twin.oauth().register(OAuthApp::confidential("https://valetkey.example.test/callback"));
    let oauth = fixture.twin.oauth().grant(&app, &fixture.john, ["api"]).access;
    let reader = fixture.twin.token(&fixture.john, Token::generated().scopes(["read_api"]));
    for (token, status) in [(&oauth, 405), (&reader, 403)] {
        let rotate = fixture.http.post(format!("{url}/rotate")).bearer_auth(token);
        assert_eq!(rotate.send().await.unwrap().status(), status);
    }
    assert_eq!(fixture.http.delete(&url).bearer_auth(&reader).send().await.unwrap().status(), 204);
    assert_eq!(fixture.get_as(&reader, "/api/v4/user").await.status, 401);
}

#[tokio::test]
async fn a_rotation_whose_answer_is_lost_has_happened() {
    let fixture = Fixture::new(Forge::GitLab).await;
    let route = "/api/v4/personal_access_tokens/self/rotate";
    fixture.twin.mishap("POST", route, Mishap::LoseAnswer);
    let rotate = fixture.http.post(format!("{}{route}", fixture.twin.url())).bearer_auth(&fixture.token);
    assert!(rotate.send().await.is_err());
    assert_eq!(fixture.get("/api/v4/user").await.status, 401);
}

#[tokio::test]
async fn a_list_that_has_not_changed_is_not_sent_again() {
    let fixture = Fixture::new(Forge::GitLab).await;
    let url = format!("{}/api/v4/projects", fixture.twin.url());
    let tag = fixture.get("/api/v4/projects").await.header("etag").expect("a tag").to_owned();
    let again = fixture.http.get(&url).bearer_auth(&fixture.token).header("if-none-match", &tag);
    assert_eq!(again.send().await.unwrap().status(), 304);
}
