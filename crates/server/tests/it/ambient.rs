use serde_json::{Value, json};
use valetkey_testbed::ForgeBed;
use valetkey_twins::{
    AccessLevel, Consent, JiraDataCenter, OAuthApp, Repository, Service, Switch, Token, TokenState, User,
};

use crate::{
    browser::{Browser, callback, registered},
    harness::{TestServer, connect_body},
};

fn body(forge: &ForgeBed, token: &str) -> Value {
    json!({"personalAccessToken": token, "instanceUrl": forge.twin.url()})
}

#[tokio::test]
async fn gitlab_is_connected_shown_and_disconnected() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    assert_eq!(admin.get("/api/auth/gitlab/status").await.ok(), json!({"connected": false}));

    let connected = admin.post("/api/auth/gitlab/connect", body(&forge, &forge.token)).await.ok();
    let id = forge.john.id.to_string();
    let wanted = json!({
        "userId": "admin",
        "gitlabUserId": id,
        "username": "john",
        "instanceUrl": forge.twin.url(),
        "connected": true,
        "message": "GitLab account connected successfully",
    });
    assert_eq!(connected, wanted);

    let mut status = admin.get("/api/auth/gitlab/status").await.ok();
    assert!(status.as_object_mut().unwrap().remove("updatedAt").unwrap().is_string());
    let wanted = json!({
        "connected": true,
        "username": "john",
        "instanceUrl": forge.twin.url(),
        "gitlabUserId": id,
        "valid": true,
    });
    assert_eq!(status, wanted);

    let gone = json!({"message": "GitLab account disconnected successfully", "connected": false});
    assert_eq!(admin.press("/api/auth/gitlab/disconnect").await.ok(), gone);
    assert_eq!(admin.delete("/api/auth/gitlab/disconnect").await.ok(), gone, "also when there is none");
    assert_eq!(admin.get("/api/auth/gitlab/status").await.ok(), json!({"connected": false}));
}

#[tokio::test]
async fn valid_is_what_gitlab_last_said() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let valid = async || admin.get("/api/auth/gitlab/status").await.ok()["valid"].clone();
    let test = async || {
        let all = admin.get("/api/v1/integrations").await.ok();
        let id = all["items"][0]["id"].as_str().unwrap();
        admin.press(&format!("/api/v1/integrations/{id}/test")).await.ok();
    };
    admin.post("/api/auth/gitlab/connect", body(&forge, &forge.token)).await.ok();
    forge.twin.switch(Switch::Down);
    test().await;
    assert_eq!(valid().await, true, "an outage changes nothing");
    forge.twin.heal();
    forge.twin.set_token_state(&forge.token, TokenState::Revoked);
    assert_eq!(valid().await, true, "nobody asked yet");
    test().await;
    assert_eq!(valid().await, false);
}

#[tokio::test]
async fn connecting_again_replaces_the_account_of_the_same_instance() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let jane = forge.twin.user(User::new("jane"));
    let hers = forge.twin.token(&jane, Token::generated().scopes(["api"]));
    let again = forge.twin.token(&forge.john, Token::generated().scopes(["api"]));
    let accounts = async || -> Vec<String> {
        let all = admin.get("/api/v1/integrations").await.ok();
        let name = |item: &Value| item["account"]["username"].as_str().unwrap().to_owned();
        all["items"].as_array().unwrap().iter().map(name).collect()
    };
    for (token, name) in [(&forge.token, "john"), (&again, "john"), (&hers, "jane")] {
        admin.post("/api/auth/gitlab/connect", body(&forge, token)).await.ok();
        assert_eq!(accounts().await, [name]);
        assert_eq!(admin.get("/api/auth/gitlab/status").await.ok()["username"], name);
    }
    let other = ForgeBed::gitlab().await;
    admin.post("/api/auth/gitlab/connect", body(&other, &other.token)).await.ok();
    assert_eq!(accounts().await, ["jane", "john"], "another instance's account is kept beside it");
}

