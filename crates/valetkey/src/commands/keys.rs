use serde_json::json;
use valetkey_model::Problem;

use crate::{cli::KeysCommand, context::Context, output, wiring::Foundation};

/// Looks after the master key.
pub(crate) async fn keys(context: &Context, command: &KeysCommand) -> Result<(), Problem> {
    match command {
        KeysCommand::Rotate => rotate(context).await,
    }
}

async fn rotate(context: &Context) -> Result<(), Problem> {
    context.only_here("keys rotate")?;
    let foundation = Foundation::lay(context.settings()?).await?;
    let rotated = foundation.integrations.rotate_master_key().await;
    let scrubbed = foundation.store.scrub().await;
    foundation.store.close().await;
    let report = rotated?;
    scrubbed?;
    let file = foundation.settings.master_key_file.display().to_string();
    output::print(context.format, &json!({ "rewrapped": report.rewrapped, "masterKeyFile": file }), || {
        format!(
            "There is a new master key in {file}; {} credential(s) are under it.\n\
             Back the file up: without it the credentials can't be opened.",
            report.rewrapped
        )
    })
}
