//! The form that connects an account, drawn from the provider's catalogue entry.

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use valetkey_integrations::Connect;
use valetkey_model::{Alias, InstanceUrl, OwnerScope, Problem, ProblemCode, ProviderKind};
use valetkey_providers::{CatalogueEntry, ScopeSet, provider};
use valetkey_seal::Secret;

use super::back;
use crate::{
    App,
    auth::Caller,
    extract::Id,
    pages::{
        form::{Form, ProblemView, refused},
        frame::{Frame, Section},
        render::{Page, View},
    },
    problem::Answer,
};

#[derive(Debug, Serialize)]
pub(super) struct ConnectView {
    slug: &'static str,
    name: String,
    default_instance: String,
    token_path: String,
    fields: Vec<FieldView>,
    scope_sets: Vec<ScopeSet>,
    /// A refusal that is about no field in particular.
    problem: Option<ProblemView>,
}

impl View for ConnectView {
    const TEMPLATE: &'static str = "connect.html";
}

/// A field with what was typed into it and what is wrong with that. What was typed into a secret one is never sent back.
#[derive(Debug, Serialize)]
struct FieldView {
    name: String,
    label: String,
    help: String,
    secret: bool,
    required: bool,
    placeholder: String,
    value: String,
    problem: Option<ProblemView>,
}

impl ConnectView {
    fn new(kind: ProviderKind) -> Self {
        let CatalogueEntry { name, default_instance, fields, required_scopes, token_path, .. } =
            provider(kind).catalogue();
        let mut fields: Vec<FieldView> = fields
            .into_iter()
            .map(|field| FieldView {
                placeholder: if field.name == "instanceUrl" { default_instance.to_string() } else { String::new() },
                name: field.name,
                label: field.label,
                help: field.help,
                secret: field.secret,
                required: field.required,
                value: String::new(),
                problem: None,
            })
            .collect();
        fields.push(FieldView {
            name: "alias".to_owned(),
            label: "Alias".to_owned(),
            help: "A name for this account. Leave it empty for the account's user name and host.".to_owned(),
            secret: false,
            required: false,
            placeholder: String::new(),
            value: String::new(),
            problem: None,
        });
        let default_instance = default_instance.to_string();
        let slug = kind.slug();
        Self { slug, name, default_instance, token_path, fields, scope_sets: required_scopes, problem: None }
    }

    /// The form again, with what was typed and what is wrong with it.
    fn again(kind: ProviderKind, form: &Form, problem: &Problem, about: Option<&str>) -> Self {
        let mut view = Self::new(kind);
        for field in view.fields.iter_mut().filter(|field| !field.secret) {
            form.get(&field.name).clone_into(&mut field.value);
        }
        let about = about.or_else(|| field_of(problem.code));
        match view.fields.iter_mut().find(|field| Some(&*field.name) == about) {
            Some(field) => field.problem = Some(problem.into()),
            None => view.problem = Some(problem.into()),
        }
        view
    }
}

/// The field that a refusal is about.
pub(super) fn field_of(code: ProblemCode) -> Option<&'static str> {
    match code {
        ProblemCode::TokenMalformed
        | ProblemCode::TokenInvalid
        | ProblemCode::TokenExpired
        | ProblemCode::TokenRevoked
        | ProblemCode::InsufficientScope
        | ProblemCode::SsoRequired => Some("token"),
        ProblemCode::NotTheProvider
        | ProblemCode::AddressRefused
        | ProblemCode::TlsNotTrusted
        | ProblemCode::ProviderUnreachable => Some("instanceUrl"),
        ProblemCode::Conflict => Some("alias"),
        _ => None,
    }
}

pub(super) async fn show(State(app): State<App>, caller: Caller, Id(kind): Id<ProviderKind>) -> Response {
    Page::new(frame(&app, &caller, kind), ConnectView::new(kind)).into_response()
}

pub(super) async fn connect(
    State(app): State<App>,
    caller: Caller,
    Id(kind): Id<ProviderKind>,
    form: Form,
) -> Answer<Response> {
    let again = |problem: &Problem, about| {
        let view = ConnectView::again(kind, &form, problem, about);
        Page::new(frame(&app, &caller, kind), view).with_status(refused(problem)).into_response()
    };
    let wanted = match read(kind, &caller, &form) {
        Ok(wanted) => wanted,
        Err((problem, about)) => return Ok(again(&problem, Some(about))),
    };
    match app.integrations.connect(wanted).await {
        Ok(_) => Ok(back("connected").into_response()),
        Err(problem) if problem.code == ProblemCode::Internal => Err(problem.into()),
        Err(problem) => Ok(again(&problem, None)),
    }
}

