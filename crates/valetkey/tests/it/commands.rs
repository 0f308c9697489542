use std::{fs, os::unix::fs::PermissionsExt as _};

use valetkey_twins::Forge;

use crate::support::Person;

const COMMANDS: &[&str] = &[
    "serve",
    "demo",
    "connect",
    "integrations",
    "run",
    "sessions",
    "assistants",
    "projects",
    "webhooks",
    "people",
    "secrets",
    "tokens",
    "audit",
    "git-credential",
    "keys",
    "doctor",
    "completions",
];

#[tokio::test(flavor = "multi_thread")]
async fn help_names_every_command_and_setting_and_shows_examples() {
    let person = Person::at(Forge::GitLab).await;
    let help = person.run(&["--help"]).await.ok().stdout;
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command} ")), "{command} in {help}");
        let own = person.run(&["help", command]).await.ok().stdout;
        assert!(own.contains("Usage: valetkey"), "{own}");
    }
    for part in ["VALETKEY_MASTER_KEY_FILE", "VALETKEY_AGENT_ENV", "valetkey run --repo"] {
        assert!(help.contains(part), "{part}");
    }
    for later in ["backup", "restore", "mcp", "operator"] {
        assert!(!help.contains(&format!("\n  {later} ")), "{later}");
    }
    let version = person.run(&["--version"]).await.ok().stdout;
    assert_eq!(version, format!("valetkey {}\n", env!("CARGO_PKG_VERSION")));
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_are_made_for_every_shell() {
    let person = Person::at(Forge::GitLab).await;
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = person.run(&["completions", shell]).await.ok().stdout;
        assert!(script.contains("git-credential") && script.contains("push-branch"), "{shell}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_is_an_error_that_lists_the_known_ones() {
    let person = Person::at(Forge::GitLab).await;
    fs::write(person.path("valetkey.toml"), "listen = '127.0.0.1:0'\nlistenn = 'x'\n").unwrap();
    person.run(&["projects"]).await.ok();
    let said = person.run(&["projects", "--config", "valetkey.toml"]).await.failed(2, "line 2");
    assert!(said.stderr.contains("`listenn`") && said.stderr.contains("`agent_env`"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_made_is_private() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    let data = person.path(".local/share/valetkey");
    let mode = |path: std::path::PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(data.clone()), 0o700);
    assert_eq!(mode(data.join("master.key")), 0o600);
    assert_eq!(mode(data.join("valetkey.db")), 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_what_is_wrong() {
    let mut person = Person::at(Forge::GitLab).await;
    person.set("VALETKEY_LISTEN", "127.0.0.1:0");
    person.set("VALETKEY_AGENT", "sh -c true");
    let healthy = person.run(&["doctor"]).await.ok().stdout;
    assert!(healthy.lines().all(|line| line.starts_with("ok")), "on a fresh machine: {healthy}");
    person.connect().await.ok();
    let healthy = person.run(&["doctor", "-o", "json"]).await.ok().json();
    assert_eq!(healthy["healthy"], true);

    let key = person.path(".local/share/valetkey/master.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let said = person.run(&["doctor"]).await;
    assert_eq!(said.code, 1);
    assert!(said.stdout.contains("chmod 600"), "{said:?}");

    fs::rename(&key, person.path("key.bak")).unwrap();
    let said = person.run(&["doctor"]).await;
    assert_eq!(said.code, 1);
    assert!(said.stdout.contains("is missing") && !key.exists(), "it is not made anew: {said:?}");

    person.set("VALETKEY_EXTRA_CA_FILE", "/nonexistent/ca.pem");
    person.set("VALETKEY_AGENT", "no-such-agent");
    let said = person.run(&["doctor"]).await.stdout;
    assert!(said.contains("/nonexistent/ca.pem") && said.contains("'no-such-agent' is not on PATH"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_master_key_opens_nothing() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    fs::remove_file(person.path(".local/share/valetkey/master.key")).unwrap();
    let said = person.run_session("true", &[]).await;
    assert_eq!(said.code, 3, "{said:?}");
    let said = person.run(&["doctor"]).await;
    assert_eq!(said.code, 1);
    assert!(said.stdout.contains("1 don't open"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_runs_offline_and_leaves_nothing() {
    let mut person = Person::at(Forge::GitLab).await;
    fs::create_dir(person.path("tmp")).unwrap();
    person.set("TMPDIR", person.path("tmp").display().to_string());
    let said = person.run(&["demo", "--once"]).await.ok();
    for part in ["AgenticSession completed successfully!\nView changes in GitLab:\nhttp://127.0.0.1:", "/sign-in/"] {
        assert!(said.stdout.contains(part), "{part}: {said:?}");
    }
    assert!(said.stderr.contains("glpat-***"), "{said:?}");
    assert_eq!(fs::read_dir(person.path("tmp")).unwrap().count(), 0);
    assert!(!person.path(".local").exists(), "the person's own data is not touched");
}
