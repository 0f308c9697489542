use std::io;

use serde_json::json;
use valetkey_model::Problem;

use super::with_client;
use crate::{
    cli::ProjectsCommand,
    context::Context,
    output::{self, Style, Table},
};

/// Shows the projects.
pub(crate) async fn projects(context: &Context, command: Option<ProjectsCommand>) -> Result<(), Problem> {
    match command.unwrap_or(ProjectsCommand::List) {
        ProjectsCommand::List => {
            let all = with_client(context, async |client| client.all("/api/v1/projects").await).await?;
            output::print(context.format, &json!({ "items": all }), || {
                let mut table = Table::new(&["NAME"], "There is no project.");
                for project in &all {
                    table.row(&[project["name"].as_str().unwrap_or_default().to_owned()]);
                }
                table.render(Style::of(&io::stdout()))
            })
        }
    }
}
