use futures_util::TryStreamExt as _;
use valetkey_model::{Problem, ProblemCode, SessionEvent};

use super::Chunks;

/// A session's events as they arrive (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
pub(crate) struct Events {
    body: Chunks,
    parser: Parser,
}

impl Events {
    pub(super) fn new(body: Chunks) -> Self {
        Self { body, parser: Parser::default() }
    }

    /// The next event; `None` when the stream has ended. Events of kinds that this version does not know are left out.
    ///
    /// # Errors
    /// When the connection breaks off, or the server says why it can't go on.
    pub(crate) async fn next(&mut self) -> Result<Option<SessionEvent>, Problem> {
        loop {
            while let Some(Message { name, data }) = self.parser.message() {
                match name.as_str() {
                    "end" => return Ok(None),
                    "problem" => return Err(serde_json::from_str(&data).unwrap_or_else(|_| unreadable())),
                    _ => {}
                }
                if let Ok(event) = serde_json::from_str(&data) {
                    return Ok(Some(event));
                }
            }
            match self.body.try_next().await? {
                Some(chunk) => self.parser.buffer.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

fn unreadable() -> Problem {
    Problem::new(ProblemCode::Internal, "The event stream ended with a reason that can't be read.")
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    name: String,
    data: String,
}

/// Cuts the stream into lines and joins those of each message.
#[derive(Default)]
struct Parser {
    buffer: Vec<u8>,
    message: Message,
}

impl Parser {
    /// The next complete message.
    fn message(&mut self) -> Option<Message> {
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if line.is_empty() && !self.message.data.is_empty() => {
                    let mut message = std::mem::take(&mut self.message);
                    message.data.truncate(message.data.len() - 1);
                    return Some(message);
                }
                "event" => value.clone_into(&mut self.message.name),
                "data" => {
                    self.message.data.push_str(value);
                    self.message.data.push('\n');
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_whole_however_they_are_cut() {
        let text = b": ping\n\nid: 1\nevent: log\ndata: {\"a\":\ndata: 1}\n\ndata:x\r\n\r\ndata: half";
        let message = |name: &str, data: &str| Message { name: name.to_owned(), data: data.to_owned() };
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let mut messages = Vec::new();
            for chunk in text.chunks(size) {
                parser.buffer.extend_from_slice(chunk);
                messages.extend(std::iter::from_fn(|| parser.message()));
            }
            assert_eq!(messages, [message("log", "{\"a\":\n1}"), message("", "x")], "in pieces of {size}");
        }
    }
}
