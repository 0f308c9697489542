//! What is taken away while a request is under way. Where nothing watched, everything here would go on and succeed in the
//! end: the delays are over before git loses patience.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    time::timeout,
};
use valetkey_git::pkt_line::{encode, encode_flush};
use valetkey_integrations::{Connect, Disconnected, Integrations};
use valetkey_model::{Actor, IntegrationId, IntegrationRef, OwnerScope, RepoUrl};
use valetkey_testbed::{ForgeBed, Testbed};
use valetkey_twins::{Surface, Switch};

use crate::bench::{Bench, answer, git, grant, start_gateway, until};

const A_WHILE: Duration = Duration::from_secs(60);

async fn take_away(integrations: &Integrations, which: &IntegrationId) {
    let which = IntegrationRef::Id(which.clone());
    let left = integrations.disconnect(&Actor::admin(), &which, true).await.unwrap();
    assert!(matches!(left, Disconnected::Erased(_)));
}

#[tokio::test]
async fn a_request_that_waits_for_its_answer_is_refused_in_words() {
    let bench = Bench::new().await;
    bench.forge.twin.switch_at(Surface::Git, Switch::Slow(A_WHILE));
    let asked = asked_by_git(&bench);
    let url = bench.forge.url().clone_url();
    let arguments = ["ls-remote", &*url];
    let disconnected = async {
        until(|| asked_by_git(&bench) > asked).await;
        take_away(&bench.bed.integrations, &bench.integration.id).await;
    };
    let (said, ()) = tokio::join!(bench.git(bench.bed.folder.path(), &arguments), disconnected);
    said.refused("was taken away while git was using it");
}

/// The beginning of a push to the session's branch: its list of commands, without the end.
fn push_command() -> Vec<u8> {
    let mut list = Vec::new();
    let command = format!("{} {} refs/heads/feature/x\0report-status", "0".repeat(40), "a".repeat(40));
    encode(&mut list, command.as_bytes()).unwrap();
    list
}

/// How many of git's requests reached the forge.
fn asked_by_git(bench: &Bench) -> usize {
    bench.forge.twin.journal().iter().filter(|request| request.path.contains(".git/")).count()
}

/// Where a session pushes to, without its lease.
fn push_path(bench: &Bench) -> String {
    format!("http/{}/{}.git/git-receive-pack", bench.forge.url().instance().authority(), bench.forge.path)
}

#[tokio::test]
async fn a_push_that_is_judged_only_afterwards_is_refused_in_words() {
    let bench = Bench::new().await;
    let asked = asked_by_git(&bench);
    let slow = bench.begin("POST", &push_path(&bench), &push_command(), 1000).await;
    let which = IntegrationRef::Id(bench.integration.id.clone());
    while bench.bed.integrations.get(&Actor::admin(), &which).await.unwrap().last_used_at.is_none() {
        tokio::task::yield_now().await;
    }
    take_away(&bench.bed.integrations, &bench.integration.id).await;
    let (status, said) = timeout(A_WHILE, answer(slow)).await.expect("an answer");
    assert_eq!(status, 403);
    assert!(said.contains("was taken away while git was using it"), "{said}");
    assert_eq!(asked_by_git(&bench), asked, "nothing went upstream");
}

#[tokio::test]
async fn a_push_that_is_still_being_sent_is_broken_off() {
    let bench = Bench::new().await;
    let asked = asked_by_git(&bench);
    let mut list = push_command();
    encode_flush(&mut list);
    let slow = bench.begin("POST", &push_path(&bench), &list, 1000).await;
    until(|| asked_by_git(&bench) > asked).await;
    take_away(&bench.bed.integrations, &bench.integration.id).await;
    // Git's server begins its answer before it has the pack.
    let (_, said) = timeout(A_WHILE, answer(slow)).await.expect("the connection ends");
    assert!(!said.ends_with("\r\n0\r\n\r\n"), "it ended as if it were whole: {said}");
}

#[tokio::test]
async fn a_pack_that_is_still_coming_is_broken_off() {
    let forge = ForgeBed::gitlab().await;
    let bed = Testbed::new(&[&forge]).await;
    let (front, mut stalled) = stalling_front(forge.twin.address()).await;
    let connect = Connect {
        provider: forge.kind(),
        scope: OwnerScope::UserGlobal,
        by: Actor::admin(),
        alias: None,
        instance_url: Some(format!("http://{front}").parse().unwrap()),
        credential: forge.credential(&forge.token),
    };
    let integration = bed.integrations.connect(connect).await.unwrap();
    let url: RepoUrl = format!("http://{front}/{}", forge.path).parse().unwrap();
    let (_, lease) = grant(&bed, Some(&integration), url.clone(), false).await;
    let gateway = start_gateway(&bed).await;
    let (folder, config) = (bed.folder.path(), gateway.git_config(&lease, std::slice::from_ref(&url)));
    let disconnected = async {
        stalled.wait_for(|stalled| *stalled).await.unwrap();
        take_away(&bed.integrations, &integration.id).await;
    };
    let url = url.clone_url();
    let arguments = ["clone", "-q", &*url, "broken"];
    let (said, ()) = tokio::join!(git(folder, &config, folder, &arguments), disconnected);
    assert!(!said.ok, "the rest of the pack came through: {}", said.text);
}

/// A way to the forge on which a pack stops for a while after its first bytes; whether it has is told.
async fn stalling_front(forge: SocketAddr) -> (SocketAddr, watch::Receiver<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, stalled) = watch::channel(false);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (from_client, to_client) = client.into_split();
            let (from_forge, to_forge) = TcpStream::connect(forge).await.unwrap().into_split();
            tokio::spawn(pass(from_client, to_forge, |_| false, tell.clone()));
            let starts_a_pack = |bytes: &[u8]| bytes.windows(4).any(|four| four == b"PACK");
            tokio::spawn(pass(from_forge, to_client, starts_a_pack, tell.clone()));
        }
    });
    (address, stalled)
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    stalls: impl Fn(&[u8]) -> bool,
    tell: watch::Sender<bool>,
) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let bytes = &buffer[..length];
        let first = if stalls(bytes) { 1 } else { length };
        if to.write_all(&bytes[..first]).await.is_err() {
            return;
        }
        if first < length {
            tell.send_replace(true);
            tokio::time::sleep(A_WHILE).await;
            if to.write_all(&bytes[first..]).await.is_err() {
                return;
            }
        }
    }
}
