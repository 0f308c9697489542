//! Our own log: on standard error, everything through the redactor.

use std::{
    env,
    io::{self, Write},
    panic,
};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};
use valetkey_redact::Redactor;

/// Starts logging. VALETKEY_LOG, else RUST_LOG, says what; `usual` if neither does.
pub(crate) fn start(usual: &str, redactor: &Redactor) {
    let wanted =
        ["VALETKEY_LOG", "RUST_LOG"].into_iter().find_map(|name| env::var(name).ok().filter(|v| !v.is_empty()));
    let filter = EnvFilter::builder().parse_lossy(wanted.as_deref().unwrap_or(usual));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(false)
        .with_writer(Redacting { redactor: redactor.clone() })
        .init();
    let redactor = redactor.clone();
    // What a panic says was never meant for anybody's eyes: it may quote what was being worked on.
    panic::set_hook(Box::new(move |panic| {
        let _ = Redacting { redactor: redactor.clone() }.write_all(format!("{panic}\n").as_bytes());
    }));
}

/// Writes an event, which comes in one piece, with the secrets taken out.
#[derive(Clone)]
struct Redacting {
    redactor: Redactor,
}

impl<'a> MakeWriter<'a> for Redacting {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Redacting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        io::stderr().write_all(self.redactor.redact(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
