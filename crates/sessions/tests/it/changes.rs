use valetkey_model::{Actor, FileStatus, ProblemCode, RepositoryChanges};
use valetkey_twins::Switch;

use crate::bench::{Bench, Ended};

async fn changes(bench: &Bench, ended: &Ended) -> Vec<RepositoryChanges> {
    bench.engine.changes(&Actor::admin(), &ended.session.id).await.unwrap()
}

#[tokio::test]
async fn what_changed_is_recorded_whoever_committed_it() {
    let bench = Bench::new().await;
    let script = "echo two >> src/main.txt && git commit -qam Mine && echo new > new.txt";
    let ended = bench.run(script).await.completed();
    let [changed] = changes(&bench, &ended).await.try_into().unwrap();
    let record = &ended.session.repositories[0];
    assert_eq!((changed.base_commit, Some(changed.commit)), (record.base_commit.clone(), record.commit.clone()));
    let files = &changed.changes.files;
    let seen: Vec<_> = files.iter().map(|file| (&*file.path, file.status)).collect();
    assert_eq!(seen, [("new.txt", FileStatus::Added), ("src/main.txt", FileStatus::Modified)]);
    assert!(files[1].patch.as_ref().unwrap().ends_with("@@ -1 +1,2 @@\n one\n+two\n"));
}

#[tokio::test]
async fn nothing_changed_is_nothing_recorded() {
    let bench = Bench::new().await;
    let ended = bench.run("true").await.completed();
    assert_eq!(changes(&bench, &ended).await, []);
}

#[tokio::test]
async fn what_could_not_be_pushed_is_recorded_too() {
    let bench = Bench::new().await;
    bench.forge.twin.switch(Switch::PushForbidden);
    let ended = bench.run("echo new > new.txt").await.failed(ProblemCode::PushRefused, "push failed");
    assert_eq!(changes(&bench, &ended).await[0].changes.files_changed, 1);
}

#[tokio::test]
async fn a_token_that_the_agent_wrote_down_is_not_shown() {
    let bench = Bench::new().await;
    let script = "echo token=$GITLAB_TOKEN > .env; echo > \"$GITLAB_TOKEN\"";
    let ended = bench.run(script).await.completed();
    let recorded = serde_json::to_string(&changes(&bench, &ended).await).unwrap();
    assert!(recorded.contains("+token=glpat-***") && !recorded.contains(&bench.forge.token), "{recorded}");
}

#[tokio::test]
async fn several_repositories_are_told_apart() {
    let bench = Bench::new().await;
    bench.forge.repository("team/second");
    let body = serde_json::json!({
        "task": "t",
        "repositories": [
            {"url": bench.forge.url(), "pushBranch": "x"},
            {"url": bench.forge.url_of("team/second"), "pushBranch": "x"},
        ],
        "agent": {"command": ["sh", "-c", "echo b > second/b"]},
    });
    let ended = bench.run_as(body).await.completed();
    let [only] = changes(&bench, &ended).await.try_into().unwrap();
    assert_eq!(only.url, bench.forge.url_of("team/second"));
}