fn frame(app: &App, caller: &Caller, kind: ProviderKind) -> Frame {
    Frame::new(app, caller, Section::Integrations, format!("Connect {kind}"))
}

/// What the form asks for, or the problem and the field that it is about.
fn read(kind: ProviderKind, caller: &Caller, form: &Form) -> Result<Connect, (Problem, &'static str)> {
    let invalid = |why: String, field| (Problem::new(ProblemCode::InvalidInput, why), field);
    let instance_url = match form.get("instanceUrl") {
        "" => None,
        text => Some(text.parse::<InstanceUrl>().map_err(|e| invalid(sentence(&e), "instanceUrl"))?),
    };
    let alias = match form.get("alias") {
        "" => None,
        text => Some(text.parse::<Alias>().map_err(|e| invalid(sentence(&e), "alias"))?),
    };
    if form.get("token").is_empty() {
        return Err(invalid("Paste the token here.".to_owned(), "token"));
    }
    Ok(Connect {
        provider: kind,
        scope: OwnerScope::UserGlobal,
        owner: caller.user.clone(),
        alias,
        instance_url,
        token: Secret::new(form.get("token").to_owned()),
    })
}

/// An error's words as a sentence.
pub(in crate::pages) fn sentence(error: &impl ToString) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    let capital: String = chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect();
    if capital.ends_with('.') { capital } else { format!("{capital}.") }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pages::render::tests::html;

    pub(in crate::pages) fn samples() -> Vec<(&'static str, String)> {
        let refusal =
            Problem::new(ProblemCode::InsufficientScope, "The GitLab token lacks the scope 'write_repository'.")
                .remedy("Create a token with the missing scopes and connect again.");
        let form = Form::of("instanceUrl=https%3A%2F%2Fgitlab.example.com&token=glpat-canary&alias=Work");
        vec![
            ("connect", html(ConnectView::new(ProviderKind::GitHub))),
            ("connect_refused", html(ConnectView::again(ProviderKind::GitLab, &form, &refusal, None))),
        ]
    }

    fn canary_form() -> Form {
        Form::of("instanceUrl=https%3A%2F%2Fg.test&token=glpat-canary&alias=Work")
    }

    #[test]
    fn all_that_was_typed_is_kept_but_the_token() {
        let refusal = Problem::new(ProblemCode::TokenInvalid, "GitLab does not accept this token.");
        let page = html(ConnectView::again(ProviderKind::GitLab, &canary_form(), &refusal, None));
        assert!(page.contains("https://g.test") && page.contains("Work"), "{page}");
        assert!(page.contains("GitLab does not accept this token."));
        assert!(!page.contains("canary"));
    }

    #[test]
    fn a_refusal_is_shown_where_it_belongs() {
        for (code, field) in [
            (ProblemCode::TokenMalformed, Some("token")),
            (ProblemCode::TlsNotTrusted, Some("instanceUrl")),
            (ProblemCode::Conflict, Some("alias")),
            (ProblemCode::RateLimited, None),
        ] {
            let view = ConnectView::again(ProviderKind::GitHub, &canary_form(), &Problem::new(code, "No."), None);
            let marked = view.fields.iter().find(|field| field.problem.is_some()).map(|field| &*field.name);
            assert_eq!(marked, field);
            assert_eq!(view.problem.is_some(), field.is_none());
        }
    }

    #[test]
    fn what_can_not_be_right_is_refused_before_anything_is_asked() {
        for (form, field) in [
            ("token=x&instanceUrl=ftp%3A%2F%2Fx", "instanceUrl"),
            ("token=x&alias=a%0Ab", "alias"),
            ("token=+", "token"),
        ] {
            let (problem, about) = read(ProviderKind::GitLab, &Caller::admin(), &Form::of(form)).unwrap_err();
            assert_eq!((problem.code, about), (ProblemCode::InvalidInput, field));
        }
    }
}
