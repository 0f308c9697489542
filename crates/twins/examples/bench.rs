//! temp
use valetkey_twins::*;
#[tokio::main]
async fn main() {
    let t0 = std::time::Instant::now();
    let twin = Twin::builder(Forge::GitLab).tls(std::env::args().nth(1).is_some()).start().await.unwrap();
    eprintln!("start {:?}", t0.elapsed());
    let t0 = std::time::Instant::now();
    let _twin2 = Twin::builder(Forge::GitLab).tls(true).start().await.unwrap();
    eprintln!("second start {:?}", t0.elapsed());
    let t0 = std::time::Instant::now();
    twin.repository("g/tiny", Repository::new().public().file("a", "b"));
    eprintln!("tiny {:?}", t0.elapsed());
    let t0 = std::time::Instant::now();
    twin.repository("g/big", Repository::new().public().files_generated(200 << 20));
    eprintln!("big {:?}", t0.elapsed());
    println!("{}", twin.url());
    std::fs::write("/tmp/ca.pem", twin.ca_pem()).unwrap();
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await.unwrap().unwrap();
    eprintln!("{}", std::fs::read_to_string("/proc/self/status").unwrap().lines().find(|l| l.starts_with("VmHWM")).unwrap());
}
