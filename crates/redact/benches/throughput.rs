//! How fast output passes through a redactor: `cargo bench -p valetkey-redact`.
#![expect(clippy::print_stdout, reason = "the figures are the product")]

use std::fmt::Write as _;
use std::time::Instant;

use valetkey_redact::{Added, Redactor};

const MIB: usize = 1024 * 1024;
const TOTAL: usize = 256 * MIB;
const CHUNK: usize = 64 * 1024;

fn main() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let secrets: Vec<String> = (0..200).map(|_| random.secret()).collect();
    let log = random.log(8 * MIB, &secrets);
    let noise = random.base64(8 * MIB);
    let (none, all) = (Redactor::new(), Redactor::new());

    let start = Instant::now();
    assert!(secrets.iter().all(|secret| all.add(secret) == Added::Redacted));
    all.stream().push(b"the first use builds the search table", &mut Vec::new());
    println!("200 secrets added in {:.1} ms", start.elapsed().as_secs_f64() * 1e3);

    measure(&all, 200, "log text", &log, CHUNK);
    measure(&all, 200, "log text", &log, 4096);
    measure(&none, 0, "log text", &log, CHUNK);
    measure(&all, 200, "base64 noise", &noise, CHUNK);
}

/// The best of five runs: what the code can do, not what else the machine is doing.
fn measure(redactor: &Redactor, secrets: usize, kind: &str, text: &[u8], chunk: usize) {
    let best = (0..5).map(|_| run(redactor, text, chunk)).fold(f64::INFINITY, f64::min);
    println!(
        "redaction {:.2} GB/s ({secrets} secrets, {} MiB of {kind}, {} KiB chunks)",
        TOTAL as f64 / best / 1e9,
        TOTAL / MIB,
        chunk / 1024,
    );
}

fn run(redactor: &Redactor, text: &[u8], chunk: usize) -> f64 {
    let mut stream = redactor.stream();
    let mut out = Vec::with_capacity(2 * CHUNK);
    let mut shown = 0;
    let start = Instant::now();
    for _ in 0..TOTAL / text.len() {
        for chunk in text.chunks(chunk) {
            out.clear();
            stream.push(chunk, &mut out);
            shown += out.len();
        }
    }
    stream.finish(&mut out);
    let seconds = start.elapsed().as_secs_f64();
    assert!(shown > TOTAL / 2, "most of the text is shown");
    seconds
}

/// Xorshift: the same text on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    fn text(&mut self, alphabet: &[u8], len: usize) -> String {
        (0..len).map(|_| char::from(alphabet[self.below(alphabet.len())])).collect()
    }

    fn base64(&mut self, len: usize) -> Vec<u8> {
        self.text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", len).into_bytes()
    }

    fn secret(&mut self) -> String {
        let alphanumeric = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        match self.below(5) {
            0 => format!("ghp_{}", self.text(alphanumeric, 36)),
            1 => format!("glpat-{}", self.text(alphanumeric, 20)),
            2 => self.text(b"0123456789abcdef", 40),
            3 => format!("postgres://app:{}@db.internal:5432/app?sslmode=require", self.text(alphanumeric, 16)),
            _ => {
                let len = 10 + self.below(20);
                self.text(b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789!$%&/()=?+-_\"", len)
            }
        }
    }

    /// What builds, tests, git and agents print, with a secret about once in 100 KiB.
    fn log(&mut self, len: usize, secrets: &[String]) -> Vec<u8> {
        const WORDS: [&str; 24] = [
            "compiling",
            "request",
            "the",
            "failed",
            "to",
            "open",
            "connection",
            "git",
            "token",
            "with",
            "branch",
            "pushed",
            "test",
            "passed",
            "warning:",
            "unused",
            "variable",
            "in",
            "function",
            "user",
            "for",
            "error:",
            "session",
            "agent",
        ];
        let mut text = String::with_capacity(len + 4096);
        while text.len() < len {
            let (second, millis, size) = (self.below(60), self.below(1000), self.below(100_000));
            let hash = self.text(b"0123456789abcdef", 12);
            let _ = match self.below(6) {
                0 => writeln!(
                    text,
                    "2026-11-20T10:42:{second:02}.{millis:03}Z  INFO gateway: status=200 bytes={size} path=/team/app.git/info/refs"
                ),
                1 => writeln!(
                    text,
                    r#"{{"level":"info","ts":17637{size:05},"msg":"step done","id":"{hash}","url":"https://gitlab.com/team/app/-/tree/main"}}"#
                ),
                2 => writeln!(
                    text,
                    "   Compiling {}-{} v1.{second}.{millis} (/home/user/src/app/crates/{})",
                    self.pick(&WORDS),
                    self.pick(&WORDS),
                    self.pick(&WORDS)
                ),
                3 => writeln!(text, " * [new branch]      {hash} -> origin/feature/{}", self.pick(&WORDS)),
                4 => writeln!(
                    text,
                    "\x1b[32m+    let {} = {}.get({size}).unwrap_or_default();\x1b[0m",
                    self.pick(&WORDS),
                    self.pick(&WORDS)
                ),
                _ => {
                    let sentence: Vec<_> = (0..12).map(|_| self.pick(&WORDS)).collect();
                    writeln!(text, "{}", sentence.join(" "))
                }
            };
            if self.below(1000) == 0 {
                let _ = writeln!(text, "Authorization: Bearer {}", secrets[self.below(secrets.len())]);
            }
        }
        text.truncate(len);
        text.into_bytes()
    }
}
