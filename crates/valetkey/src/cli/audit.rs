use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use valetkey_model::{AuditMark, AuditOutcome, ProjectName, SessionId};

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// What happened, newest first (the default)
    List {
        #[command(flatten)]
        filter: AuditFilterArgs,
        /// How many entries at most
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: usize,
    },
    /// All of it, oldest first, as JSON lines with their hashes; `verify --file` checks them
    Export {
        #[command(flatten)]
        filter: AuditFilterArgs,
    },
    /// Look at every entry: whether it is as it was written, and none is missing
    Verify {
        /// Of an exported file instead of the store
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// The file was exported with a filter, so entries are missing between those that are there
        #[arg(long, requires = "file")]
        selection: bool,
        /// A mark that an earlier look printed; it must still be on the chain
        #[arg(long, value_name = "SEQ:HASH")]
        mark: Option<AuditMark>,
    },
}

/// Which entries of the audit trail.
#[derive(Debug, Default, Args)]
pub(crate) struct AuditFilterArgs {
    /// Only what you did, or Valetkey for you
    #[arg(long)]
    pub(crate) mine: bool,
    /// Only what this person did; `system` for what Valetkey did by itself
    #[arg(long, value_name = "ID")]
    pub(crate) actor: Option<String>,
    /// Only actions that begin like this: credential.use, session.
    #[arg(long, value_name = "WORD")]
    pub(crate) action: Option<String>,
    /// Only in this project
    #[arg(long)]
    pub(crate) project: Option<ProjectName>,
    /// Only by or in this session
    #[arg(long)]
    pub(crate) session: Option<SessionId>,
    /// Only to the thing with this id
    #[arg(long, value_name = "ID")]
    pub(crate) object: Option<String>,
    /// Only what was allowed, refused, or failed
    #[arg(long, value_name = "allowed|refused|failed")]
    pub(crate) outcome: Option<AuditOutcome>,
    /// Not before this moment: 2026-01-31T08:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Timestamp>,
    /// Before this moment
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Timestamp>,
}
