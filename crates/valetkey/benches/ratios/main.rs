//! The table of ratios: each taken in one run, against the thing itself. `cargo bench -p valetkey`.
//!
//! Figures are medians over several rounds in which the two sides take turns, so that a machine whose speed drifts
//! does not favour one.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark starts programs and prints figures")]

mod machine;
mod searching;
mod serving;
mod sessions;

use std::time::{Duration, Instant};

use machine::{Machine, row};

const TINY: usize = 4 * 1024;
const LARGE: usize = 200 * 1024 * 1024;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let machine = Machine::prepare().await?;
    println!("| figure | measured | wanted |\n| --- | --- | --- |");
    sessions::compare(&machine, "tiny", TINY, 15, 1.5)?;
    sessions::compare(&machine, "about 200 MB", LARGE, 3, 1.10)?;
    sessions::clone_through_the_gateway(&machine, LARGE, 3)?;
    serving::start_and_idle(&machine)?;
    serving::requests(&machine)?;
    searching::through_us(&machine)?;
    let size = std::fs::metadata(machine::PROGRAM)?.len();
    row("size of the program", &format!("{:.1} MB", size as f64 / 1e6), "≤ 40 MB");
    Ok(())
}

/// The median of a few durations.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn timed<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<Duration> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}
