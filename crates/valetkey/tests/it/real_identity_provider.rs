//! The program against a certified OpenID provider that others wrote. `cargo xtask peers` starts it and names it in
//! `VALETKEY_TEST_SIGN_IN`.

use std::{env, fs};

use reqwest::StatusCode;
use serde_json::{Value, json};
use url::Url;
use valetkey_twins::Forge;

use crate::{
    browser::{Browser, place},
    server::Server,
    support::Person,
};

/// A server whose people sign in there, and a forge for them to connect.
async fn serving() -> Option<(Person, Server)> {
    let Ok(issuer) = env::var("VALETKEY_TEST_SIGN_IN") else {
        eprintln!("skipped: a certified OpenID provider (VALETKEY_TEST_SIGN_IN names none; run `cargo xtask peers`)");
        return None;
    };
    let mut person = Person::at(Forge::GitLab).await;
    let settings = format!(
        "[oidc]\nissuer = '{issuer}'\nclient_id = 'valetkey'\nclient_secret_env = 'OIDC_SECRET'\n\
         scopes = ['openid', 'profile', 'email', 'groups']\nadmin_groups = ['keepers']\nallowed_domains = ['example.test']\n"
    );
    fs::write(person.path("valetkey.toml"), settings).unwrap();
    person.set("VALETKEY_CONFIG", person.path("valetkey.toml").to_str().unwrap());
    person.set("OIDC_SECRET", "a secret: 100% + more/&=");
    let server = Server::start(&person).await;
    Some((person, server))
}

/// Somebody's browser, and the last page that it came to.
async fn arrives(server: &Server, name: &str) -> (Browser, StatusCode, String) {
    let mut browser = Browser::new();
    let mut answer = browser.get(&format!("{}/sign-in/oidc", server.url)).await;
    for _ in 0..20 {
        if let Some(next) = place(&answer) {
            answer = browser.get(next.as_str()).await;
            continue;
        }
        let (here, status, page) = (answer.url().clone(), answer.status(), answer.text().await.unwrap());
        let Some(form) = form_of(&here, &page, name) else { return (browser, status, page) };
        answer = browser.submit(form.0.as_str(), &form.1).await;
    }
    panic!("sent on for ever");
}

/// What somebody sends from the provider's page: their name, then that they agree.
fn form_of(here: &Url, page: &str, name: &str) -> Option<(Url, Value)> {
    let action = page.split_once("action=\"")?.1.split_once('"')?.0;
    let prompt = page.split_once("name=\"prompt\" value=\"")?.1.split_once('"')?.0;
    let fields = match prompt {
        "login" => json!({ "prompt": prompt, "login": name, "password": "of no importance" }),
        _ => json!({ "prompt": prompt }),
    };
    Some((here.join(action).ok()?, fields))
}

async fn signed_in(server: &Server, name: &str) -> Browser {
    let (browser, status, page) = arrives(server, name).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    browser
}

async fn json_of(browser: &mut Browser, server: &Server, path: &str) -> Value {
    let answer = browser.get(&format!("{}{path}", server.url)).await;
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, StatusCode::OK, "{text}");
    serde_json::from_str(&text).unwrap()
}

async fn connects(browser: &mut Browser, server: &Server, person: &Person) -> String {
    let auth = json!({ "method": "pat", "token": person.token });
    let body = json!({ "provider": "gitlab", "instanceUrl": person.twin.url(), "auth": auth });
    let answer = browser.post_json(&format!("{}/api/v1/integrations", server.url), &body).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_sign_in_and_see_only_their_own() {
    let Some((person, server)) = serving().await else { return };
    let (mut bob, mut cleo) = (signed_in(&server, "bob").await, signed_in(&server, "cleo").await);
    for (browser, name) in [(&mut bob, "bob"), (&mut cleo, "cleo")] {
        let me = json_of(browser, &server, "/api/v1/me").await;
        assert_eq!(me["name"], format!("The person {name}"));
        assert_eq!((&me["email"], &me["administrator"]), (&json!(format!("{name}@example.test")), &json!(false)));
    }
    let his = connects(&mut bob, &server, &person).await;
    let hers = connects(&mut cleo, &server, &person).await;
    for (browser, own, foreign) in [(&mut bob, &his, &hers), (&mut cleo, &hers, &his)] {
        let listed = json_of(browser, &server, "/api/v1/integrations").await;
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        assert_eq!(listed["items"][0]["id"], **own);
        let foreign = browser.get(&format!("{}/api/v1/integrations/{foreign}", server.url)).await;
        assert_eq!(foreign.status(), StatusCode::NOT_FOUND);
    }

    // On the server's machine an administrator sees both and shuts one out.
    let people = person.run(&["people"]).await.ok();
    assert!(people.stdout.contains("bob@example.test") && people.stdout.contains("cleo@example.test"), "{people:?}");
    person.run(&["people", "disable", "bob@example.test"]).await.ok();
    let answer = bob.get(&format!("{}/api/v1/me", server.url)).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let (_, status, page) = arrives(&server, "bob").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(page.contains("disabled"), "{page}");
    json_of(&mut cleo, &server, "/api/v1/me").await;
    person.run(&["people", "enable", "bob@example.test"]).await.ok();
    signed_in(&server, "bob").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_make_administrators_and_an_unverified_address_lets_nobody_in() {
    let Some((person, server)) = serving().await else { return };
    let mut anna = signed_in(&server, "anna").await;
    assert_eq!(json_of(&mut anna, &server, "/api/v1/me").await["administrator"], true);
    let people = json_of(&mut anna, &server, "/api/v1/people?q=anna").await;
    assert_eq!(people["items"][0]["administratorByClaims"], true);
    let (_, status, page) = arrives(&server, "unverified").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(page.contains("verified e-mail address"), "{page}");
    let health = person.run(&["doctor"]).await;
    assert!(health.stdout.contains("is an OpenID provider"), "{health:?}");
}
