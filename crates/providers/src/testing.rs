//! A server for tests that answers exact bytes and remembers what it was sent.

use std::{
    io,
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use valetkey_model::{InstanceUrl, RepoUrl};

use crate::{Access, AddressPolicy, Credential, Http, HttpConfig};

/// The present moment of all tests: 2026-11-20 12:00:00 UTC.
pub(crate) const NOW: i64 = 1_795_176_000;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// `GET /path?query`
    pub(crate) line: String,
    /// All headers, names in lower case, one a line.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// The text with the address that the request was sent to: `http://127.0.0.1:…` for `ORIGIN`, the same without the
    /// scheme for `AUTHORITY`.
    pub(crate) fn fill_in(&self, text: &str) -> String {
        let authority = self.head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        text.replace("ORIGIN", &format!("http://{authority}")).replace("AUTHORITY", authority)
    }
}

/// Addresses that are no page of the instance that states them, to be [filled in](Seen::fill_in).
pub(crate) const FOREIGN_PAGES: [&str; 12] = [
    "",
    "pull/3",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://evil.test/octo/app/pull/3",
    "//evil.test/octo/app/pull/3",
    "http://127.0.0.1/octo/app/pull/3",
    "ORIGIN.evil.test/octo/app/pull/3",
    "ORIGIN@evil.test/octo/app/pull/3",
    "http://john:secret@AUTHORITY/octo/app/pull/3",
    "ORIGIN/octo/app/pull/3\n\u{1b}[2J",
    "ORIGIN/octo/\tapp/pull/3",
];

type Answers = Arc<dyn Fn(&Seen) -> Vec<u8> + Send + Sync>;

pub(crate) struct Responder {
    pub(crate) instance: InstanceUrl,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Responder {
    pub(crate) async fn start(answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::serve(None, "http://127.0.0.1", Arc::new(answers)).await
    }

    pub(crate) async fn start_tls(
        tls: TlsAcceptor,
        origin: &str,
        answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self::serve(Some(tls), origin, Arc::new(answers)).await
    }

    async fn serve(tls: Option<TlsAcceptor>, origin: &str, answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let journal = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answers, journal, tls) = (Arc::clone(&answers), Arc::clone(&journal), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => exchange(stream, &answers, &journal).await,
                        Some(tls) => exchange(tls.accept(stream).await?, &answers, &journal).await,
                    }
                });
            }
        });
        Self { instance: format!("{origin}:{port}").parse().unwrap(), seen }
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.requests().into_iter().map(|seen| seen.line).collect()
    }

    pub(crate) fn repo(&self, path: &str) -> RepoUrl {
        format!("{}/{path}", self.instance).parse().unwrap()
    }
}

/// One request, one answer, and the connection ends.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    answers: &Answers,
    journal: &Mutex<Vec<Seen>>,
) -> io::Result<()> {
    let seen = read_request(&mut stream).await?;
    journal.lock().unwrap().push(seen.clone());
    stream.write_all(&answers(&seen)).await?;
    stream.shutdown().await
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8(bytes).unwrap();
    let (line, head) = head.split_once("\r\n").unwrap();
    let head = head.replace("\r\n", "\n");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    while body.len() < length {
        stream.read_buf(&mut body).await?;
    }
    Ok(Seen { line: line.trim_end_matches(" HTTP/1.1").to_owned(), head, body })
}

/// An answer with these headers, one a line.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let headers: String = headers.lines().map(|line| format!("{}\r\n", line.trim())).collect();
    format!("HTTP/1.1 {status} Status\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// A JSON answer with these further headers.
pub(crate) fn json(status: u16, headers: &str, body: &str) -> Vec<u8> {
    answer(status, &format!("Content-Type: application/json\n{headers}"), body)
}

/// A client as on one person's machine: loopback may be called.
pub(crate) fn http() -> Http {
    let addresses = AddressPolicy::new(true, "").unwrap();
    Http::new(HttpConfig { extra_ca_pem: None, addresses, proxy: None }).unwrap()
}

/// A server, a client and a credential for it.
pub(crate) struct Fixture {
    pub(crate) server: Responder,
    pub(crate) http: Http,
    pub(crate) credential: Credential,
}

impl Fixture {
    pub(crate) async fn new(token: &str, answers: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self { server: Responder::start(answers).await, http: http(), credential: Credential::pat(token.into()) }
    }

    pub(crate) fn at(&self) -> Access<'_> {
        Access { http: &self.http, instance: &self.server.instance, credential: &self.credential, now: now() }
    }
}
