//! Jira Data Center: bearer tokens, and the puzzle after failed logins.

use serde_json::json;
use valetkey_twins::{JiraDataCenter, TokenState, User};

use crate::services::{Fixture, sent, text};

#[tokio::test]
async fn a_token_signs_in_as_a_bearer_token_only() {
    let fixture = Fixture::<JiraDataCenter>::new().await;
    let john = fixture.twin.user(User::new("john").email("john@example.test"), "password");
    let token = fixture.twin.token(&john, "laptop", None).value;
    assert_eq!(token.len(), 44);
    let me = fixture.get_as(&token, "/rest/api/2/myself").await.json();
    assert_eq!((&me["name"], &me["emailAddress"]), (&json!("john"), &json!("john@example.test")));
    assert_eq!(sent(fixture.get("/rest/api/2/myself").basic_auth("john", Some(&token))).await.status, 401);
    assert_eq!(fixture.get_as("unknown", "/rest/api/2/myself").await.status, 401);
    assert_eq!(fixture.twin.journal()[0].authenticated_as.as_deref(), Some("john"));
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked_by_their_owner() {
    let fixture = Fixture::<JiraDataCenter>::new().await;
    let john = fixture.twin.user(User::new("john"), "password");
    let token = fixture.twin.token(&john, "laptop", Some("2027-01-31T00:00:00.000+0000")).value;
    let tokens = "/rest/pat/latest/tokens";
    let body = json!({"name": "agent", "expirationDuration": 90});
    let made = sent(fixture.post(tokens).bearer_auth(&token).json(&body)).await;
    assert_eq!(made.status, 201);
    let (raw, id) = (text(&made.json()["rawToken"]), made.json()["id"].clone());
    assert_eq!(fixture.get_as(&raw, "/rest/api/2/myself").await.status, 200);

    let listed = fixture.get_as(&token, tokens).await.json();
    assert_eq!(listed[0]["expiringAt"], "2027-01-31T00:00:00.000+0000");
    assert!(listed[1]["expiringAt"].is_string() && listed[1].get("rawToken").is_none());
    let revoke =
        |id: &serde_json::Value| fixture.http.delete(fixture.url(&format!("{tokens}/{id}"))).bearer_auth(&token);
    assert_eq!(sent(revoke(&id)).await.status, 204);
    assert_eq!(sent(revoke(&id)).await.status, 404);
    assert_eq!(fixture.get_as(&raw, "/rest/api/2/myself").await.status, 401);

    fixture.twin.set_token_state(&token, TokenState::Expired);
    assert_eq!(fixture.get_as(&token, tokens).await.status, 401);
}

#[tokio::test]
async fn failed_logins_lead_to_a_puzzle_that_shuts_the_right_password_out_too() {
    let fixture = Fixture::<JiraDataCenter>::new().await;
    fixture.twin.user(User::new("john"), "password");
    let login = |password: &str| sent(fixture.get("/rest/api/2/myself").basic_auth("john", Some(password)));
    assert_eq!(login("password").await.status, 200);
    for _ in 0..3 {
        assert_eq!(login("wrong").await.status, 401);
    }
    let puzzled = login("password").await;
    assert_eq!(puzzled.status, 403);
    assert!(puzzled.header("x-authentication-denied-reason").unwrap().starts_with("CAPTCHA_CHALLENGE"));
}

#[tokio::test]
async fn the_search_still_counts_and_starts_where_told() {
    let fixture = Fixture::<JiraDataCenter>::new().await;
    let john = fixture.twin.user(User::new("john"), "password");
    let token = fixture.twin.token(&john, "laptop", None).value;
    fixture.twin.project("PROJ", "Project");
    for number in 0..25 {
        fixture.twin.issue("PROJ", &format!("Issue {number}"));
    }
    let page = fixture.get_as(&token, "/rest/api/2/search?jql=project%3DPROJ&startAt=20&maxResults=10").await.json();
    assert_eq!((&page["total"], page["issues"].as_array().unwrap().len()), (&json!(25), 5));
    assert_eq!(page["issues"][0]["key"], "PROJ-21");
    let info = sent(fixture.get("/rest/api/2/serverInfo")).await.json();
    assert_eq!((&info["deploymentType"], &info["versionNumbers"][0]), (&json!("Server"), &json!(10)));
}
