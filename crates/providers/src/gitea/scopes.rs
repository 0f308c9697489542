//! What a token may do. Gitea has no question for it, but a refusal for want of a scope names the token's own.

use serde_json::json;

use super::refusal::{lacks_scope, refusal, stated_scopes};
use crate::{
    ProviderError,
    api::{Answer, Api},
};

pub(super) const ACCOUNT: &str = "read:user";
pub(super) const PUSH: &str = "write:repository";

/// What is known of a token's scopes.
pub(super) enum Scopes {
    /// All of them.
    Stated(Vec<String>),
    /// Only whether it may write to repositories: older servers and Forgejo name no scopes of a token, and one with
    /// every scope is refused nothing.
    Unstated { pushes: bool },
}

impl Scopes {
    /// Whether it includes the scope; not known of scopes that nobody states.
    pub(super) fn covers(&self, scope: &str) -> Option<bool> {
        match self {
            Self::Stated(granted) => Some(granted.iter().any(|granted| includes(granted, scope))),
            Self::Unstated { pushes } => (scope == PUSH).then_some(*pushes),
        }
    }

    pub(super) fn lacks(&self, scope: &str) -> bool {
        self.covers(scope) == Some(false)
    }
}

/// To write includes to read.
fn includes(granted: &str, wanted: &str) -> bool {
    let written = wanted.strip_prefix("read:").and_then(|what| granted.strip_prefix("write:").map(|own| own == what));
    granted == "all" || granted == wanted || written == Some(true)
}

/// Asks for something that few tokens may see; a token that may is asked about the one scope that matters.
pub(super) async fn learn(api: &Api<'_>) -> Result<Scopes, ProviderError> {
    let notifications = api.get("/notifications", &[("limit", "1")]).await?;
    if let Some(scopes) = stated_scopes(&notifications) {
        return Ok(Scopes::Stated(scopes));
    }
    tell_apart(api, &notifications)?;
    // Nothing can come of it: Gitea looks at the scope first, and no account can be called "-".
    let nowhere = api.post("/repos/-/-/pulls", &json!({})).await?;
    if let Some(scopes) = stated_scopes(&nowhere) {
        return Ok(Scopes::Stated(scopes));
    }
    tell_apart(api, &nowhere)?;
    Ok(Scopes::Unstated { pushes: !lacks_scope(&nowhere) })
}

/// An answer that says nothing of scopes because the question was not even considered is an error.
fn tell_apart(api: &Api<'_>, answer: &Answer) -> Result<(), ProviderError> {
    if answer.status.is_success() {
        return Ok(());
    }
    match refusal(answer, api.at.now) {
        error @ (ProviderError::TokenInvalid
        | ProviderError::RateLimited { .. }
        | ProviderError::Failed { status: 500.., .. }) => Err(error),
        _ => Ok(()),
    }
}
