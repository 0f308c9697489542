use std::fs;

use valetkey_twins::Forge;

use crate::support::Person;

#[tokio::test(flavor = "multi_thread")]
async fn an_assistant_is_made_from_a_file_run_and_deleted() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    assert!(person.run(&["assistants"]).await.ok().stdout.contains("There is no assistant"));
    let file = r#"{
        "name": "Release manager",
        "description": "Prepares releases",
        "instructions": "Be kind.",
        "agent": {"command": ["sh", "-c", "echo \"$1\" > told", "agent", "{task}"]},
        "tools": {"gitlab": {"slot": "automatic"}, "slack": {"slot": "automatic"}}
    }"#;
    fs::write(person.path("release.json"), file).unwrap();
    let create = ["assistants", "create", "--file", "release.json"];
    person.run(&create).await.failed(1, "Slack: No integration is connected for Slack.");
    let made = person.run(&[&create[..], &["--accept-missing"]].concat()).await.ok().stdout;
    assert!(made.contains("Release manager") && made.contains("slack (missing)"), "{made}");
    person.run(&create).await.failed(1, "Slack");
    fs::write(person.path("bad.json"), "{").unwrap();
    person.run(&["assistants", "create", "--file", "bad.json"]).await.failed(2, "not JSON at line 1");

    let list = person.run(&["assistants", "list", "-o", "json"]).await.ok().json();
    let id = list["items"][0]["id"].as_str().unwrap();
    let shown = person.run(&["assistants", "show", "release MANAGER"]).await.ok().stdout;
    assert!(shown.contains(id) && shown.ends_with("Be kind.\n"), "{shown}");

    let url = person.twin.clone_url("team/app");
    let run = ["run", "--repo", &url, "--push-branch", "feature/x", "--assistant", "Release manager", "Tag it"];
    person.run(&run).await.ok();
    let told = person.twin.file_at("team/app", "feature/x", "told");
    assert_eq!(told.as_deref(), Some("Be kind.\n\nTag it\n"));
    let sessions = person.run(&["sessions", "list", "-o", "json"]).await.ok().json();
    let session = sessions["items"][0]["id"].as_str().unwrap();
    let shown = person.run(&["sessions", "show", session]).await.ok().stdout;
    assert!(shown.contains("assistant:") && shown.contains("Release manager"), "{shown}");

    assert!(person.run(&["assistants", "delete", id]).await.ok().stdout.contains("Deleted"));
    person.run(&["assistants", "show", id]).await.failed(1, "has no assistant");
    person.run(&run).await.failed(1, "has no assistant 'Release manager'");
}
