//! How a token comes in: from standard input, or typed on a terminal without being shown. Never as an argument. What goes
//! with it and is none may be typed too.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, IsTerminal as _, Read as _, Write as _},
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use valetkey_model::{Problem, ProblemCode};
use valetkey_seal::Secret;
use zeroize::Zeroizing;

/// Longer than any token.
const LONGEST: u64 = 16 * 1024;

/// Reads a token from standard input, or asks for it on the terminal.
pub(crate) fn read(from_stdin: bool, prompt: &str) -> Result<Secret<String>, Problem> {
    let read = if from_stdin {
        stdin()
    } else if can_ask() {
        ask(prompt, Echo::Off)
    } else {
        return Err(Problem::new(ProblemCode::InvalidInput, "There is no terminal to ask for the token on.")
            .remedy("Pipe it in with --token-stdin: `valetkey … --token-stdin < token.txt`."));
    };
    let text = read.map_err(|e| Problem::new(ProblemCode::InvalidInput, format!("The token can't be read: {e}.")))?;
    let token = text.trim();
    if token.is_empty() {
        return Err(Problem::new(ProblemCode::InvalidInput, "No token was given."));
    }
    Ok(Secret::from(token))
}

/// Asks on the terminal for something that is no secret.
pub(crate) fn read_line(prompt: &str) -> Result<String, Problem> {
    let read = ask(prompt, Echo::On);
    let text =
        read.map_err(|e| Problem::new(ProblemCode::InvalidInput, format!("The terminal can't be read: {e}.")))?;
    Ok(text.trim().to_owned())
}

/// Whether there is a person to ask.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal()
}

/// Why a token is not taken from the command line.
pub(crate) fn refuse_argument() -> Problem {
    Problem::new(
        ProblemCode::InvalidInput,
        "A token on the command line can be read by every program on this machine, and stays in the shell's history.",
    )
    .remedy("Leave it out to be asked for it, or pipe it in with --token-stdin. Revoke the one you typed.")
}

fn stdin() -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    io::stdin().lock().take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// Whether what is typed is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Echo {
    On,
    Off,
}

fn ask(prompt: &str, echo: Echo) -> io::Result<Zeroizing<String>> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let mut text = Zeroizing::new(String::new());
    let hidden = (echo == Echo::Off).then(|| Hidden::on(&terminal)).transpose()?;
    write!(&terminal, "{prompt}: ")?;
    BufReader::new((&terminal).take(LONGEST)).read_line(&mut text)?;
    if hidden.is_some() {
        writeln!(&terminal)?;
    }
    Ok(text)
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Hidden<'a> {
    fn on(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}
