//! A session's log as the page shows it at first, and as one text.

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use http::header;
use serde::{Deserialize, Serialize};
use valetkey_model::{EventBody, LogStream, Problem, Session, SessionEvent, SessionId};

use crate::{
    App,
    auth::Caller,
    extract::{Id, Params},
    pages::ansi::{Span, Terminal, plain},
    problem::Answer,
};

/// How many events of a log's beginning and of its end a page looks at.
const FIRST: u32 = 100;
const LAST: u32 = 200;
/// How many lines, and how much text, of a log's end are in the page itself; the script fetches nothing older either.
const LINES: usize = 250;
const BYTES: usize = 18_000;

/// The part of a session's events that its page needs: all, or the beginning and the end of a long log.
pub(super) struct Excerpt {
    pub(super) events: Vec<SessionEvent>,
    gap: bool,
}

impl Excerpt {
    pub(super) async fn read(app: &App, id: &SessionId) -> Result<Self, Problem> {
        let last = app.store.last_seq(id).await?;
        if last <= i64::from(FIRST + LAST) {
            return Ok(Self { events: app.store.events_after(id, 0, FIRST + LAST).await?, gap: false });
        }
        let mut events = app.store.events_after(id, 0, FIRST).await?;
        events.extend(app.store.events_after(id, last - i64::from(LAST), LAST).await?);
        Ok(Self { events, gap: true })
    }

    /// The events behind the gap, if there is one.
    fn tail(&self) -> &[SessionEvent] {
        if self.gap { &self.events[FIRST as usize..] } else { &self.events }
    }
}

#[cfg(test)]
impl Excerpt {
    pub(super) fn of(events: Vec<SessionEvent>) -> Self {
        Self { events, gap: false }
    }
}

/// The end of the log.
#[derive(Debug, Serialize)]
pub(super) struct LogView {
    lines: Vec<Line>,
    /// Whether something came before the first line.
    cut: bool,
    /// The event behind which the script goes on.
    last: i64,
    events: String,
    live: bool,
}

/// A line of the log.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Line {
    source: LogStream,
    spans: Vec<Span>,
    /// Whether its end has not come yet.
    open: bool,
}

impl LogView {
    pub(super) fn new(session: &Session, excerpt: &Excerpt) -> Self {
        let (lines, dropped) = lines(excerpt.tail());
        Self {
            lines,
            cut: dropped || excerpt.gap,
            last: excerpt.events.last().map_or(0, |event| event.seq),
            events: format!("/api/v1/projects/{}/sessions/{}/events", session.project, session.id),
            live: !session.phase.is_final(),
        }
    }
}

/// The last lines of some events, and whether there were more.
fn lines(events: &[SessionEvent]) -> (Vec<Line>, bool) {
    let mut screen = Screen::default();
    for event in events {
        if let EventBody::Log { stream, text } = &event.body {
            screen.write(*stream, text);
        }
    }
    let mut lines = screen.lines;
    let mut room = BYTES;
    let fits = lines.iter().rev().take(LINES).take_while(|line| {
        let size = 40 + line.spans.iter().map(|span| 24 + escaped_len(&span.text)).sum::<usize>();
        room.checked_sub(size).map(|rest| room = rest).is_some()
    });
    let dropped = lines.len() - fits.count();
    lines.drain(..dropped);
    (lines, dropped > 0)
}

/// How many bytes a text has in a page, at most.
fn escaped_len(text: &str) -> usize {
    text.len() + 5 * text.bytes().filter(|byte| b"&<>\"'".contains(byte)).count()
}

/// Lines in the order in which they began, though the streams interrupt each other; the script has the same order.
#[derive(Default)]
struct Screen {
    lines: Vec<Line>,
    terminals: [Terminal; 3],
    /// Per stream, the line whose end has not come yet.
    open: [Option<usize>; 3],
}

