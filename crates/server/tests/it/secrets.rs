//! Secrets by the API and the pages: names and times come out, values never.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use valetkey_model::{Clock as _, ProjectName, Role};
use valetkey_store::{Member, MemberName};
use valetkey_testbed::ForgeBed;

use crate::{
    harness::{Client, Reply, TestServer, connect_body},
    session_credentials::Running,
};

const MINE: &str = "/api/v1/secrets";
const THE_PROJECT_S: &str = "/api/v1/projects/default/secrets";

/// Somebody with a role in the project.
async fn in_project(server: &TestServer, name: &str, role: Role) -> Client {
    let client = server.somebody(name).await;
    let member = Member { name: MemberName::Person(name.parse().unwrap()), role, added_at: server.bed.clock.now() };
    server.bed.store.set_member(&ProjectName::default_project(), &member).await.unwrap();
    client
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

async fn submit(client: &Client, path: &str, fields: &[(&str, &str)]) -> Reply {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    client.send(Method::POST, path, Some("application/x-www-form-urlencoded"), body.finish()).await
}

#[tokio::test]
async fn a_secret_is_kept_replaced_listed_and_erased_and_its_value_never_shown() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let first = json!({"name": "GITLAB_TOKEN", "value": "canary-one", "description": "reads only"});
    let made = admin.post(MINE, first).await.ok();
    assert_eq!(made["overrides"], "gitlab");
    assert_eq!((&made["warnings"], &made["description"]), (&json!([]), &json!("reads only")));
    let again = admin.post(MINE, json!({"name": "GITLAB_TOKEN", "value": "canary-two\nof lines"})).await.ok();
    assert_eq!((&again["id"], &again["description"]), (&made["id"], &json!("reads only")), "the same one");
    let short = admin.post(MINE, json!({"name": "PIN", "value": "canary", "description": ""})).await.ok();
    assert!(short["warnings"][0].as_str().unwrap().starts_with("PIN has under 8 characters"), "{short}");
    assert_eq!(short.get("overrides"), None);

    let list = admin.get(MINE).await.ok();
    assert_eq!(names(&list), ["GITLAB_TOKEN", "PIN"]);
    let page = admin.get(&format!("{MINE}?limit=1")).await.ok();
    let next = page["nextCursor"].as_str().unwrap();
    assert_eq!(names(&admin.get(&format!("{MINE}?limit=1&cursor={next}")).await.ok()), ["PIN"]);
    admin.delete(&format!("{MINE}/PIN")).await.nothing();
    admin.delete(&format!("{MINE}/PIN")).await.refused(404, "not_found");
    assert_eq!(names(&admin.get(MINE).await.ok()), ["GITLAB_TOKEN"]);
    assert!(server.answers().iter().all(|answer| !answer.contains("canary")), "an answer holds a value");
}

#[tokio::test]
async fn what_is_wrong_is_refused_without_repeating_it() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let token = format!("ghp_{}", "canary0A".repeat(5));
    for (body, words) in [
        (json!({"name": "GIT_SSH_COMMAND", "value": "canary"}), "git reads"),
        (json!({"name": "LD_PRELOAD", "value": "canary"}), "which programs run"),
        (json!({"name": "canary-canary", "value": "canary"}), "environment variable"),
        (json!({"name": token, "value": "x"}), "looks like a token"),
        (json!({"name": "A", "value": ""}), "empty"),
        (json!({"name": "A", "value": "canary\u{0}"}), "NUL"),
        (json!({"name": "A", "value": "canary".repeat(11_000)}), "64 KiB"),
        (json!({"name": "A", "value": ["canary"]}), "value"),
        (json!({"name": "A", "value": "canary", "description": "canary\ncanary"}), "description"),
        (json!({"name": "A", "value": "canary", "owner": "eve"}), "unknown field"),
        (json!({"name": "A", "secret": "canary"}), "unknown field"),
    ] {
        let problem = admin.post(MINE, body).await.refused(400, "invalid_input");
        assert!(problem["detail"].as_str().unwrap().contains(words), "{words}: {problem}");
    }
    assert!(names(&admin.get(MINE).await.ok()).is_empty());
    assert!(server.answers().iter().all(|answer| !answer.contains("canary")), "an answer repeats what was sent");
}

#[tokio::test]
async fn there_is_room_for_much_and_not_for_everything() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let value = "x".repeat(60 * 1024);
    for n in 0..4 {
        admin.post(MINE, json!({"name": format!("S{n}"), "value": value})).await.ok();
    }
    admin.post(MINE, json!({"name": "S4", "value": value})).await.refused(409, "conflict");
    admin.post(MINE, json!({"name": "S3", "value": value})).await.ok();
    admin.post(THE_PROJECT_S, json!({"name": "S4", "value": value})).await.ok();
}

