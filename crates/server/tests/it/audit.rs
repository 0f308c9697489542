use http::{Method, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};
use valetkey_model::{AuditEntry, AuditMark, Clock as _, ProjectName, Role, UserId};
use valetkey_store::{Member, MemberName};
use valetkey_testbed::ForgeBed;

use crate::harness::{Client, TestServer, connect_body};

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

/// The entries that pass a filter, oldest first.
async fn entries(server: &TestServer, filter: &str) -> Vec<Value> {
    let listed = server.admin().get(&format!("/api/v1/audit?limit=200&{filter}")).await.ok();
    let mut items = listed["items"].as_array().unwrap().clone();
    items.reverse();
    items
}

fn words(entries: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let word =
        |entry: &Value| format!("{} {} {}", text(&entry["actor"]), text(&entry["action"]), text(&entry["outcome"]));
    entries.iter().map(word).collect()
}

#[tokio::test]
async fn a_session_s_way_through_the_house_is_recorded() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let made = admin.post("/api/v1/integrations", connect_body(&forge)).await.created();
    let session = json!({
        "task": "Write",
        "repositories": [{"url": forge.twin.clone_url(forge.path)}],
        "agent": {"command": ["sh", "-c", "echo x > new.txt"]},
    });
    let session = admin.post("/api/v1/projects/default/sessions", session).await.created();
    let id = session["id"].as_str().unwrap();
    admin.get(&format!("/api/v1/projects/default/sessions/{id}/events")).await;

    // Its end is noted once it is recorded, which is what ends the stream of events.
    let own = loop {
        let own = entries(&server, &format!("session={id}")).await;
        if words(&own).last().unwrap() == "system session.end allowed" {
            break own;
        }
        tokio::task::yield_now().await;
    };
    let said = words(&own);
    assert_eq!(said.first().unwrap(), "admin session.create allowed");
    assert!(said.contains(&"admin credential.use allowed".to_owned()), "{said:?}");
    let uses: Vec<_> = own.iter().filter(|entry| entry["action"] == "credential.use").collect();
    for (given, access) in [("environment", Value::Null), ("git", json!("read")), ("git", json!("push"))] {
        let found = uses.iter().find(|entry| entry["detail"]["given"] == given && entry["detail"]["access"] == access);
        let found = found.unwrap_or_else(|| panic!("{given} {access}: {own:#?}"));
        assert_eq!((&found["object"]["id"], &found["project"]), (&made["id"], &json!("default")));
    }
    let connected = entries(&server, &format!("object={}", made["id"].as_str().unwrap())).await;
    assert_eq!(words(&connected)[0], "admin integration.connect allowed");
    server.shut_down().await;
}

#[tokio::test]
async fn signing_in_and_out_and_failing_to_is_recorded() {
    let server = TestServer::start().await;
    let link = server.app.sign_in_link().await.unwrap();
    let link = link.strip_prefix(crate::harness::PUBLIC_URL).unwrap();
    let reply = server.anonymous().press(link).await;
    let cookie = reply.header("set-cookie").split(';').next().unwrap().to_owned();
    server.anonymous().with("cookie", &cookie).press("/sign-out").await;
    let wrong = "token=vk_Canary0Canary0Canary0";
    assert_eq!(server.anonymous().send(Method::POST, "/sign-in", FORM, wrong).await.status, StatusCode::UNAUTHORIZED);
    let all = entries(&server, "action=sign_").await;
    assert_eq!(words(&all), ["admin sign_in allowed", "admin sign_out allowed", "- sign_in refused"]);
    assert_eq!((&all[0]["detail"]["by"], &all[2]["code"]), (&json!("link"), &json!("unauthenticated")));
    assert!(!serde_json::to_string(&all).unwrap().contains("Canary"));
}

#[tokio::test]
async fn changes_and_refusals_are_recorded_with_what_they_were_about() {
    let server = TestServer::start().await;
    let token = server.admin().post("/api/v1/tokens", json!({"name": "ci"})).await.created();
    let id = token["id"].as_str().unwrap();
    server.admin().delete(&format!("/api/v1/tokens/{id}")).await.nothing();
    server.admin().delete(&format!("/api/v1/tokens/{id}")).await.refused(404, "not_found");
    let bob = server.somebody("bob").await;
    bob.get("/api/v1/projects/default").await.refused(404, "not_found");
    bob.get("/api/v1/audit/verify").await.refused(403, "forbidden");

    let of_token = entries(&server, &format!("object={id}")).await;
    assert_eq!(
        words(&of_token),
        ["admin token.create allowed", "admin token.revoke allowed", "admin token.revoke refused"]
    );
    let refused = entries(&server, "actor=bob").await;
    assert_eq!(words(&refused), ["bob getProject refused", "bob verifyAudit refused"]);
    assert_eq!(refused[0]["project"], "default", "so its admins see who tried");
}

#[tokio::test]
async fn a_flood_of_refusals_does_not_fill_the_disk() {
    let server = TestServer::start().await;
    for n in 0..200 {
        server.anonymous().get("/api/v1/tokens").await.refused(401, "unauthenticated");
        server.bearer(&format!("guess-{n}")).get("/api/v1/projects").await.refused(401, "unauthenticated");
    }
    assert_eq!(entries(&server, "outcome=refused").await.len(), 1);
}

