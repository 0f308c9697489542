use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Child,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use crate::{
    machine::{Machine, memory, row},
    median, timed,
};

pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) const TOKEN: &str = "benchmark-administrator-token";

pub(crate) fn serve(machine: &Machine) -> anyhow::Result<(Server, Duration)> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let start = Instant::now();
    let listen = address.to_string();
    let child = machine.valetkey(&["serve", "--listen", &listen]).env("VALETKEY_ADMIN_TOKEN", TOKEN).spawn()?;
    let server = Server { child, address };
    while start.elapsed() < Duration::from_secs(10) {
        if let Ok(mut stream) = TcpStream::connect(address) {
            ensure!(ask(&mut stream, address, "/readyz", "Accept: */*")? == 200, "not ready");
            return Ok((server, start.elapsed()));
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    anyhow::bail!("the server did not start")
}

/// From the start of the process to the first good answer of `/readyz`, and the memory it has when nothing happens.
pub(crate) fn start_and_idle(machine: &Machine) -> anyhow::Result<()> {
    let mut starts = Vec::new();
    let mut idle = 0;
    for _ in 0..7 {
        let (server, ready) = serve(machine)?;
        starts.push(ready);
        std::thread::sleep(Duration::from_millis(500));
        idle = idle.max(memory(&server.child, "VmRSS:").context("memory")?);
    }
    row("start to ready", &format!("{:.0} ms", median(starts).as_secs_f64() * 1e3), "≤ 50 ms");
    row("memory when idle", &format!("{:.1} MB", idle as f64 / 1e6), "≤ 30 MB");
    Ok(())
}

/// Requests that ask the store and the rules, against one that asks nothing.
pub(crate) fn requests(machine: &Machine) -> anyhow::Result<()> {
    let (server, _) = serve(machine)?;
    let resolve =
        format!("/api/v1/integrations/resolve?provider=gitlab&url={}/bench/clone-tiny.git", machine.twin.url());
    let (mut plain, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        plain.push(timed(|| many(server.address, "/healthz"))?);
        ours.push(timed(|| many(server.address, &resolve))?);
    }
    let ratio = median(plain).as_secs_f64() / median(ours).as_secs_f64();
    row("requests/s of integrations/resolve ÷ /healthz", &format!("{ratio:.2}"), "");
    Ok(())
}

fn many(address: SocketAddr, path: &str) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let header = format!("Authorization: Bearer {TOKEN}");
    for _ in 0..2000 {
        ensure!(ask(&mut stream, address, path, &header)? == 200, "{path} was refused");
    }
    Ok(())
}

/// One request on a connection that stays open; returns the status.
fn ask(stream: &mut TcpStream, address: SocketAddr, path: &str, header: &str) -> anyhow::Result<u16> {
    Ok(ask_for(stream, address, path, header)?.0)
}

/// The same with the body.
pub(crate) fn ask_for(
    stream: &mut TcpStream,
    address: SocketAddr,
    path: &str,
    header: &str,
) -> anyhow::Result<(u16, Vec<u8>)> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n{header}\r\n\r\n")?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).context("a status")?;
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((status, body))
}