#[tokio::test]
async fn the_default_marked_account_is_the_one_meant() {
    let (server, forge, other) = (TestServer::start().await, ForgeBed::gitlab().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let first = admin.post("/api/v1/integrations", connect_body(&forge)).await.created();
    admin.post("/api/v1/integrations", connect_body(&other)).await.created();
    let shown = async || admin.get("/api/auth/gitlab/status").await.ok()["instanceUrl"].clone();
    assert_eq!(shown().await, other.twin.url(), "the newest");
    let path = format!("/api/v1/integrations/{}", first["id"].as_str().unwrap());
    admin.patch(&path, json!({"isDefault": true})).await.ok();
    assert_eq!(shown().await, forge.twin.url());

    let mut project = connect_body(&other);
    project["scope"] = json!("project");
    project["project"] = json!("default");
    project["alias"] = json!("the project's");
    admin.post("/api/v1/integrations", project).await.created();
    admin.press("/api/auth/gitlab/disconnect").await.ok();
    admin.press("/api/auth/gitlab/disconnect").await.ok();
    assert_eq!(
        admin.get("/api/auth/gitlab/status").await.ok(),
        json!({"connected": false}),
        "a project's is not meant"
    );
    assert_eq!(admin.get("/api/v1/integrations").await.ok()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn gitlab_s_refusals_are_told_apart() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    for wrong in [
        json!({}),
        json!({"personalAccessToken": 1}),
        json!({"personalAccessToken": "short"}),
        json!({"personalAccessToken": "glpat-with a space in it"}),
        json!({"personalAccessToken": forge.token, "instanceUrl": "gitlab.com"}),
        json!({"personalAccessToken": forge.token, "instanceUrl": "http://gitlab.example.com"}),
        json!({"personalAccessToken": forge.token, "instanceUrl": "https://user@gitlab.com"}),
        json!({"personalAccessToken": forge.token, "instanceUrl": "https://gitlab.company.com/api/v4"}),
    ] {
        let reply = admin.post("/api/auth/gitlab/connect", wrong).await;
        assert_eq!(reply.status, 400, "{}", reply.body);
        let problem: Value = serde_json::from_str(&reply.body).unwrap();
        assert!(problem["error"].as_str().unwrap().starts_with("Invalid input: "), "{problem}");
    }
    let unknown = body(&forge, "glpat-unknownunknownunknown");
    admin.post("/api/auth/gitlab/connect", unknown).await.refused(422, "token_invalid");
    forge.twin.switch(Switch::RateLimited { retry_after: Some(7) });
    let limited = forge.twin.token(&forge.john, Token::generated().scopes(["api"]));
    admin.post("/api/auth/gitlab/connect", body(&forge, &limited)).await.refused(429, "rate_limited");
    forge.twin.heal();
    let with_more = json!({"personalAccessToken": forge.token, "instanceUrl": forge.twin.url(), "later": true});
    admin.post("/api/auth/gitlab/connect", with_more).await.ok();
}

#[tokio::test]
async fn a_gitlab_token_is_tried_without_being_stored() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let test = async |body: Value| admin.post("/api/auth/gitlab/test", body).await.ok();
    let works = json!({"valid": true, "message": "GitLab connection successful"});
    assert_eq!(test(body(&forge, &forge.token)).await, works);
    for wrong in ["short", "glpat-unknownunknownunknown"] {
        let answer = test(body(&forge, wrong)).await;
        assert_eq!(answer["valid"], false);
        assert!(answer["error"].as_str().is_some_and(|error| !error.contains(wrong)), "{answer}");
    }
    forge.twin.switch(Switch::Down);
    assert_eq!(test(body(&forge, &forge.token)).await["valid"], false);
    assert_eq!(admin.get("/api/v1/integrations").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn github_shows_the_token_that_is_connected() {
    let (server, forge) = (TestServer::start().await, ForgeBed::github().await);
    let admin = server.admin();
    let nothing = json!({"installed": false, "pat": {"configured": false}});
    assert_eq!(admin.get("/api/auth/github/status").await.ok(), nothing);
    assert_eq!(admin.get("/api/auth/github/pat/status").await.ok(), json!({"configured": false}));

    let made = admin.post("/api/v1/integrations", connect_body(&forge)).await.created();
    let pat = admin.get("/api/auth/github/pat/status").await.ok();
    assert_eq!(pat, json!({"configured": true, "updatedAt": made["updatedAt"], "valid": true}));
    let status = admin.get("/api/auth/github/status").await.ok();
    assert_eq!((&status["pat"], &status["active"]), (&pat, &json!("pat")));
    assert_eq!(status["githubUserId"], forge.john.id.to_string());
    assert_eq!(format!("http://{}", status["host"].as_str().unwrap()), forge.twin.url());

    let removed = admin.delete("/api/auth/github/pat").await.ok();
    assert_eq!(removed, json!({"message": "GitHub PAT removed successfully"}));
    assert_eq!(admin.get("/api/auth/github/status").await.ok(), nothing);
    let gone = admin.press("/api/auth/github/disconnect").await.ok();
    assert_eq!(gone, json!({"message": "GitHub account disconnected"}));
}

#[tokio::test]
async fn a_github_token_must_look_like_one() {
    let server = TestServer::start().await;
    for wrong in ["", "hello", "glpat-0123456789abcdef0123", "ghp_"] {
        let problem = server.admin().post("/api/auth/github/pat", json!({"token": wrong})).await;
        assert_eq!(problem.refused(400, "token_malformed")["error"], "Invalid GitHub token format");
    }
    server.admin().post("/api/auth/github/pat", json!({})).await.refused(400, "invalid_input");
}

#[tokio::test]
async fn all_providers_are_shown_in_one_answer() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    admin.post("/api/v1/integrations", connect_body(&forge)).await.created();
    let all = admin.get("/api/auth/integrations/status").await.ok();
    assert_eq!(all["gitlab"], admin.get("/api/auth/gitlab/status").await.ok());
    assert_eq!(all["github"], admin.get("/api/auth/github/status").await.ok());
    assert_eq!(all["google"], json!({"connected": false}));
    assert_eq!(all["jira"], json!({"connected": false}));
    assert_eq!(all["mcpServers"], json!({}));
}

#[tokio::test]
async fn all_branches_of_a_repository_are_listed() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let missing = admin.get("/api/projects/default/repo/branches").await.refused(400, "invalid_input");
    assert_eq!(missing["error"], "repo query parameter required");
    let many = Repository::new().member(&forge.john, AccessLevel::Developer);
    forge
        .twin
        .repository("team/many", (0..120).fold(many, |repository, n| repository.branch(&format!("topic/{n:03}"))));
    let path = format!("/api/projects/default/repo/branches?repo={}", forge.url_of("team/many"));
    admin.get(&path).await.refused(422, "integration_missing");

    admin.post("/api/auth/gitlab/connect", body(&forge, &forge.token)).await.ok();
    let listed = admin.get(&path).await.ok();
    let branches = listed["branches"].as_array().unwrap();
    assert_eq!(branches.len(), 121, "more than one page of the forge's");
    let main = branches.iter().find(|branch| branch["name"] == "main").unwrap();
    assert_eq!(main["default"], true);
    assert_eq!(main["commit"]["sha"].as_str(), forge.twin.head("team/many", "main").as_deref());
}

#[tokio::test]
async fn an_installation_that_can_not_be_verified_is_not_linked() {
    let server = TestServer::start().await;
    let admin = server.admin();
    for body in [json!({"installationId": 42}), json!({"installationId": 42, "code": "made-up"})] {
        let problem = admin.post("/api/auth/github/install", body).await.refused(403, "forbidden");
        assert_eq!(problem["error"], "installation not owned by user");
    }
    admin.post("/api/auth/github/install", json!({"installationId": "42; drop"})).await.refused(400, "invalid_input");
    let status = admin.get("/api/auth/github/status").await.ok();
    assert_eq!(status, json!({"installed": false, "pat": {"configured": false}}));
}

#[tokio::test]
async fn githubs_answer_counts_only_in_the_browser_that_asked() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    registered(&server, &forge, OAuthApp::confidential(&callback())).await;
    forge.twin.oauth().consent_always(Consent::approve(&forge.john));
    let asking = json!({"provider": "gitlab", "instanceUrl": forge.twin.url()});
    let path = |back: &str| format!("/api/auth/github/user/callback?{}", back.split_once('?').unwrap().1);
    let (mine, other) = (Browser::signed_in(&server).await, Browser::signed_in(&server).await);

    let begun = mine.script().post("/api/v1/oauth/authorize", asking.clone()).await.ok();
    let back = mine.consent(&server, &forge, begun["authorizeUrl"].as_str().unwrap()).await;
    other.script().get(&path(&back)).await.refused(400, "oauth_state_invalid");
    mine.script().get("/api/auth/github/user/callback?code=x&state=made-up").await.refused(400, "oauth_state_invalid");

    let begun = mine.script().post("/api/v1/oauth/authorize", asking).await.ok();
    let back = mine.consent(&server, &forge, begun["authorizeUrl"].as_str().unwrap()).await;
    let reply = mine.script().get(&path(&back)).await;
    assert_eq!((reply.status.as_u16(), reply.header("location")), (302, "/integrations"));
}

