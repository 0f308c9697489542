//! What a form asks for, or what is wrong with it.

use valetkey_integrations::{Connect, ConsentRequest};
use valetkey_model::{Alias, InstanceUrl, Integration, OwnerScope, Problem, ProblemCode, sentence};
use valetkey_providers::Credential;
use valetkey_seal::Secret;

use super::{ground::Ground, view::level_value};
use crate::{auth::Caller, pages::form::Form};

/// A refusal, and the field that it is about.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) problem: Problem,
    pub(super) field: Option<&'static str>,
}

impl Wrong {
    fn about(field: &'static str, why: impl Into<String>) -> Self {
        Self { problem: Problem::new(ProblemCode::InvalidInput, why), field: Some(field) }
    }
}

impl From<Problem> for Wrong {
    fn from(problem: Problem) -> Self {
        Self { field: field_of(problem.code), problem }
    }
}

/// The field that a refusal is about.
fn field_of(code: ProblemCode) -> Option<&'static str> {
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

/// A secret with all that goes with it.
pub(super) fn credential(ground: &Ground, caller: &Caller, form: &Form) -> Result<Connect, Wrong> {
    let instance_url = instance(form)?;
    let wanted = |name: &str| ground.method.fields.iter().find(|field| field.name == name);
    if instance_url.is_none() && wanted("instanceUrl").is_some_and(|field| field.required) {
        return Err(Wrong::about("instanceUrl", "Say where it is."));
    }
    let login = wanted("username").map(|field| match form.get("username") {
        "" => Err(Wrong::about("username", format!("Fill in: {}.", field.label))),
        login => Ok(login.to_owned()),
    });
    let login = login.transpose()?;
    if form.get("token").is_empty() {
        return Err(Wrong::about("token", "Paste the token here."));
    }
    let token = Secret::new(form.get("token").to_owned());
    Ok(Connect {
        provider: ground.kind,
        scope: level(ground, form)?,
        by: caller.actor.clone(),
        alias: alias(form)?,
        instance_url,
        credential: Credential { method: ground.method.method, login, ..Credential::pat(token) },
    })
}

/// What to ask a person's consent for.
pub(super) fn consent(
    ground: &Ground,
    caller: &Caller,
    form: &Form,
    redirect_uri: String,
) -> Result<ConsentRequest, Wrong> {
    let known = ground.reconnect.as_ref();
    let choices = (!ground.method.choices.is_empty()).then(|| form.all("choice").map(str::to_owned).collect());
    Ok(ConsentRequest {
        provider: ground.kind,
        method: ground.method.method,
        instance_url: match known {
            Some(Integration { instance_url, .. }) => Some(instance_url.clone()),
            None => instance(form)?,
        },
        scope: match known {
            Some(Integration { scope, .. }) => scope.clone(),
            None => level(ground, form)?,
        },
        by: caller.actor.clone(),
        alias: alias(form)?,
        choices,
        reconnect: known.map(|known| known.id.clone()),
        redirect_uri,
    })
}

fn instance(form: &Form) -> Result<Option<InstanceUrl>, Wrong> {
    match form.get("instanceUrl") {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|e| Wrong::about("instanceUrl", sentence(&e))),
    }
}

fn alias(form: &Form) -> Result<Option<Alias>, Wrong> {
    match form.get("alias") {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|e| Wrong::about("alias", sentence(&e))),
    }
}

fn level(ground: &Ground, form: &Form) -> Result<OwnerScope, Wrong> {
    let wanted = form.get("level");
    if wanted.is_empty() {
        return Ok(OwnerScope::UserGlobal);
    }
    let found = ground.levels.iter().find(|scope| level_value(scope) == wanted).cloned();
    found.ok_or_else(|| Wrong::about("level", "There is no such project, or you may not connect anything for it."))
}

#[cfg(test)]
mod tests {
    use valetkey_model::{AuthMethod, ProviderKind};

    use super::*;

    fn gitlab() -> Ground {
        Ground::sample(ProviderKind::GitLab, "pat", &[])
    }

    #[test]
    fn what_can_not_be_right_is_refused_before_anything_is_asked() {
        for (form, field) in [
            ("token=x&instanceUrl=ftp%3A%2F%2Fx", "instanceUrl"),
            ("token=x&alias=a%0Ab", "alias"),
            ("token=x&level=project%3Aelsewhere", "level"),
            ("token=x&level=project", "level"),
            ("token=+", "token"),
        ] {
            let wrong = credential(&gitlab(), &Caller::admin(), &Form::of(form)).unwrap_err();
            assert_eq!((wrong.problem.code, wrong.field), (ProblemCode::InvalidInput, Some(field)), "{form}");
        }
    }

    #[test]
    fn what_goes_with_a_secret_is_taken_where_it_belongs_to_the_method() {
        let form = Form::of("username=me%40example.test&token=x&level=user%3Adefault");
        let bitbucket = Ground::sample(ProviderKind::Bitbucket, "basic", &[]);
        let wanted = credential(&bitbucket, &Caller::admin(), &form).unwrap();
        assert_eq!(wanted.credential.login.as_deref(), Some("me@example.test"));
        assert_eq!(wanted.credential.method, AuthMethod::Basic);
        assert_eq!(wanted.scope.as_str(), "user");
        assert_eq!(credential(&gitlab(), &Caller::admin(), &form).unwrap().credential.login, None);
        let wrong = credential(&bitbucket, &Caller::admin(), &Form::of("token=x")).unwrap_err();
        assert_eq!(wrong.field, Some("username"));
    }

    #[test]
    fn where_everybody_has_their_own_the_address_is_asked_for() {
        let own = Ground::sample(ProviderKind::BitbucketDataCenter, "pat", &[]);
        let wrong = credential(&own, &Caller::admin(), &Form::of("token=x")).unwrap_err();
        assert_eq!(wrong.field, Some("instanceUrl"));
    }

    #[test]
    fn a_refusal_is_shown_where_it_belongs() {
        for (code, field) in [
            (ProblemCode::TokenMalformed, Some("token")),
            (ProblemCode::TlsNotTrusted, Some("instanceUrl")),
            (ProblemCode::Conflict, Some("alias")),
            (ProblemCode::RateLimited, None),
        ] {
            assert_eq!(Wrong::from(Problem::new(code, "No.")).field, field);
        }
    }
}
