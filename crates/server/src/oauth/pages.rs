//! What a browser is shown on its way to a provider and back.

use std::sync::LazyLock;

use axum::{
    extract::{RawQuery, State},
    response::{Html, IntoResponse, Redirect, Response},
};
use http::{HeaderMap, header};
use minijinja::{Environment, context};
use serde::Deserialize;
use valetkey_integrations::Finished;
use valetkey_model::{Integration, OAuthAttemptId};
use valetkey_seal::{Secret, TokenHash, mint};

use super::{browser, finish};
use crate::{
    App,
    extract::{Id, Params},
    pages::STYLES,
    problem::{Answer, Failure},
    route::Row,
};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::get("/oauth/start/{attempt}", start).public().page(),
        Row::get("/oauth/callback", callback).public().page(),
        Row::get("/assets/consent.js", script).public(),
    ]
}

#[derive(Debug, Deserialize)]
struct Ticket {
    ticket: Option<Secret<String>>,
}

/// Sends a browser on to the provider, and has it keep what it proves itself by when it comes back.
#[expect(clippy::disallowed_methods, reason = "the browser is told what it will be recognised by")]
async fn start(
    State(app): State<App>,
    Id(attempt): Id<OAuthAttemptId>,
    Params(Ticket { ticket }): Params<Ticket>,
    headers: HeaderMap,
) -> Answer<Response> {
    let Some(ticket) = ticket else {
        let page = app.integrations.authorize_page(&attempt, &browser::proofs(&headers)).await?;
        // Browsers hold a redirect that follows a form to the form's own site; this is a step of its own.
        return Ok(shown("going.html", context! { url => page.as_str(), host => page.host_str() }));
    };
    // Opened again by the browser that opened it first.
    if let Ok(page) = app.integrations.authorize_page(&attempt, &browser::proofs(&headers)).await {
        return Ok(Redirect::to(page.as_str()).into_response());
    }
    let own = mint("", &*app.entropy);
    let page = app.integrations.board(&attempt, &TokenHash::of_secret(&ticket), &TokenHash::of_secret(&own)).await?;
    let cookie = browser::keep(&app, own.expose());
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(page.as_str())).into_response())
}

/// Takes a provider's answer. Who started on a page of ours is brought back there; others are told that it is done.
async fn callback(State(app): State<App>, RawQuery(query): RawQuery, headers: HeaderMap) -> Answer<Response> {
    let Finished { result, proof, .. } = finish(&app, &headers, query).await?;
    let mut response = match result {
        Ok(_) if browser::signed_in(&headers) == Some(proof) => {
            Redirect::to("/integrations?did=connected").into_response()
        }
        Ok(integration) => connected(&integration),
        Err(problem) => Failure::from(problem).into_response(),
    };
    response.headers_mut().append(header::SET_COOKIE, browser::drop(&app));
    Ok(response)
}

fn connected(integration: &Integration) -> Response {
    let account = &integration.account;
    let name = account.name.as_ref().filter(|name| **name != account.username);
    let (provider, instance) = (integration.provider.name(), integration.instance_url.to_string());
    shown("connected.html", context! { provider, instance, username => &account.username, name })
}

/// Closes a window that was opened for the consent alone.
async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("consent.js"))
}

fn shown(template: &str, content: minijinja::Value) -> Response {
    static TEMPLATES: LazyLock<Environment<'_>> = LazyLock::new(|| {
        let mut templates = Environment::new();
        for (name, text) in [
            ("frame.html", include_str!("frame.html")),
            ("connected.html", include_str!("connected.html")),
            ("going.html", include_str!("going.html")),
        ] {
            templates.add_template(name, text).expect("the template is part of the program");
        }
        templates.add_global("styles", STYLES.as_str());
        templates
    });
    let template = TEMPLATES.get_template(template).expect("one of the above");
    Html(template.render(content).expect("the template fits what it shows")).into_response()
}
