//! People at a terminal, with somebody whom a proxy vouches for.

use std::fs;

use valetkey_twins::Forge;

use crate::{
    browser::client,
    server::{Server, signed_in},
    support::Person,
};

const SECRET: &str = "the secret of the proxy";

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_made_an_administrator_by_hand_and_shut_out() {
    let mut person = Person::at(Forge::GitLab).await;
    fs::write(person.path("proxy-secret"), SECRET).unwrap();
    let settings = "[trusted_proxy]\nsecret_file = 'proxy-secret'\nuser_header = 'X-Forwarded-User'\n";
    fs::write(person.path("valetkey.toml"), settings).unwrap();
    person.set("VALETKEY_CONFIG", "valetkey.toml");
    let server = Server::start(&person).await;
    let person = signed_in(person, &server).await;
    let ask = client().get(format!("{}/api/v1/me", server.url));
    let ask = ask.header("x-valetkey-proxy-secret", SECRET).header("x-forwarded-user", "bob");
    let me: serde_json::Value = ask.send().await.unwrap().json().await.unwrap();
    let id = me["id"].as_str().unwrap();

    let shown = async || {
        let all = person.run(&["people", "list", "-o", "json"]).await.ok().json();
        all["items"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap().clone()
    };

    let said = person.run(&["people", "administrator", id]).await.ok().stdout;
    assert!(said.contains("is an administrator") && shown().await["administrator"] == true, "{said}");
    person.run(&["people", "administrator", id, "--unset"]).await.ok();
    assert_eq!(shown().await["administrator"], false);
    assert!(person.run(&["people", "disable", id]).await.ok().stdout.contains("Disabled"));
    assert_eq!(shown().await["disabled"], true);
    assert!(person.run(&["people", "enable", id]).await.ok().stdout.contains("can sign in again"));
    assert_eq!(shown().await["disabled"], false);
    person.run(&["people", "disable", "nobody@example.test"]).await.failed(1, "nobody with this id");
}
