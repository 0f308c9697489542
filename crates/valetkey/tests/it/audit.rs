use std::fs;

use serde_json::json;
use valetkey_twins::Forge;

use crate::support::Person;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_listed_exported_and_verified() {
    let person = Person::at(Forge::GitLab).await;
    person.run(&["tokens", "create", "--name", "ci"]).await.ok();
    person.run(&["tokens", "create", "--name", "other"]).await.ok();
    let said = person.run(&["audit"]).await.ok().stdout;
    assert!(said.contains("token.create") && said.contains("admin") && said.contains("allowed"), "{said}");
    let listed = person.run(&["audit", "list", "--action", "token.", "--limit", "1", "-o", "json"]).await.ok().json();
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["seq"]), (1, &json!(2)));
    person.run(&["audit", "list", "--outcome", "perhaps"]).await.failed(2, "allowed, refused or failed");

    let export = person.run(&["audit", "export"]).await.ok().stdout;
    assert_eq!(export.lines().count(), 3, "the export is in it");
    let file = person.path("audit.jsonl");
    fs::write(&file, &export).unwrap();
    let verify = ["audit", "verify", "--file", "audit.jsonl"];
    let held = person.run(&verify).await.ok().stdout;
    assert!(held.contains("audit.jsonl holds: 3 entries, the first is number 1."), "{held}");

    let report = person.run(&["audit", "verify", "-o", "json"]).await.ok().json();
    assert_eq!((&report["entries"], report.get("broken")), (&json!(3), None));
    let mark = format!("{}:{}", report["head"]["seq"], report["head"]["hash"].as_str().unwrap());
    person.run(&["audit", "verify", "--mark", &mark]).await.ok();
    let other = mark.replace("3:", "2:");
    let said = person.run(&["audit", "verify", "--mark", &other]).await;
    assert_eq!(said.code, 1);
    assert!(said.stdout.contains("Entry 2 does not have the hash that was noted down."), "{said:?}");

    fs::write(&file, export.replacen("token.create", "token.revoke", 1)).unwrap();
    let said = person.run(&verify).await;
    assert_eq!(said.code, 1);
    assert!(said.stdout.contains("Entry 1 was changed after it was written. 0 entries before it hold."), "{said:?}");
    fs::write(&file, export.lines().step_by(2).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    assert_eq!(person.run(&verify).await.code, 1, "an entry is missing");
    person.run(&[&verify[..], &["--selection"]].concat()).await.ok();
    person.run(&["audit", "verify", "--file", "nothing.jsonl"]).await.failed(2, "can't be read");
}
