use clap::CommandFactory as _;
use clap_complete::Shell;
use valetkey_model::Problem;

use crate::{cli::Cli, output};

/// Prints the completion script of a shell.
pub(crate) fn print(shell: Shell) -> Result<(), Problem> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "valetkey", &mut script);
    output::say(&String::from_utf8_lossy(&script))
}
