//! What an administrator decides about people.

use valetkey_model::{Problem, ProblemCode, UserId};
use valetkey_store::Person;

use crate::{App, auth::Caller};

/// What is to change about somebody; what is not said stays.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Decision {
    /// Whether they are shut out.
    pub(crate) disabled: Option<bool>,
    /// Whether they are an administrator by hand.
    pub(crate) administrator: Option<bool>,
}

/// Somebody, as administrators see them.
///
/// # Errors
/// `not_found`.
pub(crate) async fn find(app: &App, id: &UserId) -> Result<Person, Problem> {
    app.store.person(id).await?.ok_or_else(|| {
        Problem::new(ProblemCode::NotFound, "There is no person with this id.")
            .remedy("`valetkey people list` shows all with their ids.")
    })
}

/// Carries a decision out. Whoever is shut out is out at once: their browser sessions end, and their tokens are good for
/// nothing.
///
/// # Errors
/// `conflict` for what would shut out the caller, or the built-in administrator, or would not last; `not_found`.
pub(crate) async fn decide(app: &App, caller: &Caller, id: &UserId, decision: Decision) -> Result<Person, Problem> {
    let person = find(app, id).await?;
    check(caller, &person, decision)?;
    if let Some(administrator) = decision.administrator {
        app.store.set_administrator(id, administrator).await?;
    }
    if let Some(disabled) = decision.disabled {
        app.store.set_disabled(id, disabled).await?;
    }
    // Also who was an administrator may listen to what they must not hear any more.
    app.ended_credentials.send_replace(());
    find(app, id).await
}

fn check(caller: &Caller, person: &Person, decision: Decision) -> Result<(), Problem> {
    let refused = |why: &str, remedy: &str| Err(Problem::new(ProblemCode::Conflict, why).remedy(remedy));
    let less = decision.disabled == Some(true) || decision.administrator == Some(false);
    if less && person.user.id == UserId::admin() {
        let remedy = "To keep it from being used, set no `admin_token` and give nobody access to the data directory.";
        return refused("The built-in administrator can't be disabled.", remedy);
    }
    if less && person.user.id == caller.actor.user {
        return refused("You can't shut yourself out.", "Ask another administrator.");
    }
    if decision.administrator == Some(false) && person.claimed_administrator {
        let remedy = "Take them out of the group there, or change `admin_groups` and `admin_emails` in the settings.";
        return refused("What the identity provider says of them makes them an administrator.", remedy);
    }
    Ok(())
}
