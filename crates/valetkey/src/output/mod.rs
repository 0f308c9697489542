//! What is printed: results on standard output, in the form asked for; problems and progress on standard error.

mod human;
mod progress;
mod table;
mod terminal;
mod yaml;

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;
use valetkey_model::{Problem, ProblemCode};

use crate::cli::Format;

pub(crate) use human::{day, took, when};
pub(crate) use progress::Progress;
pub(crate) use table::{Table, fields};
pub(crate) use terminal::{Style, Tamed, one_line};

/// Prints `value` for programs, or what `table` makes of it for people.
pub(crate) fn print<T: Serialize>(format: Format, value: &T, table: impl FnOnce() -> String) -> Result<(), Problem> {
    let text = match format {
        Format::Table => table(),
        Format::Json => json(value),
        Format::Yaml => yaml::of(&serde_json::to_value(value).unwrap_or_default()),
    };
    say(&text)
}

/// Prints a text on standard output, ended by a newline.
pub(crate) fn say(text: &str) -> Result<(), Problem> {
    let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    say_part(&format!("{text}{newline}")).map(drop)
}

/// Prints a piece of a text on standard output; the answer is whether anybody reads on (`| head` does not).
pub(crate) fn say_part(text: &str) -> Result<bool, Problem> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(Problem::new(ProblemCode::Internal, format!("Standard output can't be written: {e}."))),
    }
}

/// Prints a line on standard error; if even that fails there is nobody to tell.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints why a command failed: for people on standard error; for programs the problem document on standard output.
pub(crate) fn fail(format: Format, problem: &Problem) {
    match format {
        Format::Table => note(&worded(problem, Style::of(&io::stderr()))),
        Format::Json => drop(say(&json(problem))),
        Format::Yaml => drop(say(&yaml::of(&serde_json::to_value(problem).unwrap_or_default()))),
    }
}

/// `error: …`, and indented below it what to do.
fn worded(problem: &Problem, style: Style) -> String {
    let mut text = format!("{} {}", style.red("error:"), Tamed::text(&problem.detail));
    let after = problem.retry_after_seconds.map(|seconds| format!("Retry in {seconds} s."));
    let after = after.filter(|retry| !problem.detail.contains(retry.as_str()));
    for hint in problem.remediation.iter().chain(&after) {
        for line in hint.lines() {
            text.push_str(&format!("\n  {}", Tamed::text(line)));
        }
    }
    text
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Whether standard output is a terminal.
pub(crate) fn for_people() -> bool {
    io::stdout().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_happened_and_below_it_what_to_do() {
        let mut problem = Problem::new(ProblemCode::RateLimited, "Too many.\u{1b}[2J").remedy("Wait.\nRetry.");
        problem.retry_after_seconds = Some(7);
        assert_eq!(worded(&problem, Style::plain()), "error: Too many.\n  Wait.\n  Retry.\n  Retry in 7 s.");
        problem.detail = "Too many. Retry in 7 s.".to_owned();
        assert_eq!(worded(&problem, Style::plain()), "error: Too many. Retry in 7 s.\n  Wait.\n  Retry.");
    }
}
