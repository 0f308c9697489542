use valetkey_twins::Forge;

use crate::support::{Person, Said};

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_comes_from_standard_input_and_goes_into_sessions() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    let narrow = "glpat-narrow0narrow0narrow0";
    let args = ["secrets", "set", "GITLAB_TOKEN", "--description", "reads"];
    let said = person.run_with(&args, &format!("{narrow}\n")).await.ok();
    assert!(said.stdout.contains("in place of the GitLab token"), "{said:?}");
    person.run_with(&["secrets", "set", "KEY", "--project", "default"], "line one\nline two\n").await.ok();
    let listed = person.run(&["secrets"]).await.ok();
    assert!(listed.stdout.contains("GitLab token") && listed.stdout.contains("reads"), "{listed:?}");
    let of_project = person.run(&["secrets", "list", "--project", "default", "-o", "json"]).await.ok();
    assert_eq!(of_project.json()["items"][0]["name"], "KEY");
    let silent = |said: &Said| !said.stdout.contains("narrow0") && !said.stderr.contains("narrow0");
    assert!(silent(&said) && silent(&listed), "a value was said");

    // Without the line break of `echo`, and with those of the file.
    let agent = format!(
        "sh -c 'test \"$GITLAB_TOKEN\" = {narrow} && test \"$(printf %s \"$KEY\" | wc -l)\" = 2 && echo x > x'"
    );
    let said = person.run_session(&agent, &[]).await.ok();
    assert!(said.stderr.contains("GITLAB_TOKEN is a secret of yours"), "{said:?}");
    let said = person.run(&["secrets", "rm", "KEY", "--project", "default"]).await.ok();
    assert!(said.stdout.contains("Deleted KEY"), "{said:?}");
    person.run(&["secrets", "rm", "KEY", "--project", "default"]).await.failed(1, "no secret of this name");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_before_and_after_it_is_kept() {
    let person = Person::at(Forge::GitLab).await;
    let short = person.run_with(&["secrets", "set", "PIN"], "1234\n").await.ok();
    assert!(short.stderr.contains("warning: PIN has under 8 characters"), "{short:?}");
    assert!(short.stdout.starts_with("Kept PIN.") && !short.stderr.contains("1234"), "{short:?}");
    person.run_with(&["secrets", "set", "EMPTY"], "\n").await.failed(2, "The value is empty");
    person.run_with(&["secrets", "set", "LONG"], &"x".repeat(70_000)).await.failed(2, "64 KiB");
    person.run_with(&["secrets", "set", "GIT_DIR"], "x").await.failed(2, "git reads");
    let argument = person.run(&["secrets", "set", "TOKEN", "hunter2hunter2"]).await.failed(2, "on the command line");
    assert!(!argument.stderr.contains("hunter2"), "{argument:?}");
}
