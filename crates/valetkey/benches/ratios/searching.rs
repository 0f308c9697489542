use std::{
    net::{SocketAddr, TcpStream},
    thread,
};

use anyhow::ensure;

use crate::{
    machine::{Machine, row},
    median,
    serving::{TOKEN, ask_for, serve},
    timed,
};

/// The repository that is searched for.
const NAME: &str = "searched-for";

/// How many people search at once, and how often each: together less often than a forge's limit for a minute, beyond
/// which nothing is asked.
const AT_ONCE: usize = 8;
const TIMES: usize = 15;

/// Whom to ask, and how.
struct Question {
    address: SocketAddr,
    path: String,
    header: String,
}

/// Repository searches through the server, against the same searches asked of the forge itself, each from several
/// connections that stay open.
pub(crate) fn through_us(machine: &Machine) -> anyhow::Result<()> {
    machine.repository(&format!("bench/{NAME}"), 512);
    let (server, _) = serve(machine)?;
    let ours = Question {
        address: server.address,
        path: format!("/api/v1/projects/default/repositories/search?limit=20&q={NAME}"),
        header: format!("Authorization: Bearer {TOKEN}"),
    };
    let direct = Question {
        address: machine.twin.url().trim_start_matches("http://").parse()?,
        path: format!("/api/v4/projects?membership=true&per_page=20&order_by=last_activity_at&search={NAME}"),
        header: format!("PRIVATE-TOKEN: {}", machine.token),
    };
    let (mut by_us, mut by_itself) = (Vec::new(), Vec::new());
    for round in 0..=5 {
        let itself = timed(|| by_many(&direct))?;
        let us = timed(|| by_many(&ours))?;
        // The first round opens the server's connections.
        if round > 0 {
            by_itself.push(itself);
            by_us.push(us);
        }
    }
    let (us, itself) = (median(by_us), median(by_itself));
    let each = |time: std::time::Duration| (AT_ONCE * TIMES) as f64 / time.as_secs_f64();
    let ratio = each(us) / each(itself);
    let measured = format!("{ratio:.2} ({:.0}/s ÷ {:.0}/s)", each(us), each(itself));
    row("repository searches/s through us ÷ asked directly", &measured, "≥ 0.50");
    Ok(())
}

fn by_many(question: &Question) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let people: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| by_one(question))).collect();
        people.into_iter().try_for_each(|person| person.join().expect("a search does not panic"))
    })
}

fn by_one(Question { address, path, header }: &Question) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    for _ in 0..TIMES {
        let (status, body) = ask_for(&mut stream, *address, path, header)?;
        let found = body.windows(NAME.len()).any(|part| part == NAME.as_bytes());
        ensure!(status == 200 && found, "{path} was answered {status}: {}", String::from_utf8_lossy(&body));
    }
    Ok(())
}
