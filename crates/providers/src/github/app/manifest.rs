use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;
use url::Url;
use valetkey_model::InstanceUrl;
use valetkey_seal::Secret;

use super::{AppError, page_of, wire::Converted};
use crate::{
    Access, Credential, Http, ProviderError,
    api::{Api, one_line},
    github::{FIXED_HEADERS, api_base, refusal::refusal},
};

/// The longest name that an app may have.
const LONGEST_NAME: usize = 34;
/// No real code is longer.
const LONGEST_CODE: usize = 256;

/// What an app is registered for.
#[derive(Debug, Clone, Copy)]
pub struct Manifest<'a> {
    /// The GitHub.
    pub instance: &'a InstanceUrl,
    /// The organisation that will own the app; the person who registers it if none.
    pub organisation: Option<&'a str>,
    /// Where this server is, for the people who use it.
    pub public_url: &'a Url,
    /// The app's name, which nobody else's app may have. The person can still change it.
    pub name: &'a str,
    /// What GitHub sends back with the code, to be recognised.
    pub state: &'a str,
}

/// A form for the browser to post: one field, `manifest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestForm {
    /// Where to.
    pub post_url: String,
    /// The field's value.
    pub json: String,
}

/// An app as GitHub has registered it. The secrets are told this one time only.
#[derive(Debug, Clone)]
pub struct RegisteredGitHubApp {
    /// Its number.
    pub app_id: u64,
    /// Its name in addresses.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// Its public name for OAuth and JWTs.
    pub client_id: String,
    /// Its OAuth secret.
    pub client_secret: Secret<String>,
    /// What signs its webhooks, if it has any.
    pub webhook_secret: Option<Secret<String>>,
    /// What signs its JWTs, in PEM form.
    pub private_key: Secret<String>,
}

/// The form that registers an app of our own in one click.
///
/// `workflows` is among its permissions because GitHub refuses every push with a commit that touches `.github/workflows`
/// without it, even one that only takes in what another branch changed there. A session's token has it only if asked for.
pub fn manifest(asked: Manifest<'_>) -> ManifestForm {
    let own = |path: &str| format!("{}{path}", asked.public_url.as_str().trim_end_matches('/'));
    // Without a hook: GitHub refuses the address of a server that it can't reach, even for one that is off.
    let manifest = json!({
        "name": asked.name.chars().take(LONGEST_NAME).collect::<String>(),
        "url": own(""),
        "redirect_url": own("/oauth/github/manifest"),
        "callback_urls": [own("/oauth/callback")],
        "setup_url": own("/oauth/github/installed"),
        "setup_on_update": true,
        "public": false,
        "request_oauth_on_install": false,
        "default_events": [],
        "default_permissions": {
            "metadata": "read",
            "contents": "write",
            "pull_requests": "write",
            "issues": "write",
            "workflows": "write",
        },
    });
    let mut post_url = match asked.organisation {
        Some(organisation) => page_of(asked.instance, &["organizations", organisation, "settings", "apps", "new"]),
        None => page_of(asked.instance, &["settings", "apps", "new"]),
    };
    post_url.query_pairs_mut().append_pair("state", asked.state);
    ManifestForm { post_url: post_url.into(), json: manifest.to_string() }
}

/// Takes the registered app in return for the code with which the browser came back. It works once, within an hour.
///
/// # Errors
/// [`AppError::CodeUnknown`], or any refusal.
pub async fn convert_manifest(
    http: &Http,
    instance: &InstanceUrl,
    now: Timestamp,
    code: &Secret<String>,
) -> Result<RegisteredGitHubApp, ProviderError> {
    // The code stands for a credential, so that it is struck out wherever an answer repeats it.
    let credential = Credential::pat(code.clone());
    let path = path_with(code)?;
    let api =
        Api::anonymous(Access { http, instance, credential: &credential, now }, &api_base(instance), &FIXED_HEADERS)?;
    let answer = api.post_nothing(&path).await?;
    let unknown = matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY);
    if unknown && answer.common_refusal().is_none() {
        return Err(AppError::CodeUnknown.into());
    }
    let new: Converted = answer.or_refusal(|answer| refusal(&api, answer))?.json()?;
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if !plain(&new.slug) || !plain(&new.client_id) {
        return Err(answer.not_the_provider());
    }
    Ok(RegisteredGitHubApp {
        app_id: new.id,
        slug: new.slug,
        name: one_line(&new.name),
        client_id: new.client_id,
        client_secret: new.client_secret,
        webhook_secret: new.webhook_secret,
        private_key: new.pem,
    })
}

#[expect(clippy::disallowed_methods, reason = "GitHub wants the code in the address; it is of no use afterwards")]
fn path_with(code: &Secret<String>) -> Result<String, AppError> {
    let code = code.expose();
    let plain = code.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if code.is_empty() || code.len() > LONGEST_CODE || !plain {
        return Err(AppError::CodeUnknown);
    }
    Ok(format!("/app-manifests/{code}/conversions"))
}
