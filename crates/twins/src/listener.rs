//! The twin's connections: plain or TLS, and cut off at will.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::world::locked;

/// How long a client may take over the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Every connection of a twin. Down, they are cut, and so is each new one.
#[derive(Clone)]
pub(crate) struct Lines {
    stopped: CancellationToken,
    current: Arc<Mutex<CancellationToken>>,
}

impl Lines {
    pub(crate) fn new() -> Self {
        let stopped = CancellationToken::new();
        Self { current: Arc::new(Mutex::new(stopped.child_token())), stopped }
    }

    pub(crate) fn take_down(&self) {
        locked(&self.current).cancel();
    }

    pub(crate) fn bring_up(&self) {
        let mut current = locked(&self.current);
        if current.is_cancelled() {
            *current = self.stopped.child_token();
        }
    }

    /// For good.
    pub(crate) fn stop(&self) {
        self.stopped.cancel();
    }

    pub(crate) fn stopped(&self) -> CancellationToken {
        self.stopped.clone()
    }

    fn current(&self) -> CancellationToken {
        locked(&self.current).clone()
    }
}

/// One connection's way to be cut.
#[derive(Clone)]
pub(crate) struct Wire(CancellationToken);

impl Wire {
    pub(crate) fn cut(&self) {
        self.0.cancel();
    }
}

impl Connected<IncomingStream<'_, TwinListener>> for Wire {
    fn connect_info(stream: IncomingStream<'_, TwinListener>) -> Self {
        Self(stream.io().line.clone())
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection that fails once its lines are cut.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    line: CancellationToken,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Connection {
    fn new(stream: impl Stream + 'static, line: &CancellationToken) -> Self {
        let line = line.child_token();
        Self { stream: Box::new(stream), cut: Box::pin(line.clone().cancelled_owned()), line }
    }

    fn alive(&self) -> io::Result<()> {
        if self.line.is_cancelled() { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.line.is_cancelled() || self.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.alive()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.alive()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Hands out connections whose handshake is done, so that a slow one holds nobody up.
pub(crate) struct TwinListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(Connection, SocketAddr)>,
}

impl TwinListener {
    pub(crate) fn new(tcp: TcpListener, tls: Option<TlsAcceptor>, lines: Lines) -> io::Result<Self> {
        let address = tcp.local_addr()?;
        let (sender, ready) = mpsc::channel(64);
        let stopped = lines.stopped();
        tokio::spawn(async move { stopped.run_until_cancelled(accept_all(tcp, tls, lines, sender)).await });
        Ok(Self { address, ready })
    }
}

impl Listener for TwinListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn accept_all(
    tcp: TcpListener,
    tls: Option<TlsAcceptor>,
    lines: Lines,
    ready: mpsc::Sender<(Connection, SocketAddr)>,
) {
    loop {
        let Ok((stream, peer)) = tcp.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let line = lines.current();
        if line.is_cancelled() || stream.set_nodelay(true).is_err() {
            continue;
        }
        let (tls, ready) = (tls.clone(), ready.clone());
        tokio::spawn(async move {
            if let Some(connection) = open(stream, tls, line).await {
                // The twin has stopped when nobody receives.
                let _ = ready.send((connection, peer)).await;
            }
        });
    }
}

async fn open(stream: TcpStream, tls: Option<TlsAcceptor>, line: CancellationToken) -> Option<Connection> {
    let Some(tls) = tls else { return Some(Connection::new(stream, &line)) };
    let handshake = tokio::time::timeout(HANDSHAKE, tls.accept(stream));
    let stream = line.run_until_cancelled(handshake).await?.ok()?;
    stream
        .inspect_err(|error| tracing::debug!(%error, "TLS handshake failed"))
        .ok()
        .map(|tls| Connection::new(tls, &line))
}
