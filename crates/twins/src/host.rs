//! Where a twin is served: its port, its certificate, and the task that answers.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::listener::{Lines, TwinListener, Wire};
use crate::tls::PrivateTls;

/// How a twin is to be reached.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) tls: bool,
    pub(crate) listen: String,
    pub(crate) names: Vec<String>,
}

impl Default for Plan {
    fn default() -> Self {
        let names = ["127.0.0.1", "::1", "localhost"].map(str::to_owned).to_vec();
        Self { tls: false, listen: "127.0.0.1:0".to_owned(), names }
    }
}

impl Plan {
    /// Takes the port; nothing is answered yet.
    pub(crate) async fn open(self) -> io::Result<Opened> {
        let tls = self.tls.then(|| PrivateTls::new(self.names)).transpose()?;
        let tcp = TcpListener::bind(&self.listen).await?;
        let address = tcp.local_addr()?;
        let url = format!("{}://{address}", if tls.is_some() { "https" } else { "http" });
        Ok(Opened { tcp, tls, address, url, lines: Lines::new() })
    }
}

/// A port that waits for what is to be served on it.
pub(crate) struct Opened {
    tcp: TcpListener,
    tls: Option<PrivateTls>,
    address: SocketAddr,
    pub(crate) url: String,
    pub(crate) lines: Lines,
}

impl Opened {
    pub(crate) fn serve(self, router: Router) -> io::Result<Host> {
        let (acceptor, ca_pem) = self.tls.map(|tls| (tls.acceptor, tls.ca_pem)).unzip();
        let listener = TwinListener::new(self.tcp, acceptor, self.lines.clone())?;
        let server = tokio::spawn(async move {
            // Serving ends only with the task.
            let _ = axum::serve(listener, router.into_make_service_with_connect_info::<Wire>()).await;
        });
        let ca_pem = ca_pem.unwrap_or_default();
        Ok(Host { address: self.address, url: self.url, ca_pem, lines: self.lines, server })
    }
}

/// A port at work. It is given up when this is dropped.
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    pub(crate) url: String,
    pub(crate) ca_pem: String,
    lines: Lines,
    server: JoinHandle<()>,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.lines.stop();
        self.server.abort();
    }
}
