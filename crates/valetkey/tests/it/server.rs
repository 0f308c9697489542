use std::time::Duration;

use rustix::process::Signal;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout},
    time::timeout,
};
use valetkey_twins::Forge;

use crate::support::{EDITS, PATIENCE, Person, agent_of, is_alive, signal, until};

/// A running `valetkey serve`.
pub(crate) struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) url: String,
}

impl Server {
    pub(crate) async fn start(person: &Person) -> Self {
        let mut child = person.command(["serve", "--listen", "127.0.0.1:0"]).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap_or_default();
        let url = line.strip_prefix("Valetkey is up at ").unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Self { child, lines, url }
    }

    /// Asks it to end; the answer is its exit code.
    pub(crate) async fn end(&mut self) -> Option<i32> {
        signal(&self.child, Signal::TERM);
        // Its own bound is 15 s.
        timeout(Duration::from_secs(20), self.child.wait()).await.expect("it ends in time").unwrap().code()
    }
}

/// The person, now with a token of the server's, and naming it in every command.
pub(crate) async fn signed_in(mut person: Person, server: &Server) -> Person {
    let made = person.run(&["tokens", "create", "--name", "ci", "--expires", "1h"]).await.ok();
    person.set("VALETKEY_TOKEN", made.stdout.trim());
    person.set("VALETKEY_SERVER", &server.url);
    person
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_commands_work_through_a_server() {
    let person = Person::at(Forge::GitLab).await;
    let mut server = Server::start(&person).await;
    let person = signed_in(person, &server).await;
    person.connect().await.ok();
    let said = person.run_session(EDITS, &[]).await.ok();
    assert!(said.stdout.ends_with("/team/app/-/tree/feature/x\n"), "{said:?}");
    assert!(said.stderr.contains("==> Publishing"), "{said:?}");
    let list = person.run(&["sessions", "-o", "json"]).await.ok().json();
    assert!(list["items"][0]["url"].as_str().unwrap().starts_with(&server.url));
    person.run_session("false", &[]).await.failed(1, "exit code 1");
    person.run(&["keys", "rotate"]).await.failed(2, "works on a data directory");
    assert_eq!(server.end().await, Some(0));
    person.run(&["sessions"]).await.failed(3, "did not answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_refused() {
    let person = Person::at(Forge::GitLab).await;
    let server = Server::start(&person).await;
    let person = signed_in(person, &server).await;
    let tokens = person.run(&["tokens", "-o", "json"]).await.ok();
    let id = tokens.json()["items"][0]["id"].as_str().unwrap().to_owned();
    assert!(!tokens.stdout.contains("vk_"), "values are not listed");
    person.run(&["tokens", "revoke", &id]).await.ok();
    person.run(&["tokens"]).await.failed(3, "valid API token");
    let mut person = person;
    person.set("VALETKEY_TOKEN", "");
    person.run(&["tokens"]).await.failed(3, "VALETKEY_TOKEN is not set");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sign_in_link_is_given_on_the_first_start_only() {
    let person = Person::at(Forge::GitLab).await;
    let mut first = Server::start(&person).await;
    let link = timeout(PATIENCE, first.lines.next_line()).await.unwrap().unwrap().unwrap();
    assert!(link.contains(&format!("{}/sign-in/", first.url)), "{link}");
    assert_eq!(first.end().await, Some(0));

    let mut second = Server::start(&person).await;
    assert_eq!(second.end().await, Some(0));
    assert_eq!(second.lines.next_line().await.unwrap(), None, "nothing but where it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_key_is_rotated_under_a_running_server() {
    let mut person = Person::at(Forge::GitLab).await;
    let data = person.path(".local/share/valetkey");
    let server = Server::start(&person).await;
    person.connect().await.ok();
    let before = std::fs::read_to_string(data.join("master.key")).unwrap();
    let said = person.run(&["keys", "rotate", "-o", "json"]).await.ok().json();
    assert_eq!(said["rewrapped"], 1);
    assert_ne!(std::fs::read_to_string(data.join("master.key")).unwrap(), before);

    let here = person.run(&["integrations", "-o", "json"]).await.ok().json();
    let id = here["items"][0]["id"].as_str().unwrap().to_owned();
    person = signed_in(person, &server).await;
    let tested = person.run(&["integrations", "test", &id, "-o", "json"]).await.ok().json();
    assert_eq!(tested["status"], "connected");
    person.run_session(EDITS, &[]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_a_killed_server_is_found_failed_with_its_work() {
    let person = Person::at(Forge::GitLab).await;
    let mut server = Server::start(&person).await;
    person.connect().await.ok();
    let (agent, marker) = person.waiting_agent();
    let mut remote = Person::at(Forge::GitLab).await;
    let made = person.run(&["tokens", "create", "--name", "ci"]).await.ok();
    remote.set("VALETKEY_TOKEN", made.stdout.trim());
    remote.set("VALETKEY_SERVER", &server.url);
    let running = remote.command(person.session(&agent, &[])).spawn().unwrap();
    let process = agent_of(&marker).await;

    signal(&server.child, Signal::KILL);
    server.child.wait().await.unwrap();
    drop(running);
    let list = person.run(&["sessions", "-o", "json"]).await.ok().json();
    let record = &list["items"][0];
    assert_eq!(record["phase"], "Failed");
    assert_eq!(record["failure"]["code"], "interrupted");
    assert!(std::path::Path::new(record["workspace"].as_str().unwrap()).join("app/README.md").exists());
    until("the agent to be gone", async || (!is_alive(process)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_told_to_end_stops_its_sessions() {
    let person = Person::at(Forge::GitLab).await;
    let mut server = Server::start(&person).await;
    person.connect().await.ok();
    let (agent, marker) = person.waiting_agent();
    let person = signed_in(person, &server).await;
    let running = person.command(person.session(&agent, &[])).spawn().unwrap();
    let process = agent_of(&marker).await;
    assert_eq!(server.end().await, Some(0));
    assert!(!is_alive(process));
    drop(running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_stopped_from_another_process() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    let (agent, marker) = person.waiting_agent();
    let running = person.command(person.session(&agent, &[])).spawn().unwrap();
    let process = agent_of(&marker).await;
    let list = person.run(&["sessions", "-o", "json"]).await.ok().json();
    assert_eq!(list["items"][0]["phase"], "Running");
    let id = list["items"][0]["id"].as_str().unwrap();
    let log = person.run(&["sessions", "logs", id]).await.ok().stdout;
    assert!(log.contains("Starting sh"), "what is written so far: {log}");
    person.run(&["sessions", "rm", id]).await.failed(1, "still runs");
    person.run(&["sessions", "stop", id]).await.ok();
    person.end(running).await.failed(5, "The session was stopped");
    assert!(!is_alive(process));
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_would_leave_no_core() {
    let person = Person::at(Forge::GitLab).await;
    let server = Server::start(&person).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.child.id().unwrap())).unwrap();
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[..2], ["0", "0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named() {
    let person = Person::at(Forge::GitLab).await;
    let server = Server::start(&person).await;
    let address = server.url.trim_start_matches("http://");
    person.run(&["serve", "--listen", address]).await.failed(1, "Choose another with --listen");
}
