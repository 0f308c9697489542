use std::io;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use valetkey_model::{Problem, ProblemCode, UserId};

use super::{typed_all, with_client};
use crate::{
    cli::PeopleCommand,
    client::Client,
    context::Context,
    output::{self, Style, Table},
    wiring,
};

const BASE: &str = "/api/v1/people";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PersonView {
    id: UserId,
    name: String,
    email: Option<String>,
    administrator: bool,
    disabled: bool,
    last_seen_at: Option<Timestamp>,
}

/// Looks after the people who sign in.
pub(crate) async fn people(context: &Context, command: Option<PeopleCommand>) -> Result<(), Problem> {
    with_client(context, async |client| match command.unwrap_or(PeopleCommand::List) {
        PeopleCommand::List => list(context, client).await,
        PeopleCommand::Disable { person } => {
            let what = "Their sessions in browsers ended; their tokens count for nothing.";
            change(context, client, &person, json!({ "disabled": true }), |name| format!("Disabled {name}. {what}"))
                .await
        }
        PeopleCommand::Enable { person } => {
            let what = "They can sign in again, and their tokens count.";
            change(context, client, &person, json!({ "disabled": false }), |name| format!("Enabled {name}. {what}"))
                .await
        }
        PeopleCommand::Administrator { person, unset: false } => {
            let told = |name: &str| format!("{name} is an administrator of the server now.");
            change(context, client, &person, json!({ "administrator": true }), told).await
        }
        PeopleCommand::Administrator { person, unset: true } => {
            let told = |name: &str| format!("{name} is an administrator only if their identity provider says so.");
            change(context, client, &person, json!({ "administrator": false }), told).await
        }
    })
    .await
}

async fn list(context: &Context, client: &Client) -> Result<(), Problem> {
    let all = client.all(BASE).await?;
    let views: Vec<PersonView> = typed_all(&all)?;
    let now = wiring::now();
    output::print(context.format, &json!({ "items": all }), || {
        let mut table = Table::new(&["NAME", "E-MAIL", "", "LAST SIGNED IN", "ID"], "Nobody has signed in yet.");
        for view in &views {
            let state = match (view.disabled, view.administrator) {
                (true, _) => "disabled",
                (false, true) => "administrator",
                (false, false) => "",
            };
            table.row(&[
                view.name.clone(),
                view.email.clone().unwrap_or_default(),
                state.to_owned(),
                view.last_seen_at.map_or_else(|| "never".to_owned(), |at| output::when(at, now)),
                view.id.to_string(),
            ]);
        }
        table.render(Style::of(&io::stdout()))
    })
}

async fn change(
    context: &Context,
    client: &Client,
    person: &str,
    change: Value,
    told: impl Fn(&str) -> String,
) -> Result<(), Problem> {
    let found = find(client, person).await?;
    let changed: Value = client.patch(&format!("{BASE}/{}", found.id), &change).await?;
    output::print(context.format, &changed, || output::one_line(&told(&found.name)))
}

/// The one person of this id or e-mail address. Two people may have one address, at two identity providers.
async fn find(client: &Client, named: &str) -> Result<PersonView, Problem> {
    let all: Vec<PersonView> = typed_all(&client.all(BASE).await?)?;
    let is_meant = |person: &PersonView| {
        person.id.as_str() == named || person.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(named))
    };
    let mut found: Vec<PersonView> = all.into_iter().filter(is_meant).collect();
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => Err(Problem::new(ProblemCode::Conflict, "Several people have this e-mail address.")
            .remedy("Name the one you mean by their id; `valetkey people list` shows it.")),
        (None, _) => Err(Problem::new(ProblemCode::NotFound, "There is nobody with this id or e-mail address.")
            .remedy("`valetkey people list` shows all.")),
    }
}
