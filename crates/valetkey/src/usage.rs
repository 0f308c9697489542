//! Wrong usage, told without repeating what was typed where that may be a secret.

use std::{error::Error as _, io, process::ExitCode};

use clap::error::{ContextKind, ErrorKind};
use valetkey_model::{Problem, ProblemCode};
use valetkey_redact::Redactor;

use crate::output;

/// Prints a parser's error, or the help that was asked for.
pub(crate) fn explain(error: &clap::Error) -> ExitCode {
    match (error.kind(), error.source()) {
        // The parser's own words would quote the value: a repository URL may hold a token.
        (ErrorKind::ValueValidation, Some(why)) => {
            let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
            output::note(&format!("error: {argument}: {why}\n\nFor more information, try '--help'."));
        }
        _ if error.use_stderr() => output::note(Redactor::new().redact(error.render().to_string().trim_end()).as_ref()),
        _ => {
            let _ = error.print();
        }
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// The machine gives us no threads.
pub(crate) fn no_runtime(error: &io::Error) -> Problem {
    Problem::new(ProblemCode::Internal, format!("No threads can be started: {error}."))
}
