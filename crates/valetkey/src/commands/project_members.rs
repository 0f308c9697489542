use std::io;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use valetkey_model::{Problem, ProjectName, Role};

use super::{projects::one, typed, typed_all};
use crate::{
    cli::{MemberArgs, MembersCommand},
    client::{Client, percent_encoded},
    context::Context,
    output::{self, Style, Table},
    wiring,
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemberView {
    kind: String,
    name: String,
    role: Role,
    person: Option<String>,
    added_at: Timestamp,
}

/// Looks after who is in a project.
pub(super) async fn members(context: &Context, client: &Client, command: MembersCommand) -> Result<(), Problem> {
    match command {
        MembersCommand::List { project } => list(context, client, &project).await,
        MembersCommand::Set { project, member, role } => {
            let (kind, name) = named(&member);
            let body = json!({ "kind": kind, "name": name, "role": role });
            let set: Value = client.post(&all(&project), &body).await?;
            let view: MemberView = typed(&set)?;
            output::print(context.format, &set, || {
                output::one_line(&format!("{} {} has the role {} in {project} now.", view.kind, view.name, view.role))
            })
        }
        MembersCommand::Remove { project, member } => {
            let (kind, name) = named(&member);
            let path = format!("{}?kind={kind}&name={}", all(&project), percent_encoded(name));
            let answer = client.delete(&path).await?;
            output::print(context.format, &answer, || {
                let stopped = answer["stopped"].as_array().map_or(0, Vec::len);
                let stopped = if stopped == 0 { String::new() } else { format!(" {stopped} session(s) are stopped.") };
                output::one_line(&format!("Took {kind} {name} out of {project}.{stopped}"))
            })
        }
    }
}

fn all(project: &ProjectName) -> String {
    format!("{}/members", one(project))
}

/// The word for the kind, and the name. The command line has seen to it that there is one.
fn named(member: &MemberArgs) -> (&'static str, &str) {
    let MemberArgs { email, group, person } = member;
    match (email, group, person) {
        (Some(address), _, _) => ("email", address),
        (_, Some(group), _) => ("group", group),
        (_, _, id) => ("person", id.as_deref().unwrap_or_default()),
    }
}

async fn list(context: &Context, client: &Client, project: &ProjectName) -> Result<(), Problem> {
    let all = client.all(&all(project)).await?;
    let views: Vec<MemberView> = typed_all(&all)?;
    let now = wiring::now();
    output::print(context.format, &json!({ "items": all }), || {
        let mut table = Table::new(
            &["NAME", "KIND", "ROLE", "SINCE", "PERSON"],
            "Nobody is in this project but the administrators of the server.",
        );
        for view in &views {
            table.row(&[
                view.name.clone(),
                view.kind.clone(),
                view.role.to_string(),
                output::when(view.added_at, now),
                view.person.clone().unwrap_or_default(),
            ]);
        }
        table.render(Style::of(&io::stdout()))
    })
}
