use std::{
    env,
    ffi::OsString,
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
    command.arg(address);
    without_ours(&mut command, env::vars_os().map(|(name, _)| name));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = command.spawn() {
        tracing::debug!(%error, program, "the browser was not opened");
    }
}

/// Takes our own variables from a program's environment: tokens, addresses with passwords, secrets of apps.
fn without_ours(command: &mut Command, names: impl Iterator<Item = OsString>) {
    for name in names.filter(|name| name.as_encoded_bytes().starts_with(b"VALETKEY_")) {
        command.env_remove(name);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "nothing is started")]
    fn nothing_of_ours_reaches_the_browser() {
        let mut command = Command::new("true");
        let names = ["VALETKEY_TOKEN", "VALETKEY_DATABASE_URL", "VALETKEY_SESSION_TOKEN", "PATH"];
        without_ours(&mut command, names.into_iter().map(OsString::from));
        let removed: Vec<_> = command.get_envs().map(|(name, value)| (name.to_str().unwrap(), value)).collect();
        assert_eq!(
            removed,
            [("VALETKEY_DATABASE_URL", None), ("VALETKEY_SESSION_TOKEN", None), ("VALETKEY_TOKEN", None)]
        );
    }
}
