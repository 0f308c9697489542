use serde_json::{Value, json};
use valetkey_model::ProviderKind;
use valetkey_testbed::ForgeBed;
use valetkey_twins::{Switch, Token, TokenState, User};

use crate::harness::{Client, Reply, TestServer, connect_body};

const ALL: &str = "/api/v1/integrations";

fn one(integration: &Value) -> String {
    format!("{ALL}/{}", integration["id"].as_str().expect("an id"))
}

async fn connect(client: &Client, forge: &ForgeBed) -> Value {
    client.post(ALL, connect_body(forge)).await.created()
}

async fn connect_with(client: &Client, forge: &ForgeBed, change: Value) -> Reply {
    let mut body = connect_body(forge);
    let members = change.as_object().expect("members").clone();
    body.as_object_mut().expect("members").extend(members);
    client.post(ALL, body).await
}

#[tokio::test]
async fn the_catalogue_says_what_a_provider_needs() {
    let server = TestServer::start().await;
    let catalogue = server.admin().get("/api/v1/providers").await.ok();
    let names: Vec<_> =
        catalogue["items"].as_array().unwrap().iter().map(|p| p["provider"].as_str().unwrap()).collect();
    assert_eq!(names[..2], ["github", "gitlab"]);
    assert_eq!(names.len(), ProviderKind::ALL.len());
    let token = catalogue["items"][1]["fields"].as_array().unwrap().iter().find(|f| f["name"] == "token").unwrap();
    assert_eq!((&token["secret"], &token["required"]), (&json!(true), &json!(true)));
}

#[tokio::test]
async fn an_account_is_connected_shown_renamed_and_disconnected() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let made = connect(&admin, &forge).await;
    assert_eq!(made["provider"], "gitlab");
    assert_eq!(made["scope"], "user_global");
    assert_eq!(made["project"], Value::Null);
    assert_eq!(made["instanceUrl"], forge.twin.url());
    assert_eq!(made["account"]["username"], "john");
    assert_eq!(made["authMethod"], "pat");
    assert_eq!(made["status"], "connected");
    assert_eq!(made["isDefault"], false);

    assert_eq!(admin.get(&one(&made)).await.ok(), made);
    assert_eq!(admin.get(ALL).await.ok(), json!({"items": [made]}));
    assert_eq!(admin.get(&format!("{ALL}?provider=github")).await.ok(), json!({"items": []}));

    let changed = admin.patch(&one(&made), json!({"alias": "Work", "isDefault": true})).await.ok();
    assert_eq!((&changed["alias"], &changed["isDefault"]), (&json!("Work"), &json!(true)));
    assert_eq!(admin.get(&format!("{ALL}/work")).await.ok()["id"], made["id"], "found by its alias too");
    assert_eq!(admin.patch(&one(&made), json!({"isDefault": false})).await.ok()["isDefault"], false);

    assert_eq!(
        admin.get(&format!("{}/usage", one(&made))).await.ok(),
        json!({"sessions": [], "assistants": [], "repositories": []})
    );
    assert_eq!(admin.delete(&one(&made)).await.ok(), json!({"erased": true, "sessions": [], "revoked": "yes"}));
    admin.get(&one(&made)).await.refused(404, "not_found");
    assert_eq!(admin.get(ALL).await.ok(), json!({"items": []}));
}

