//! How git is started: with which environment, and that it ends with its caller.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use valetkey_git::{ConfigEntries, Git};

/// A program that stands in for git.
fn program(temp: &tempfile::TempDir, script: &str) -> PathBuf {
    let path = temp.path().join("git");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
async fn the_environment_is_built_from_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let seen = temp.path().join("env");
    let program = program(&temp, &format!("env > '{}'; echo git version 2.40.0", seen.display()));
    let mut config = ConfigEntries::new();
    config.push("url.http://127.0.0.1:1/x.insteadOf", "https://h.test/a/b");
    let git = Git::with_program(program, temp.path().join("scratch")).unwrap().with_config(&config);
    git.version().await.unwrap();
    let text = fs::read_to_string(seen).unwrap();
    let env: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let shells_own = ["PWD", "OLDPWD", "SHLVL", "_"];
    for name in env.keys().filter(|name| !shells_own.contains(name)) {
        let known = ["PATH", "HOME", "LC_ALL", "SSH_ASKPASS"].contains(name) || name.starts_with("GIT_");
        assert!(known, "{name} came from outside");
    }
    assert_eq!(env["HOME"], temp.path().join("scratch/home").to_str().unwrap());
    assert_eq!(env["GIT_ALLOW_PROTOCOL"], "http:https");
    assert_eq!(env["GIT_CONFIG_GLOBAL"], "/dev/null");
    let last: usize = env["GIT_CONFIG_COUNT"].parse::<usize>().unwrap() - 1;
    assert_eq!(env[format!("GIT_CONFIG_VALUE_{last}").as_str()], "https://h.test/a/b", "the caller's come last");
    assert!(fs::read_dir(temp.path().join("scratch/home")).unwrap().next().is_none());
}

#[tokio::test]
async fn an_operation_that_is_dropped_takes_git_and_its_children_along() {
    let temp = tempfile::tempdir().unwrap();
    let (pids, ready) = (temp.path().join("pids"), temp.path().join("ready"));
    let script = format!(
        "sleep 1000 & echo $! > '{0}'; echo $$ >> '{0}'; mv '{0}' '{1}'; wait",
        pids.display(),
        ready.display()
    );
    let git = Git::with_program(program(&temp, &script), temp.path().join("scratch")).unwrap();
    tokio::select! {
        _ = git.version() => panic!("it ended by itself"),
        () = appears(&ready) => {}
    }
    for pid in fs::read_to_string(&ready).unwrap().lines() {
        let stat = PathBuf::from(format!("/proc/{pid}/stat"));
        let alive = || fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ") && !stat.contains(") X "));
        for _ in 0..2000 {
            if !alive() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(!alive(), "{pid} is alive");
    }
}

async fn appears(path: &std::path::Path) {
    while !path.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn endless_output_is_cut_off() {
    let temp = tempfile::tempdir().unwrap();
    let git = Git::with_program(program(&temp, "exec yes"), temp.path().join("scratch")).unwrap();
    assert!(matches!(git.version().await, Err(valetkey_git::GitError::Unexpected { .. })));
    let loud = program(&temp, "yes 'error: no' | head -c 1000000 >&2; exit 9");
    let git = Git::with_program(loud, temp.path().join("scratch")).unwrap();
    let Err(valetkey_git::GitError::Failed(failure)) = git.version().await else { panic!("it succeeded") };
    assert!(failure.stderr.len() <= 16 << 10);
    assert_eq!((failure.code, failure.to_string().as_str()), (Some(9), "git failed to say its version: error: no"));
}
