//! Runs a CGI program with the request's body as its input and its output as the answer, neither ever held in memory.

use std::io;
use std::process::{Command, Stdio};

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::OwnedSemaphorePermit;

/// A pipe of Linux holds as much.
const CHUNK: usize = 1 << 16;
const MAX_HEAD: usize = 1 << 14;

/// The program and what it still has to say; dropped, the program is killed.
struct Running {
    child: Child,
    stdout: ChildStdout,
    _permit: OwnedSemaphorePermit,
}

pub(crate) async fn run(command: Command, body: Body, permit: OwnedSemaphorePermit) -> io::Result<Response<Body>> {
    let mut child = tokio::process::Command::from(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    tokio::spawn(feed(body.into_data_stream(), stdin));
    let mut running = Running { child, stdout, _permit: permit };
    let (mut response, first) = read_head(&mut running.stdout).await?;
    *response.body_mut() = Body::from_stream(output(running, first));
    Ok(response)
}

/// A program that has read enough closes its input; the rest is not wanted then.
async fn feed(mut body: BodyDataStream, mut stdin: ChildStdin) {
    while let Some(Ok(chunk)) = body.next().await {
        if stdin.write_all(&chunk).await.is_err() {
            return;
        }
    }
}

/// The head of the answer, and what came of the body with it.
async fn read_head(stdout: &mut ChildStdout) -> io::Result<(Response<Body>, Bytes)> {
    let mut read = BytesMut::with_capacity(CHUNK);
    let end = loop {
        if let Some(end) = find(&read, b"\r\n\r\n") {
            break end;
        }
        if read.len() > MAX_HEAD || stdout.read_buf(&mut read).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the program gave no CGI header"));
        }
    };
    let head = read.split_to(end + 4);
    Ok((parse_head(&String::from_utf8_lossy(&head)), read.freeze()))
}

fn parse_head(head: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().and_then(|code| code.parse().ok());
            *response.status_mut() = code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        } else if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn output(running: Running, first: Bytes) -> impl futures_util::Stream<Item = io::Result<Bytes>> {
    let rest = stream::try_unfold((running, BytesMut::new()), |(mut running, mut buffer)| async move {
        buffer.reserve(CHUNK);
        if running.stdout.read_buf(&mut buffer).await? == 0 {
            running.child.wait().await?;
            return Ok(None);
        }
        let chunk = buffer.split().freeze();
        Ok(Some((chunk, (running, buffer))))
    });
    stream::iter((!first.is_empty()).then_some(Ok(first))).chain(rest)
}

/// How a cut answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As a whole one does.
    Clean,
    /// With the connection.
    Broken,
}

/// Ends the body shortly after a pack begins in it; one without a pack passes whole.
pub(crate) fn cut_in_pack(response: Response<Body>, ending: Ending) -> Response<Body> {
    const KEPT: usize = 20;
    let cut = move |(mut body, over): (BodyDataStream, bool)| async move {
        if over {
            return match ending {
                Ending::Clean => Ok(None),
                Ending::Broken => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
            };
        }
        let Some(mut chunk) = body.try_next().await.map_err(io::Error::other)? else { return Ok(None) };
        let pack = find(&chunk, b"PACK");
        if let Some(start) = pack {
            chunk.truncate(start + KEPT);
        }
        Ok(Some((chunk, (body, pack.is_some()))))
    };
    response.map(|body| Body::from_stream(stream::try_unfold((body.into_data_stream(), false), cut)))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
