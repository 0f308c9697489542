use serde_json::json;
use valetkey_twins::{Forge, Repository, Surface, Switch, Token, TokenState, Twin, User};

use crate::support::Person;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_connected_shown_and_disconnected() {
    let person = Person::at(Forge::GitLab).await;
    let said = person.connect().await.ok();
    for part in ["Connected GitLab as ada (Ada Lovelace)", person.twin.url(), "scopes", "api"] {
        assert!(said.stdout.contains(part), "{part} in {said:?}");
    }
    let list = person.run(&["integrations", "list", "--output", "json"]).await.ok().json();
    let found = &list["items"][0];
    assert_eq!(found["status"], "connected");
    assert_eq!(found["account"]["username"], "ada");
    assert_eq!(found["scope"], "user_global");
    let id = found["id"].as_str().unwrap();

    let yaml = person.run(&["integrations", "-o", "yaml"]).await.ok().stdout;
    assert!(yaml.starts_with("items:\n  - ") && yaml.contains("status: connected"), "{yaml}");
    let table = person.run(&["integrations"]).await.ok().stdout;
    assert!(table.starts_with("NAME") && table.contains("ada") && !table.contains('\u{1b}'), "{table}");

    let renamed = person.run(&["integrations", "rename", id, "Work"]).await.ok();
    assert!(renamed.stdout.contains("Work"), "{renamed:?}");
    let default = person.run(&["integrations", "default", "work", "-o", "json"]).await.ok().json();
    assert_eq!(default["isDefault"], json!(true));
    person.run(&["integrations", "show", "work"]).await.ok();
    let resolved = person.run(&["integrations", "resolve", &person.twin.clone_url("team/app")]).await.ok();
    assert!(resolved.stdout.contains("Work"), "{resolved:?}");
    let steps: Vec<_> = resolved.stdout.lines().skip_while(|line| *line != "looked at:").skip(1).collect();
    let [own, everywhere] = steps[..] else { panic!("a line for each step: {resolved:?}") };
    assert!(own.starts_with("  User integration") && everywhere.starts_with("  User Global"), "{resolved:?}");

    let none = ["integrations", "resolve", &person.twin.clone_url("team/app"), "--integration", "none"];
    let none = person.run(&none).await.ok().stdout;
    assert!(none.contains("integration:  none") && !none.contains("looked at"), "{none}");

    let gone = person.run(&["integrations", "disconnect", "Work"]).await.ok();
    assert!(gone.stdout.contains("erased"), "{gone:?}");
    let list = person.run(&["integrations", "-o", "json"]).await.ok().json();
    assert_eq!(list["items"], json!([]));
    person.run(&["integrations", "show", id]).await.failed(1, "You have no integration");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_on_the_command_line_is_refused_and_not_repeated() {
    let person = Person::at(Forge::GitLab).await;
    let token = person.token.as_str();
    let with_equals = format!("--token={token}");
    for args in [
        vec!["connect", "gitlab", token],
        vec!["connect", "gitlab", "--token", token],
        vec!["connect", "gitlab", &with_equals],
        vec!["connect", token],
    ] {
        let said = person.run(&args).await;
        assert_eq!(said.code, 2, "{said:?}");
    }
    person.run(&["connect", "gitlab", "--token", token]).await.failed(2, "can be read by every program");
    person.run(&["connect", "gitlab"]).await.failed(2, "--token-stdin");
    person.run_with(&["connect", "gitlab", "--token-stdin"], " \n").await.failed(2, "No token was given");
    assert!(person.twin.journal().is_empty(), "nothing was sent anywhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_of_the_same_account_takes_the_old_ones_place() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    let newer = person.twin.token(&person.account, Token::generated().scopes(["api"]));
    person.twin.set_token_state(&person.token, TokenState::Revoked);
    let tested = person.run(&["integrations", "test", "ada@127.0.0.1"]).await;
    assert_eq!(tested.code, 1, "the alias has the port: {tested:?}");
    let list = person.run(&["integrations", "-o", "json"]).await.ok().json();
    let id = list["items"][0]["id"].as_str().unwrap();
    let tested = person.run(&["integrations", "test", id, "-o", "json"]).await.ok().json();
    assert_eq!(tested["status"], "disconnected");

    let rotated = person.run_with(&["integrations", "rotate", id, "--token-stdin", "-o", "json"], &newer).await.ok();
    assert_eq!(rotated.json()["status"], "connected");
    assert!(!rotated.stdout.contains(&newer));

    let eve = person.twin.user(User::new("eve"));
    let foreign = person.twin.token(&eve, Token::generated().scopes(["api"]));
    person.run_with(&["integrations", "rotate", id, "--token-stdin"], &foreign).await.failed(3, "belongs to eve");
}

#[derive(Debug)]
enum Why {
    Token(TokenState),
    Forge(Surface, Switch),
}

/// How a token can be refused when it is connected: what brings it about, and what must be said.
#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_a_gitlab_token_says_what_happened() {
    let person = Person::at(Forge::GitLab).await;
    let limited = "GitLab API rate limit exceeded. Please wait a few minutes before retrying. GitLab.com allows 300 requests per minute.";
    let retry = Switch::RateLimited { retry_after: Some(7) };
    let refusals = [
        (Why::Token(TokenState::Revoked), "Authentication failed"),
        (Why::Token(TokenState::Expired), "Authentication failed"),
        (Why::Forge(Surface::Api, retry.clone()), limited),
        (Why::Forge(Surface::Api, retry), "Retry in 7 s."),
        (Why::Forge(Surface::Everywhere, Switch::Down), "127.0.0.1"),
        (Why::Forge(Surface::Everywhere, Switch::ServerError), "GitLab"),
        (Why::Forge(Surface::Everywhere, Switch::NotTheForge), "does not answer as GitLab"),
        (Why::Forge(Surface::Api, Switch::InsufficientScope), "scope"),
    ];
    for (why, part) in refusals {
        let name = format!("{why:?}");
        let token = person.twin.token(&person.account, Token::generated().scopes(["api"]));
        match why {
            Why::Token(state) => person.twin.set_token_state(&token, state),
            Why::Forge(surface, switch) => person.twin.switch_at(surface, switch),
        }
        let said = person.connect_with(&token).await;
        assert_eq!(said.code, 3, "{name}: {said:?}");
        assert!(said.stderr.starts_with("error: ") && said.stderr.contains(part), "{name}: {said:?}");
        assert!(!said.stderr.contains(&token), "{name}");
        person.twin.heal();
    }
    let list = person.run(&["integrations", "-o", "json"]).await.ok().json();
    assert_eq!(list["items"], json!([]), "nothing is stored of what was refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_cannot_work_are_told_apart() {
    let person = Person::at(Forge::GitLab).await;
    let unknown = "glpat-AAAAAAAAAAAAAAAAAAAA";
    person.connect_with(unknown).await.failed(3, "Authentication failed");
    let poor = person.twin.token(&person.account, Token::generated().scopes(["read_api", "read_user"]));
    let said = person.connect_with(&poor).await.failed(3, "write_repository");
    assert!(said.stderr.contains("read_repository"), "{said:?}");

    let requests = person.twin.journal().len();
    person.connect_with("not a token").await.failed(3, "error: ");
    assert_eq!(person.twin.journal().len(), requests, "it is judged by its form and sent nowhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_a_github_token_says_what_happened() {
    let person = Person::at(Forge::GitHub).await;
    person.connect().await.ok();
    for (fault, part) in [
        (Switch::RateLimited { retry_after: None }, "rate limit"),
        (Switch::SecondaryRateLimited { retry_after: Some(9) }, "9 s"),
        (Switch::NotTheForge, "does not answer as GitHub"),
        (Switch::ServerError, "GitHub"),
    ] {
        person.twin.switch(fault.clone());
        person.connect().await.failed(3, part);
        person.twin.heal();
    }
    person.connect_with("ghp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await.failed(3, "error: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_trusted_once_it_is_named() {
    let mut person = Person::with(Twin::builder(Forge::GitLab).tls(true).start().await.unwrap());
    person
        .twin
        .repository("group/sub/app", Repository::new().member(&person.account, valetkey_twins::AccessLevel::Developer));
    person.connect().await.failed(3, "extra_ca_file");

    std::fs::write(person.path("ca.pem"), person.twin.ca_pem()).unwrap();
    person.set("VALETKEY_EXTRA_CA_FILE", person.path("ca.pem").display().to_string());
    person.connect().await.ok();
    let url = person.twin.clone_url("group/sub/app");
    let said = person
        .run(&["run", "--repo", &url, "--push-branch", "feature/x", "--agent", "sh -c 'echo x > new'", "Add new"])
        .await
        .ok();
    let page = format!("{}/group/sub/app/-/tree/feature/x", person.twin.url());
    assert_eq!(said.stdout, format!("AgenticSession completed successfully!\nView changes in GitLab:\n{page}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn problems_are_documents_for_programs() {
    let person = Person::at(Forge::GitLab).await;
    person.twin.switch(Switch::RateLimited { retry_after: Some(7) });
    let args = ["connect", "gitlab", "--instance", person.twin.url(), "--token-stdin", "--output", "json"];
    let said = person.run_with(&args, &person.token).await;
    let problem = said.json();
    assert_eq!(said.code, 3);
    assert_eq!(problem["code"], "rate_limited");
    assert_eq!(problem["provider"], "gitlab");
    assert_eq!(problem["retryAfterSeconds"], 7);
}
