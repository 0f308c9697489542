use serde_json::{Value, json};
use valetkey_model::{AuthMethod, Problem};
use valetkey_providers::{ConnectMethod, Field, provider};
use valetkey_seal::Secret;

use super::invalid;
use crate::{cli::ConnectArgs, commands::with_client, context::Context, output, token_input};

/// Hands a token over. It is asked for before the data directory is opened: a person may take long.
pub(super) async fn connect(
    context: &Context,
    args: &ConnectArgs,
    method: &ConnectMethod,
    mut body: Value,
) -> Result<Value, Problem> {
    let asking = !args.token_stdin && token_input::can_ask();
    if asking {
        output::note(&format!("{}: {}", method.label, method.help));
    }
    let login = login(args, method, asking)?;
    // Whoever leaves it empty has a token that goes by itself, where there are such tokens.
    let entry = provider(args.provider).catalogue();
    let method = match entry.method(AuthMethod::Pat).filter(|_| login.is_none()) {
        Some(alone) => alone,
        None => method,
    };
    let field = method.fields.iter().find(|field| field.secret);
    if let Some(field) = field.filter(|_| asking) {
        output::note(&hint(args, method, field));
    }
    let label = field.map_or("Token", |field| &field.label);
    let prompt = match &args.instance {
        Some(instance) => format!("{label} for {instance}"),
        None => label.to_owned(),
    };
    let token = token_input::read(args.token_stdin, &prompt)?;
    context.hide(&token);
    body["auth"] = auth(method.method, login, &token);
    with_client(context, async |client| client.post("/api/v1/integrations", &body).await).await
}

/// What goes with the token and is none.
fn login(args: &ConnectArgs, method: &ConnectMethod, asking: bool) -> Result<Option<String>, Problem> {
    let (given, option) = match method.method {
        AuthMethod::Basic => (&args.username, "--username"),
        AuthMethod::Header => (&args.header, "--header"),
        AuthMethod::Pat | AuthMethod::OAuth | AuthMethod::App => return Ok(None),
    };
    if let Some(given) = given {
        return Ok(Some(given.clone()));
    }
    let field = method.fields.iter().find(|field| field.name == "username");
    let (label, help) = field.map_or(("User name", ""), |field| (&field.label, &field.help));
    if asking {
        let alone = provider(args.provider).catalogue().method(AuthMethod::Pat).cloned();
        let or = alone.as_ref().map_or_else(String::new, |alone| format!(" Leave it empty for: {}.", alone.label));
        output::note(&format!("{help}{or}"));
        let typed = token_input::read_line(label)?;
        return match typed.as_str() {
            "" if alone.is_none() => Err(invalid("Nothing was typed.")),
            "" => Ok(None),
            _ => Ok(Some(typed)),
        };
    }
    Err(invalid(&format!("{} wants more than a token: {label}.", args.provider))
        .remedy(format!("Add {option}. {help}")))
}

fn hint(args: &ConnectArgs, method: &ConnectMethod, field: &Field) -> String {
    let instance = args.instance.clone().or_else(|| args.provider.default_instance());
    let page = instance.filter(|_| method.token_page.is_some());
    let page = page.map(|instance| provider(args.provider).token_page(&instance, method.method));
    page.map_or_else(|| field.help.clone(), |page| format!("{} Create one at {page}", field.help))
}

/// The part of a request that holds the token.
#[expect(clippy::disallowed_methods, reason = "the token is put on the request that hands it over")]
fn auth(method: AuthMethod, login: Option<String>, token: &Secret<String>) -> Value {
    match login {
        Some(login) => json!({ "method": method, "username": login, "token": token.expose() }),
        None => json!({ "method": method, "token": token.expose() }),
    }
}
