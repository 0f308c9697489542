//! Creating a GitHub App: GitHub makes it from a form that the browser posts there, and sends the browser back with a code.

use axum::{
    extract::{RawQuery, State},
    response::{IntoResponse as _, Redirect, Response},
};
use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};
use url::Url;
use valetkey_integrations::AppWish;
use valetkey_model::{InstanceUrl, Problem, ProblemCode, sentence};
use valetkey_providers::github_app::ManifestForm;
use valetkey_seal::TokenHash;

use super::{back, frame};
use crate::{
    App,
    auth::Caller,
    extract::Params,
    pages::{
        form::{Form, ProblemView, refused},
        render::{Page, View},
    },
    problem::Answer,
    route::Row,
};

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::get("/settings/apps/github/create", show).administrator().page(),
        Row::post("/settings/apps/github/create", create).administrator().page(),
        Row::get("/oauth/github/manifest", created).administrator().page(),
        Row::get("/oauth/github/installed", installed).page(),
    ]
}

#[derive(Debug, Default, Serialize)]
struct CreateView {
    instance: String,
    organisation: String,
    problem: Option<ProblemView>,
}

impl View for CreateView {
    const TEMPLATE: &'static str = "github_app.html";
}

/// The form that goes to GitHub.
#[derive(Debug, Serialize)]
struct ManifestView {
    host: String,
    post_url: String,
    manifest: String,
}

impl View for ManifestView {
    const TEMPLATE: &'static str = "github_manifest.html";
}

async fn show(State(app): State<App>, caller: Caller) -> Answer<Response> {
    Ok(Page::new(frame(&app, &caller, TITLE), CreateView::default()).into_response())
}

const TITLE: &str = "Create a GitHub App";

async fn create(State(app): State<App>, caller: Caller, form: Form) -> Answer<Response> {
    let asked = match read(&form) {
        Ok((instance_url, organisation)) => {
            let wish = AppWish { instance_url, organisation, public_url: &app.config.public_url };
            app.integrations.begin_app(&caller.actor, wish, browser(&caller)?).await
        }
        Err(problem) => Err(problem),
    };
    match asked {
        Ok(form) => Ok(manifest(&app, &caller, form)),
        Err(problem) if problem.code == ProblemCode::InvalidInput => {
            let view = CreateView {
                instance: form.get("instance").to_owned(),
                organisation: form.get("organisation").to_owned(),
                problem: Some((&problem).into()),
            };
            Ok(Page::new(frame(&app, &caller, TITLE), view).with_status(refused(&problem)).into_response())
        }
        Err(problem) => Err(problem.into()),
    }
}

/// Where, and for whom.
fn read(form: &Form) -> Result<(Option<InstanceUrl>, Option<&str>), Problem> {
    let invalid = |why: String| Problem::new(ProblemCode::InvalidInput, why);
    let instance = Some(form.get("instance")).filter(|text| !text.is_empty());
    let instance =
        instance.map(str::parse).transpose().map_err(|e: valetkey_model::InstanceUrlError| invalid(sentence(&e)))?;
    let organisation = Some(form.get("organisation")).filter(|text| !text.is_empty());
    let fits = |name: &str| name.len() <= 100 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if organisation.is_some_and(|name| !fits(name)) {
        return Err(invalid("An organisation's name is what comes after the host in its address.".to_owned()));
    }
    Ok((instance, organisation))
}

/// The one page whose form may leave this server, and only for that GitHub.
fn manifest(app: &App, caller: &Caller, form: ManifestForm) -> Response {
    let url = Url::parse(&form.post_url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned();
    let origin = url.map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let view = ManifestView { host, post_url: form.post_url, manifest: form.json };
    let mut response = Page::new(frame(app, caller, TITLE), view).into_response();
    let policy = format!(
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self' {origin}; frame-ancestors 'none'"
    );
    let policy = HeaderValue::try_from(policy).expect("an origin is plain text");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// GitHub has made the app and sends the browser back.
async fn created(State(app): State<App>, caller: Caller, RawQuery(query): RawQuery) -> Answer<Redirect> {
    let (integrations, proof) = (app.integrations.clone(), [browser(&caller)?.clone()]);
    // The code is good once: what it is exchanged for is stored, even if the browser goes away.
    let work = async move { integrations.finish_app(&query.unwrap_or_default(), &proof).await };
    tokio::spawn(work)
        .await
        .unwrap_or_else(|_| Err(Problem::new(ProblemCode::Internal, "The answer was not taken.")))?;
    Ok(back("app-registered"))
}

#[derive(Debug, Deserialize)]
struct Installed {
    installation_id: Option<u64>,
}

/// Somebody has installed the app, or asked an owner to. Anybody could name any installation here, so it is verified.
async fn installed(
    State(app): State<App>,
    caller: Caller,
    Params(Installed { installation_id }): Params<Installed>,
) -> Answer<Redirect> {
    let Some(id) = installation_id else { return Ok(Redirect::to("/integrations?did=install-requested")) };
    app.integrations.link_installation(&caller.actor, id).await?;
    Ok(Redirect::to("/integrations?did=installed"))
}

fn browser(caller: &Caller) -> Result<&TokenHash, Problem> {
    caller.browser().ok_or_else(|| {
        Problem::new(ProblemCode::Forbidden, "Only a signed-in browser can be sent to GitHub and be recognised after.")
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pages::render::tests::html;

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let problem = Problem::new(ProblemCode::InvalidInput, "That is no organisation's name.");
        let refused =
            CreateView { organisation: "a b".into(), problem: Some((&problem).into()), ..CreateView::default() };
        let manifest = ManifestView {
            host: "github.com".into(),
            post_url: "https://github.com/settings/apps/new?state=x".into(),
            manifest: r#"{"name":"Valetkey"}"#.into(),
        };
        vec![
            ("github_app", html(CreateView::default())),
            ("github_app_refused", html(refused)),
            ("github_manifest", html(manifest)),
        ]
    }

    #[test]
    fn the_manifest_is_posted_as_it_is() {
        let page = &samples()[2].1;
        assert!(page.contains(r#"action="https://github.com/settings/apps/new?state=x""#), "{page}");
        assert!(page.contains("{&quot;name&quot;:&quot;Valetkey&quot;}"), "{page}");
    }

    #[test]
    fn an_organisation_can_not_lead_elsewhere() {
        assert!(read(&Form::of("organisation=acme-labs")).is_ok());
        for organisation in ["a%2Fb", "a+b", "..", "a%3Fb"] {
            assert!(read(&Form::of(&format!("organisation={organisation}"))).is_err(), "{organisation}");
        }
    }
}
