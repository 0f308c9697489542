use rustix::process::Signal;
use valetkey_twins::{AccessLevel, Forge, Repository, Switch, TokenState, User};

use crate::support::{EDITS, Person, agent_of, is_alive, signal, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_pushes_and_prints_the_notice_alone() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    let said = person.run_session(EDITS, &[]).await.ok();
    let page = format!("{}/team/app/-/tree/feature/x", person.twin.url());
    assert_eq!(said.stdout, format!("AgenticSession completed successfully!\nView changes in GitLab:\n{page}\n"));
    for part in ["==> Cloning", "[GitLab] Using token glpat-*** for user ada", "==> Publishing"] {
        assert!(said.stderr.contains(part), "{part}: {said:?}");
    }
    assert_eq!(person.twin.file_at("team/app", "feature/x", "README.md").unwrap(), "app\nchanged\n");
    let commit = &person.twin.commits("team/app", "feature/x")[0];
    assert_eq!(commit.author_name, "Ada Lovelace");

    let list = person.run(&["sessions", "list", "-o", "json"]).await.ok().json();
    let record = &list["items"][0];
    assert_eq!(record["phase"], "Completed");
    assert_eq!(record["repositories"][0]["branchUrl"], page.as_str());
    let id = record["id"].as_str().unwrap();
    let shown = person.run(&["sessions", "show", id]).await.ok().stdout;
    assert!(shown.contains("Completed") && shown.contains(&page), "{shown}");
    let log = person.run(&["sessions", "logs", id]).await.ok().stdout;
    assert!(log.contains("[GitLab] Pushing"), "{log}");
    let events = person.run(&["sessions", "logs", "-f", id, "-o", "json"]).await.ok().stdout;
    for (n, line) in events.lines().enumerate() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["seq"], n + 1, "an event a line, without gaps");
    }
    let table = person.run(&["sessions"]).await.ok().stdout;
    assert!(table.contains("Completed") && table.contains("Add feature X"), "{table}");

    person.run(&["sessions", "stop", id]).await.failed(1, "over already");
    person.run(&["sessions", "rm", id]).await.ok();
    person.run(&["sessions", "show", id]).await.failed(1, "no session");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_what_a_session_would_find_and_starts_none() {
    let person = Person::at(Forge::GitLab).await;
    let refused = person.run_session("true", &["--check"]).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(refused.stdout.contains("may push:") && refused.stdout.contains("problem:"), "{refused:?}");
    person.connect().await.ok();
    let said = person.run_session("true", &["--check"]).await.ok().stdout;
    for part in ["ada at http://127.0.0.1", "because:", "may push:        yes", "default branch:  main"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let checked = person.run_session("true", &["--check", "-o", "json"]).await.ok().json();
    assert_eq!(checked["items"][0]["canPush"], true);
    assert!(person.run(&["sessions"]).await.ok().stdout.contains("no session yet"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_changed_is_told_as_files_and_as_a_patch() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    person.run_session(EDITS, &[]).await.ok();
    let list = person.run(&["sessions", "list", "-o", "json"]).await.ok().json();
    let id = list["items"][0]["id"].as_str().unwrap();
    let files = person.run(&["sessions", "changes", id]).await.ok().stdout;
    assert!(files.contains("team/app: 1 file(s), +1 -0\nFILE"), "{files}");
    assert!(files.contains("README.md  modified  +1 -0"), "{files}");
    let patch = person.run(&["sessions", "changes", id, "--patch"]).await.ok().stdout;
    assert!(patch.starts_with("diff --git a/README.md b/README.md\n") && patch.ends_with("+changed\n"), "{patch}");
    let record = person.run(&["sessions", "changes", id, "-o", "json"]).await.ok().json();
    assert_eq!(record["items"][0]["filesChanged"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn github_works_the_same() {
    let person = Person::at(Forge::GitHub).await;
    person.connect().await.ok();
    let said = person.run_session(EDITS, &["--pr"]).await.ok();
    let page = format!("{}/team/app/tree/feature/x", person.twin.url());
    assert!(said.stdout.contains(&format!("View changes in GitHub:\n{page}\n")), "{said:?}");
    assert_eq!(person.twin.pull_requests("team/app").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_repositories_lie_side_by_side() {
    let person = Person::at(Forge::GitLab).await;
    let members = || Repository::new().member(&person.account, AccessLevel::Developer).file("README.md", "x\n");
    person.twin.repository("other/app", members().branch("release/1.2"));
    person.connect().await.ok();
    let second = format!("{}@release/1.2", person.twin.clone_url("other/app"));
    let said =
        person.run_session("sh -c 'echo a >> app/README.md; echo b >> app-2/README.md'", &["--repo", &second]).await;
    let said = said.ok();
    assert_eq!(said.stdout.matches("View changes in GitLab:").count(), 2, "{said:?}");
    assert_eq!(person.twin.file_at("other/app", "feature/x", "README.md").unwrap(), "x\nb\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_changed_is_a_success_that_says_so() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    let said = person.run_session("true", &[]).await.ok();
    assert!(said.stdout.contains("Nothing changed"), "{said:?}");
    assert_eq!(person.twin.head("team/app", "feature/x"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_fails_is_1_and_its_workspace_stays() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    let said = person.run_session("sh -c 'echo half > work; exit 7'", &[]).await.failed(1, "exit code 7");
    assert_eq!(said.stdout, "");
    let kept = said.stderr.lines().find_map(|line| line.strip_prefix("The workspace is kept in ")).unwrap();
    assert_eq!(std::fs::read_to_string(format!("{kept}/app/work")).unwrap(), "half\n");
    person.run_session("no-such-agent", &[]).await.failed(1, "'no-such-agent' was not found");

    let said = person.run_session("false", &["-o", "json"]).await;
    assert_eq!((said.code, &said.json()["failure"]["code"]), (1, &"agent_failed".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_is_2_and_repeats_no_secret() {
    let person = Person::at(Forge::GitLab).await;
    let with_token = format!("https://oauth2:{}@gitlab.com/team/app.git", person.token);
    for (args, part) in [
        (vec!["run", "task"], "--repo"),
        (vec!["run", "--repo", &with_token, "task"], "must not hold a user name"),
        (vec!["run", "--repo", "file:///etc", "task"], "a repository URL looks like"),
        (vec!["run", "--repo", "--upload-pack=x", "task"], "--upload-pack"),
        (vec!["run", "--repo", "https://gitlab.com/a/b", "--push-branch", "-x", "task"], "-x"),
        (vec!["run", "--repo", "https://gitlab.com/a/b", "--timeout", "90", "task"], "90s"),
        (vec!["run", "--repo", "https://gitlab.com/a/b", "--agent", "sh -c 'x", "task"], "quote"),
        (vec!["run", "--repo", "https://gitlab.com/a/b", " "], "task is empty"),
    ] {
        person.run(&args).await.failed(2, part);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_preflight_refuses_is_3() {
    let person = Person::at(Forge::GitLab).await;
    let url = |path: &str| person.twin.clone_url(path);
    person.run_session(EDITS, &[]).await.failed(3, "valetkey connect");
    person.connect().await.ok();

    let reads = Repository::new().member(&person.account, AccessLevel::Reporter);
    person.twin.repository("team/readable", reads);
    let eve = person.twin.user(User::new("eve"));
    person.twin.repository("eve/private", Repository::new().member(&eve, AccessLevel::Owner));
    for (repo, part) in [
        (url("team/readable"), "push"),
        (url("eve/private"), "eve/private"),
        (url("team/missing"), "team/missing"),
        (format!("{}@no-such-branch", url("team/app")), "no branch 'no-such-branch'"),
        ("https://gitlab.com.evil.test/team/app".to_owned(), "error: "),
    ] {
        let said = person.run(&["run", "--repo", &repo, "--agent", EDITS, "task"]).await.failed(3, part);
        assert_eq!(said.stdout, "", "{repo}");
    }

    person.twin.switch(Switch::RateLimited { retry_after: Some(5) });
    person.run_session(EDITS, &[]).await.failed(3, "rate limit exceeded");
    person.twin.heal();
    person.twin.set_token_state(&person.token, TokenState::Revoked);
    person.run_session(EDITS, &[]).await.failed(3, "Authentication failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_push_is_4_and_keeps_the_work() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    person.twin.switch(Switch::PushForbidden);
    let said = person.run_session(EDITS, &[]).await.failed(
        4,
        "GitLab push failed: Insufficient permissions. Ensure your GitLab token has 'write_repository' scope. You can \
         update your token by reconnecting your GitLab account with the required permissions.",
    );
    let kept = said.stderr.lines().find_map(|line| line.strip_prefix("The workspace is kept in ")).unwrap();
    assert_eq!(std::fs::read_to_string(format!("{kept}/app/README.md")).unwrap(), "app\nchanged\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_time_is_up_is_5() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    let (agent, marker) = person.waiting_agent();
    person.run_session(&agent, &["--timeout", "2s"]).await.failed(5, "time was up");
    let process = agent_of(&marker).await;
    assert!(!is_alive(process));
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_run_and_the_agent() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    let (agent, marker) = person.waiting_agent();
    let child = person.command(person.session(&agent, &[])).spawn().unwrap();
    let process = agent_of(&marker).await;
    signal(&child, Signal::INT);
    person.end(child).await.failed(5, "The session was stopped");
    assert!(!is_alive(process));
    let list = person.run(&["sessions", "-o", "json"]).await.ok().json();
    assert_eq!(list["items"][0]["phase"], "Stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_ctrl_c_does_not_wait_for_a_stubborn_agent() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    let (_, marker) = person.waiting_agent();
    let log = person.path("asked");
    let stubborn = format!(
        "sh -c 'trap \"echo > {}\" TERM; echo $$ > {1}.part; mv {1}.part {1}; while :; do sleep 0.05; done'",
        log.display(),
        marker.display()
    );
    let child = person.command(person.session(&stubborn, &[])).spawn().unwrap();
    let process = agent_of(&marker).await;
    signal(&child, Signal::INT);
    until("the agent to be asked", async || log.exists().then_some(())).await;
    signal(&child, Signal::INT);
    let said = person.end(child).await;
    assert_eq!(said.code, 5, "{said:?}");
    until("the agent to be gone", async || (!is_alive(process)).then_some(())).await;
    let list = person.run(&["sessions", "-o", "json"]).await.ok().json();
    assert_eq!(list["items"][0]["phase"], "Failed", "found, and ended, by the next command");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_prints_of_its_token_is_hidden() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    let agent = "sh -c 'printf %s \"$GITLAB_TOKEN\" | head -c 9; sleep 0.1; printf %s \"$GITLAB_TOKEN\" | tail -c +10; echo; printf %s \"$GITLAB_TOKEN\" | base64'";
    let said = person.run_session(agent, &[]).await.ok();
    assert!(said.stderr.contains("glpat-***"), "{said:?}");
    let encoded = &person.token.as_bytes()[..6];
    assert_eq!(encoded, b"glpat-");
    assert!(!said.stderr.contains("Z2xwYXQt"), "base64 of its beginning: {said:?}");
}
