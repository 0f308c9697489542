//! The start of a push, and the answer to one that is refused.
//!
//! The body of `POST …/git-receive-pack` is a list of commands (which refs shall become what), then the pack with the
//! objects. Only the list is read here; the pack may be of any size and is left to stream past.

mod report;

pub use report::report_refused;

use valetkey_model::{ObjectId, RefUpdate};

use crate::pkt_line::{self, Packet, PktLineError};

/// How many bytes the list of commands may take.
pub const MAX_LIST_BYTES: usize = 1 << 20;
/// How many commands it may hold.
pub const MAX_COMMANDS: usize = 4096;

/// What a push asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The refs to update, in the client's order; each ref once. None in the probe that git sends to learn whether it must
    /// authenticate, before it streams a large push.
    pub commands: Vec<RefUpdate>,
    /// What the client can do and wants.
    pub capabilities: Capabilities,
    /// Where a shallow client's history is cut off.
    pub shallow: Vec<ObjectId>,
    /// `git push -o …`.
    pub options: Vec<String>,
}

/// The words behind the first command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities(Vec<String>);

impl Capabilities {
    /// Whether `name` is among them, alone or as `name=…`.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|word| word.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))
    }

    fn wants_report(&self) -> bool {
        self.has("report-status") || self.has("report-status-v2")
    }
}

/// Why a list of commands is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandListError {
    /// The framing is broken.
    #[error(transparent)]
    Packet(#[from] PktLineError),
    /// A line is not what the protocol says.
    #[error("the push holds a line that is no command: {0}")]
    Malformed(&'static str),
    /// Larger than [`MAX_LIST_BYTES`] or [`MAX_COMMANDS`].
    #[error("the push updates too many refs at once; push fewer")]
    TooLong,
    /// `git push --signed`.
    #[error("signed pushes are not supported; push without --signed")]
    Signed,
    /// The client would not notice a refusal.
    #[error("the client does not ask for a report of its push; use a git that does")]
    NoReport,
    /// The parser was used after its end.
    #[error("the list of commands has been read already")]
    Finished,
}

/// How far a [`CommandListParser`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Push more bytes.
    More,
    /// The list is complete. The bytes behind it are the pack's.
    Done(Push),
}

/// Reads a list of commands as its bytes come in.
///
/// It is stricter than git where git is lenient: what is let through on the strength of this reading must not mean
/// something else to the server that gets the same bytes.
#[derive(Debug)]
pub struct CommandListParser {
    bytes: Vec<u8>,
    read: usize,
    section: Section,
    push: Push,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Commands,
    Options,
    End,
}

impl Default for CommandListParser {
    fn default() -> Self {
        Self::new()
    }
}

impl CommandListParser {
    /// A parser before the first byte.
    pub fn new() -> Self {
        let push = Push {
            commands: Vec::new(),
            capabilities: Capabilities::default(),
            shallow: Vec::new(),
            options: Vec::new(),
        };
        Self { bytes: Vec::new(), read: 0, section: Section::Commands, push }
    }

    /// Takes the next bytes of the body.
    ///
    /// # Errors
    /// When the list is malformed, too long or of an unsupported kind; the parser can't be used any further.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Progress, CommandListError> {
        if self.section == Section::End {
            return Err(CommandListError::Finished);
        }
        self.bytes.extend_from_slice(bytes);
        let taken = std::mem::take(&mut self.bytes);
        let result = self.read_packets(&taken);
        self.bytes = taken;
        if result.is_err() {
            self.section = Section::End;
        }
        result
    }

    /// Every byte pushed so far: the list, and the start of the pack if it came in the same chunk.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn read_packets(&mut self, bytes: &[u8]) -> Result<Progress, CommandListError> {
        while let Some((packet, used)) = pkt_line::decode(&bytes[self.read..])? {
            self.read += used;
            if self.read > MAX_LIST_BYTES {
                return Err(CommandListError::TooLong);
            }
            match (packet, self.section) {
                (Packet::Data(line), Section::Commands) => self.command_line(chomp(line))?,
                (Packet::Data(line), Section::Options) => self.push.options.push(text(chomp(line))?.to_owned()),
                (Packet::Flush, Section::Commands) if self.push.capabilities.has("push-options") => {
                    self.section = Section::Options;
                }
                (Packet::Flush, _) => return self.finish(),
                _ => return Err(CommandListError::Malformed("unexpected delimiter")),
            }
        }
        Ok(Progress::More)
    }

    fn finish(&mut self) -> Result<Progress, CommandListError> {
        self.section = Section::End;
        if self.push.commands.is_empty() {
            let bare = self.push.shallow.is_empty();
            return if bare {
                Ok(Progress::Done(self.push.clone()))
            } else {
                Err(CommandListError::Malformed("no command"))
            };
        }
        if !self.push.capabilities.wants_report() {
            return Err(CommandListError::NoReport);
        }
        Ok(Progress::Done(self.push.clone()))
    }

    fn command_line(&mut self, line: &[u8]) -> Result<(), CommandListError> {
        let first = self.push.commands.is_empty();
        if let Some(id) = line.strip_prefix(b"shallow ") {
            if !first {
                return Err(CommandListError::Malformed("a shallow line after a command"));
            }
            self.push.shallow.push(object_id(text(id)?)?);
            return Ok(());
        }
        let mut halves = line.splitn(2, |&byte| byte == 0);
        let (command, capabilities) = (halves.next().unwrap_or_default(), halves.next());
        if command == b"push-cert" {
            return Err(CommandListError::Signed);
        }
        if let Some(words) = capabilities {
            if !first {
                return Err(CommandListError::Malformed("a NUL in a later line"));
            }
            let words = text(words)?.split(' ').filter(|word| !word.is_empty());
            self.push.capabilities = Capabilities(words.map(str::to_owned).collect());
        }
        let update = ref_update(text(command)?)?;
        if self.push.commands.len() == MAX_COMMANDS {
            return Err(CommandListError::TooLong);
        }
        if self.push.commands.iter().any(|known| known.name == update.name) {
            return Err(CommandListError::Malformed("one ref twice"));
        }
        self.push.commands.push(update);
        Ok(())
    }
}

fn chomp(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

fn text(bytes: &[u8]) -> Result<&str, CommandListError> {
    let text = std::str::from_utf8(bytes).map_err(|_| CommandListError::Malformed("not UTF-8"))?;
    if text.chars().any(char::is_control) {
        return Err(CommandListError::Malformed("a control character"));
    }
    Ok(text)
}

fn object_id(text: &str) -> Result<ObjectId, CommandListError> {
    text.parse().map_err(|_| CommandListError::Malformed("not an object id"))
}

fn ref_update(line: &str) -> Result<RefUpdate, CommandListError> {
    let mut words = line.splitn(3, ' ');
    let (Some(old), Some(new), Some(name)) = (words.next(), words.next(), words.next()) else {
        return Err(CommandListError::Malformed("not `old new ref`"));
    };
    let (old, new) = (object_id(old)?, object_id(new)?);
    if old.as_str().len() != new.as_str().len() {
        return Err(CommandListError::Malformed("object ids of two kinds"));
    }
    if name.is_empty() || name.contains(' ') {
        return Err(CommandListError::Malformed("not a ref name"));
    }
    Ok(RefUpdate { old, new, name: name.to_owned() })
}

#[cfg(test)]
mod tests;