#[tokio::test]
async fn a_person_s_are_theirs_and_a_project_s_follow_its_roles() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let secret = |name: &str| json!({"name": name, "value": "a value of some length"});
    admin.post(MINE, secret("OF_THE_ADMINISTRATOR")).await.ok();
    admin.post(THE_PROJECT_S, secret("SHARED")).await.ok();
    let outsider = server.somebody("olga").await;
    let viewer = in_project(&server, "vera", Role::Viewer).await;
    let member = in_project(&server, "mia", Role::Member).await;
    let head = in_project(&server, "ada", Role::Admin).await;
    for client in [&outsider, &viewer, &member, &head] {
        assert!(names(&client.get(MINE).await.ok()).is_empty(), "nobody sees another's");
        client.delete(&format!("{MINE}/OF_THE_ADMINISTRATOR")).await.refused(404, "not_found");
    }
    member.post(MINE, secret("MIAS")).await.ok();
    assert_eq!(names(&admin.get(MINE).await.ok()), ["OF_THE_ADMINISTRATOR"], "not even an administrator does");
    for (client, status, code) in [(&outsider, 404, "not_found"), (&viewer, 403, "forbidden")] {
        client.get(THE_PROJECT_S).await.refused(status, code);
        client.get("/projects/default/secrets").await.refused(status, code);
    }
    for client in [&member, &head] {
        assert_eq!(names(&client.get(THE_PROJECT_S).await.ok()), ["SHARED"]);
    }
    for (client, status, code) in
        [(&outsider, 404, "not_found"), (&viewer, 403, "forbidden"), (&member, 403, "forbidden")]
    {
        client.post(THE_PROJECT_S, secret("SHARED")).await.refused(status, code);
        client.delete(&format!("{THE_PROJECT_S}/SHARED")).await.refused(status, code);
        submit(client, "/projects/default/secrets/set", &[("name", "X"), ("value", "x")]).await.refused(status, code);
        submit(client, "/projects/default/secrets/SHARED/delete", &[]).await.refused(status, code);
    }
    head.post(THE_PROJECT_S, secret("ANOTHER")).await.ok();
    head.delete(&format!("{THE_PROJECT_S}/SHARED")).await.nothing();
    admin.get("/api/v1/projects/nowhere/secrets").await.refused(404, "not_found");
    admin.post("/api/v1/projects/nowhere/secrets", secret("A")).await.refused(404, "not_found");
}

#[tokio::test]
async fn the_pages_keep_replace_and_delete_and_show_no_value() {
    let server = TestServer::start().await;
    let admin = server.admin();
    let leads_to = |reply: Reply| {
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
        reply.header("location").to_owned()
    };
    for base in ["/secrets", "/projects/default/secrets"] {
        let set = format!("{base}/set");
        assert!(admin.get(base).await.body.contains("No secrets yet"));
        let fields = [("name", "NPM_TOKEN"), ("value", "canary-of-a-page"), ("description", "For <b>npm</b>")];
        assert_eq!(leads_to(submit(&admin, &set, &fields).await), format!("{base}?did=secret-set"));
        let page = admin.get(base).await.body;
        assert!(page.contains("NPM_TOKEN") && page.contains("For &lt;b&gt;npm&lt;/b&gt;"), "{page}");
        let form = admin.get(&format!("{set}?name=NPM_TOKEN")).await.body;
        assert!(form.contains("Replace NPM_TOKEN") && form.contains("For &lt;b&gt;npm"), "{form}");
        let fields = [("replaces", "NPM_TOKEN"), ("value", "canary!"), ("description", "")];
        let to = leads_to(submit(&admin, &set, &fields).await);
        assert_eq!(to, format!("{base}?did=secret-set&short=NPM_TOKEN"));
        assert!(admin.get(&to).await.body.contains("NPM_TOKEN is too short to be hidden"));
        let refused = submit(&admin, &set, &[("name", "PATH"), ("value", "canary")]).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(refused.body.contains("which programs run"), "{}", refused.body);
        let delete = format!("{base}/NPM_TOKEN/delete");
        assert!(admin.get(&delete).await.body.contains("Delete NPM_TOKEN?"));
        assert_eq!(leads_to(submit(&admin, &delete, &[]).await), format!("{base}?did=secret-deleted"));
        admin.get(&delete).await.refused(404, "not_found");
    }
    assert!(server.answers().iter().all(|answer| !answer.contains("canary")), "a page shows a value");
}

#[tokio::test]
async fn a_session_that_asks_is_given_the_secret_in_a_token_s_place() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    admin.post("/api/v1/integrations", connect_body(&forge)).await.created();
    admin.post(THE_PROJECT_S, json!({"name": "GITLAB_TOKEN", "value": "glpat-narrow0narrow0narrow0"})).await.ok();
    let session = Running::start(&server, &forge, "one").await;
    let own = server.bearer(&session.token);
    let given = own.get(&session.path("gitlab")).await.ok();
    assert_eq!((&given["token"], &given["userName"]), (&json!("glpat-narrow0narrow0narrow0"), &json!("john")));
    assert_eq!(given["instanceUrl"], forge.twin.url());

    // A newer value is what it is given then; without one it is given nothing, least of all the integration's token.
    admin.post(THE_PROJECT_S, json!({"name": "GITLAB_TOKEN", "value": "glpat-second0second0second0"})).await.ok();
    assert_eq!(own.get(&session.path("gitlab")).await.ok()["token"], "glpat-second0second0second0");
    admin.delete(&format!("{THE_PROJECT_S}/GITLAB_TOKEN")).await.nothing();
    let problem = own.get(&session.path("gitlab")).await.refused(404, "not_found");
    assert!(problem["detail"].as_str().unwrap().contains("stood in for the GitLab token"), "{problem}");
    session.end(&admin).await;
    assert!(server.answers().iter().all(|answer| !answer.contains(&forge.token)), "the integration's token came out");
}

#[tokio::test]
async fn a_secret_that_comes_later_changes_nothing_for_a_session_that_runs() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    admin.post("/api/v1/integrations", connect_body(&forge)).await.created();
    let session = Running::start(&server, &forge, "one").await;
    admin.post(MINE, json!({"name": "GITLAB_TOKEN", "value": "glpat-narrow0narrow0narrow0"})).await.ok();
    let given = server.bearer(&session.token).get(&session.path("gitlab")).await.ok();
    assert_eq!(given["token"], forge.token);
    session.end(&admin).await;
}
