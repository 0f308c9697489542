use std::{env, io::IsTerminal};

/// Whether and how to emphasise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    colour: bool,
}

impl Style {
    /// Colours for a terminal, unless NO_COLOR (<https://no-color.org>) is set; none elsewhere.
    pub(crate) fn of(stream: &impl IsTerminal) -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: stream.is_terminal() && !unwanted }
    }

    /// No colours.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { colour: false }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }
    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }
    pub(crate) fn red(self, text: &str) -> String {
        self.with("31", text)
    }
    pub(crate) fn green(self, text: &str) -> String {
        self.with("32", text)
    }
    pub(crate) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// A text on one line, with every character that would change how its surroundings look replaced.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' | '\r' => ' ',
            c if is_one_line(c) => c,
            _ => '\u{fffd}',
        })
        .collect()
}

/// Whether a character stays where it is put: no control, no text direction, not invisible.
fn is_one_line(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}')
}

/// Takes from what an agent prints all that would do more to a person's terminal than show text in colour: moving the
/// cursor, setting the title, writing the clipboard. Pieces may be cut anywhere.
#[derive(Debug, Default)]
pub(crate) struct Tamed {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Text,
    Escape,
    /// `ESC [` and its parameters so far.
    Sequence(String),
    /// In a string (`ESC ]` and others) that goes on to BEL or `ESC \`.
    Hidden,
    HiddenEscape,
}

/// More parameters than any colour has.
const LONGEST_SEQUENCE: usize = 40;

impl Tamed {
    /// A whole text.
    pub(crate) fn text(text: &str) -> String {
        Self::default().next(text)
    }

    /// The next piece.
    pub(crate) fn next(&mut self, piece: &str) -> String {
        let mut out = String::with_capacity(piece.len());
        for c in piece.chars() {
            self.state = match (std::mem::take(&mut self.state), c) {
                (State::Text, '\u{1b}') => State::Escape,
                (State::Text, c) => {
                    // A carriage return would let a line replace what stands there.
                    if is_one_line(c) || matches!(c, '\n' | '\t') {
                        out.push(c);
                    }
                    State::Text
                }
                (State::Escape, '[') => State::Sequence(String::new()),
                (State::Escape, ']' | 'P' | 'X' | '^' | '_') => State::Hidden,
                (State::Sequence(parameters), 'm') => {
                    out.push_str(&format!("\u{1b}[{parameters}m"));
                    State::Text
                }
                (State::Sequence(mut parameters), '0'..='9' | ';' | ':') if parameters.len() < LONGEST_SEQUENCE => {
                    parameters.push(c);
                    State::Sequence(parameters)
                }
                (State::Hidden, '\u{1b}') => State::HiddenEscape,
                (State::Hidden, c) if c != '\u{7}' => State::Hidden,
                (State::HiddenEscape, c) if c != '\\' => State::Hidden,
                (State::Escape | State::Sequence(_) | State::Hidden | State::HiddenEscape, _) => State::Text,
            };
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_pass_and_commands_to_the_terminal_do_not() {
        for (given, shown) in [
            ("a\u{1b}[31mred\u{1b}[0m\n", "a\u{1b}[31mred\u{1b}[0m\n"),
            ("clear\u{1b}[2Jed", "cleared"),
            ("title\u{1b}]0;owned\u{7}!", "title!"),
            ("clipboard\u{1b}]52;c;cm0gLXJm\u{1b}\\!", "clipboard!"),
            ("over\rwritten\u{8}", "overwritten"),
            ("\u{202e}drow", "drow"),
            ("tab\tok", "tab\tok"),
        ] {
            assert_eq!(Tamed::text(given), shown);
            let mut tamed = Tamed::default();
            let pieces: String = given.chars().map(|c| tamed.next(c.encode_utf8(&mut [0; 4]))).collect();
            assert_eq!(pieces, shown, "one character at a time");
        }
    }

    #[test]
    fn a_cell_stays_on_its_line() {
        assert_eq!(one_line("a\nb\u{202e}c\u{0}"), "a b\u{fffd}c\u{fffd}");
    }
}
