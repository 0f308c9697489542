use serde_json::{Value, json};
use valetkey_testbed::ForgeBed;

use crate::{browser::callback, harness::TestServer};

const ALL: &str = "/api/v1/provider-apps";

#[tokio::test]
async fn an_app_is_registered_shown_replaced_and_removed() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    assert_eq!(admin.get(ALL).await.ok(), json!({"callbackUrl": callback(), "items": []}));

    let new =
        json!({"provider": "gitlab", "instanceUrl": forge.twin.url(), "clientId": "one", "clientSecret": "canary-1"});
    let wanted = json!({
        "provider": "gitlab",
        "instanceUrl": forge.twin.url(),
        "clientId": "one",
        "fromSettings": false,
        "callbackUrl": callback(),
    });
    assert_eq!(admin.post(ALL, new).await.created(), wanted);
    assert_eq!(admin.get(ALL).await.ok()["items"], json!([wanted]));

    let other = json!({"provider": "gitlab", "instanceUrl": forge.twin.url(), "clientId": "two"});
    admin.post(ALL, other).await.created();
    admin.post(ALL, json!({"provider": "gitlab", "clientId": "public"})).await.created();
    let items = admin.get(ALL).await.ok()["items"].clone();
    let ids: Vec<&str> = items.as_array().unwrap().iter().map(|item| item["clientId"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), ids.contains(&"two"), ids.contains(&"public")), (2, true, true));

    admin.delete(&format!("{ALL}?provider=gitlab&instanceUrl={}", forge.twin.url())).await.nothing();
    admin.delete(&format!("{ALL}?provider=gitlab")).await.nothing();
    admin.delete(&format!("{ALL}?provider=gitlab")).await.refused(404, "not_found");
    assert_eq!(admin.get(ALL).await.ok()["items"], json!([]));
    assert!(server.answers().iter().all(|answer| !answer.contains("canary")), "the secret is never answered");
}

#[tokio::test]
async fn the_catalogue_says_where_people_can_consent() {
    let (server, forge) = (TestServer::start().await, ForgeBed::gitlab().await);
    let admin = server.admin();
    let gitlab = async || -> Value {
        let all = admin.get("/api/v1/providers").await.ok();
        all["items"].as_array().unwrap().iter().find(|item| item["provider"] == "gitlab").unwrap().clone()
    };
    let before = gitlab().await;
    assert_eq!((&before["oauth"], &before["apps"]), (&json!(false), &json!([])));
    assert_eq!(before["authMethods"], json!(["pat", "oauth"]));
    assert_eq!(before["fields"], before["methods"][0]["fields"], "the first method's, beside all methods");
    assert_eq!(before["requiredScopes"], before["methods"][0]["requiredScopes"]);

    admin.post(ALL, json!({"provider": "gitlab", "instanceUrl": forge.twin.url(), "clientId": "own"})).await.created();
    let own = gitlab().await;
    assert_eq!((&own["oauth"], &own["apps"]), (&json!(false), &json!([{"instanceUrl": forge.twin.url()}])));
    admin.post(ALL, json!({"provider": "gitlab", "clientId": "public"})).await.created();
    assert_eq!(gitlab().await["oauth"], true);
}

#[tokio::test]
async fn what_is_no_app_is_refused() {
    let server = TestServer::start().await;
    let admin = server.admin();
    for wrong in [
        json!({"provider": "gitlab"}),
        json!({"provider": "gitlab", "clientId": " "}),
        json!({"provider": "gitlab", "clientId": "a\nb"}),
        json!({"provider": "gitlab", "clientId": "a", "instanceUrl": "http://gitlab.example.com"}),
        json!({"provider": "gitlab", "clientId": "a", "origin": "settings"}),
        json!({"provider": "bitbucket-dc", "clientId": "a"}),
    ] {
        admin.post(ALL, wrong).await.refused(400, "invalid_input");
    }
    admin.delete(&format!("{ALL}?provider=bitbucket-dc")).await.refused(400, "invalid_input");
}

#[tokio::test]
async fn apps_are_the_administrator_s() {
    let server = TestServer::start().await;
    let eve = server.somebody("eve").await;
    eve.get(ALL).await.refused(403, "forbidden");
    eve.post(ALL, json!({"provider": "gitlab", "clientId": "evil"})).await.refused(403, "forbidden");
    eve.delete(&format!("{ALL}?provider=gitlab")).await.refused(403, "forbidden");
}