#[tokio::test]
async fn scopes_say_who_may_use_it_and_where() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    for (scope, project, fits) in [
        ("user", json!("default"), true),
        ("project", json!("default"), true),
        ("user", Value::Null, false),
        ("project", Value::Null, false),
        ("user_global", json!("default"), false),
        ("everybody", Value::Null, false),
    ] {
        let reply = connect_with(&admin, &forge, json!({"scope": scope, "project": project})).await;
        if fits {
            assert_eq!(reply.created()["project"], project);
        } else {
            reply.refused(400, "invalid_input");
        }
    }
    connect_with(&admin, &forge, json!({"scope": "project", "project": "nowhere"})).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_provider_s_refusal_is_told_as_it_is_and_nothing_is_stored() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let token = |token: &str| json!({"auth": {"method": "pat", "token": token}});

    let problem = connect_with(&admin, &forge, token("short")).await.refused(400, "token_malformed");
    assert_eq!(problem["provider"], "gitlab");
    connect_with(&admin, &forge, token("glpat-unknownunknownunknown")).await.refused(422, "token_invalid");

    let poor = forge.twin.token(&forge.john, Token::generated().scopes(["read_user"]));
    let problem = connect_with(&admin, &forge, token(&poor)).await.refused(422, "insufficient_scope");
    assert!(problem["remediation"].is_string());

    forge.twin.set_token_state(&forge.token, TokenState::Revoked);
    connect_with(&admin, &forge, json!({})).await.refused(422, "token_revoked");
    forge.twin.set_token_state(&forge.token, TokenState::Active);

    forge.twin.switch(Switch::RateLimited { retry_after: Some(42) });
    let limited = forge.twin.token(&forge.john, Token::generated().scopes(["api"]));
    let reply = connect_with(&admin, &forge, token(&limited)).await;
    assert_eq!(reply.header("retry-after"), "42");
    assert_eq!(reply.refused(429, "rate_limited")["retryAfterSeconds"], 42);
    forge.twin.heal();

    forge.twin.switch(Switch::NotTheForge);
    connect_with(&admin, &forge, json!({})).await.refused(422, "not_the_provider");
    forge.twin.heal();

    forge.twin.switch(Switch::Down);
    connect_with(&admin, &forge, json!({})).await.refused(502, "provider_unreachable");
    assert_eq!(admin.get(ALL).await.ok()["items"], json!([]));
}

#[tokio::test]
async fn names_are_unique_and_hold_nothing_hidden() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let first = connect_with(&admin, &forge, json!({"alias": "work"})).await.created();
    connect_with(&admin, &forge, json!({"alias": "Home"})).await.created();
    admin.patch(&one(&first), json!({"alias": "HOME"})).await.refused(409, "conflict");
    for alias in ["", "a\nb", "a\u{0}b", "a\u{202e}b", "a\u{200b}b", &"x".repeat(101)] {
        connect_with(&admin, &forge, json!({"alias": alias})).await.refused(400, "invalid_input");
        admin.patch(&one(&first), json!({"alias": alias})).await.refused(400, "invalid_input");
    }
    let markup = admin.patch(&one(&first), json!({"alias": "<b>../..</b>"})).await.ok();
    assert_eq!(markup["alias"], "<b>../..</b>", "shown as it is; pages escape it");
}

#[tokio::test]
async fn members_that_do_not_exist_are_refused() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    connect_with(&admin, &forge, json!({"owner": "victim"})).await.refused(400, "invalid_input");
    let auth = json!({"auth": {"method": "pat", "token": forge.token, "username": "x"}});
    connect_with(&admin, &forge, auth).await.refused(400, "invalid_input");
    let made = connect(&admin, &forge).await;
    for change in [json!({"instanceUrl": "https://evil.test"}), json!({"scope": "project"}), json!({"owner": "x"})] {
        admin.patch(&one(&made), change).await.refused(400, "invalid_input");
    }
}

