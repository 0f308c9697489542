use clap::{
    Args, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use valetkey_model::{ProjectName, WebhookDeliveryId, WebhookEvent, WebhookId};

#[derive(Debug, Args)]
#[command(after_help = "\
Requests are signed as Standard Webhooks describes. The signing secret is printed once, alone on standard output, when it
is made.

Examples:
  valetkey webhooks add https://ci.example.com/valetkey --event session.completed > secret.txt
  valetkey webhooks test WEBHOOK
  valetkey webhooks deliveries WEBHOOK
  valetkey webhooks edit WEBHOOK --enable")]
pub(crate) struct WebhooksArgs {
    /// Their project
    #[arg(long, global = true, default_value_t = ProjectName::default_project())]
    pub(crate) project: ProjectName,
    #[command(subcommand)]
    pub(crate) command: Option<WebhooksCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WebhooksCommand {
    /// The webhooks of the project (the default)
    List,
    /// Add one; its signing secret is shown this once
    Add {
        /// Where notifications are posted to: https, or http to this machine
        url: String,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// What it is told of; may be given several times; everything if not given
        #[arg(long = "event", value_name = "EVENT", value_parser = event())]
        events: Vec<WebhookEvent>,
    },
    /// Everything about one
    Show {
        /// Its id
        webhook: WebhookId,
    },
    /// Change one; what is not named stays
    Edit {
        /// Its id
        webhook: WebhookId,
        #[command(flatten)]
        change: WebhookChangeArgs,
    },
    /// Send it a test notification, and say what came of it; exits with 1 if it was not delivered
    Test {
        /// Its id
        webhook: WebhookId,
    },
    /// The notifications of the last 30 days, newest first
    Deliveries {
        /// Its id
        webhook: WebhookId,
        /// How many at most
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: usize,
    },
    /// Send a notification again, with the same id
    Redeliver {
        /// The webhook's id
        webhook: WebhookId,
        /// The notification's id
        delivery: WebhookDeliveryId,
    },
    /// Make another signing secret, shown this once; for a day the old one signs too
    RotateSecret {
        /// Its id
        webhook: WebhookId,
    },
    /// Delete one with the log of its deliveries
    Remove {
        /// Its id
        webhook: WebhookId,
        /// Without being asked
        #[arg(long, short)]
        yes: bool,
    },
}

/// What can be changed of a webhook.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct WebhookChangeArgs {
    /// Where notifications are posted to
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// What it is told of, in place of what it was told of; may be given several times
    #[arg(long = "event", value_name = "EVENT", value_parser = event())]
    pub(crate) events: Vec<WebhookEvent>,
    /// Send to it again
    #[arg(long, conflicts_with = "disable")]
    pub(crate) enable: bool,
    /// Send nothing to it
    #[arg(long)]
    pub(crate) disable: bool,
}

/// Parses an event; shells complete it.
fn event() -> impl TypedValueParser<Value = WebhookEvent> {
    PossibleValuesParser::new(WebhookEvent::ALL.map(WebhookEvent::as_str)).try_map(|word| {
        WebhookEvent::ALL.into_iter().find(|event| event.as_str() == word).ok_or("there is no such event")
    })
}
