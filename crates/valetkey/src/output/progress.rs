use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use valetkey_model::{EventBody, LogStream, SessionEvent, Step, StepOutcome};

use super::{Style, Tamed, took};

/// Shows on standard error how a session goes: marks and a moving sign on a terminal, plain lines elsewhere.
pub(crate) struct Progress {
    live: bool,
    style: Style,
    step: Option<Running>,
    stdout: Tamed,
    stderr: Tamed,
    at_line_start: bool,
    frame: usize,
}

struct Running {
    step: Step,
    began: Timestamp,
    shown: Instant,
}

const FRAMES: [&str; 8] = ["⠋", "⠙", "⠸", "⠴", "⠦", "⠇", "⠏", "⠹"];

impl Progress {
    /// How often [`tick`](Self::tick) is worth calling.
    pub(crate) const TICK: Duration = Duration::from_millis(100);

    pub(crate) fn new() -> Self {
        let live = io::stderr().is_terminal();
        let style = Style::of(&io::stderr());
        Self {
            live,
            style,
            step: None,
            stdout: Tamed::default(),
            stderr: Tamed::default(),
            at_line_start: true,
            frame: 0,
        }
    }

    /// Shows an event.
    pub(crate) fn event(&mut self, event: &SessionEvent) {
        self.wipe();
        match &event.body {
            EventBody::Step { step, outcome: StepOutcome::Started, .. } => {
                if !self.live && *step != Step::Announce {
                    self.line(&format!("==> {}", title(*step)));
                }
                self.step = Some(Running { step: *step, began: event.at, shown: Instant::now() });
            }
            EventBody::Step { step, outcome, .. } => self.ended(*step, *outcome, event.at),
            EventBody::Log { stream, text } => self.log(*stream, text),
            EventBody::Phase { .. } => {}
        }
    }

    /// Moves the sign on.
    pub(crate) fn tick(&mut self) {
        let Some(running) = self.step.as_ref().filter(|_| self.live && self.at_line_start) else { return };
        self.frame = (self.frame + 1) % FRAMES.len();
        let seconds = running.shown.elapsed().as_secs();
        let time = if seconds == 0 { String::new() } else { self.style.dim(&format!("  {seconds} s")) };
        let text = format!("\r\u{1b}[K{} {}{time}", FRAMES[self.frame], title(running.step));
        self.write(&text);
    }

    /// Says a line of our own.
    pub(crate) fn say(&mut self, line: &str) {
        self.wipe();
        self.line(line);
    }

    /// Leaves the terminal in order.
    pub(crate) fn finish(&mut self) {
        self.wipe();
        self.end_line();
        self.step = None;
    }

    fn ended(&mut self, step: Step, outcome: StepOutcome, at: Timestamp) {
        let running = self.step.take();
        let failed = outcome == StepOutcome::Failed;
        // What the last step says is the result, on standard output.
        if step == Step::Announce && !failed {
            return;
        }
        if self.live {
            let time = running.and_then(|r| Duration::try_from(at.duration_since(r.began)).ok()).unwrap_or_default();
            let mark = if failed { self.style.red("✗") } else { self.style.green("✓") };
            self.line(&format!("{mark} {}  {}", title(step), self.style.dim(&took(time))));
        } else if failed {
            self.line(&format!("==> {}: failed", title(step)));
        }
    }

    fn log(&mut self, stream: LogStream, text: &str) {
        if self.step.as_ref().is_some_and(|running| running.step == Step::Announce) {
            return;
        }
        if !self.live {
            return self.text(text);
        }
        let tamed = match stream {
            LogStream::Platform => self.style.dim(&Tamed::text(text.trim_end_matches('\n'))) + "\n",
            LogStream::Stdout => self.stdout.next(text),
            LogStream::Stderr => self.stderr.next(text),
        };
        for line in tamed.split_inclusive('\n') {
            let indent = if self.at_line_start { "  " } else { "" };
            self.text(&format!("{indent}{line}"));
        }
    }

    fn line(&mut self, line: &str) {
        self.end_line();
        self.text(&format!("{line}\n"));
    }

    fn end_line(&mut self) {
        if !self.at_line_start {
            self.text("\n");
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(last) = text.chars().last() {
            self.at_line_start = last == '\n';
            self.write(text);
        }
    }

    fn wipe(&mut self) {
        if self.live && self.at_line_start && self.step.is_some() {
            self.write("\r\u{1b}[K");
        }
    }

    fn write(&self, text: &str) {
        // Nobody to tell if standard error is gone.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

fn title(step: Step) -> &'static str {
    match step {
        Step::Resolve => "Choosing integrations",
        Step::Preflight => "Asking the providers",
        Step::Checkout => "Cloning",
        Step::Agent => "Agent at work",
        Step::Publish => "Publishing",
        Step::Announce => "Done",
    }
}