#[tokio::test]
async fn a_test_asks_the_provider_and_never_anybody_else() {
    let (server, forge, other) = (TestServer::start().await, ForgeBed::gitlab().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let made = connect(&admin, &forge).await;
    let test = format!("{}/test", one(&made));
    assert_eq!(admin.press(&test).await.ok()["status"], "connected");
    assert_eq!(admin.post(&test, json!({"instanceUrl": forge.twin.url()})).await.ok()["status"], "connected");

    let asked = forge.twin.journal().len();
    let problem = admin.post(&test, json!({"instanceUrl": other.twin.url()})).await.refused(400, "invalid_input");
    assert!(problem["detail"].as_str().unwrap().contains("own instance only"), "{problem}");
    admin.post(&test, json!({"url": other.twin.url()})).await.refused(400, "invalid_input");
    assert_eq!(other.twin.journal().len(), 0, "the secret stays");
    assert_eq!(forge.twin.journal().len(), asked);

    forge.twin.set_token_state(&forge.token, TokenState::Revoked);
    let revoked = admin.press(&test).await.ok();
    assert_eq!(revoked["status"], "disconnected");
    assert!(revoked["statusReason"].as_str().unwrap().contains("revoked"), "{revoked}");
}

#[tokio::test]
async fn a_new_token_of_the_same_account_takes_the_old_one_s_place() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let made = connect(&admin, &forge).await;
    let rotate = format!("{}/rotate", one(&made));

    let next = forge.twin.token(&forge.john, Token::generated().scopes(["api"]));
    assert_eq!(admin.post(&rotate, json!({"token": next})).await.ok()["id"], made["id"]);
    forge.twin.set_token_state(&forge.token, TokenState::Revoked);
    assert_eq!(admin.press(&format!("{}/test", one(&made))).await.ok()["status"], "connected");

    let jane = forge.twin.user(User::new("jane"));
    let hers = forge.twin.token(&jane, Token::generated().scopes(["api"]));
    admin.post(&rotate, json!({"token": hers})).await.refused(409, "integration_unusable");
    admin.post(&rotate, json!({"token": forge.token})).await.refused(422, "token_revoked");
    assert_eq!(admin.press(&format!("{}/test", one(&made))).await.ok()["account"]["username"], "john");
}

#[tokio::test]
async fn resolving_says_which_and_why() {
    let (server, gitlab, github) = (TestServer::start().await, ForgeBed::gitlab().await, ForgeBed::github().await);
    let admin = server.admin();
    let (left, right) = (connect(&admin, &gitlab).await, connect(&admin, &github).await);
    let resolve = async |query: String| admin.get(&format!("{ALL}/resolve?{query}")).await;

    let found = resolve(format!("url={}", gitlab.url().clone_url())).await.ok();
    assert_eq!(found["integration"]["id"], left["id"]);
    assert_eq!(found["candidates"], json!([left["id"]]));
    assert!(found["reason"].as_str().unwrap().contains("only User Global"), "{found}");
    let found = resolve(format!("url={}&project=default", github.twin.url())).await.ok();
    assert_eq!(found["integration"]["id"], right["id"]);
    let found = resolve(format!("provider=github&integration={}", right["id"].as_str().unwrap())).await.ok();
    assert_eq!(found["integration"]["id"], right["id"]);

    resolve(String::new()).await.refused(409, "integration_ambiguous");
    let foreign = format!("url={}&integration={}", gitlab.url(), right["id"].as_str().unwrap());
    resolve(foreign).await.refused(409, "integration_unusable");
    resolve("url=https://gitlab.com.evil.test/a/b".into()).await.refused(422, "integration_missing");
    for wrong in ["url=ext::sh%20-c", "url=https://a:b@gitlab.com/a/b", "project=../x", "provider=sourceforge"] {
        resolve(wrong.into()).await.refused(400, "invalid_input");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let server = TestServer::start().await;
    let admin = server.admin();
    for which in ["018f0000-0000-7000-8000-000000000000", "no-such-alias", "a%2Fb", "%00", "..%2f..%2fetc%2fpasswd"] {
        let path = format!("{ALL}/{which}");
        admin.get(&path).await.refused(404, "not_found");
        admin.patch(&path, json!({"isDefault": true})).await.refused(404, "not_found");
        admin.delete(&path).await.refused(404, "not_found");
        admin.press(&format!("{path}/test")).await.refused(404, "not_found");
        admin.get(&format!("{path}/usage")).await.refused(404, "not_found");
        admin.post(&format!("{path}/rotate"), json!({"token": "x"})).await.refused(404, "not_found");
    }
}
