//! Sessions that use no integration for a repository.

use serde_json::{Value, json};
use valetkey_model::{Phase, ProblemCode};
use valetkey_twins::Repository;

use crate::bench::{Bench, Ended};

async fn bench() -> Bench {
    let bench = Bench::new().await;
    bench.forge.twin.repository("team/docs", Repository::new().public().file("a.txt", "a\n"));
    bench
}

/// Runs a script on `team/docs`, chosen to go without an integration, and on what else is given.
async fn run(bench: &Bench, others: &[Value], script: &str) -> Ended {
    let docs = json!({"url": bench.forge.url_of("team/docs"), "integration": "none"});
    let repositories: Vec<&Value> = std::iter::once(&docs).chain(others).collect();
    bench
        .run_as(json!({"task": "Read", "repositories": repositories, "agent": {"command": ["sh", "-c", script]}}))
        .await
}

#[tokio::test]
async fn what_everybody_may_read_is_read_and_no_token_is_given_for_it() {
    let bench = bench().await;
    let asked = bench.forge.twin.journal().len();
    let ended = run(&bench, &[], "cat a.txt; git config user.email").await.completed();
    assert_eq!(ended.output(), "a\nadmin@valetkey.invalid\n");
    let repository = &ended.session.repositories[0];
    assert_eq!((&repository.integration, &repository.push_branch, repository.unpushed), (&None, &None, false));
    assert!(repository.integration_reason.as_ref().unwrap().contains("No integration was chosen"));
    let log = ended.log();
    assert!(log.contains("can be read without an integration") && !log.contains("***@"), "{log}");
    let git = bench.forge.twin.journal().split_off(asked);
    let git: Vec<_> = git.iter().filter(|request| request.path.contains("docs.git")).collect();
    assert!(!git.is_empty() && git.iter().all(|request| request.authenticated_as.is_none()), "{git:?}");
}

#[tokio::test]
async fn what_changed_there_is_shown_and_kept_and_not_pushed() {
    let bench = bench().await;
    let ended = run(&bench, &[], "echo b >> a.txt").await.completed();
    let session = &ended.session;
    assert!(session.repositories[0].unpushed && session.repositories[0].branch_url.is_none());
    let message = session.message.as_ref().unwrap();
    assert!(message.contains("not pushed") && message.ends_with("/team/docs"), "{message}");
    let changes = bench.engine.changes(&valetkey_model::Actor::admin(), &session.id).await.unwrap();
    assert_eq!(changes[0].changes.files.len(), 1);
    assert_eq!(std::fs::read_to_string(ended.checkout().join("a.txt")).unwrap(), "a\nb\n");
    assert!(ended.log().contains("not pushed, as no integration is used for it"), "{}", ended.log());
    assert_eq!(bench.forge.twin.refs("team/docs").len(), 1);
}

#[tokio::test]
async fn one_repository_is_read_while_another_is_worked_on() {
    let bench = bench().await;
    let other = json!({"url": bench.forge.url(), "pushBranch": "feature/x"});
    let ended = run(&bench, &[other], "cp docs/a.txt app/a.txt; git config user.name").await.completed();
    assert!(ended.output().ends_with("John Doe\n"), "{}", ended.output());
    assert!(ended.session.repositories[1].branch_url.is_some());
    assert!(ended.session.workspace.is_none(), "nothing is left to keep");
}

#[tokio::test]
async fn what_is_private_is_refused_before_anything_starts() {
    let bench = bench().await;
    let private = json!({"url": bench.forge.url(), "integration": "none"});
    let ended = run(&bench, &[private], "true").await;
    let ended = ended.failed(ProblemCode::RepositoryNotFound, "not for everybody to read");
    assert_eq!(ended.session.phase, Phase::Failed);
    assert!(ended.session.workspace.is_none(), "nothing was cloned");
}

#[tokio::test]
async fn an_assistant_with_no_integration_for_a_forge_reads_what_everybody_may() {
    let bench = bench().await;
    let body = json!({"name": "Reader", "instructions": "", "tools": {"gitlab": {"slot": "none"}}});
    crate::assistants::made(&bench, body).await;
    let ask = |path: &str| {
        json!({
            "task": "Read", "assistant": "Reader", "repositories": [{"url": bench.forge.url_of(path)}],
            "agent": {"command": ["sh", "-c", "cat a.txt; echo \"${GITLAB_TOKEN-no token}\""]},
        })
    };
    let ended = bench.run_as(ask("team/docs")).await.completed();
    assert_eq!(ended.output(), "a\nno token\n");
    assert!(ended.log().contains("The assistant has no integration for GitLab"), "{}", ended.log());
    bench.run_as(ask(bench.forge.path)).await.failed(ProblemCode::RepositoryNotFound, "no integration is used");
}
