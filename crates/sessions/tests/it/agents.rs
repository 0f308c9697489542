use valetkey_model::{Phase, ProblemCode, Step, StepOutcome};

use crate::bench::Bench;

#[tokio::test]
async fn the_task_is_one_argument_and_a_variable() {
    let bench = Bench::new().await;
    let task = "Say 'hi' to \"$USER\"; `rm -rf /` $(id)\nsecond line --flag";
    let body = serde_json::json!({
        "task": task,
        "repositories": [{"url": bench.forge.url()}],
        "agent": {"command": ["sh", "-c", "printf '%s|' \"$#\" \"$1\"; test \"$1\" = \"$VALETKEY_TASK\"", "agent", "{task}"]},
    });
    let ended = bench.run_as(body).await.completed();
    assert_eq!(ended.output(), format!("1|{task}|"));
}

#[tokio::test]
async fn only_the_listed_environment_goes_in() {
    let bench = Bench::new().await;
    let bench = Bench::on(
        bench.bed,
        bench.forge,
        &[("SECRET_OF_THE_SERVER", "no"), ("VALETKEY_ADMIN_TOKEN", "no"), ("PASSED_ON", "a-value-to-hide")],
    )
    .await;
    let ended = bench.run("env").await.completed();
    let names: Vec<&str> =
        ended.output().leak().lines().filter_map(|line| line.split_once('=').map(|(name, _)| name)).collect();
    for name in &names {
        let listed = name.starts_with("GIT_CONFIG_")
            || [
                "PATH",
                "HOME",
                "PWD",
                "OLDPWD",
                "SHLVL",
                "_",
                "VALETKEY_TASK",
                "VALETKEY_SESSION_ID",
                "VALETKEY_PROJECT",
                "VALETKEY_SESSION_TOKEN",
                "GITLAB_TOKEN",
                "GITLAB_HOST",
                "GIT_TERMINAL_PROMPT",
                "GIT_ASKPASS",
                "SSH_ASKPASS",
                "PASSED_ON",
            ]
            .contains(name);
        assert!(listed, "{name} went in");
    }
    assert!(names.contains(&"GITLAB_TOKEN") && names.contains(&"PASSED_ON"));
    assert!(!ended.output().contains("a-value-to-hide"), "{}", ended.output());
}

#[tokio::test]
async fn a_failing_agent_fails_the_session_and_keeps_its_work() {
    let bench = Bench::new().await;
    let ended = bench.run("echo half > half.txt; echo trouble >&2; exit 7").await;
    let ended = ended.failed(ProblemCode::AgentFailed, "exit code 7");
    assert_eq!(ended.session.phase, Phase::Failed);
    assert_eq!(ended.steps().last(), Some(&(Step::Agent, StepOutcome::Failed)));
    assert!(ended.checkout().join("half.txt").exists());
    assert!(ended.output().contains("trouble"));
    assert_eq!(bench.forge.twin.head(bench.forge.path, "feature/x"), None, "nothing was pushed");
}

#[tokio::test]
async fn an_agent_that_is_not_there_is_told_from_one_that_fails() {
    let bench = Bench::new().await;
    let body = |command: &str| serde_json::json!({"task": "t", "repositories": [{"url": bench.forge.url()}], "agent": {"command": [command]}});
    bench.run_as(body("no-such-agent")).await.failed(ProblemCode::AgentFailed, "'no-such-agent' was not found on PATH");
    bench.run_as(body("./README.md")).await.failed(ProblemCode::AgentFailed, "could not be started");
}

#[tokio::test]
async fn the_agent_has_its_time_and_no_more() {
    let bench = Bench::new().await;
    let body = serde_json::json!({
        "task": "t",
        "repositories": [{"url": bench.forge.url()}],
        "agent": {"command": ["sh", "-c", "echo started; sleep 600"]},
        "timeoutSeconds": 1,
    });
    let ended = bench.run_as(body).await.failed(ProblemCode::TimedOut, "time was up after 1 s");
    assert_eq!(ended.session.phase, Phase::Stopped);
}

#[tokio::test]
async fn secrets_in_the_output_are_hidden_however_they_are_written() {
    let bench = Bench::new().await;
    let script = r#"
        echo "plain $GITLAB_TOKEN end"
        printf '%s' "$GITLAB_TOKEN" | head -c 9; sleep 0.3; printf '%s' "$GITLAB_TOKEN" | tail -c +10; echo
        printf 'user:%s' "$GITLAB_TOKEN" | base64 -w0; echo
        printf 'x%s' "$GITLAB_TOKEN" | base64 -w0; echo
        printf '%s' "$GITLAB_TOKEN" | base64 -w0; echo
        echo "https://oauth2:$GITLAB_TOKEN@host/x.git" >&2
        env | grep GIT_CONFIG
    "#;
    let ended = bench.run(script).await.completed();
    let log = ended.log();
    assert!(!log.contains(&bench.forge.token), "{log}");
    let body = bench.forge.token.strip_prefix("glpat-").unwrap();
    assert!(!log.contains(&body[..12]) && !log.contains(&body[body.len() - 12..]), "{log}");
    let opaque = |line: &&str| line.len() > 24 && line.bytes().all(|b| b.is_ascii_alphanumeric());
    assert_eq!(log.lines().find(opaque), None, "a long opaque word is left");
    assert!(!log.contains("vkl_") || log.contains("vkl_***"), "{log}");
    assert!(
        log.contains("https://oauth2:glpat-***@host/x.git") || log.contains("https://oauth2:***@host/x.git"),
        "{log}"
    );
}

#[tokio::test]
async fn what_the_agent_leaves_running_does_not_hold_the_session() {
    let bench = Bench::new().await;
    let ended = bench.run("sleep 600 & echo $!").await.completed();
    let left: i32 = ended.output().trim().parse().unwrap();
    assert!(!is_running(left), "it outlived its session");
}

#[tokio::test]
async fn nor_does_what_detached_itself() {
    let bench = Bench::new().await;
    let ended = bench.run("setsid -f sh -c 'echo $$; exec sleep 600' & sleep 0.3").await.completed();
    let left: i32 = ended.output().trim().parse().unwrap();
    assert!(!is_running(left), "it outlived its session");
}

/// Whether a process is there and no zombie.
pub(crate) fn is_running(id: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

#[tokio::test]
async fn much_output_is_kept_in_order() {
    let bench = Bench::new().await;
    let ended = bench.run("seq 1 50000").await.completed();
    let wanted: String = (1..=50000).map(|n| format!("{n}\n")).collect();
    assert!(ended.output() == wanted, "output was lost or mixed up");
    assert!(ended.events.iter().map(|e| e.seq).eq(1..=ended.events.len() as i64));
}
