//! How moments, spans of time and states are put into words. Pure: the present moment is passed in.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use valetkey_model::{InstallationState, Phase, Status, Step};

/// A moment as people read it; programs and screen readers get the exact form too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Moment {
    iso: String,
    exact: String,
    words: String,
}

impl Moment {
    /// A moment that has passed: `3 min ago`.
    pub(crate) fn past(now: Timestamp, at: Timestamp) -> Self {
        Self::new(at, ago(now, at))
    }

    /// A moment by its date.
    pub(crate) fn day(at: Timestamp) -> Self {
        Self::new(at, day(at))
    }

    fn new(at: Timestamp, words: String) -> Self {
        let exact = at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        Self { iso: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), exact, words }
    }
}

/// `2027-01-31`.
pub(crate) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// How long ago `at` was. The browser's script goes on counting with the same words.
pub(crate) fn ago(now: Timestamp, at: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs();
    match seconds {
        ..60 => "just now".to_owned(),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        86_400..2_592_000 => format!("{} ago", counted(seconds / 86_400, "day")),
        _ => format!("on {}", day(at)),
    }
}

/// How far off an end is, as the rest of a sentence: `in 12 days`, `3 days ago`.
pub(crate) fn until(now: Timestamp, end: Timestamp) -> String {
    let seconds = end.duration_since(now).as_secs();
    match seconds {
        ..0 => ago(now, end),
        0..3_600 => "in less than an hour".to_owned(),
        3_600..172_800 => format!("in {} h", seconds / 3_600),
        172_800..5_184_000 => format!("in {} days", seconds / 86_400),
        5_184_000..63_072_000 => format!("in {} months", seconds / 2_592_000),
        _ => format!("in {} years", seconds / 31_536_000),
    }
}

