//! Projects at a terminal.

use valetkey_twins::Forge;

use crate::support::Person;

#[tokio::test(flavor = "multi_thread")]
async fn a_project_is_made_filled_changed_and_deleted() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    let url = person.twin.clone_url("team/app");
    let made = person.run(&["projects", "create", "shop", "--push-pattern", "agents/{session}"]).await.ok().stdout;
    assert!(made.contains("your role:") && made.contains("agents/{session}"), "{made}");
    person.run(&["projects", "create", "shop"]).await.failed(1, "exists already");
    person.run(&["projects", "create", "../shop"]).await.failed(2, "project name");
    person.run(&["projects", "change", "shop", "--push-pattern", "agents"]).await.failed(2, "{session} exactly once");

    let added = person.run(&["projects", "repositories", "add", "shop", &url]).await.ok().stdout;
    assert!(added.contains("access:") && added.contains("push") && added.contains("because:"), "{added}");
    person.run(&["projects", "repositories", "add", "shop", &url]).await.failed(1, "already");
    let listed = person.run(&["projects", "repositories", "list", "shop", "-o", "json"]).await.ok().json();
    assert_eq!(listed["items"][0]["access"], "push");
    person.run(&["projects", "repositories", "check", "shop", &url]).await.ok();

    let set = ["projects", "members", "set", "shop", "--email", "Bob@example.com", "--role", "member"];
    person.run(&set).await.ok();
    let listed = person.run(&["projects", "members", "list", "shop"]).await.ok().stdout;
    assert!(listed.contains("bob@example.com") && listed.contains("Administrator"), "{listed}");
    person.run(&["projects", "members", "set", "shop", "--role", "member"]).await.failed(2, "--email");
    let removed = person.run(&["projects", "members", "remove", "shop", "--email", "bob@example.com"]).await;
    assert!(removed.ok().stdout.contains("out of shop"));
    person.run(&["projects", "members", "remove", "shop", "--group", "nobody"]).await.failed(1, "Nobody is in");

    let refused = person.run(&["run", "--project", "shop", "--repo", &url, "--push-branch", "main", "X"]).await;
    refused.failed(2, "agents/{session}");
    let changed =
        person.run(&["projects", "change", "shop", "--no-push-pattern", "--default-agent", "sh -c true"]).await;
    let changed = changed.ok().stdout;
    assert!(changed.contains("sh -c true") && !changed.contains("agents/"), "{changed}");
    person.run(&["run", "--project", "shop", "--repo", &url, "X"]).await.ok();
    let refused = person.run(&["projects", "delete", "shop"]).await.failed(1, "1 session with its log");
    assert!(refused.stderr.contains("--everything"), "{refused:?}");
    person.run(&["projects", "repositories", "remove", "shop", &url]).await.ok();
    person.run(&["projects", "delete", "shop", "--everything"]).await.ok();
    person.run(&["projects", "show", "shop"]).await.failed(1, "no project 'shop'");
    assert!(person.run(&["projects"]).await.ok().stdout.contains("default"));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_terminal_what_would_be_lost_is_named_before_the_name_is_asked_for() {
    let person = Person::at(Forge::GitLab).await;
    person.run(&["projects", "create", "shop"]).await.ok();
    person.run_with(&["secrets", "set", "DEPLOY_KEY", "--project", "shop"], "a canary").await.ok();
    let delete = ["projects", "delete", "shop"];
    let Some(refused) = person.type_at_terminal(&delete, "shops\n").await else { return };
    assert_eq!(refused.code, 2, "{refused:?}");
    for part in ["1 secret: DEPLOY_KEY", "1 member: Administrator", "Type shop to delete it:", "Nothing was deleted"] {
        assert!(refused.stdout.contains(part), "{part} in {refused:?}");
    }
    person.run(&delete).await.failed(1, "1 secret");
    let deleted = person.type_at_terminal(&delete, "shop\n").await.unwrap().ok();
    assert!(deleted.stdout.contains("Deleted the project shop."), "{deleted:?}");
    person.run(&["projects", "show", "shop"]).await.failed(1, "no project");
}
