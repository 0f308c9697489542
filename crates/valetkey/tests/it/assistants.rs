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

#[tokio::test(flavor = "multi_thread")]
async fn an_assistant_is_changed_in_part_and_what_changed_is_said() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    let file = r#"{
        "name": "Reviewer", "instructions": "Be kind.\nRead all.", "agent": {"command": ["true"]},
        "tools": {"gitlab": {"slot": "automatic"}}
    }"#;
    fs::write(person.path("reviewer.json"), file).unwrap();
    person.run(&["assistants", "create", "--file", "reviewer.json"]).await.ok();
    person.run(&["assistants", "edit", "Reviewer"]).await.failed(2, "--instructions-file");

    let edit = ["assistants", "edit", "Reviewer", "--instructions-file", "-", "--description", "Reads"];
    let said = person.run_with(&edit, "Be kind.\nRead most.\n").await.ok().stdout;
    assert_eq!(said, "Changed.\n\ndescription: none → Reads\ninstructions:\n  - Read all.\n  + Read most.\n");
    let same = person.run(&["assistants", "edit", "Reviewer", "--description", "Reads"]).await.ok().stdout;
    assert!(same.contains("Nothing was changed"), "{same}");

    let integrations = person.run(&["integrations", "list", "-o", "json"]).await.ok().json();
    let pin = format!("gitlab={}", integrations["items"][0]["alias"].as_str().unwrap());
    let edit = ["assistants", "edit", "Reviewer", "--name", "Critic", "--no-agent", "--tool", &pin];
    let said = person.run(&edit).await.ok().stdout;
    assert!(said.contains("name: Reviewer → Critic") && said.contains("agent: true → the usual one"), "{said}");
    assert!(said.contains("tool gitlab: automatic → pinned to"), "{said}");

    let used = person.run(&["integrations", "show", &pin[7..]]).await.ok().stdout;
    assert!(used.contains("no session now") && used.contains("Critic in default"), "{used}");

    let slack = ["assistants", "edit", "Critic", "--tool", "slack=automatic"];
    let refused = person.run(&slack).await.failed(1, "Slack: No integration is connected for Slack.");
    assert!(refused.stderr.contains("--accept-missing"), "{refused:?}");
    person.run(&[&slack[..], &["--accept-missing"]].concat()).await.ok();
    let shown = person.run(&["assistants", "show", "Critic", "-o", "json"]).await.ok().json();
    assert_eq!(shown["instructions"], "Be kind.\nRead most.", "what is not named stays");
    assert_eq!((&shown["tools"]["gitlab"]["slot"], shown.get("agent")), (&"pinned".into(), None));

    let last = ["assistants", "edit", "Critic", "--remove-tool", "slack", "--remove-tool", "gitlab"];
    person.run(&last).await.failed(2, "whatever is connected");
    let open = person.run(&["assistants", "edit", "Critic", "--any-tools"]).await.ok().stdout;
    assert!(open.contains("tool slack: automatic → not listed"), "{open}");
    person.run(&["assistants", "edit", "Critic", "--tool", "gitlab"]).await.failed(2, "PROVIDER=automatic");
    person.run(&["assistants", "edit", "Nobody", "--name", "X"]).await.failed(1, "has no assistant");
}
