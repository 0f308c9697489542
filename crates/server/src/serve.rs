//! The listener: what a slow or greedy client can take is bounded before any handler runs.

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
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
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    after_failed_accept(&error).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        let connection = connections.watch(connection(stream, router.clone()));
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

fn connection(
    stream: TcpStream,
    router: Router,
) -> http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>> {
    // Events of a session are small and should leave at once.
    let _ = stream.set_nodelay(true);
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
}

/// One client's broken connection is no reason to wait; a lack of resources is.
async fn after_failed_accept(error: &io::Error) {
    let client = [io::ErrorKind::ConnectionRefused, io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset];
    if !client.contains(&error.kind()) {
        tracing::error!(%error, "no connection could be accepted");
        sleep(AFTER_FAILED_ACCEPT).await;
    }
}
