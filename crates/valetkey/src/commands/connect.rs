use std::io;

use serde_json::{Value, json};
use valetkey_model::{IntegrationView, Problem, ProblemCode, ProjectName};
use valetkey_seal::Secret;

use super::{integrations::end_of, typed, with_client};
use crate::{
    cli::{ConnectArgs, Scope},
    context::Context,
    output::{self, Style},
    token_input, wiring,
};

/// Connects an account: the provider is asked, then the token is stored sealed.
pub(crate) async fn connect(context: &Context, args: ConnectArgs) -> Result<(), Problem> {
    if args.token.is_some() || !args.surplus.is_empty() {
        return Err(token_input::refuse_argument());
    }
    let (scope, project) = scope(args.scope, args.project)?;
    let instance = args.instance.unwrap_or_else(|| args.provider.default_instance());
    let prompt = format!("{} personal access token for {instance}", args.provider);
    let token = token_input::read(args.token_stdin, &prompt)?;
    context.hide(&token);

    let mut body = json!({
        "provider": args.provider,
        "scope": scope,
        "instanceUrl": instance,
        "auth": auth(&token),
    });
    if let Some(project) = project {
        body["project"] = json!(project);
    }
    if let Some(alias) = args.alias {
        body["alias"] = json!(alias);
    }
    let connected: Value =
        with_client(context, async |client| client.post("/api/v1/integrations", &body).await).await?;
    let view: IntegrationView = typed(&connected)?;
    output::print(context.format, &connected, || describe(&view))
}

/// The part of a request that holds the token.
#[expect(clippy::disallowed_methods, reason = "the token is put on the request that hands it over")]
fn auth(token: &Secret<String>) -> Value {
    json!({ "method": "pat", "token": token.expose() })
}

fn scope(scope: Scope, project: Option<ProjectName>) -> Result<(&'static str, Option<ProjectName>), Problem> {
    let wrong = |detail: &str| Err(Problem::new(ProblemCode::InvalidInput, detail));
    match (scope, project) {
        (Scope::UserGlobal, None) => Ok(("user_global", None)),
        (Scope::UserGlobal, Some(_)) => wrong("--project goes with --scope user or --scope project."),
        (Scope::User, Some(project)) => Ok(("user", Some(project))),
        (Scope::Project, Some(project)) => Ok(("project", Some(project))),
        (Scope::User | Scope::Project, None) => wrong("--scope user and --scope project need --project."),
    }
}

fn describe(view: &IntegrationView) -> String {
    let style = Style::of(&io::stdout());
    let account = &view.account;
    let name = account.name.as_ref().filter(|name| **name != account.username);
    let who = name.map_or_else(|| account.username.clone(), |name| format!("{} ({name})", account.username));
    let heading = format!("Connected {} as {who}", view.provider);
    let scopes = if view.granted_scopes.is_empty() { "not told".to_owned() } else { view.granted_scopes.join(", ") };
    let fields = output::fields([
        ("instance", Some(view.instance_url.to_string())),
        ("name", Some(view.alias.to_string())),
        ("scopes", Some(scopes)),
        ("expires", Some(end_of(view, wiring::now()))),
        ("warning", view.status_reason.clone()),
        ("id", Some(view.id.to_string())),
    ]);
    format!("{}\n{fields}", style.bold(&output::one_line(&heading)))
}
