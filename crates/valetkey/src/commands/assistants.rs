use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
    path::Path,
};

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use valetkey_model::{
    AssistantId, AssistantName, AssistantRef, Problem, ProblemCode, ProjectName, ProviderKind, SlotStatus, UserId,
};
use valetkey_sessions::MissingTool;

use super::{assistant_edit, typed, typed_all, with_client};
use crate::{
    cli::AssistantsCommand,
    client::{Client, percent_encoded},
    context::Context,
    output::{self, Style, Table, Tamed},
    token_input,
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AssistantView {
    id: AssistantId,
    project: ProjectName,
    name: AssistantName,
    description: String,
    owner: UserId,
    instructions: String,
    agent: Option<Agent>,
    tools: BTreeMap<ProviderKind, SlotView>,
}

#[derive(Debug, Deserialize)]
struct Agent {
    command: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct SlotView {
    status: SlotStatus,
    why: Option<String>,
}

/// Looks after assistants.
pub(crate) async fn assistants(
    context: &Context,
    project: &ProjectName,
    command: Option<AssistantsCommand>,
) -> Result<(), Problem> {
    let all = format!("/api/v1/projects/{project}/assistants");
    match command.unwrap_or(AssistantsCommand::List) {
        AssistantsCommand::List => with_client(context, async |client| list(context, client, &all).await).await,
        AssistantsCommand::Show { assistant } => {
            let record: Value = with_client(context, async |client| client.get(&one(&all, &assistant)).await).await?;
            let view: AssistantView = typed(&record)?;
            output::print(context.format, &record, || describe(&view))
        }
        AssistantsCommand::Create { file, accept_missing } => {
            let body = described(&file, accept_missing)?;
            let record = save(context, Method::POST, &all, body).await?;
            let view: AssistantView = typed(&record)?;
            output::print(context.format, &record, || format!("Created.\n\n{}", describe(&view)))
        }
        AssistantsCommand::Edit { assistant, change, accept_missing } => {
            assistant_edit::edit(context, &all, &one(&all, &assistant), change, accept_missing).await
        }
        AssistantsCommand::Delete { assistant } => {
            with_client(context, async |client| client.delete(&one(&all, &assistant)).await).await?;
            let name = assistant.to_string();
            output::print(context.format, &json!({ "assistant": name }), || {
                output::one_line(&format!("Deleted {name}. Sessions that were started from it go on."))
            })
        }
    }
}

/// Stores an assistant. If some of its tools have no integration, a person is asked whether that is well, while nothing is
/// held open: they may take long.
pub(super) async fn save(context: &Context, method: Method, path: &str, mut body: Value) -> Result<Value, Problem> {
    let send =
        async |body: &Value| with_client(context, async |client| client.submit(method.clone(), path, body).await).await;
    let refusal = match send(&body).await? {
        Ok(saved) => return Ok(saved),
        Err(refusal) => refusal,
    };
    let problem: Problem = typed(&refusal)?;
    let missing = typed::<Option<Vec<MissingTool>>>(&refusal["missing"])?.unwrap_or_default();
    if missing.is_empty() {
        return Err(problem);
    }
    if !token_input::can_ask() {
        return Err(problem.remedy("Connect what is missing, choose others, or say --accept-missing."));
    }
    for MissingTool { provider, why } in &missing {
        output::note(&output::one_line(&format!("{provider}: {why}")));
    }
    if !token_input::confirm("Save it all the same?")? {
        return Err(Problem::new(ProblemCode::Stopped, "You did not say yes; nothing was saved."));
    }
    body["acceptMissing"] = json!(true);
    send(&body).await?.map_err(|refusal| typed(&refusal).unwrap_or_else(|unreadable| unreadable))
}

/// The address of one, by its id or name.
fn one(all: &str, assistant: &AssistantRef) -> String {
    format!("{all}/{}", percent_encoded(&assistant.to_string()))
}

async fn list(context: &Context, client: &Client, path: &str) -> Result<(), Problem> {
    let all = client.all(path).await?;
    let views: Vec<AssistantView> = typed_all(&all)?;
    output::print(context.format, &json!({ "items": all }), || {
        let mut table = Table::new(
            &["NAME", "DESCRIPTION", "TOOLS", "MADE BY", "ID"],
            "There is no assistant in this project. Make one with `valetkey assistants create --file FILE`.",
        );
        for view in &views {
            table.row(&[
                view.name.to_string(),
                view.description.clone(),
                tools(view),
                view.owner.to_string(),
                view.id.to_string(),
            ]);
        }
        table.render(Style::of(&io::stdout()))
    })
}

/// The tools on one line, with those marked for which there is nothing.
fn tools(view: &AssistantView) -> String {
    if view.tools.is_empty() {
        return "whatever is connected".to_owned();
    }
    let listed = view.tools.iter().filter(|(_, slot)| slot.status != SlotStatus::Off);
    let tool = |(provider, slot): (&ProviderKind, &SlotView)| match slot.status {
        SlotStatus::Missing => format!("{} (missing)", provider.slug()),
        SlotStatus::Unusable => format!("{} (not for you)", provider.slug()),
        SlotStatus::Off | SlotStatus::Ready | SlotStatus::Several => provider.slug().to_owned(),
    };
    let listed: Vec<String> = listed.map(tool).collect();
    if listed.is_empty() { "none".to_owned() } else { listed.join(", ") }
}

fn describe(view: &AssistantView) -> String {
    let head = output::fields([
        ("assistant", Some(view.name.to_string())),
        ("id", Some(view.id.to_string())),
        ("project", Some(view.project.to_string())),
        ("made by", Some(view.owner.to_string())),
        ("for", Some(view.description.clone()).filter(|text| !text.is_empty())),
        ("agent", view.agent.as_ref().map(|agent| agent.command.join(" "))),
        ("tools", Some(tools(view))),
    ]);
    let why = |(provider, slot): (&ProviderKind, &SlotView)| {
        Some(output::one_line(&format!("{}: {}", provider.slug(), slot.why.as_ref()?)))
    };
    let slots = view.tools.iter().filter_map(why).collect::<Vec<_>>().join("\n");
    let parts = [head, slots, Tamed::text(&view.instructions)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// What a file says that the assistant is to be.
fn described(file: &Path, accept_missing: bool) -> Result<Value, Problem> {
    let mut body: Value = serde_json::from_str(&text_of(file)?)
        .map_err(|e| invalid(format!("{} is not JSON at line {}, column {}.", file.display(), e.line(), e.column())))?;
    if let (Value::Object(members), true) = (&mut body, accept_missing) {
        members.insert("acceptMissing".to_owned(), json!(true));
    }
    Ok(body)
}

/// The text of a file; `-` is standard input.
pub(super) fn text_of(file: &Path) -> Result<String, Problem> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    text.map_err(|e| Problem::new(ProblemCode::InvalidInput, format!("{} can't be read: {e}.", file.display())))
}

fn invalid(detail: String) -> Problem {
    Problem::new(ProblemCode::InvalidInput, detail).remedy(
        r#"It looks like {"name": "Reviewer", "instructions": "…", "tools": {"gitlab": {"slot": "automatic"}}}."#,
    )
}
