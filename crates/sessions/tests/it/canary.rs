use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    bench::Bench,
    secrets::{keep, mine},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_is_nowhere_but_in_the_agents_environment() {
    let bench = Bench::new().await;
    let token = bench.forge.token.clone();
    nowhere_but_in_the_agents_environment(&bench, "GITLAB_TOKEN", token).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_is_a_secret() {
    let bench = Bench::new().await;
    let canary = "Canary-3f9a77c1e0b24d";
    // Set three times: no earlier record is left either.
    for _ in 0..3 {
        keep(&bench.bed, mine(), "CANARY", canary).await;
    }
    nowhere_but_in_the_agents_environment(&bench, "CANARY", canary.to_owned()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_is_one_in_a_token_s_place() {
    let bench = Bench::new().await;
    let canary = "glpat-Canary0narrow0narrow0nar";
    keep(&bench.bed, mine(), "GITLAB_TOKEN", canary).await;
    nowhere_but_in_the_agents_environment(&bench, "GITLAB_TOKEN", canary.to_owned()).await;
}

/// A whole session whose agent has a unique value in `variable`, and then that is looked for everywhere. While the session
/// runs the process table is sampled.
async fn nowhere_but_in_the_agents_environment(bench: &Bench, variable: &str, token: String) {
    let gate = bench.bed.folder.path().join("gate");
    let watch = Watch::start(token.clone());
    let body = serde_json::json!({
        "task": "Canary",
        "repositories": [{"url": bench.forge.url(), "pushBranch": "feature/x"}],
        "agent": {"command": ["sh", "-c", format!("git fetch -q; echo \"${variable}\"; printf %s \"${variable}\" | base64; echo x > x; git add x; git commit -qm x; git push -q; echo y > y; while ! test -e {}; do sleep 0.05; done", gate.display())]},
        "keepWorkspace": true,
    });
    let id = bench.start_as(body).await;
    bench.wait_for_output(&id, "***").await;
    fs::write(&gate, "").unwrap();
    let ended = bench.end_of(&id).await.completed();

    let seen = watch.finish();
    assert!(seen.agents > 0, "the agent's environment was never sampled: the canary looks in the wrong place");
    assert!(seen.arguments.is_empty(), "in the arguments of {:?}", seen.arguments);
    assert!(seen.environments.is_empty(), "in the environment of {:?}", seen.environments);

    assert!(!serde_json::to_string(&ended.session).unwrap().contains(&token));
    assert!(!serde_json::to_string(&ended.events).unwrap().contains(&token));
    bench.bed.store.scrub().await.unwrap();
    let mut searched = 0;
    search(bench.bed.folder.path(), token.as_bytes(), &mut searched);
    assert!(searched > 20, "only {searched} files were searched");
}

/// Fails if a file under `folder` holds `needle`.
fn search(folder: &Path, needle: &[u8], searched: &mut usize) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            search(&entry.path(), needle, searched);
        } else if kind.is_file() {
            *searched += 1;
            let content = fs::read(entry.path()).unwrap();
            let found = content.windows(needle.len()).any(|window| window == needle);
            assert!(!found, "the token is in {}", entry.path().display());
        }
    }
}

/// Samples /proc for the token while a session runs.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Seen>,
}

#[derive(Default)]
struct Seen {
    arguments: Vec<String>,
    /// Of processes that are not the agent's.
    environments: Vec<String>,
    agents: usize,
}

impl Watch {
    fn start(token: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut seen = Seen::default();
            while !stopped.load(Ordering::Relaxed) {
                sample(&token, &mut seen);
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            seen
        });
        Self { stop, thread }
    }

    fn finish(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn sample(token: &str, seen: &mut Seen) {
    let holds = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let read = |name: &str| fs::read(process.path().join(name)).unwrap_or_default();
        let command = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
        if command.contains(token) {
            seen.arguments.push(command.clone());
        }
        // Read once: between two looks the process may have ended.
        let environment = read("environ");
        if holds(&environment, token) {
            // The agent and what it started carry the session's id; git that we start does not.
            if holds(&environment, "VALETKEY_SESSION_ID=") {
                seen.agents += 1;
            } else {
                seen.environments.push(command);
            }
        }
    }
}