impl Screen {
    fn write(&mut self, source: LogStream, text: &str) {
        let Self { lines, terminals, open } = self;
        let (terminal, open) = (&mut terminals[source as usize], &mut open[source as usize]);
        let mut put = |spans, is_open| {
            let line = Line { source, spans, open: is_open };
            let at = open.unwrap_or(lines.len());
            match lines.get_mut(at) {
                Some(begun) => *begun = line,
                None => lines.push(line),
            }
            *open = is_open.then_some(at);
        };
        terminal.push(text, |spans| put(spans, false));
        if !terminal.is_at_line_start() {
            put(terminal.so_far(), true);
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    /// Only the lines with this in them, ignoring case.
    #[serde(default)]
    q: String,
}

/// The whole log so far as plain text, or the lines of it that are looked for.
pub(super) async fn whole(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<SessionId>,
    Params(Wanted { q }): Params<Wanted>,
) -> Answer<Response> {
    const PAGE: u32 = 200;
    app.engine.session(&caller.actor, &id).await?;
    let start = Some((app.store, id, 0, Sieve::new(&q)));
    let pages = stream::try_unfold(start, |state| async move {
        let Some((store, id, after, mut sieve)) = state else { return Ok(None) };
        let events = store.events_after(&id, after, PAGE).await?;
        let Some(last) = events.last().map(|event| event.seq) else { return Ok(Some((sieve.rest(), None))) };
        let text = sieve.pass(text_of(&events));
        Ok::<_, valetkey_store::StoreError>(Some((text, Some((store, id, last, sieve)))))
    });
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((headers, Body::from_stream(pages)).into_response())
}

fn text_of(events: &[SessionEvent]) -> String {
    let text = |event: &SessionEvent| match &event.body {
        EventBody::Log { text, .. } => Some(text.clone()),
        EventBody::Phase { .. } | EventBody::Step { .. } => None,
    };
    events.iter().filter_map(text).collect()
}

/// Lets lines through that have a text in them, whatever the pieces in which they come; without a text, everything.
struct Sieve {
    wanted: String,
    /// The beginning of a line whose end has not come yet.
    open: String,
}

/// A line without an end is looked through in pieces of this size.
const LONGEST_LINE: usize = 64 * 1024;

impl Sieve {
    fn new(wanted: &str) -> Self {
        Self { wanted: wanted.trim().to_lowercase(), open: String::new() }
    }

    fn pass(&mut self, piece: String) -> String {
        if self.wanted.is_empty() {
            return piece;
        }
        let text = std::mem::take(&mut self.open) + &piece;
        let (whole, open) = match text.rfind('\n') {
            Some(end) if text.len() - end <= LONGEST_LINE => text.split_at(end + 1),
            _ if text.len() > LONGEST_LINE => (&*text, ""),
            _ => ("", &*text),
        };
        let found = self.found(whole);
        self.open = open.to_owned();
        found
    }

    /// What is left at the end.
    fn rest(&mut self) -> String {
        let open = std::mem::take(&mut self.open);
        self.found(&open)
    }

    fn found(&self, text: &str) -> String {
        let matches = |text: &str| text.to_lowercase().contains(&self.wanted);
        text.split_inclusive('\n').filter(|line| matches(line) || matches(&plain(line))).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::Timestamp;

    use super::*;

    fn log(pieces: &[(LogStream, &str)]) -> Vec<SessionEvent> {
        let event = |((stream, text), seq): (&(LogStream, &str), i64)| SessionEvent {
            seq,
            at: Timestamp::UNIX_EPOCH,
            body: EventBody::Log { stream: *stream, text: (*text).to_owned() },
        };
        pieces.iter().zip(1..).map(event).collect()
    }

    /// A log with something of everything.
    pub(in crate::pages) fn sample(session: &Session) -> LogView {
        let events = log(&[
            (
                LogStream::Platform,
                "[GitLab] acme/web/app: 'john@gitlab.com' is the only User Global integration for https://gitlab.com.\n",
            ),
            (
                LogStream::Platform,
                "[GitLab] Using token glpat-*** for user john\n[GitLab] Cloning https://oauth2:***@gitlab.com/acme/web/app.git\n",
            ),
            (
                LogStream::Stdout,
                "I'll look at the settings page first.\n\x1b[1mPlan\x1b[0m\n  \x1b[32m✓\x1b[0m read \x1b[36msrc/settings.tsx\x1b[0m\n  \x1b[33m…\x1b[0m add a theme switch\n",
            ),
            (LogStream::Stderr, "npm \x1b[33mWARN\x1b[0m deprecated inflight@1.0.6: This module is not supported\n"),
            (
                LogStream::Stdout,
                "<script>alert('log')</script>\nRunning tests: 10%\rRunning tests: 100%\n\x1b[32m42 passed\x1b[0m, \x1b[31m0 failed\x1b[0m\n",
            ),
            (LogStream::Platform, "[GitLab] Pushed feature/dark-mode (3f78685)\n"),
        ]);
        LogView::new(session, &Excerpt::of(events))
    }

    /// As much as a page ever holds.
    pub(in crate::pages) fn longest(session: &Session) -> LogView {
        let coloured = "\x1b[32m<a>\x1b[0m & \x1b[31m'b'\x1b[0m and what else a line may hold\n".repeat(2 * LINES);
        LogView::new(session, &Excerpt::of(log(&[(LogStream::Stderr, &coloured)])))
    }

    fn told(lines: &[Line]) -> Vec<(LogStream, String, bool)> {
        let text = |line: &Line| line.spans.iter().map(|span| &*span.text).collect::<String>();
        lines.iter().map(|line| (line.source, text(line), line.open)).collect()
    }

    #[test]
    fn streams_that_interrupt_each_other_keep_their_own_lines() {
        use LogStream::{Stderr, Stdout};
        let (lines, dropped) = lines(&log(&[(Stdout, "one "), (Stderr, "two\n"), (Stdout, "three\nfour")]));
        let expected = [
            (Stdout, "one three".to_owned(), false),
            (Stderr, "two".to_owned(), false),
            (Stdout, "four".to_owned(), true),
        ];
        assert_eq!(told(&lines), expected);
        assert!(!dropped);
    }

    #[test]
    fn a_page_holds_the_end_of_a_long_log() {
        let many = "line\n".repeat(LINES + 5);
        let (found, dropped) = lines(&log(&[(LogStream::Stdout, &many)]));
        assert_eq!((found.len(), dropped), (LINES, true));
        let wide = format!("{}\n", "x".repeat(9_000)).repeat(60);
        let (found, dropped) = lines(&log(&[(LogStream::Stdout, &wide)]));
        assert!(found.len() < 10 && dropped, "{}", found.len());
    }

    #[test]
    fn lines_are_found_whatever_the_pieces() {
        let text = "One fish\n\x1b[31mtwo\x1b[0m Fish\nred dog\nblue fish";
        for cut in 0..=text.len() {
            let mut sieve = Sieve::new(" FISH ");
            let (first, second) = text.split_at(cut);
            let found = sieve.pass(first.to_owned()) + &sieve.pass(second.to_owned()) + &sieve.rest();
            assert_eq!(found, "One fish\n\x1b[31mtwo\x1b[0m Fish\nblue fish", "cut at {cut}");
        }
        assert_eq!(Sieve::new("").pass(text.to_owned()), text);
    }

    #[test]
    fn a_line_without_an_end_takes_no_more_memory() {
        let mut sieve = Sieve::new("needle");
        for _ in 0..8 {
            assert_eq!(sieve.pass("x".repeat(LONGEST_LINE / 2)), "");
            assert!(sieve.open.len() <= LONGEST_LINE);
        }
    }

    #[test]
    fn the_text_is_all_output_in_order() {
        let mut events = log(&[(LogStream::Platform, "a\n"), (LogStream::Stderr, "b\n")]);
        events.push(SessionEvent {
            body: EventBody::Phase { phase: valetkey_model::Phase::Failed },
            ..events[0].clone()
        });
        assert_eq!(text_of(&events), "a\nb\n");
    }
}
