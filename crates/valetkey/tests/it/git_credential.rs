use valetkey_twins::Forge;

use crate::support::Person;

async fn ask(person: &Person, operation: &str, input: &str) -> crate::support::Said {
    person.run_aloud(&["git-credential", operation], input).await
}

#[tokio::test(flavor = "multi_thread")]
async fn git_gets_the_credential_of_a_connected_host_and_of_no_other() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    let host = person.twin.address().to_string();
    let said = ask(&person, "get", &format!("protocol=http\nhost={host}\n\n")).await.ok();
    assert_eq!(said.stdout, format!("username=oauth2\npassword={}\n", person.token));

    let port = person.twin.address().port();
    for other in [
        "protocol=https\nhost=gitlab.com\n\n".to_owned(),
        "protocol=https\nhost=127.0.0.1\n\n".to_owned(),
        format!("protocol=https\nhost={host}\n\n"),
        format!("protocol=http\nhost=localhost:{port}\n\n"),
        format!("protocol=http\nhost=127.0.0.1:{}\n\n", port ^ 1),
        format!("protocol=ssh\nhost={host}\n\n"),
        format!("protocol=http\nhost={host}.evil.test\n\n"),
    ] {
        let said = ask(&person, "get", &other).await;
        assert_eq!(said.stdout, "", "{other:?}: {said:?}");
        assert!(!said.stderr.contains(&person.token));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tricks_with_lines_are_refused() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    let host = person.twin.address().to_string();
    for attack in [
        format!("protocol=http\nhost=evil.test\nhost={host}\n\n"),
        format!("protocol=http\nhost={host}\r\n\n"),
        format!("protocol=http\nhost={host}\0.evil.test\n\n"),
        format!("protocol=http\nhost={host}=evil.test\n\n"),
        format!("url=http://evil.test%0ahost={host}/\n\n"),
        format!("protocol=http\nhost={host}\nurl=http://evil.test/\n\n"),
        "hello\n\n".to_owned(),
    ] {
        let said = ask(&person, "get", &attack).await.failed(2, "refused");
        assert_eq!(said.stdout, "", "{attack:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_git_wants_stored_or_erased_changes_nothing() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    let request = format!("protocol=http\nhost={}\nusername=x\npassword=y\n\n", person.twin.address());
    for operation in ["store", "erase"] {
        assert_eq!(ask(&person, operation, &request).await.ok().stdout, "");
    }
    let said = ask(&person, "get", &request).await.ok();
    assert!(said.stdout.contains(&person.token));
}
