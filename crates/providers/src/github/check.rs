use http::StatusCode;
use valetkey_model::{Account, AuthMethod, Details, Installation, InstallationState, InstanceUrl};

use super::{
    api,
    app::{self, Listed, install_url},
    is_of_app,
    refusal::{refusal, sso_hidden},
    wire::{self, User},
};
use crate::{Access, Checked, ProviderError, account::Described, api::Api};

pub(super) async fn check(at: Access<'_>) -> Result<Checked, ProviderError> {
    let api = api(at)?;
    let answer = api.get("/user", &[]).await?;
    let user: User = answer.or_refusal(|answer| refusal(&api, answer))?.json()?;
    let expires_at =
        answer.header("github-authentication-token-expiration").and_then(|text| wire::expiration(text, at.now));
    let mut checked = Checked {
        account: account(&user, at.instance),
        granted_scopes: Vec::new(),
        expires_at,
        missing_scopes: Vec::new(),
        details: Details::default(),
    };
    match answer.header("x-oauth-scopes").map(wire::scope_list) {
        // Consent without scopes is one to a GitHub App.
        None if at.credential.method == AuthMethod::OAuth => of_app(&api, &mut checked.details).await?,
        _ if is_of_app(at.credential) => of_app(&api, &mut checked.details).await?,
        None => checked
            .details
            .notes
            .push("GitHub does not say what this token may do; each repository is asked before a session.".to_owned()),
        Some(scopes) => {
            of_scopes(&api, &scopes, &mut checked).await;
            checked.granted_scopes = scopes;
        }
    }
    Ok(checked)
}

/// Who commits: where GitHub hides the address, the one that it keeps for that.
pub(super) fn account(user: &User, instance: &InstanceUrl) -> Account {
    let hidden = (*instance == InstanceUrl::github_com())
        .then(|| format!("{}+{}@users.noreply.github.com", user.id, user.login));
    Account::from(Described {
        id: user.id,
        username: &user.login,
        name: user.name.as_deref(),
        emails: &[user.email.as_deref(), hidden.as_deref()],
    })
}

/// Of classic personal tokens and of OAuth apps' tokens.
async fn of_scopes(api: &Api<'_>, scopes: &[String], checked: &mut Checked) {
    let has = |wanted: &str| scopes.iter().any(|scope| covers(scope, wanted));
    if !has("repo") {
        if has("public_repo") {
            let note = "The scope 'public_repo' suffices for public repositories only; private ones need 'repo'.";
            checked.details.notes.push(note.to_owned());
        } else {
            checked.missing_scopes.push("repo".to_owned());
        }
    }
    let asked = api.at.credential.consent.iter().flat_map(|consent| &consent.asked);
    checked.details.withheld_scopes = asked.filter(|asked| !has(asked)).cloned().collect();
    if has("repo") {
        checked.details.notes.extend(hidden_by_sso(api).await);
    }
}

/// GitHub leaves out scopes that others include.
fn covers(scope: &str, wanted: &str) -> bool {
    scope == wanted || matches!((scope, wanted), ("write:org" | "admin:org", "read:org"))
}

/// Organisations that want the token to be authorised by single sign-on show in a listing only, and by their numbers.
/// Whatever else is wrong with the listing is not the check's matter.
async fn hidden_by_sso(api: &Api<'_>) -> Option<String> {
    let answer = api.get("/user/repos", &[("per_page", "1")]).await.ok()?;
    let organisations = sso_hidden(&answer).filter(|_| answer.status == StatusCode::OK)?;
    Some(format!(
        "Organisations hide their repositories from this token until it is authorised for them by single sign-on, at \
         {}/settings/tokens; their numbers: {}.",
        api.at.instance,
        organisations.join(", ")
    ))
}

async fn of_app(api: &Api<'_>, details: &mut Details) -> Result<(), ProviderError> {
    let listed = match app::unless_only_there(app::with_repositories(api).await)? {
        Ok(listed) => listed,
        Err(refused) => {
            details.notes.push(format!("GitHub does not list where the app is installed: {refused}."));
            return Ok(());
        }
    };
    details.notes.extend(listed.iter().filter_map(note_on));
    details.installations = listed.into_iter().map(|listed| listed.installation).collect();
    if details.installations.is_empty() {
        details.notes.push(installed_nowhere(api));
    }
    Ok(())
}

/// The slug is what an app's credential keeps beside its token, if anything.
fn installed_nowhere(api: &Api<'_>) -> String {
    match &api.at.credential.login {
        Some(slug) => format!(
            "The app is installed nowhere yet that this account can see; install it at {}.",
            install_url(api.at.instance, slug, None)
        ),
        None => "The app is installed nowhere yet that this account can see; install it from its page.".to_owned(),
    }
}

fn note_on(listed: &Listed) -> Option<String> {
    let Installation { account, state, .. } = &listed.installation;
    match (state, &listed.refused) {
        (InstallationState::Suspended, _) => Some(format!(
            "The installation on {account} is suspended: no session can use its repositories until an owner lifts that."
        )),
        (_, Some(refused)) => {
            Some(format!("GitHub does not list the repositories of the installation on {account}: {refused}."))
        }
        _ => None,
    }
}
