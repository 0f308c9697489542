use std::{
    env,
    io::{self, IsTerminal as _},
    process::{Command, Stdio},
};

use url::Url;

/// Opens an address in the person's browser, if there are a person and a browser. It was printed before: whether that
/// works is not important.
#[expect(clippy::disallowed_methods, reason = "the person's own browser, at an address of the server that they named")]
pub(super) fn open(address: &str) {
    let Some(program) = opener().filter(|_| io::stderr().is_terminal()) else { return };
    // Only what can't be taken for an option, a file or another program's business.
    if !Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
        return;
    }
    let mut command = Command::new(program);
    command.arg(address).env_remove("VALETKEY_TOKEN").env_remove("VALETKEY_ADMIN_TOKEN");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = command.spawn() {
        tracing::debug!(%error, program, "the browser was not opened");
    }
}

fn opener() -> Option<&'static str> {
    if cfg!(target_os = "macos") {
        return Some("open");
    }
    let screen =
        ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()));
    screen.then_some("xdg-open")
}
