use std::io;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use valetkey_model::{IntegrationView, Problem, ProjectName, ProviderKind};

use super::{projects::one, typed, typed_all};
use crate::{
    cli::{RepositoriesCommand, RepositoryArgs},
    client::{Client, percent_encoded},
    context::Context,
    output::{self, Style, Table},
    wiring,
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RepositoryView {
    url: String,
    provider: ProviderKind,
    default_branch: Option<String>,
    access: String,
    why_not_push: Option<String>,
    checked_at: Timestamp,
}

/// Looks after the repositories of a project.
pub(super) async fn repositories(
    context: &Context,
    client: &Client,
    command: RepositoriesCommand,
) -> Result<(), Problem> {
    match command {
        RepositoriesCommand::List { project } => list(context, client, &project).await,
        RepositoriesCommand::Add(args) => {
            print_checked(context, &client.post(&all(&args.project), &wanted(&args)).await?)
        }
        RepositoriesCommand::Check(args) => {
            print_checked(context, &client.post(&format!("{}/check", all(&args.project)), &wanted(&args)).await?)
        }
        RepositoriesCommand::Remove { project, repository } => {
            let url = repository.to_string();
            client.delete(&format!("{}?url={}", all(&project), percent_encoded(&url))).await?;
            output::print(context.format, &json!({ "url": repository }), || {
                format!("Took {repository} off the list of {project}. Nothing else has changed.")
            })
        }
    }
}

fn all(project: &ProjectName) -> String {
    format!("{}/repositories", one(project))
}

fn wanted(args: &RepositoryArgs) -> Value {
    match &args.integration {
        Some(integration) => json!({ "url": args.repository, "integration": integration }),
        None => json!({ "url": args.repository }),
    }
}

async fn list(context: &Context, client: &Client, project: &ProjectName) -> Result<(), Problem> {
    let all = client.all(&all(project)).await?;
    let views: Vec<RepositoryView> = typed_all(&all)?;
    let now = wiring::now();
    output::print(context.format, &json!({ "items": all }), || {
        let mut table = Table::new(
            &["REPOSITORY", "PROVIDER", "ACCESS", "DEFAULT BRANCH", "CHECKED"],
            "This project has no repositories. Add one with `valetkey projects repositories add PROJECT URL`.",
        );
        for view in &views {
            table.row(&[
                view.url.clone(),
                view.provider.to_string(),
                view.access.clone(),
                view.default_branch.clone().unwrap_or_default(),
                output::when(view.checked_at, now),
            ]);
        }
        table.render(Style::of(&io::stdout()))
    })
}

fn print_checked(context: &Context, found: &Value) -> Result<(), Problem> {
    let view: RepositoryView = typed(&found["repository"])?;
    let integration: IntegrationView = typed(&found["integration"])?;
    output::print(context.format, found, || {
        let access = match &view.why_not_push {
            Some(why) => format!("{}: {why}", view.access),
            None => view.access.clone(),
        };
        output::fields([
            ("repository", Some(view.url.clone())),
            ("provider", Some(view.provider.to_string())),
            ("access", Some(access)),
            ("default branch", view.default_branch.clone()),
            ("integration", Some(format!("{} ({})", integration.alias, integration.id))),
            ("because", found["reason"].as_str().map(str::to_owned)),
        ])
    })
}