#[tokio::test]
async fn another_site_s_attempt_is_recorded() {
    let server = TestServer::start().await;
    let attack = server.admin().with("sec-fetch-site", "cross-site");
    attack.post("/api/v1/tokens", json!({"name": "theirs"})).await.refused(403, "forbidden");
    assert_eq!(words(&entries(&server, "action=token").await), ["- token.create refused"]);
}

async fn member(server: &TestServer, name: &str, role: Role) -> Client {
    let client = server.somebody(name).await;
    let id: UserId = name.parse().unwrap();
    let member = Member { name: MemberName::Person(id), role, added_at: server.bed.clock.now() };
    server.bed.store.set_member(&ProjectName::default_project(), &member).await.unwrap();
    client
}

#[tokio::test]
async fn everybody_reads_what_they_may_and_no_more() {
    let server = TestServer::start().await;
    let (eve, mia) = (member(&server, "eve", Role::Admin).await, member(&server, "mia", Role::Member).await);
    server.admin().post("/api/v1/tokens", json!({"name": "ci"})).await.created();
    mia.post("/api/v1/tokens", json!({"name": "mine"})).await.created();
    for client in [&eve, &mia] {
        client.get("/api/v1/audit").await.refused(403, "forbidden");
        client.get("/api/v1/audit/export").await.refused(403, "forbidden");
        client.get("/api/v1/audit?actor=admin").await.refused(403, "forbidden");
    }
    mia.get("/api/v1/audit?project=default").await.refused(403, "forbidden");
    let page = eve.get("/api/v1/audit?project=default").await.ok();
    for entry in page["items"].as_array().unwrap() {
        assert_eq!(entry["project"], "default");
    }
    let mine = mia.get("/api/v1/audit?mine=true&actor=admin").await.ok();
    assert_eq!(mine["items"], json!([]), "mine is mine");
    let mine = mia.get("/api/v1/audit?mine=true&action=token").await.ok();
    assert_eq!(mine["items"][0]["actor"], "mia");
    for (client, status) in [(&eve, StatusCode::OK), (&mia, StatusCode::OK)] {
        let page = client.get("/audit").await;
        assert_eq!(page.status, status);
        assert!(!page.body.contains("Make an API token</strong> <span dir=\"auto\">Administrator"), "{}", page.body);
    }
    assert!(!mia.get("/").await.body.contains("href=\"/audit\""), "not in the navigation");
    assert!(eve.get("/").await.body.contains("href=\"/audit\""));
}

#[tokio::test]
async fn an_export_holds_by_itself_and_the_server_says_so_of_the_trail() {
    let server = TestServer::start().await;
    for n in 0..250 {
        server.admin().post("/api/v1/tokens", json!({"name": format!("t{n}")})).await.created();
    }
    let export = server.admin().get("/api/v1/audit/export").await;
    assert_eq!(export.header("content-type"), "application/x-ndjson");
    let entries: Vec<AuditEntry> = export.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mark = entries.iter().try_fold(AuditMark::START, AuditMark::follow).unwrap();
    assert_eq!(mark.seq, 251, "the export is recorded before anything is read");
    let report = server.admin().get(&format!("/api/v1/audit/verify?mark={mark}")).await.ok();
    assert_eq!((&report["entries"], &report["broken"]), (&json!(251), &Value::Null));
    server.admin().get("/api/v1/audit/verify?mark=1").await.refused(400, "invalid_input");
    let page = server.admin().get("/audit/verify").await;
    assert!(page.body.contains("All 251 entries from number 1 on are as they were written"), "{}", page.body);
    let page = server.admin().get("/audit?action=token&outcome=allowed").await;
    assert!(page.body.contains("token.create") && page.body.contains("before=") && page.body.contains("rel=\"next\""));
}

#[tokio::test]
async fn what_is_old_is_forgotten_and_that_is_recorded() {
    let server = TestServer::start().await;
    server.admin().post("/api/v1/tokens", json!({"name": "old"})).await.created();
    server.bed.clock.advance(SignedDuration::from_hours(24 * 40));
    let trail = server.bed.integrations.trail();
    let before = server.bed.clock.now() - SignedDuration::from_hours(24 * 30);
    assert_eq!(trail.forget(before).await.unwrap(), 1);
    assert_eq!(trail.forget(before).await.unwrap(), 0);
    assert_eq!(words(&entries(&server, "").await), ["system audit.purge allowed"]);
    let report = server.admin().get("/api/v1/audit/verify").await.ok();
    assert_eq!((&report["anchor"]["seq"], &report["broken"]), (&json!(1), &Value::Null));
}

#[tokio::test]
async fn a_credential_is_not_given_when_that_can_not_be_recorded() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    server.admin().post("/api/v1/integrations", connect_body(&forge)).await.created();
    let (me, project) = (valetkey_model::Actor::admin(), ProjectName::default_project());
    let instance = forge.twin.url().parse().unwrap();
    let given = || server.bed.integrations.credential_for(&me, &project, &instance, None);
    given().await.unwrap();
    server.bed.store.close().await;
    assert!(given().await.is_err());
}
