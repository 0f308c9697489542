//! The page that connects an account. It is drawn from the provider's catalogue entry, one tab for each way to connect.

mod device;
mod ground;
mod read;
mod view;

use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;
use valetkey_integrations::ConsentRequest;
use valetkey_model::{Integration, IntegrationId, Problem, ProblemCode, ProjectName, ProviderKind};

use super::back;
use crate::{
    App,
    auth::Caller,
    extract::{Id, Params},
    oauth::callback_url,
    pages::{
        form::{Form, refused},
        frame::{Frame, Section},
        render::Page,
    },
    problem::Answer,
    route::Row,
};
use ground::{Back, Ground, WantedBy};
use read::Wrong;
use view::ConnectView;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![
        Row::get("/integrations/connect/{provider}", show).page(),
        Row::post("/integrations/connect/{provider}", connect).page(),
    ];
    rows.extend(device::rows());
    rows
}

/// Which form is wanted.
#[derive(Debug, Deserialize)]
struct Wanted {
    method: Option<String>,
    reconnect: Option<IntegrationId>,
    /// The level that is chosen at first.
    level: Option<String>,
    /// The address that is filled in at first.
    instance: Option<String>,
    /// The one project that it is for.
    project: Option<ProjectName>,
    /// Where the form is that needs it.
    #[serde(rename = "return")]
    back: Option<Back>,
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    Id(kind): Id<ProviderKind>,
    Params(wanted): Params<Wanted>,
) -> Answer<Response> {
    let Wanted { method, reconnect, level, instance, project, back } = wanted;
    let form = WantedBy::new(&caller.actor, project, back)?;
    let ground = Ground::survey(&app, &caller, kind, method.as_deref().unwrap_or_default(), reconnect).await?;
    let ground = ground.wanted_by(form);
    let view = ConnectView::new(&ground).preset(level.as_deref(), instance.as_deref());
    Ok(Page::new(frame(&app, &caller, &ground), view).into_response())
}

async fn connect(State(app): State<App>, caller: Caller, Id(kind): Id<ProviderKind>, form: Form) -> Answer<Response> {
    let reconnect = Some(form.get("reconnect")).filter(|text| !text.is_empty()).map(str::parse).transpose();
    let reconnect =
        reconnect.map_err(|_| Problem::new(ProblemCode::InvalidInput, "`reconnect` is no integration's id."))?;
    let wanted_by = WantedBy::new(
        &caller.actor,
        form.get("project").parse().ok(),
        Back::try_from(form.get("return").to_owned()).ok(),
    )?;
    let ground = Ground::survey(&app, &caller, kind, form.get("method"), reconnect).await?.wanted_by(wanted_by);
    let done = if ground.method.method.is_by_consent() {
        match read::consent(&ground, &caller, &form, callback_url(&app)) {
            Ok(wanted) if form.get("how") == "device" => device::begin(&app, wanted).await.map_err(Wrong::from),
            Ok(wanted) => leave(&app, &caller, wanted).await.map_err(Wrong::from),
            Err(wrong) => Err(wrong),
        }
    } else {
        match read::credential(&ground, &caller, &form) {
            Ok(wanted) => match app.integrations.connect(wanted).await {
                Ok(integration) => Ok(after(&ground, &integration).into_response()),
                Err(problem) => Err(Wrong::from(problem)),
            },
            Err(wrong) => Err(wrong),
        }
    };
    match done {
        Ok(response) => Ok(response),
        Err(wrong) if wrong.problem.code == ProblemCode::Internal => Err(wrong.problem.into()),
        Err(wrong) => {
            let view = ConnectView::again(&ground, &form, &wrong);
            Ok(Page::new(frame(&app, &caller, &ground), view).with_status(refused(&wrong.problem)).into_response())
        }
    }
}

fn frame(app: &App, caller: &Caller, ground: &Ground) -> Frame {
    Frame::new(app, caller, Section::Integrations, format!("Connect {}", ground.kind))
}

/// Leads to the provider by a page of ours. A redirect to it would not do: browsers hold the answer to a form to the
/// policy for forms, which lets none leave this server.
async fn leave(app: &App, caller: &Caller, wanted: ConsentRequest) -> Result<Response, Problem> {
    let browser = caller.browser().ok_or_else(no_browser)?;
    let begun = app.integrations.begin_consent(wanted, browser).await?;
    Ok(Redirect::to(&format!("/oauth/start/{}", begun.attempt)).into_response())
}

/// A program has no session by which it could be recognised when it comes back.
fn no_browser() -> Problem {
    Problem::new(ProblemCode::Forbidden, "Only a signed-in browser can be sent to a provider and be recognised after.")
        .remedy("Sign in with a browser; a program starts with `valetkey connect --web` or `--device`.")
}

/// What was refused on a page that stands for itself leads back to the list.
fn start_again(kind: Option<ProviderKind>) -> String {
    kind.map_or_else(|| "/integrations".to_owned(), |kind| format!("/integrations/connect/{}", kind.slug()))
}

/// Back to the form that needs it, else to the list.
fn after(ground: &Ground, integration: &Integration) -> Redirect {
    match &ground.wanted_by {
        Some(form) => Redirect::to(&format!("{}?did=connected&added={}", form.back, integration.id)),
        None => back("connected"),
    }
}

/// Where the list of integrations shows what was connected.
fn connected(id: &IntegrationId) -> Redirect {
    Redirect::to(&format!("/integrations?did=connected#{id}"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        view::tests::samples().into_iter().chain(device::tests::samples()).collect()
    }
}
