use std::{fs, path::Path};

use valetkey_twins::Forge;

use crate::support::{Person, agent_of, signal};

/// Every form in which a token could lie about.
fn forms(token: &str) -> Vec<Vec<u8>> {
    let hex: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![token.as_bytes().to_vec(), hex.into_bytes(), token.bytes().rev().collect()]
}

/// The files under `folder` that hold the token.
fn holding(folder: &Path, token: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(holding(&path, token));
        } else if let Ok(bytes) = fs::read(&path) {
            let holds = forms(token).iter().any(|form| bytes.windows(form.len()).any(|window| window == form));
            found.extend(holds.then(|| path.display().to_string()));
        }
    }
    found
}

/// The processes whose arguments, or whose environment, hold the token.
fn processes(file: &str, token: &str) -> Vec<i32> {
    let ids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let holds = |id: &i32| {
        let bytes = fs::read(format!("/proc/{id}/{file}")).unwrap_or_default();
        bytes.windows(token.len()).any(|window| window == token.as_bytes())
    };
    ids.filter(holds).collect()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_lies_nowhere_but_in_the_agents_environment() {
    let person = Person::at(Forge::GitLab).await;
    person.connect().await.ok();
    let marker = person.path("agent-is-here");
    let agent = format!(
        "sh -c 'git log >> history; git push -q origin HEAD:feature/x; git config --list --show-origin > config; \
         env | grep -v _TOKEN= > environment; echo $GITLAB_TOKEN; echo $$ > {0}.part; mv {0}.part {0}; exec sleep 600'",
        marker.display()
    );
    let running = person.command(person.session(&agent, &["--keep-workspace"])).spawn().unwrap();
    let process = agent_of(&marker).await;

    assert_eq!(processes("cmdline", &person.token), Vec::<i32>::new());
    assert_eq!(processes("environ", &person.token), [process], "the agent's own, and no other's");
    assert_eq!(holding(person.home.path(), &person.token), Vec::<String>::new(), "while it runs");
    signal(&running, rustix::process::Signal::INT);
    let said = person.end(running).await;
    assert_eq!(said.code, 5, "{said:?}");
    assert_eq!(holding(person.home.path(), &person.token), Vec::<String>::new(), "after it");

    let list = person.run(&["sessions", "-o", "json"]).await.ok();
    let id = list.json()["items"][0]["id"].as_str().unwrap().to_owned();
    person.run(&["sessions", "logs", &id, "-o", "json"]).await.ok();
    for request in person.twin.journal() {
        assert!(!request.path.contains(&person.token) && !request.query.contains(&person.token), "{request:?}");
    }
}
