//! Adding a webhook, and changing it.

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use serde::Serialize;
use valetkey_model::{Problem, ProblemCode, ProjectName, WebhookEvent, WebhookId, WebhookUrl, sentence};
use valetkey_store::Webhook;
use valetkey_webhooks::{Change, NewWebhook};

use super::{back_to_one, change::SecretView, event_words};
use crate::{
    App,
    auth::Caller,
    extract::{Id, Ids},
    pages::{
        form::{Form, ProblemView, refused},
        projects::frame,
        render::{Page, View},
    },
    problem::Answer,
};

#[derive(Debug, Serialize)]
struct EditView {
    project: String,
    /// The webhook that is changed; none for a new one.
    id: Option<String>,
    url: String,
    description: String,
    events: Vec<Choice>,
    problem: Option<ProblemView>,
}

impl View for EditView {
    const TEMPLATE: &'static str = "webhook_edit.html";
}

#[derive(Debug, Serialize)]
struct Choice {
    name: &'static str,
    words: &'static str,
    chosen: bool,
}

fn choices(chosen: impl Fn(WebhookEvent) -> bool) -> Vec<Choice> {
    let choice =
        |event: WebhookEvent| Choice { name: event.as_str(), words: event_words(event), chosen: chosen(event) };
    WebhookEvent::ALL.into_iter().map(choice).collect()
}

impl EditView {
    fn new(project: &ProjectName) -> Self {
        Self {
            project: project.to_string(),
            id: None,
            url: String::new(),
            description: String::new(),
            events: choices(|_| true),
            problem: None,
        }
    }

    fn of(webhook: &Webhook) -> Self {
        Self {
            id: Some(webhook.id.to_string()),
            url: webhook.url.as_str().to_owned(),
            description: webhook.description.clone(),
            events: choices(|event| webhook.events.contains(&event)),
            ..Self::new(&webhook.project)
        }
    }

    /// The form again, as it was filled in.
    fn again(project: &ProjectName, id: Option<&WebhookId>, form: &Form, problem: &Problem) -> Self {
        Self {
            id: id.map(ToString::to_string),
            url: form.get("url").to_owned(),
            description: form.get("description").to_owned(),
            events: choices(|event| form.all("event").any(|chosen| chosen == event.as_str())),
            problem: Some(problem.into()),
            ..Self::new(project)
        }
    }
}

pub(super) async fn show_new(State(app): State<App>, caller: Caller, Id(project): Id<ProjectName>) -> Answer<Response> {
    Ok(Page::new(frame(&app, &caller, "Add a webhook"), EditView::new(&project)).into_response())
}

pub(super) async fn add(
    State(app): State<App>,
    caller: Caller,
    Id(project): Id<ProjectName>,
    form: Form,
) -> Answer<Response> {
    let added = match read(&form) {
        Ok(new) => app.integrations.webhooks().add(&project, new).await,
        Err(problem) => Err(problem),
    };
    match added {
        Ok((webhook, secret)) => {
            let page = Page::new(frame(&app, &caller, "Webhook added"), SecretView::new(&webhook, &secret, true));
            Ok(page.with_status(StatusCode::CREATED).into_response())
        }
        Err(problem) => form_again(&app, &caller, EditView::again(&project, None, &form, &problem), problem),
    }
}

pub(super) async fn show_edit(
    State(app): State<App>,
    caller: Caller,
    Ids(project, id): Ids<ProjectName, WebhookId>,
) -> Answer<Response> {
    let webhook = app.integrations.webhooks().get(&project, &id).await?;
    Ok(Page::new(frame(&app, &caller, "Edit webhook"), EditView::of(&webhook)).into_response())
}

pub(super) async fn edit(
    State(app): State<App>,
    caller: Caller,
    Ids(project, id): Ids<ProjectName, WebhookId>,
    form: Form,
) -> Answer<Response> {
    let changed = match read(&form) {
        Ok(NewWebhook { url, description, events }) => {
            let change = Change { url: Some(url), description: Some(description), events: Some(events), enabled: None };
            app.integrations.webhooks().change(&project, &id, change).await
        }
        Err(problem) => Err(problem),
    };
    match changed {
        Ok(_) => Ok(back_to_one(&project, &id, "webhook-changed").into_response()),
        Err(problem) => form_again(&app, &caller, EditView::again(&project, Some(&id), &form, &problem), problem),
    }
}

fn read(form: &Form) -> Result<NewWebhook, Problem> {
    let url = form.get("url").parse::<WebhookUrl>();
    let chosen = |event: &WebhookEvent| form.all("event").any(|chosen| chosen == event.as_str());
    Ok(NewWebhook {
        url: url.map_err(|why| Problem::new(ProblemCode::InvalidInput, sentence(&why)))?,
        description: form.get("description").to_owned(),
        events: WebhookEvent::ALL.into_iter().filter(chosen).collect(),
    })
}

/// What a person can put right is shown in the form.
fn form_again(app: &App, caller: &Caller, view: EditView, problem: Problem) -> Answer<Response> {
    if !matches!(problem.code, ProblemCode::InvalidInput | ProblemCode::AddressRefused | ProblemCode::Conflict) {
        return Err(problem.into());
    }
    let title = if view.id.is_some() { "Edit webhook" } else { "Add a webhook" };
    Ok(Page::new(frame(app, caller, title), view).with_status(refused(&problem)).into_response())
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::show::tests::webhook, *};
    use crate::pages::render::tests::html;

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let project = ProjectName::default_project();
        let form = Form::of("url=http%3A%2F%2Fci.example.com&description=CI&event=session.failed");
        let problem = read(&form).unwrap_err();
        vec![
            ("webhook_new", html(EditView::new(&project))),
            ("webhook_edit", html(EditView::of(&webhook()))),
            ("webhook_refused", html(EditView::again(&project, None, &form, &problem))),
        ]
    }

    #[test]
    fn a_refused_form_keeps_what_was_filled_in() {
        let page = &samples()[2].1;
        for kept in ["value=\"http://ci.example.com\"", "value=\"CI\"", "value=\"session.failed\" checked"] {
            assert!(page.contains(kept), "{kept} in {page}");
        }
        assert!(!page.contains("value=\"session.completed\" checked"), "{page}");
        assert!(page.contains("http:// is accepted only"), "{page}");
    }
}
