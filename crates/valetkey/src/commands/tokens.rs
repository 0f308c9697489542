use std::{io, time::Duration};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use valetkey_model::{Problem, ProblemCode, ProjectName, TokenId};

use super::{typed, typed_all, with_client};
use crate::{
    cli::TokensCommand,
    client::Client,
    context::Context,
    output::{self, Style, Table},
    wiring,
};

const BASE: &str = "/api/v1/tokens";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenView {
    id: TokenId,
    name: String,
    project: Option<ProjectName>,
    access: String,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

/// Looks after API tokens.
pub(crate) async fn tokens(context: &Context, command: Option<TokensCommand>) -> Result<(), Problem> {
    with_client(context, async |client| match command.unwrap_or(TokensCommand::List) {
        TokensCommand::List => list(context, client).await,
        TokensCommand::Create { name, expires, project, read_only } => {
            let access = if read_only { "read" } else { "write" };
            create(context, client, expires, json!({ "name": name, "project": project, "access": access })).await
        }
        TokensCommand::Revoke { token } => {
            client.delete(&format!("{BASE}/{token}")).await?;
            output::print(context.format, &json!({ "id": token }), || {
                format!("Revoked {token}. Whoever used it is refused from now on.")
            })
        }
    })
    .await
}

async fn list(context: &Context, client: &Client) -> Result<(), Problem> {
    let all = client.all(BASE).await?;
    let views: Vec<TokenView> = typed_all(&all)?;
    let now = wiring::now();
    output::print(context.format, &json!({ "items": all }), || {
        let mut table = Table::new(
            &["NAME", "FOR", "MADE", "EXPIRES", "LAST USED", "ID"],
            "There is no API token. Make one with `valetkey tokens create --name ci`.",
        );
        for view in &views {
            let never = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), |at| output::when(at, now));
            table.row(&[
                view.name.clone(),
                format!("{}, {}", view.project.as_ref().map_or("all projects", ProjectName::as_str), view.access),
                output::when(view.created_at, now),
                never(view.expires_at),
                never(view.last_used_at),
                view.id.to_string(),
            ]);
        }
        table.render(Style::of(&io::stdout()))
    })
}

/// The value alone goes to standard output, so that it can be piped; what belongs to it to standard error.
async fn create(context: &Context, client: &Client, expires: Option<Duration>, mut body: Value) -> Result<(), Problem> {
    if let Some(after) = expires {
        let end = wiring::now()
            .checked_add(after)
            .map_err(|_| Problem::new(ProblemCode::InvalidInput, "--expires is beyond the end of the calendar."))?;
        body["expiresAt"] = json!(end);
    }
    let made: Value = client.post(BASE, &body).await?;
    let view: TokenView = typed(&made)?;
    output::print(context.format, &made, || {
        let end =
            view.expires_at.map_or_else(|| "until revoked".to_owned(), |end| format!("until {}", output::day(end)));
        output::note(&output::one_line(&format!("API token '{}', good {end}; it is shown this once:", view.name)));
        made["token"].as_str().unwrap_or_default().to_owned()
    })
}