#[tokio::test]
async fn google_wants_an_app_first() {
    let server = TestServer::start().await;
    let problem = server.admin().press("/api/auth/google/connect").await.refused(503, "oauth_not_configured");
    assert_eq!(problem["error"], "Google OAuth not configured");
    assert_eq!(server.admin().get("/api/auth/google/status").await.ok(), json!({"connected": false}));
    let gone = server.admin().press("/api/auth/google/disconnect").await.ok();
    assert_eq!(gone, json!({"message": "Google Drive disconnected successfully"}));
}

#[tokio::test]
async fn jira_takes_only_whole_requests() {
    let server = TestServer::start().await;
    let admin = server.admin();
    for wrong in [
        json!({}),
        json!({"url": "https://team.atlassian.net", "email": "john@example.test"}),
        json!({"url": "team.atlassian.net", "email": "john@example.test", "apiToken": "x"}),
        json!({"url": "http://team.atlassian.net", "email": "john@example.test", "apiToken": "x"}),
    ] {
        for path in ["/api/auth/jira/connect", "/api/auth/jira/test"] {
            admin.post(path, wrong.clone()).await.refused(400, "invalid_input");
        }
    }
    assert_eq!(admin.get("/api/auth/jira/status").await.ok(), json!({"connected": false}));
    let gone = json!({"message": "Jira disconnected successfully"});
    assert_eq!(admin.delete("/api/auth/jira/disconnect").await.ok(), gone);
    assert_eq!(admin.press("/api/auth/jira/disconnect").await.ok(), gone);
}

