use futures_util::TryStreamExt as _;
use valetkey_model::{Problem, SessionEvent};

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
    pub(crate) async fn next(&mut self) -> Result<Option<SessionEvent>, Problem> {
        loop {
            while let Some(data) = self.parser.event() {
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

/// Cuts the stream into lines and joins the data of each event.
#[derive(Default)]
struct Parser {
    buffer: Vec<u8>,
    data: Vec<String>,
}

impl Parser {
    /// The data of the next complete event.
    fn event(&mut self) -> Option<String> {
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let data = std::mem::take(&mut self.data);
                if !data.is_empty() {
                    return Some(data.join("\n"));
                }
            } else if let Some(data) = line.strip_prefix("data:") {
                self.data.push(data.strip_prefix(' ').unwrap_or(data).to_owned());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_however_they_are_cut() {
        let text = b": ping\n\nid: 1\nevent: log\ndata: {\"a\":\ndata: 1}\n\ndata:x\r\n\r\ndata: half";
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let mut events = Vec::new();
            for chunk in text.chunks(size) {
                parser.buffer.extend_from_slice(chunk);
                while let Some(event) = parser.event() {
                    events.push(event);
                }
            }
            assert_eq!(events, ["{\"a\":\n1}", "x"], "in pieces of {size}");
        }
    }
}
