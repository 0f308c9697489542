//! The program: commands, settings, and the wiring of the crates that do the work.

mod cli;
mod client;
mod commands;
mod context;
mod harden;
mod logging;
mod output;
mod repo_argument;
mod settings;
mod sign_in;
mod signals;
mod token_input;
mod upkeep;
mod usage;
mod wiring;

use std::{process::ExitCode, thread::available_parallelism};

use clap::Parser as _;

use crate::{cli::Cli, context::Context};

/// More threads than this would only hold memory: the work is waiting, and what computes is git.
const MOST_THREADS: usize = 4;

fn main() -> ExitCode {
    harden::process();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::explain(&error),
    };
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("nobody chose another provider before");
    let format = cli.global.output;
    let threads = available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(Box::pin(commands::dispatch(Context::new(cli.global), cli.command))),
        Err(error) => Err(usage::no_runtime(&error)),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(problem) => {
            output::fail(format, &problem);
            ExitCode::from(problem.code.exit_code())
        }
    }
}
