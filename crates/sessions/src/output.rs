use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    time::timeout,
};
use valetkey_model::{EventBody, LogStream};
use valetkey_redact::Redactor;

use crate::event_log::EventLog;

const CHUNK: usize = 32 * 1024;
/// How long an output is silent before what is held back of its last line is shown.
const PAUSE: Duration = Duration::from_secs(1);
/// The most of an agent's output that is kept; the agent itself may go on.
const KEPT: usize = 64 * 1024 * 1024;

/// Where an agent's output goes: redacted, into the event log, up to a limit for both streams together.
#[derive(Clone)]
pub(crate) struct Output {
    redactor: Redactor,
    log: EventLog,
    kept: Arc<AtomicUsize>,
}

impl Output {
    pub(crate) fn new(redactor: Redactor, log: EventLog) -> Self {
        Self { redactor, log, kept: Arc::default() }
    }

    /// Reads `pipe` to its end and passes on what comes.
    pub(crate) async fn read(self, mut pipe: impl AsyncRead + Unpin, stream: LogStream) {
        let mut redaction = self.redactor.stream();
        let mut decoder = Utf8Chunks::default();
        let (mut raw, mut safe) = (vec![0; CHUNK], Vec::new());
        loop {
            let read = timeout(PAUSE, pipe.read(&mut raw)).await;
            let ended = match read {
                Err(_) => {
                    redaction.pause(&mut safe);
                    false
                }
                Ok(Ok(bytes)) if bytes > 0 => {
                    redaction.push(&raw[..bytes], &mut safe);
                    false
                }
                Ok(Ok(_) | Err(_)) => {
                    redaction.finish(&mut safe);
                    true
                }
            };
            let text = decoder.decode(&mut safe, ended);
            if !text.is_empty() && !self.keep(stream, text).await || ended {
                return;
            }
        }
    }

    /// `false` when the log takes no more because it is broken.
    async fn keep(&self, stream: LogStream, text: String) -> bool {
        let length = text.len();
        let before = self.kept.fetch_add(length, Ordering::Relaxed);
        if before > KEPT {
            return true;
        }
        let sent = self.log.send(EventBody::Log { stream, text }).await.is_ok();
        if before + length <= KEPT {
            return sent;
        }
        let text = "The agent has printed more than 64 MiB; the rest is not kept.\n".to_owned();
        self.log.send(EventBody::Log { stream: LogStream::Platform, text }).await.is_ok()
    }
}

/// Turns bytes into text, keeping a character that is cut by a chunk's end for the next one.
#[derive(Default)]
struct Utf8Chunks {
    cut: Vec<u8>,
}

impl Utf8Chunks {
    fn decode(&mut self, bytes: &mut Vec<u8>, last: bool) -> String {
        let mut all = mem::take(&mut self.cut);
        all.append(bytes);
        let keep = if last { all.len() } else { all.len() - cut_length(&all) };
        self.cut = all.split_off(keep);
        // NUL can't be stored as text in every database.
        String::from_utf8_lossy(&all).replace('\0', "\u{fffd}")
    }
}

/// How many bytes at the end are the beginning of a character.
fn cut_length(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let byte = bytes[bytes.len() - back];
        let needed = match byte {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            0x80..=0xbf => continue,
            _ => return 0,
        };
        return if needed > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_survive_any_cut() {
        let text = "aé€😀z";
        for cut in 0..=text.len() {
            let mut chunks = Utf8Chunks::default();
            let mut out = chunks.decode(&mut text.as_bytes()[..cut].to_vec(), false);
            out.push_str(&chunks.decode(&mut text.as_bytes()[cut..].to_vec(), true));
            assert_eq!(out, text, "cut at {cut}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_neither_wedge_nor_vanish() {
        let mut chunks = Utf8Chunks::default();
        let mut out = chunks.decode(&mut vec![b'a', 0xff, 0x80, 0x80, 0x80, 0xe2], false);
        out.push_str(&chunks.decode(&mut Vec::new(), true));
        assert!(out.starts_with('a') && out.contains('\u{fffd}'));
    }
}
