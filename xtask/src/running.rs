use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// A server that ends with us: its input is a pipe of ours, and it is killed when dropped.
pub(crate) struct Running(Child);

impl Running {
    /// Starts it and reads its output up to the first line that tells what is needed; the rest is read and thrown away.
    pub(crate) fn start(command: &mut Command, tells: impl Fn(&str) -> bool) -> Result<(Self, String)> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("could not start a server")?;
        let stdout = child.stdout.take().context("its output")?;
        let running = Self(child);
        let mut lines = BufReader::new(stdout);
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 {
                bail!("a server ended before it was ready");
            }
            if tells(&line) {
                std::thread::spawn(move || discard(lines));
                return Ok((running, line));
            }
        }
    }
}

fn discard(mut from: BufReader<ChildStdout>) {
    let mut buffer = [0; 4096];
    while from.read(&mut buffer).is_ok_and(|n| n > 0) {}
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
