use std::io;

use serde::Deserialize;
use serde_json::{Value, json};
use valetkey_model::{Problem, ProblemCode, ProjectName, Role};

use super::{project_members, project_repositories, typed, typed_all, with_client};
use crate::{
    cli::{ProjectSettingsArgs, ProjectsCommand},
    client::Client,
    context::Context,
    output::{self, Style, Table, Tamed},
    settings::words,
    token_input,
};

const BASE: &str = "/api/v1/projects";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProjectView {
    name: ProjectName,
    description: String,
    role: Role,
    default_agent: Option<Vec<String>>,
    push_pattern: Option<String>,
}

/// The address of a project.
pub(super) fn one(project: &ProjectName) -> String {
    format!("{BASE}/{project}")
}

/// Looks after projects.
pub(crate) async fn projects(context: &Context, command: Option<ProjectsCommand>) -> Result<(), Problem> {
    with_client(context, async |client| match command.unwrap_or(ProjectsCommand::List) {
        ProjectsCommand::List => list(context, client).await,
        ProjectsCommand::Create { project, settings } => {
            let mut body = given(&settings)?;
            body["name"] = json!(project);
            print_one(context, &client.post(BASE, &body).await?)
        }
        ProjectsCommand::Show { project } => print_one(context, &client.get(&one(&project)).await?),
        ProjectsCommand::Change { project, settings, no_default_agent, no_push_pattern } => {
            let mut body = given(&settings)?;
            for (taken, name) in [(no_default_agent, "defaultAgent"), (no_push_pattern, "pushPattern")] {
                if taken {
                    body[name] = Value::Null;
                }
            }
            print_one(context, &client.patch(&one(&project), &body).await?)
        }
        ProjectsCommand::Delete { project, everything } => {
            let path = one(&project);
            let everything = everything || is_confirmed(client, &project).await?;
            client.delete(&if everything { format!("{path}?everything=true") } else { path }).await?;
            output::print(context.format, &json!({ "name": project }), || format!("Deleted the project {project}."))
        }
        ProjectsCommand::Members { command } => project_members::members(context, client, command).await,
        ProjectsCommand::Repositories { command } => project_repositories::repositories(context, client, command).await,
    })
    .await
}

/// Things of one kind that would be lost with a project.
#[derive(Debug, Deserialize)]
struct Loss {
    count: usize,
    words: String,
    names: Vec<String>,
}

/// Says what would be lost and has the name typed, where somebody is there to be asked. Without them it is not confirmed.
async fn is_confirmed(client: &Client, project: &ProjectName) -> Result<bool, Problem> {
    if !token_input::can_ask() {
        return Ok(false);
    }
    let found: Value = client.get(&format!("{}/losses", one(project))).await?;
    let losses: Vec<Loss> = typed_all(found["items"].as_array().map_or(&[], Vec::as_slice))?;
    output::note(&told(project, &losses));
    if token_input::read_line(&format!("Type {project} to delete it"))? == project.as_str() {
        return Ok(true);
    }
    Err(Problem::new(ProblemCode::InvalidInput, "This is not the project's name. Nothing was deleted."))
}

/// What would be lost, a line for each kind.
fn told(project: &ProjectName, losses: &[Loss]) -> String {
    let mut text = format!("With the project {project} this is lost, and can't be brought back:");
    for Loss { count, words, names } in losses {
        let more = count.saturating_sub(names.len());
        let names = match (names.is_empty(), more) {
            (true, _) => String::new(),
            (false, 0) => format!(": {}", names.join(", ")),
            (false, more) => format!(": {} and {more} more", names.join(", ")),
        };
        text.push_str(&format!("\n  {words}{}", Tamed::text(&names)));
    }
    text
}

/// What was typed of a project's settings.
fn given(settings: &ProjectSettingsArgs) -> Result<Value, Problem> {
    let mut body = json!({});
    if let Some(description) = &settings.description {
        body["description"] = json!(description);
    }
    if let Some(agent) = &settings.default_agent {
        let bad = "--default-agent must be a program and its arguments, quoted as in a shell.";
        body["defaultAgent"] = json!(words(agent).ok_or_else(|| Problem::new(ProblemCode::InvalidInput, bad))?);
    }
    if let Some(pattern) = &settings.push_pattern {
        body["pushPattern"] = json!(pattern);
    }
    Ok(body)
}

async fn list(context: &Context, client: &Client) -> Result<(), Problem> {
    let all = client.all(BASE).await?;
    let views: Vec<ProjectView> = typed_all(&all)?;
    output::print(context.format, &json!({ "items": all }), || {
        let mut table = Table::new(
            &["NAME", "YOUR ROLE", "DESCRIPTION"],
            "You are in no project. Make one with `valetkey projects create NAME`.",
        );
        for view in &views {
            table.row(&[view.name.to_string(), view.role.to_string(), view.description.clone()]);
        }
        table.render(Style::of(&io::stdout()))
    })
}

fn print_one(context: &Context, found: &Value) -> Result<(), Problem> {
    let view: ProjectView = typed(found)?;
    output::print(context.format, found, || {
        output::fields([
            ("project", Some(view.name.to_string())),
            ("description", Some(view.description.clone()).filter(|text| !text.is_empty())),
            ("your role", Some(view.role.to_string())),
            ("default agent", Some(view.default_agent.map_or_else(|| "the server's".to_owned(), shell_words::join))),
            ("push branches", Some(view.push_pattern.unwrap_or_else(|| "any; valetkey/… if none is named".to_owned()))),
        ])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_lost_is_told_line_by_line() {
        let loss = |count, words: &str, names: &[&str]| Loss {
            count,
            words: words.to_owned(),
            names: names.iter().map(ToString::to_string).collect(),
        };
        let losses = [
            loss(2, "2 secrets", &["DEPLOY_KEY", "NPM_TOKEN"]),
            loss(9, "9 sessions with their logs and workspaces", &["Add X", "Fix\u{1b}[2J Y"]),
            loss(1, "1 API token for this project alone", &[]),
        ];
        let wanted = "With the project shop this is lost, and can't be brought back:\n  2 secrets: DEPLOY_KEY, NPM_TOKEN\n  \
                      9 sessions with their logs and workspaces: Add X, Fix Y and 7 more\n  \
                      1 API token for this project alone";
        assert_eq!(told(&"shop".parse().unwrap(), &losses), wanted);
    }
}
