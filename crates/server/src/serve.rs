//! The listener: what a slow or greedy client can take is bounded before any handler runs.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use axum::{Router, response::Response};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::Service};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::sleep,
};

use crate::client::ClientAddress;

const MAX_CONNECTIONS: usize = 4096;
const HEADERS_WITHIN: Duration = Duration::from_secs(15);
/// Such as "too many open files": accepting at once again would only fail again.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(200);

/// Answers the connections of `listener` until `shutdown`, then lets those that are busy finish their request.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) {
    let connections = GracefulShutdown::new();
    let seats = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        // A connection beyond the limit waits in the system's queue.
        let seat = tokio::select! {
            seat = Arc::clone(&seats).acquire_owned() => seat,
            () = &mut shutdown => break,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    after_failed_accept(&error).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        let service = FromPeer { address: ClientAddress::of_peer(peer.ip()), router: router.clone() };
        let connection = connections.watch(connection(stream, service));
        tokio::spawn(async move {
            let _seat = seat;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke off");
            }
        });
    }
    drop(listener);
    connections.shutdown().await;
}

/// The service as one connection sees it: each request is told where it comes from.
#[derive(Clone)]
struct FromPeer {
    address: ClientAddress,
    router: Router,
}

impl Service<Request<Incoming>> for FromPeer {
    type Response = Response;
    type Error = Infallible;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.address);
        TowerToHyperService::new(self.router.clone()).call(request)
    }
}

fn connection(stream: TcpStream, service: FromPeer) -> http1::Connection<TokioIo<TcpStream>, FromPeer> {
    // Events of a session are small and should leave at once.
    let _ = stream.set_nodelay(true);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .serve_connection(TokioIo::new(stream), service)
}

/// One client's broken connection is no reason to wait; a lack of resources is.
async fn after_failed_accept(error: &io::Error) {
    let client = [io::ErrorKind::ConnectionRefused, io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset];
    if !client.contains(&error.kind()) {
        tracing::error!(%error, "no connection could be accepted");
        sleep(AFTER_FAILED_ACCEPT).await;
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        sync::oneshot,
    };

    use super::*;

    async fn listening() -> (TcpStream, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let router = Router::new().route("/", get(async || "hello"));
        let server = tokio::spawn(serve(listener, router, async {
            let _ = stopped.await;
        }));
        (TcpStream::connect(address).await.unwrap(), stop, server)
    }

    #[tokio::test]
    async fn a_shutdown_lets_idle_connections_go() {
        let (mut client, stop, server) = listening().await;
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut answer = [0; 512];
        let length = client.read(&mut answer).await.unwrap();
        assert!(answer[..length].ends_with(b"hello"));
        stop.send(()).unwrap();
        server.await.unwrap();
        assert_eq!(client.read(&mut answer).await.unwrap(), 0, "closed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_ends_its_headers_is_let_go() {
        let (mut client, _stop, _server) = listening().await;
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
}
