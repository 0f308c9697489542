//! How a token, or the value of a secret, comes in: from standard input, or typed on a terminal without being shown. Never as
//! an argument. What goes with it and is none may be typed too.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, IsTerminal as _, Read as _, Write as _},
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use valetkey_integrations::typed_value;
use valetkey_model::{Problem, ProblemCode};
use valetkey_seal::Secret;
use zeroize::Zeroizing;

/// Longer than any token.
const LONGEST: u64 = 16 * 1024;
/// Longer than any secret may be, so that one that is too long is refused and not cut.
const LONGEST_SECRET: u64 = 128 * 1024;

/// Reads a token from standard input, or asks for it on the terminal.
pub(crate) fn read(from_stdin: bool, prompt: &str) -> Result<Secret<String>, Problem> {
    let read = if from_stdin {
        stdin(LONGEST)
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

/// Reads a secret's value: from the terminal if there is one, else all of standard input.
pub(crate) fn read_secret(prompt: &str) -> Result<Secret<String>, Problem> {
    let read = if can_ask() { ask(prompt, Echo::Off) } else { stdin(LONGEST_SECRET) };
    let invalid = |e: io::Error| {
        let detail = format!("The value can't be read: {e}.");
        Problem::new(ProblemCode::InvalidInput, detail)
            .remedy("It must be text in UTF-8; encode other bytes, say in base64.")
    };
    Ok(typed_value(&read.map_err(invalid)?))
}

/// Why a secret's value is not taken from the command line.
pub(crate) fn refuse_secret_argument() -> Problem {
    Problem::new(
        ProblemCode::InvalidInput,
        "A value on the command line can be read by every program on this machine, and stays in the shell's history.",
    )
    .remedy("Leave it out to be asked for it, or pipe it in: `valetkey secrets set NAME < file`. Replace the one you typed.")
}

/// Asks on the terminal for something that is no secret.
pub(crate) fn read_line(prompt: &str) -> Result<String, Problem> {
    let read = ask(prompt, Echo::On);
    let text =
        read.map_err(|e| Problem::new(ProblemCode::InvalidInput, format!("The terminal can't be read: {e}.")))?;
    Ok(text.trim().to_owned())
}

/// Asks on the terminal whether to go on; only yes means it.
pub(crate) fn confirm(question: &str) -> Result<bool, Problem> {
    let answer = read_line(&format!("{question} [y/N]"))?;
    Ok(["y", "yes"].iter().any(|yes| answer.eq_ignore_ascii_case(yes)))
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

fn stdin(longest: u64) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    io::stdin().lock().take(longest).read_to_string(&mut text)?;
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
