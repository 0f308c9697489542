use std::fs;

use valetkey_twins::Forge;

use crate::{server::Server, support::Person};

const SECRET: &str = "gloas-a-secret-of-the-app";

fn file(person: &Person, text: &str) {
    fs::write(person.path("valetkey.toml"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_apps_of_the_settings_file_come_and_go_with_the_server() {
    let mut person = Person::at(Forge::GitLab).await;
    person.set("VALETKEY_CONFIG", person.path("valetkey.toml").to_string_lossy());
    file(&person, "[[provider_app]]\nprovider = 'gitlab'\nclient_id = 'abc'\nclient_secret_file = 'secret'\n");

    person.run(&["serve", "--listen", "127.0.0.1:0"]).await.failed(2, "can't be read from");
    fs::write(person.path("secret"), format!("{SECRET}\n")).unwrap();
    let mut server = Server::start(&person).await;
    assert_eq!(server.end().await, Some(0));
    let said = person.run(&["doctor"]).await.ok().stdout;
    assert!(said.contains("1 registered, 1 in the settings file"), "{said}");

    file(&person, "");
    assert!(person.run(&["doctor"]).await.ok().stdout.contains("1 registered, 0 in the settings file"));
    let mut server = Server::start(&person).await;
    assert_eq!(server.end().await, Some(0));
    assert!(person.run(&["doctor"]).await.ok().stdout.contains("0 registered"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_tells_of_integrations_that_need_somebody_and_of_a_proxy() {
    let mut person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    let said = person.run(&["doctor"]).await.ok().stdout;
    assert!(said.contains("1 connected") && said.contains("providers are called directly"), "{said}");
    person.twin.set_token_state(&person.token, valetkey_twins::TokenState::Revoked);
    let all = person.run(&["integrations", "list", "-o", "json"]).await.ok().json();
    person.run(&["integrations", "test", all["items"][0]["id"].as_str().unwrap()]).await;
    let said = person.run(&["doctor"]).await.ok().stdout;
    assert!(said.contains("is disconnected") && said.contains("Connect it again: valetkey connect gitlab"), "{said}");
    person.set("HTTPS_PROXY", "http://user:password-of-the-proxy@proxy.example.test:3128");
    let said = person.run(&["doctor"]).await.stdout;
    assert!(said.contains("through that of HTTPS_PROXY") && !said.contains("password-of-the-proxy"), "{said}");
}
