use std::collections::BTreeSet;

use serde_json::{Value, json};
use valetkey_testbed::ForgeBed;
use valetkey_twins::{Forge, Switch};

use crate::harness::{TestServer, connect_body};

const SEARCH: &str = "/api/v1/projects/default/repositories/search";
const BRANCHES: &str = "/api/v1/projects/default/repositories/branches";

#[tokio::test]
async fn repositories_are_found_through_every_account() {
    let (server, one, two) = (TestServer::start().await, ForgeBed::gitlab().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let first = admin.post("/api/v1/integrations", connect_body(&one)).await.created()["id"].clone();
    let second = admin.post("/api/v1/integrations", connect_body(&two)).await.created()["id"].clone();
    one.repository("team/sub/other");

    let found = admin.get(&format!("{SEARCH}?q=app")).await.ok();
    assert_eq!(found["failures"], json!([]));
    let seen: Vec<(&Value, &Value)> =
        found["items"].as_array().unwrap().iter().map(|item| (&item["integration"], &item["url"])).collect();
    assert_eq!(seen, [(&first, &json!(one.url())), (&second, &json!(two.url()))]);
    let item = &found["items"][0];
    assert_eq!((&item["path"], &item["private"], &item["archived"]), (&json!(one.path), &json!(true), &json!(false)));
    assert_eq!(item["defaultBranch"], "main");

    let only = admin.get(&format!("{SEARCH}?integration={}", second.as_str().unwrap())).await.ok();
    assert_eq!(only["items"].as_array().unwrap().len(), 1);
    assert_eq!(admin.get(&format!("{SEARCH}?provider=github")).await.ok(), json!({"items": [], "failures": []}));
    let some = admin.get(&format!("{SEARCH}?limit=1")).await.ok();
    assert_eq!((some["items"].as_array().unwrap().len(), &some["nextCursor"]), (2, &json!("1")), "of each");
    let rest = admin.get(&format!("{SEARCH}?limit=1&cursor=1")).await.ok();
    assert_eq!(rest["items"].as_array().unwrap().len(), 1, "one account has a second one");
    assert_ne!(rest["items"][0]["url"], some["items"][0]["url"]);
    assert_eq!(rest["nextCursor"], json!(null));

    two.twin.switch(Switch::Down);
    let partly = admin.get(SEARCH).await.ok();
    assert_eq!(partly["items"].as_array().unwrap().len(), 2, "one that is down does not hide what the other sees");
    assert_eq!(partly["failures"][0]["integration"], second);
    assert_eq!(partly["failures"][0]["problem"]["code"], "provider_unreachable");
}

#[tokio::test]
async fn a_search_goes_through_what_an_account_sees_without_a_gap() {
    for forge in [ForgeBed::gitlab().await, ForgeBed::github().await, ForgeBed::start(Forge::Gitea).await] {
        let server = TestServer::start().await;
        let admin = server.admin();
        admin.post("/api/v1/integrations", connect_body(&forge)).await.created();
        for n in 0..7 {
            forge.repository(&format!("team/r{n}"));
        }
        for size in 1..=4 {
            let (mut seen, mut cursor) = (BTreeSet::new(), String::new());
            loop {
                let found = admin.get(&format!("{SEARCH}?q=r&limit={size}{cursor}")).await.ok();
                for item in found["items"].as_array().unwrap() {
                    assert!(seen.insert(item["url"].to_string()), "twice: {item}");
                }
                let Some(next) = found["nextCursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(seen.len(), 7, "{} in pages of {size}", forge.kind());
        }
    }
}

#[tokio::test]
async fn all_branches_are_listed_with_the_account_that_a_session_would_use() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let path = format!("{BRANCHES}?url={}", forge.url());
    admin.get(&path).await.refused(422, "integration_missing");
    admin.post("/api/v1/integrations", connect_body(&forge)).await.created();
    let commit = forge.twin.head(forge.path, "main").unwrap();
    let main = json!({"name": "main", "commit": commit, "protected": false, "default": true});
    assert_eq!(admin.get(&path).await.ok(), json!({"items": [main]}));
}

#[tokio::test]
async fn what_can_not_be_searched_is_refused() {
    let server = TestServer::start().await;
    let admin = server.admin();
    for wrong in
        ["?limit=0", "?limit=101", "?cursor=-1", "?cursor=1000", "?cursor=x", "?provider=sourceforge", "?page=2"]
    {
        admin.get(&format!("{SEARCH}{wrong}")).await.refused(400, "invalid_input");
    }
    admin.get(&format!("{SEARCH}?integration=nobodys")).await.refused(404, "not_found");
    admin.get("/api/v1/projects/nowhere/repositories/search").await.refused(404, "not_found");
    admin
        .get("/api/v1/projects/nowhere/repositories/branches?url=https://gitlab.com/a/b")
        .await
        .refused(404, "not_found");
    for wrong in ["", "?url=", "?url=ext::sh%20-c%20id", "?url=file:///etc/passwd"] {
        admin.get(&format!("{BRANCHES}{wrong}")).await.refused(400, "invalid_input");
    }
}
