use std::io;

use serde::Deserialize;
use serde_json::{Value, json};
use valetkey_model::{Problem, ProblemCode, ProjectName, Role};

use super::{project_members, project_repositories, typed, typed_all, with_client};
use crate::{
    cli::{ProjectSettingsArgs, ProjectsCommand},
    client::Client,
    context::Context,
    output::{self, Style, Table},
    settings::words,
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
            client.delete(&if everything { format!("{path}?everything=true") } else { path }).await?;
            output::print(context.format, &json!({ "name": project }), || format!("Deleted the project {project}."))
        }
        ProjectsCommand::Members { command } => project_members::members(context, client, command).await,
        ProjectsCommand::Repositories { command } => project_repositories::repositories(context, client, command).await,
    })
    .await
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
