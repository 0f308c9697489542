mod browser;
mod device;
mod token;
mod web;

use std::io;

use serde::Deserialize;
use serde_json::{Value, json};
use valetkey_model::{AuthMethod, IntegrationView, Problem, ProblemCode, ProjectName};
use valetkey_providers::{CatalogueEntry, ConnectMethod, provider};

use super::{integration_view::end_of, typed};
use crate::{
    cli::{ConnectArgs, Scope},
    context::Context,
    output::{self, Style},
    token_input, wiring,
};

/// Connects an account: by a token that is handed over, or by consent at the provider.
pub(crate) async fn connect(context: &Context, args: ConnectArgs) -> Result<(), Problem> {
    if args.token.is_some() || !args.surplus.is_empty() {
        return Err(token_input::refuse_argument());
    }
    let entry = provider(args.provider).catalogue();
    if entry.default_instance.is_none() && args.instance.is_none() {
        let detail = format!("{} has no public service; say where yours is.", args.provider);
        return Err(invalid(&detail).remedy("Add --instance https://host."));
    }
    let way = way(&args, &entry)?;
    let body = body(&args)?;
    let connected = match way {
        Way::Token(method) => token::connect(context, &args, &method, body).await?,
        Way::Web => web::connect(context, &body, args.no_browser).await?,
        Way::Device => device::connect(context, &body).await?,
    };
    let view: IntegrationView = typed(&connected)?;
    output::print(context.format, &connected, || describe(&view))
}

/// How an account is to be connected.
enum Way {
    Token(ConnectMethod),
    Web,
    Device,
}

fn way(args: &ConnectArgs, entry: &CatalogueEntry) -> Result<Way, Problem> {
    if args.web {
        return Ok(Way::Web);
    }
    if args.device {
        return Ok(Way::Device);
    }
    let wanted = match (&args.header, &args.username) {
        (Some(_), _) => Some(AuthMethod::Header),
        (None, Some(_)) => Some(AuthMethod::Basic),
        (None, None) => None,
    };
    let by_token = |method: AuthMethod| entry.method(method).cloned().map(Way::Token);
    if let Some(wanted) = wanted {
        let option = if wanted == AuthMethod::Header { "--header" } else { "--username" };
        let detail = format!("{} is not connected with {option}.", entry.name);
        return by_token(wanted).ok_or_else(|| invalid(&detail).remedy("Leave it out."));
    }
    let can_ask = !args.token_stdin && token_input::can_ask();
    let alone = by_token(AuthMethod::Pat).filter(|_| !can_ask);
    let first = || entry.methods.iter().map(|offered| offered.method).find(|method| is_token(*method));
    match alone.or_else(|| by_token(first()?)) {
        Some(way) => Ok(way),
        None if can_ask => Ok(Way::Web),
        None => Err(invalid(&format!("{} is connected by consent in the browser.", entry.name)).remedy("Add --web.")),
    }
}

fn is_token(method: AuthMethod) -> bool {
    matches!(method, AuthMethod::Pat | AuthMethod::Basic | AuthMethod::Header)
}

/// What every way says of the integration that is wanted.
fn body(args: &ConnectArgs) -> Result<Value, Problem> {
    let (scope, project) = scope(args.scope, args.project.as_ref())?;
    let mut body = json!({ "provider": args.provider, "scope": scope });
    let optional = [
        ("instanceUrl", args.instance.as_ref().map(|instance| json!(instance))),
        ("project", project.map(|project| json!(project))),
        ("alias", args.alias.as_ref().map(|alias| json!(alias))),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            body[name] = value;
        }
    }
    Ok(body)
}

fn scope(scope: Scope, project: Option<&ProjectName>) -> Result<(&'static str, Option<&ProjectName>), Problem> {
    match (scope, project) {
        (Scope::UserGlobal, None) => Ok(("user_global", None)),
        (Scope::UserGlobal, Some(_)) => Err(invalid("--project goes with --scope user or --scope project.")),
        (Scope::User, Some(project)) => Ok(("user", Some(project))),
        (Scope::Project, Some(project)) => Ok(("project", Some(project))),
        (Scope::User | Scope::Project, None) => Err(invalid("--scope user and --scope project need --project.")),
    }
}

fn invalid(detail: &str) -> Problem {
    Problem::new(ProblemCode::InvalidInput, detail)
}

/// How consent stands, as the API tells it.
#[derive(Debug, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Consent {
    Pending {
        /// How many seconds to wait before asking again, where the provider wants a say in that.
        interval: Option<u64>,
    },
    Connected {
        integration: Value,
    },
    Failed {
        problem: Problem,
    },
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
        ("note", Some(view.details.notes.join(" ")).filter(|notes| !notes.is_empty())),
        ("id", Some(view.id.to_string())),
    ]);
    format!("{}\n{fields}", style.bold(&output::one_line(&heading)))
}