#[tokio::test]
async fn jira_is_connected_shown_and_disconnected() {
    let (server, jira) = (TestServer::start().await, Service::<JiraDataCenter>::builder().start().await.unwrap());
    let john = jira.user(User::new("john").email("john@example.test"), "password");
    let token = jira.token(&john, "valetkey", None).value;
    let admin = server.admin();
    let body = json!({"url": format!("{}/", jira.url()), "email": "", "apiToken": token});
    let works = json!({"valid": true, "message": "Jira connection successful"});
    assert_eq!(admin.post("/api/auth/jira/test", body.clone()).await.ok(), works);
    assert_eq!(admin.get("/api/auth/jira/status").await.ok(), json!({"connected": false}), "a trial stores nothing");

    let wanted = json!({"message": "Jira connected successfully", "url": jira.url(), "email": "john@example.test"});
    assert_eq!(admin.post("/api/auth/jira/connect", body).await.ok(), wanted);
    let status = admin.get("/api/auth/jira/status").await.ok();
    assert_eq!((&status["connected"], &status["valid"]), (&json!(true), &json!(true)));
    assert_eq!((&status["url"], &status["email"]), (&json!(jira.url()), &json!("john@example.test")));
    assert_eq!(admin.get("/api/auth/integrations/status").await.ok()["jira"], status);

    let unknown = json!({"url": jira.url(), "apiToken": "x".repeat(44)});
    admin.post("/api/auth/jira/connect", unknown.clone()).await.refused(422, "token_invalid");
    assert_eq!(admin.post("/api/auth/jira/test", unknown).await.ok()["valid"], false);
    admin.delete("/api/auth/jira/disconnect").await.ok();
    assert_eq!(admin.get("/api/auth/jira/status").await.ok(), json!({"connected": false}));
}

#[tokio::test]
async fn google_is_connected_by_consent() {
    let server = TestServer::start().await;
    let app = json!({"provider": "google", "clientId": "app", "clientSecret": "secret"});
    server.admin().post("/api/v1/provider-apps", app).await.created();
    let by_program = server.admin().press("/api/auth/google/connect").await.ok();
    assert!(by_program["url"].as_str().unwrap().contains("/oauth/start/"), "{by_program}");
    let browser = Browser::signed_in(&server).await;
    let in_browser = browser.script().press("/api/auth/google/connect").await.ok();
    assert!(in_browser["url"].as_str().unwrap().starts_with("https://accounts.google.com/"), "{in_browser}");
    assert!(in_browser["state"].is_string());
}
