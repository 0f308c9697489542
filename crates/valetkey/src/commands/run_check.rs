use serde::Deserialize;
use serde_json::{Value, json};
use valetkey_model::{IntegrationChoice, IntegrationView, Problem, ProjectName, RepoUrl};

use super::{follow::sessions_of, typed, with_client};
use crate::{context::Context, output};

/// What a session would find at one repository.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CheckedView {
    url: RepoUrl,
    integration: Option<IntegrationView>,
    reason: Option<String>,
    can_push: bool,
    default_branch: Option<String>,
    problem: Option<Problem>,
}

/// Says what a session would find, and starts none; the answer is the exit code.
pub(super) async fn check(context: &Context, project: &ProjectName, wanted: &Value) -> Result<u8, Problem> {
    let path = format!("{}/check", sessions_of(project));
    let answer: Value = with_client(context, async |client| client.post(&path, wanted).await).await?;
    let checked: Vec<CheckedView> = typed(&answer["items"])?;
    output::print(context.format, &json!({ "items": answer["items"] }), || {
        checked.iter().map(describe).collect::<Vec<_>>().join("\n\n")
    })?;
    let first = checked.iter().find_map(|one| one.problem.as_ref());
    Ok(first.map_or(0, |problem| problem.code.exit_code()))
}

fn describe(checked: &CheckedView) -> String {
    let account =
        |view: &IntegrationView| format!("{} ({} at {})", view.alias, view.account.username, view.instance_url);
    let without = checked.problem.is_none().then(|| IntegrationChoice::NONE.to_owned());
    output::fields([
        ("repository", Some(checked.url.to_string())),
        ("integration", checked.integration.as_ref().map(account).or(without)),
        ("because", checked.reason.clone()),
        ("may push", Some(if checked.can_push { "yes" } else { "no" }.to_owned())),
        ("default branch", checked.default_branch.clone()),
        ("problem", checked.problem.as_ref().map(|problem| problem.detail.clone())),
        ("remedy", checked.problem.as_ref().and_then(|problem| problem.remediation.clone())),
    ])
}
