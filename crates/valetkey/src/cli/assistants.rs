use std::path::PathBuf;

use clap::{Args, Subcommand};
use valetkey_model::{AssistantName, AssistantRef, IntegrationRef, ProviderKind};
use valetkey_sessions::NewSlot;

#[derive(Debug, Subcommand)]
pub(crate) enum AssistantsCommand {
    /// The assistants of the project (the default)
    List,
    /// Everything about one, and what its tools come to for you
    Show {
        /// Its id or name
        #[arg(value_name = "ID|NAME")]
        assistant: AssistantRef,
    },
    /// Make one
    Create {
        /// What it is to be, as JSON: name, description, instructions, agent, tools; - for standard input
        #[arg(long)]
        file: PathBuf,
        /// Make it although some of its tools have no integration for you
        #[arg(long)]
        accept_missing: bool,
    },
    /// Change one, and say what changed; what is not named stays
    #[command(after_help = EXAMPLES)]
    Edit {
        /// Its id or name
        #[arg(value_name = "ID|NAME")]
        assistant: AssistantRef,
        #[command(flatten)]
        change: AssistantChangeArgs,
        /// Change it although some of its tools have no integration for you
        #[arg(long)]
        accept_missing: bool,
    },
    /// Delete one; sessions that were started from it go on
    Delete {
        /// Its id or name
        #[arg(value_name = "ID|NAME")]
        assistant: AssistantRef,
    },
}

const EXAMPLES: &str = "\
Examples:
  valetkey assistants edit Reviewer --name 'Careful reviewer' --agent 'claude -p {task}'
  valetkey assistants edit Reviewer --instructions-file reviewing.md
  valetkey assistants edit Reviewer --tool gitlab='Release bot' --tool slack=automatic --remove-tool jira";

/// What can be changed of an assistant.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct AssistantChangeArgs {
    /// Another name
    #[arg(long)]
    pub(crate) name: Option<AssistantName>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// What the agent is told besides the task
    #[arg(long, value_name = "TEXT", conflicts_with = "instructions_file")]
    pub(crate) instructions: Option<String>,
    /// The same from a file; - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) instructions_file: Option<PathBuf>,
    /// The agent's command
    #[arg(long, value_name = "CMD", conflicts_with = "no_agent")]
    pub(crate) agent: Option<String>,
    /// Back to the agent that sessions without an assistant have
    #[arg(long)]
    pub(crate) no_agent: bool,
    /// A tool that it may use, and which integration serves it: automatic, none, or an id or alias; may be given several times
    #[arg(long = "tool", value_name = "PROVIDER=SLOT", value_parser = tool)]
    pub(crate) tools: Vec<(ProviderKind, NewSlot)>,
    /// A tool that it may not use any more; may be given several times
    #[arg(long = "remove-tool", value_name = "PROVIDER")]
    pub(crate) removed: Vec<ProviderKind>,
    /// List no tools: it may use whatever is connected
    #[arg(long, conflicts_with_all = ["tools", "removed"])]
    pub(crate) any_tools: bool,
}

/// Parses `gitlab=automatic`, `slack=none`, `jira=Work`. An integration of one of these two names is named by its id.
fn tool(text: &str) -> Result<(ProviderKind, NewSlot), String> {
    let (provider, slot) = text
        .split_once('=')
        .ok_or("write it as PROVIDER=automatic, PROVIDER=none, or PROVIDER= and the id or alias of an integration")?;
    let provider: ProviderKind = provider.parse().map_err(|why| format!("{why}"))?;
    let slot = match slot {
        "automatic" => NewSlot::Automatic,
        "none" => NewSlot::None,
        which => NewSlot::Pinned { integration: which.parse::<IntegrationRef>().map_err(|why| format!("{why}"))? },
    };
    Ok((provider, slot))
}
