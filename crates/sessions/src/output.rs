use std::{mem, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    sync::mpsc,
    time::{Instant, timeout_at},
};
use valetkey_model::{EventBody, LogStream, Problem};
use valetkey_redact::Redactor;

use crate::run::Run;

/// How long output waits for more before it is written to the event log.
const GATHER: Duration = Duration::from_millis(100);
/// The most that one event holds.
const CHUNK: usize = 64 * 1024;
/// The most of an agent's output that is kept; the agent itself may go on.
const KEPT: usize = 64 * 1024 * 1024;

/// One piece of redacted output.
pub(crate) type Piece = (LogStream, String);

/// Reads `pipe` to its end, redacts what comes, and passes it on. The channel is bounded: an agent that prints faster
/// than the log is written has to wait.
pub(crate) async fn read(pipe: impl AsyncRead + Unpin, stream: LogStream, redactor: Redactor, to: mpsc::Sender<Piece>) {
    let mut pipe = pipe;
    let mut redaction = redactor.stream();
    let mut decoder = Utf8Chunks::default();
    let (mut raw, mut safe) = (vec![0; CHUNK / 2], Vec::new());
    loop {
        let read = pipe.read(&mut raw).await.unwrap_or(0);
        if read == 0 {
            redaction.finish(&mut safe);
        } else {
            redaction.push(&raw[..read], &mut safe);
        }
        let text = decoder.decode(&mut safe, read == 0);
        if !text.is_empty() && to.send((stream, text)).await.is_err() {
            return;
        }
        if read == 0 {
            return;
        }
    }
}

/// Writes pieces to the event log, several to a transaction, until all senders are gone.
pub(crate) async fn write(run: &Run, mut from: mpsc::Receiver<Piece>) -> Result<(), Problem> {
    let mut kept = 0;
    while let Some(first) = from.recv().await {
        let mut batch = vec![first];
        let mut size = batch[0].1.len();
        let until = Instant::now() + GATHER;
        while size < 4 * CHUNK {
            match timeout_at(until, from.recv()).await {
                Ok(Some(piece)) => {
                    size += piece.1.len();
                    batch.push(piece);
                }
                Ok(None) | Err(_) => break,
            }
        }
        if kept > KEPT {
            continue;
        }
        kept += size;
        run.parts.append(&run.session.id, &joined(batch)).await?;
        if kept > KEPT {
            run.log("The agent has printed more than 64 MiB; the rest is not kept.").await?;
        }
    }
    Ok(())
}

/// Neighbouring pieces of one stream become one event.
fn joined(batch: Vec<Piece>) -> Vec<EventBody> {
    let mut events: Vec<(LogStream, String)> = Vec::new();
    for (stream, text) in batch {
        match events.last_mut() {
            Some((last, whole)) if *last == stream && whole.len() + text.len() <= CHUNK => whole.push_str(&text),
            _ => events.push((stream, text)),
        }
    }
    events.into_iter().map(|(stream, text)| EventBody::Log { stream, text }).collect()
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

    #[tokio::test]
    async fn a_secret_in_two_writes_is_redacted() {
        let (mut agent, pipe) = tokio::io::duplex(1024);
        let redactor = Redactor::new();
        assert_eq!(redactor.add("s3cr3t-value-of-the-session"), valetkey_redact::Added::Redacted);
        let (to, mut from) = mpsc::channel(8);
        let reader = tokio::spawn(read(pipe, LogStream::Stdout, redactor, to));
        for part in ["before s3cr3t-va", "lue-of-the-session after"] {
            tokio::io::AsyncWriteExt::write_all(&mut agent, part.as_bytes()).await.unwrap();
            tokio::task::yield_now().await;
        }
        drop(agent);
        let mut text = String::new();
        while let Some((_, piece)) = from.recv().await {
            text.push_str(&piece);
        }
        reader.await.unwrap();
        assert_eq!(text, "before *** after");
    }
}
