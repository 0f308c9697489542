//! Google Workspace: Drive, Calendar and Gmail, by consent in the browser.
//!
//! There is no device flow: Google allows it for none of these scopes but `drive.file`.

mod catalogue;
mod refusal;
#[cfg(test)]
mod tests;
mod wire;

use async_trait::async_trait;
use http::header;
use jiff::SignedDuration;
use url::Url;
use valetkey_model::{AuthMethod, Details, InstanceUrl, ProviderKind};

use crate::{
    Access, CatalogueEntry, Checked, Credential, Provider, ProviderError, Words,
    api::Api,
    oauth::{OAuthProfile, Revocation, Rotation},
    token,
};
use refusal::refusal;
use wire::{TokenInfo, UserInfo};

/// Google.
pub(crate) struct Google;

/// A consent to an app that is published for testing only ends after seven days.
const SOON: SignedDuration = SignedDuration::from_hours(8 * 24);

/// Where Google's parts are; all at one place where it is not Google itself.
struct Hosts {
    sign_in: String,
    tokens: String,
    user_info: String,
}

impl Hosts {
    fn of(instance: &InstanceUrl) -> Self {
        if ProviderKind::Google.is_public(instance) {
            return Self {
                sign_in: "https://accounts.google.com".to_owned(),
                tokens: "https://oauth2.googleapis.com".to_owned(),
                user_info: "https://openidconnect.googleapis.com".to_owned(),
            };
        }
        let one = instance.to_string();
        Self { sign_in: one.clone(), tokens: one.clone(), user_info: one }
    }
}

#[async_trait]
impl Provider for Google {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Google
    }

    fn catalogue(&self) -> CatalogueEntry {
        catalogue::entry()
    }

    fn words(&self) -> Words {
        Words {
            limits: "Google limits each API by project and user.",
            widen: "every access that it needs",
            seek_access: "",
            token_form: "a Google access token has 20 to 4096 characters and no spaces.",
            why_invalid: "",
            push_scope: "",
            request: "pull",
        }
    }

    fn check_form(&self, _: &InstanceUrl, credential: &Credential) -> Result<(), ProviderError> {
        if credential.method != AuthMethod::OAuth {
            return Err(ProviderError::Unsuitable {
                why: "Google has no tokens that a person could create and paste; its access tokens end within an hour.",
                instead: "Connect through the browser: valetkey connect google --web",
            });
        }
        let fits = |text: &str| (20..=4096).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if token::has_form(&credential.token, fits) { Ok(()) } else { Err(ProviderError::TokenMalformed) }
    }

    async fn check(&self, at: Access<'_>) -> Result<Checked, ProviderError> {
        let hosts = Hosts::of(at.instance);
        let (tokens, users) = (api(at, &hosts.tokens)?, api(at, &hosts.user_info)?);
        let (info, user) = tokio::join!(token_info(&tokens), user_info(&users));
        let info = info?;
        let asked = at.credential.consent.as_ref().map(|consent| consent.asked.as_slice()).unwrap_or_default();
        let withheld = info.withheld(asked);
        let details = Details { notes: notes(asked, &withheld), withheld_scopes: withheld, ..Details::default() };
        Ok(Checked {
            account: user?,
            expires_at: info.ends_at(at.now),
            granted_scopes: info.scopes(),
            missing_scopes: Vec::new(),
            details,
        })
    }

    fn note_on_consent(&self, lasts: SignedDuration) -> Option<&'static str> {
        (lasts < SOON).then_some(
            "Google ends this access within 7 days: the app's publishing status is \"Testing\", or access was given for a \
             short time. An administrator can set the app to \"In production\" or \"Internal\" in the Google Cloud console.",
        )
    }

    fn oauth(&self, instance: &InstanceUrl) -> Option<OAuthProfile> {
        let hosts = Hosts::of(instance);
        let url = |host: &str, path: &str| Url::parse(&format!("{host}{path}")).ok();
        Some(OAuthProfile {
            // Without `consent` Google gives a refresh token the first time only.
            authorize_extra: &[("access_type", "offline"), ("prompt", "consent")],
            rotation: Rotation::None,
            revocation: Some(Revocation::Standard { url: url(&hosts.tokens, "/revoke")? }),
            ..OAuthProfile::new(url(&hosts.sign_in, "/o/oauth2/v2/auth")?, url(&hosts.tokens, "/token")?)
        })
    }
}

fn api<'a>(at: Access<'a>, host: &str) -> Result<Api<'a>, ProviderError> {
    let auth = (header::AUTHORIZATION, at.credential.after("Bearer ")?);
    Api::new(at, host, auth, &[(header::ACCEPT, "application/json")])
}

/// The documented form has the token in the address; Google's own client library sends it in the header, as here.
async fn token_info(api: &Api<'_>) -> Result<TokenInfo, ProviderError> {
    let answer = api.post_nothing("/tokeninfo").await?;
    answer.or_refusal(|answer| refusal(answer, api.at.now))?.json()
}

async fn user_info(api: &Api<'_>) -> Result<valetkey_model::Account, ProviderError> {
    let answer = api.get("/v1/userinfo", &[]).await?;
    let answer = answer.or_refusal(|answer| refusal(answer, api.at.now))?;
    answer.json::<UserInfo>()?.account().ok_or_else(|| answer.not_the_provider())
}

/// The person may untick what was asked for; whoever relies on it should know.
fn notes(asked: &[String], withheld: &[String]) -> Vec<String> {
    let of_apis = |scopes: &[String]| scopes.iter().filter(|scope| wire::is_of_an_api(scope)).count();
    let note = match (of_apis(asked), of_apis(withheld)) {
        (_, 0) => return Vec::new(),
        (asked, withheld) if asked == withheld => {
            "On Google's page no access was allowed but to the account's name; connect again and tick what agents may use."
        }
        _ => "On Google's page some access was not allowed; connect again and tick it if agents need it.",
    };
    vec![note.to_owned()]
}
