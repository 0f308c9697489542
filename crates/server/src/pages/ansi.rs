//! Output of programs for terminals, as lines of styled text.
//!
//! Colours and weights of SGR sequences are kept; every other escape sequence is left out. A carriage return starts the
//! line over, as progress bars mean it. Input may be cut anywhere. The browser's script does the same for what comes live.

use serde::Serialize;

/// The looks of a piece of text: class names of the style sheet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Style {
    colour: Option<u8>,
    bold: bool,
    dim: bool,
    italic: bool,
    underlined: bool,
}

impl Style {
    fn classes(self) -> String {
        let flags = [(self.bold, "b"), (self.dim, "d"), (self.italic, "i"), (self.underlined, "u")];
        let colour = self.colour.map(|colour| format!("c{colour}"));
        let set = flags.into_iter().filter(|(set, _)| *set).map(|(_, class)| class.to_owned());
        colour.into_iter().chain(set).collect::<Vec<_>>().join(" ")
    }

    /// Applies the parameters of one SGR sequence.
    fn apply(&mut self, parameters: &str) {
        let mut codes = parameters.split([';', ':']).map(|code| code.parse::<u16>().unwrap_or(0));
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                3 => self.italic = true,
                4 => self.underlined = true,
                22 => (self.bold, self.dim) = (false, false),
                23 => self.italic = false,
                24 => self.underlined = false,
                30..=37 => self.colour = u8::try_from(code - 30).ok(),
                90..=97 => self.colour = u8::try_from(code - 82).ok(),
                39 => self.colour = None,
                38 => self.colour = extended(&mut codes),
                48 => drop(extended(&mut codes)),
                _ => {}
            }
        }
    }
}

/// A colour of the larger palettes; only the sixteen that have a class are kept.
fn extended(codes: &mut impl Iterator<Item = u16>) -> Option<u8> {
    match codes.next() {
        Some(5) => codes.next().and_then(|code| u8::try_from(code).ok()).filter(|code| *code < 16),
        Some(2) => {
            codes.nth(2);
            None
        }
        _ => None,
    }
}

/// A piece of a line in one style.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Span {
    pub(crate) classes: String,
    pub(crate) text: String,
}

/// A line of more characters is cut: no window is wide enough for it.
const WIDEST: usize = 4_000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// Behind a carriage return that a line feed may follow.
    Return,
    Escape,
    /// A control sequence, `ESC [`.
    Control,
    /// A string that a bell or `ESC \` ends, such as a window title.
    Ignored,
    IgnoredEscape,
}

/// Turns output into lines.
#[derive(Debug, Default)]
pub(crate) struct Terminal {
    state: State,
    parameters: String,
    style: Style,
    line: Vec<(Style, String)>,
    width: usize,
}

impl Terminal {
    /// Takes in the next piece and gives each line that it completes to `line`.
    pub(crate) fn push(&mut self, text: &str, mut line: impl FnMut(Vec<Span>)) {
        for c in text.chars() {
            if self.take(c) {
                line(self.so_far());
                self.start_over();
            }
        }
    }

    /// The line under way, as far as it has come.
    pub(crate) fn so_far(&self) -> Vec<Span> {
        self.line.iter().map(|(style, text)| Span { classes: style.classes(), text: text.clone() }).collect()
    }

    pub(crate) fn is_at_line_start(&self) -> bool {
        self.line.is_empty()
    }

    /// Takes one character in; true at the end of a line.
    fn take(&mut self, c: char) -> bool {
        match self.state {
            State::Text => return self.text(c),
            State::Return => {
                self.state = State::Text;
                if c != '\n' {
                    self.start_over();
                }
                return self.text(c);
            }
            State::Escape => {
                self.parameters.clear();
                self.state = match c {
                    '[' => State::Control,
                    ']' | 'P' | 'X' | '^' | '_' => State::Ignored,
                    _ => State::Text,
                };
            }
            State::Control => self.control(c),
            State::Ignored => {
                self.state = match c {
                    '\u{7}' => State::Text,
                    '\u{1b}' => State::IgnoredEscape,
                    _ => State::Ignored,
                };
            }
            State::IgnoredEscape => self.state = if c == '\\' { State::Text } else { State::Ignored },
        }
        false
    }

