use std::{fs, path::Path};

use crate::{
    machine::{Machine, git, row, wait_and_watch},
    median, timed,
};

/// A whole session, from the command line to the pushed branch, against clone, commit and push typed by hand.
pub(crate) fn compare(machine: &Machine, name: &str, bytes: usize, rounds: usize, wanted: f64) -> anyhow::Result<()> {
    let url = machine.repository(&format!("bench/session-{bytes}"), bytes);
    let (mut ours, mut by_hand) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let hand = timed(|| by_hand_once(machine, &url, round))?;
        let session = timed(|| session_once(machine, &url, round))?;
        // The first round warms the page cache for both.
        if round > 0 {
            by_hand.push(hand);
            ours.push(session);
        }
    }
    let (ours, by_hand) = (median(ours), median(by_hand));
    let figure = format!("session ÷ git by hand, {name}");
    let ratio = ours.as_secs_f64() / by_hand.as_secs_f64();
    row(
        &figure,
        &format!("{ratio:.2} ({} ms ÷ {} ms)", ours.as_millis(), by_hand.as_millis()),
        &format!("≤ {wanted:.2}"),
    );
    Ok(())
}

fn by_hand_once(machine: &Machine, url: &str, round: usize) -> anyhow::Result<()> {
    let folder = machine.folder.path().join(format!("hand-{round}"));
    let target = folder.to_string_lossy().into_owned();
    git(machine.folder.path(), &["clone", "--quiet", &machine.url_by_hand(url), &target])?;
    fs::write(folder.join("note.txt"), format!("{round}"))?;
    git(&folder, &["checkout", "--quiet", "-b", &format!("hand-{round}")])?;
    git(&folder, &["add", "--all"])?;
    git(&folder, &["commit", "--quiet", "--message", "Add a note"])?;
    git(&folder, &["push", "--quiet", "origin", &format!("hand-{round}")])?;
    Ok(fs::remove_dir_all(folder)?)
}

fn session_once(machine: &Machine, url: &str, round: usize) -> anyhow::Result<()> {
    let branch = format!("session-{round}");
    let agent = format!("sh -c 'echo {round} > note.txt'");
    let session =
        machine.valetkey(&["run", "--repo", url, "--push-branch", &branch, "--agent", &agent, "Add a note"]).spawn()?;
    wait_and_watch(session).map(drop)
}

/// A clone by the agent, which goes through the gateway, against the same clone directly; and what memory that takes.
pub(crate) fn clone_through_the_gateway(machine: &Machine, bytes: usize, rounds: usize) -> anyhow::Result<()> {
    let large = machine.repository("bench/clone-large", bytes);
    let tiny = machine.repository("bench/clone-tiny", 4096);
    let times = machine.folder.path().join("times");
    let script = machine.folder.path().join("clone.sh");
    let out = machine.folder.path().join("clone-out");
    // Both sides run in the agent, in turn, so that they differ in nothing but the way to the forge.
    fs::write(&script, clone_script(&machine.url_by_hand(&large), &large, &out, &times, rounds))?;
    let agent = format!("sh {}", script.display());
    let peak_large = wait_and_watch(
        machine.valetkey(&["run", "--repo", &large, "--push-branch", "x", "--agent", &agent, "Clone"]).spawn()?,
    )?;
    let peak_tiny = wait_and_watch(
        machine.valetkey(&["run", "--repo", &tiny, "--push-branch", "x", "--agent", "true", "Nothing"]).spawn()?,
    )?;
    let (direct, gateway) = read_times(&times)?;
    row("clone through the gateway ÷ direct, about 200 MB", &format!("{:.2}", gateway / direct), "≤ 1.10");
    let more = peak_large.saturating_sub(peak_tiny) as f64 / (1024.0 * 1024.0);
    row("more memory for it than for a tiny session", &format!("{more:.1} MiB"), "≤ 32 MiB");
    Ok(())
}

fn clone_script(direct: &str, gateway: &str, out: &Path, times: &Path, rounds: usize) -> String {
    let out = out.display();
    let mut script = "set -e\n".to_owned();
    for _ in 0..rounds {
        for (name, url) in [("direct", direct), ("gateway", gateway)] {
            script.push_str(&format!(
                "rm -rf {out}; a=$(date +%s%N); git clone -q --bare {url} {out}; b=$(date +%s%N); echo {name} $((b-a)) >> {}\n",
                times.display()
            ));
        }
    }
    script.push_str(&format!("rm -rf {out}\n"));
    script
}

/// The medians of the two sides, in nanoseconds.
fn read_times(times: &Path) -> anyhow::Result<(f64, f64)> {
    let text = fs::read_to_string(times)?;
    let of = |name: &str| {
        let mut values: Vec<f64> =
            text.lines().filter_map(|line| line.strip_prefix(name)?.trim().parse().ok()).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Ok((of("direct"), of("gateway")))
}