/// How long something took: `0.4 s`, `42 s`, `3 min 20 s`, `1 h 5 min`.
pub(crate) fn span(length: SignedDuration) -> String {
    let seconds = length.as_secs().max(0);
    match seconds {
        0..10 => format!("{:.1} s", length.as_secs_f64().max(0.0)),
        10..60 => format!("{seconds} s"),
        60..3_600 => pair(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => pair(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

fn pair(large: i64, large_unit: &str, small: i64, small_unit: &str) -> String {
    if small == 0 { format!("{large} {large_unit}") } else { format!("{large} {large_unit} {small} {small_unit}") }
}

/// `1 day`, `2 days`.
pub(crate) fn counted(count: i64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// How a state looks besides its word; the style sheet gives each a colour and the templates a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tone {
    /// All is well.
    Good,
    /// Works, but wants attention.
    Warn,
    /// Does not work.
    Bad,
    /// Under way.
    Live,
    /// Nothing to say.
    Idle,
}

/// A state: a word, never a colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Badge {
    word: &'static str,
    tone: Tone,
}

impl Badge {
    /// A state that is a word of one page alone.
    pub(crate) fn new(word: &'static str, tone: Tone) -> Self {
        Self { word, tone }
    }

    /// The state in a word.
    pub(crate) fn word(&self) -> &'static str {
        self.word
    }
}

impl From<Status> for Badge {
    fn from(status: Status) -> Self {
        let (word, tone) = match status {
            Status::Connected => ("Connected", Tone::Good),
            Status::Expiring => ("Expires soon", Tone::Warn),
            Status::InsufficientScope => ("Missing scope", Tone::Warn),
            Status::Disconnected => ("Disconnected", Tone::Bad),
            Status::Unreachable => ("Not reachable", Tone::Warn),
        };
        Self { word, tone }
    }
}

impl From<InstallationState> for Badge {
    fn from(state: InstallationState) -> Self {
        let (word, tone) = match state {
            InstallationState::Active => ("Active", Tone::Good),
            InstallationState::Suspended => ("Suspended", Tone::Bad),
            InstallationState::PendingApproval => ("Waiting for approval", Tone::Warn),
            InstallationState::Removed => ("Removed", Tone::Idle),
        };
        Self { word, tone }
    }
}

impl From<Phase> for Badge {
    fn from(phase: Phase) -> Self {
        let tone = match phase {
            Phase::Pending | Phase::Stopped => Tone::Idle,
            Phase::Preparing | Phase::Running | Phase::Publishing => Tone::Live,
            Phase::Completed => Tone::Good,
            Phase::Failed => Tone::Bad,
        };
        Self { word: phase.as_str(), tone }
    }
}

/// What a step does, for people.
pub(crate) fn step_words(step: Step) -> &'static str {
    match step {
        Step::Resolve => "Choose integrations",
        Step::Preflight => "Check access",
        Step::Checkout => "Clone",
        Step::Agent => "Run the agent",
        Step::Publish => "Commit and push",
        Step::Announce => "Give notice",
    }
}

/// The first line of a task, cut to what fits a title.
pub(crate) fn title(task: &str) -> String {
    const MAX: usize = 120;
    let line = task.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("(no task)");
    if line.chars().count() <= MAX {
        return line.to_owned();
    }
    let cut: String = line.chars().take(MAX - 1).collect();
    format!("{}…", cut.trim_end())
}

/// The text with every character made visible that would change how its surroundings look: control characters, changes
/// of the writing direction, and those without any width.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            out.push_str(&format!("⟨U+{:04X}⟩", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// The joiners U+200C and U+200D are not among them: Persian and many emoji need them.
fn is_hidden(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t' | '\r'))
        || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_past_in_words() {
        let now = at(1_800_000_000);
        for (seconds, words) in [
            (-5, "just now"),
            (0, "just now"),
            (59, "just now"),
            (60, "1 min ago"),
            (3_599, "59 min ago"),
            (3_600, "1 h ago"),
            (86_400, "1 day ago"),
            (29 * 86_400, "29 days ago"),
            (30 * 86_400, "on 2026-12-16"),
        ] {
            assert_eq!(ago(now, now - SignedDuration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn an_end_in_words() {
        let now = at(1_800_000_000);
        for (seconds, words) in [
            (-3 * 86_400, "3 days ago"),
            (1_800, "in less than an hour"),
            (5 * 3_600, "in 5 h"),
            (2 * 86_400, "in 2 days"),
            (59 * 86_400, "in 59 days"),
            (90 * 86_400, "in 3 months"),
            (800 * 86_400, "in 2 years"),
        ] {
            assert_eq!(until(now, now + SignedDuration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn spans_in_words() {
        for (millis, words) in [
            (-10, "0.0 s"),
            (440, "0.4 s"),
            (42_900, "42 s"),
            (60_000, "1 min"),
            (200_000, "3 min 20 s"),
            (3_900_000, "1 h 5 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(span(SignedDuration::from_millis(millis)), words);
        }
    }

    #[test]
    fn a_moment_has_an_exact_form() {
        let moment = Moment::past(at(180), at(0));
        assert_eq!(moment.iso, "1970-01-01T00:00:00Z");
        assert_eq!(moment.exact, "1970-01-01 00:00:00 UTC");
        assert_eq!(moment.words, "3 min ago");
    }

    #[test]
    fn only_what_is_well_looks_well() {
        for status in [Status::Expiring, Status::InsufficientScope, Status::Disconnected, Status::Unreachable] {
            assert_ne!(Badge::from(status).tone, Tone::Good);
        }
        assert_eq!(Badge::from(Status::Connected).tone, Tone::Good);
        assert_eq!(Badge::from(Phase::Completed).tone, Tone::Good);
        assert_eq!(Badge::from(Phase::Failed).tone, Tone::Bad);
    }

    #[test]
    fn a_title_is_one_line_that_fits() {
        assert_eq!(title("\n  Add a feature \nwith details"), "Add a feature");
        assert_eq!(title(" \n"), "(no task)");
        assert_eq!(title(&"é".repeat(500)).chars().count(), 120);
    }

    #[test]
    fn characters_that_deceive_are_shown() {
        assert_eq!(visible("plain\ttext\n"), "plain\ttext\n");
        assert_eq!(visible("a\u{202e}b\u{1b}c"), "a⟨U+202E⟩b⟨U+001B⟩c");
        assert_eq!(visible("👩\u{200d}💻"), "👩\u{200d}💻");
    }
}