    fn text(&mut self, c: char) -> bool {
        match c {
            '\n' => return true,
            '\r' => self.state = State::Return,
            '\u{1b}' => self.state = State::Escape,
            '\u{7}' => {}
            _ if self.width < WIDEST => self.put(c),
            _ if self.width == WIDEST => self.put('…'),
            _ => {}
        }
        false
    }

    fn put(&mut self, c: char) {
        self.width += 1;
        match self.line.last_mut() {
            Some((style, text)) if *style == self.style => text.push(c),
            _ => self.line.push((self.style, c.to_string())),
        }
    }

    fn start_over(&mut self) {
        self.line.clear();
        self.width = 0;
    }

    fn control(&mut self, c: char) {
        const LONGEST: usize = 64;
        match c {
            '\u{20}'..='\u{3f}' if self.parameters.len() < LONGEST => self.parameters.push(c),
            '\u{20}'..='\u{3f}' => {}
            _ => {
                self.state = State::Text;
                if c == 'm' && !self.parameters.starts_with(['?', '>', '<']) {
                    self.style.apply(&self.parameters);
                }
            }
        }
    }
}

/// A line as it is read, without what only styles it.
pub(crate) fn plain(line: &str) -> String {
    let (mut terminal, mut text) = (Terminal::default(), String::new());
    terminal.push(line, |spans| text.extend(spans.into_iter().map(|span| span.text)));
    text.extend(terminal.so_far().into_iter().map(|span| span.text));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&str]) -> Vec<String> {
        let mut terminal = Terminal::default();
        let mut out = Vec::new();
        let write = |spans: Vec<Span>| {
            let show = |span: &Span| match &*span.classes {
                "" => span.text.clone(),
                classes => format!("[{classes}|{}]", span.text),
            };
            spans.iter().map(show).collect::<String>()
        };
        for piece in pieces {
            terminal.push(piece, |spans| out.push(write(spans)));
        }
        if !terminal.is_at_line_start() {
            out.push(write(terminal.so_far()));
        }
        out
    }

    #[test]
    fn colours_and_weights_become_classes() {
        assert_eq!(lines(&["\x1b[31mred\x1b[0m \x1b[1;92mgreen\x1b[22;39mplain"]), ["[c1|red] [c10 b|green]plain"]);
        assert_eq!(lines(&["\x1b[38;5;4mblue\x1b[38;2;1;2;3mother\x1b[38;5;200mx"]), ["[c4|blue]otherx"]);
    }

    #[test]
    fn other_sequences_are_left_out() {
        assert_eq!(lines(&["\x1b]0;title\x07a\x1b]8;;https://x\x1b\\b\x1b[2Kc\x1b[?25ld\x07\x1bMe"]), ["abcde"]);
    }

    #[test]
    fn a_carriage_return_starts_the_line_over() {
        assert_eq!(lines(&["10%\r20%\r100%\r\nnext\r\n"]), ["100%", "next"]);
    }

    #[test]
    fn what_no_window_is_wide_enough_for_is_cut() {
        let long = format!("{}\nnext\n", "é".repeat(WIDEST + 100));
        let found = lines(&[&long]);
        assert_eq!((found[0].chars().count(), found[0].ends_with("é…"), &*found[1]), (WIDEST + 1, true, "next"));
    }

    #[test]
    fn a_plain_line_has_no_styles() {
        assert_eq!(plain("a \x1b[1;31mred\x1b[0m b\n"), "a red b");
        assert_eq!(plain("open"), "open");
    }

    #[test]
    fn a_cut_changes_nothing() {
        let whole = "a\x1b[31mb\x1b]0;t\x1b\\c\r\nd\x1b[0me\rf\n";
        let expected = lines(&[whole]);
        for cut in 0..=whole.len() {
            assert_eq!(lines(&[&whole[..cut], &whole[cut..]]), expected, "cut at {cut}");
        }
    }
}
