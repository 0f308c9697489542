use valetkey_model::{Actor, IntegrationRef, ProblemCode, Step, StepOutcome};
use valetkey_testbed::{ForgeBed, Testbed};
use valetkey_twins::{AccessLevel, Repository, Switch};

use crate::bench::Bench;

#[tokio::test]
async fn a_session_end_to_end() {
    for forge in [ForgeBed::gitlab_with_tls().await, ForgeBed::github().await] {
        let bench = Bench::with(forge).await;
        let ended = bench.run("echo two >> src/main.txt && echo new > new.txt && echo done").await.completed();
        let twin = &bench.forge.twin;
        assert_eq!(twin.file_at(bench.forge.path, "feature/x", "src/main.txt").as_deref(), Some("one\ntwo\n"));
        let commit = &twin.commits(bench.forge.path, "feature/x")[0];
        assert_eq!((commit.author_name.as_str(), commit.author_email.as_str()), ("John Doe", "john@example.test"));
        let id = &ended.session.id;
        assert_eq!(
            commit.message.trim_end(),
            format!("Add feature X\n\nSession: https://valetkey.example.test/sessions/{id}")
        );

        let kind = bench.forge.kind();
        let page = bench.forge.url().branch_url(kind, &"feature/x".parse().unwrap());
        let notice = format!("AgenticSession completed successfully!\nView changes in {kind}:\n{page}");
        assert_eq!(ended.session.message.as_deref(), Some(notice.as_str()));
        assert_eq!(ended.session.repositories[0].branch_url.as_deref(), Some(page.as_str()));
        assert_eq!(
            ended.session.repositories[0].commit.as_ref().map(|c| c.as_str().to_owned()),
            twin.head(bench.forge.path, "feature/x")
        );
        assert_eq!(ended.steps(), Step::ALL.map(|step| (step, StepOutcome::Done)));
        assert!(ended.session.workspace.is_none(), "the workspace is removed");
        assert_eq!(ended.output(), "done\n");
    }
}

#[tokio::test]
async fn the_log_tells_each_step_as_it_always_has() {
    let bench = Bench::new().await;
    let ended = bench.run("echo new > new.txt").await.completed();
    let log = ended.log();
    assert!(log.contains("[GitLab] Using token glpat-*** for user john"), "{log}");
    let host = bench.forge.url().instance().authority();
    assert!(log.contains(&format!("[GitLab] Cloning http://oauth2:***@{host}/team/sub/app.git")), "{log}");
}

#[tokio::test]
async fn what_the_agent_committed_stays_and_the_rest_is_added() {
    let bench = Bench::new().await;
    let script =
        "git commit -q --allow-empty -m 'By the agent' --author 'Robot <robot@example.test>' && echo x > left.txt";
    bench.run(script).await.completed();
    let commits = bench.forge.twin.commits(bench.forge.path, "feature/x");
    assert_eq!(commits[1].message.trim(), "By the agent");
    assert_eq!(commits[1].author_name, "Robot");
    assert!(commits[0].message.starts_with("Add feature X\n"));
}

#[tokio::test]
async fn the_agents_own_push_is_fine_too() {
    let bench = Bench::new().await;
    let ended = bench.run("git commit -q --allow-empty -m Mine && git push -q").await.completed();
    assert!(ended.session.repositories[0].branch_url.is_some());
    assert_eq!(bench.forge.twin.commits(bench.forge.path, "feature/x")[0].message.trim(), "Mine");
}

#[tokio::test]
async fn nothing_changed_is_a_success_that_says_so() {
    let bench = Bench::new().await;
    let ended = bench.run("true").await.completed();
    assert!(ended.session.message.unwrap().ends_with("Nothing changed, so no branch was pushed."));
    assert_eq!(bench.forge.twin.head(bench.forge.path, "feature/x"), None);
}

#[tokio::test]
async fn a_second_session_goes_on_where_the_first_ended() {
    let bench = Bench::new().await;
    bench.run("echo 1 > one.txt").await.completed();
    bench.run("test -f one.txt && echo 2 > two.txt").await.completed();
    assert!(bench.forge.twin.file_at(bench.forge.path, "feature/x", "one.txt").is_some());
    assert!(bench.forge.twin.file_at(bench.forge.path, "feature/x", "two.txt").is_some());
}

#[tokio::test]
async fn an_empty_repository_gets_its_first_commit() {
    let bench = Bench::new().await;
    let empty = Repository::new().private().empty().member(&bench.forge.john, AccessLevel::Maintainer);
    bench.forge.twin.repository("team/empty", empty);
    let url = bench.forge.url_of("team/empty");
    let body = serde_json::json!({"task": "Begin", "repositories": [{"url": url, "pushBranch": "main"}], "agent": {"command": ["sh", "-c", "echo 1 > one.txt"]}});
    bench.run_as(body).await.completed();
    assert_eq!(bench.forge.twin.file_at("team/empty", "main", "one.txt").as_deref(), Some("1\n"));
}

#[tokio::test]
async fn several_repositories_of_several_providers_side_by_side() {
    let (gitlab, github) = (ForgeBed::gitlab().await, ForgeBed::github().await);
    let bed = Testbed::new(&[&gitlab, &github]).await;
    bed.connect(&gitlab).await;
    bed.connect(&github).await;
    let (lab_url, hub_url) = (gitlab.url(), github.url());
    let bench = Bench::on(bed, gitlab, &[]).await;
    let script = "ls && echo l > app/l.txt && echo h > app-2/h.txt && test -n \"$GITLAB_TOKEN\" && test \"$GH_TOKEN\" = \"$GITHUB_TOKEN\"";
    let ended = bench
        .run_as(serde_json::json!({
            "task": "Both",
            "repositories": [{"url": lab_url, "pushBranch": "x"}, {"url": hub_url, "pushBranch": "y"}],
            "agent": {"command": ["sh", "-c", script]},
        }))
        .await
        .completed();
    assert_eq!(ended.output(), "app\napp-2\n");
    let message = ended.session.message.unwrap();
    assert!(message.contains("View changes in GitLab:") && message.contains("View changes in GitHub:"), "{message}");
    assert!(bench.forge.twin.file_at("team/sub/app", "x", "l.txt").is_some());
    assert!(github.twin.file_at("team/app", "y", "h.txt").is_some());
}

#[tokio::test]
async fn a_pull_request_where_asked_and_only_one() {
    for forge in [ForgeBed::gitlab().await, ForgeBed::github().await] {
        let bench = Bench::with(forge).await;
        for n in 1..=2 {
            let body = serde_json::json!({
                "task": "Add feature X",
                "repositories": [{"url": bench.forge.url(), "pushBranch": "feature/x"}],
                "agent": {"command": ["sh", "-c", format!("echo {n} > {n}.txt")]},
                "pullRequest": true,
            });
            let ended = bench.run_as(body).await.completed();
            assert!(ended.session.repositories[0].pull_request_url.is_some());
        }
        assert_eq!(bench.forge.twin.pull_requests(bench.forge.path).len(), 1);
    }
}

#[tokio::test]
async fn a_refused_push_keeps_the_work_and_says_where() {
    let bench = Bench::new().await;
    bench.forge.twin.switch(Switch::PushForbidden);
    let ended = bench.run("echo new > new.txt").await.failed(
        ProblemCode::PushRefused,
        "GitLab push failed: Insufficient permissions. Ensure your GitLab token has 'write_repository' scope.",
    );
    let folder = ended.checkout();
    assert!(ended.session.failure.as_ref().unwrap().remediation.as_ref().unwrap().contains(folder.to_str().unwrap()));
    let log =
        std::process::Command::new("git").args(["log", "-1", "--format=%s"]).current_dir(&folder).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&log.stdout), "Add feature X\n", "the work is committed in the kept workspace");
}

#[tokio::test]
async fn a_protected_branch_is_refused_in_the_forges_words() {
    let bench = Bench::new().await;
    let protected = Repository::new().private().file("a", "a").member(&bench.forge.john, AccessLevel::Developer);
    bench.forge.twin.repository("team/protected", protected.protected_branch("main"));
    let url = bench.forge.url_of("team/protected");
    let body = serde_json::json!({"task": "t", "repositories": [{"url": url, "pushBranch": "main"}], "agent": {"command": ["sh", "-c", "echo b > b"]}});
    bench
        .run_as(body)
        .await
        .failed(ProblemCode::PushRefused, "GitLab: You are not allowed to push code to protected branches");
}

#[tokio::test]
async fn one_refused_repository_does_not_hold_back_the_other() {
    let bench = Bench::new().await;
    bench.forge.repository("team/second");
    let protected = Repository::new().private().file("a", "a").member(&bench.forge.john, AccessLevel::Developer);
    bench.forge.twin.repository("team/protected", protected.protected_branch("main"));
    let body = serde_json::json!({
        "task": "t",
        "repositories": [
            {"url": bench.forge.url_of("team/protected"), "pushBranch": "main"},
            {"url": bench.forge.url_of("team/second"), "pushBranch": "x"},
        ],
        "agent": {"command": ["sh", "-c", "echo b > protected/b; echo b > second/b"]},
    });
    bench.run_as(body).await.failed(ProblemCode::PushRefused, "refused the push");
    assert!(bench.forge.twin.file_at("team/second", "x", "b").is_some());
}

#[tokio::test]
async fn disconnecting_during_a_session_waits_for_its_end() {
    let bench = Bench::new().await;
    let gate = bench.bed.folder.path().join("gate");
    let id = bench
        .start(&format!("echo started; while ! test -e {}; do sleep 0.05; done; echo x > x", gate.display()))
        .await;
    bench.wait_for_output(&id, "started").await;
    let me = Actor::admin();
    let it = bench.bed.integrations.own(&me, None).await.unwrap().remove(0);
    let held = bench.bed.integrations.disconnect(&me, &IntegrationRef::Id(it.id.clone()), false).await.unwrap();
    assert_eq!(held, valetkey_integrations::Disconnected::UntilSessionsEnd(vec![id.clone()]));
    assert!(bench.bed.integrations.own(&me, None).await.unwrap().is_empty(), "hidden at once");
    std::fs::write(gate, "").unwrap();
    bench.end_of(&id).await.completed();
    assert!(bench.bed.store.integration(&it.id).await.unwrap().is_none(), "erased at the end");
}
