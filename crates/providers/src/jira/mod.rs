//! Jira Cloud and Jira Data Center: by API token, personal access token or OAuth 2.0 (3LO).
//!
//! A site of Jira Cloud has two addresses: its own, which takes API tokens without scopes, and one behind Atlassian's gateway,
//! which takes API tokens with scopes and OAuth's. The public instance is the gateway, as one consent covers several sites.

mod catalogue;
mod check;
mod refusal;
#[cfg(test)]
mod tests;
mod wire;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use url::Url;
use valetkey_model::{AuthMethod, InstanceUrl, ProviderKind};

use crate::{
    Access, CatalogueEntry, Checked, Credential, Provider, ProviderError, Words,
    oauth::{ClientAuth, OAuthProfile, PkceUse, Rotation},
    token,
};

/// Jira.
pub(crate) struct Jira;

/// What API tokens of Atlassian's cloud begin with; those from before 2023 have no mark.
const API_TOKEN_PREFIX: &str = "ATATT";

/// Days that a consent lives without being refreshed, and in all.
const UNUSED_DAYS: i64 = 90;
const LONGEST_DAYS: i64 = 365;

/// Whether the instance is a site of Jira Cloud at its own address.
fn is_cloud_site(instance: &InstanceUrl) -> bool {
    instance.host().ends_with(".atlassian.net")
}

#[async_trait]
impl Provider for Jira {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Jira
    }

    fn catalogue(&self) -> CatalogueEntry {
        catalogue::entry()
    }

    fn words(&self) -> Words {
        Words {
            limits: "Jira limits short bursts of requests, and apps by the hour.",
            widen: "the scopes 'read:jira-work', 'write:jira-work' and 'read:jira-user'",
            seek_access: "",
            token_form: "a Jira token has 16 to 4096 characters and no spaces.",
            why_invalid: "Jira does not say whether it is mistyped, expired or revoked, or goes with another e-mail address.",
            push_scope: "",
            request: "pull",
        }
    }

    fn check_form(&self, instance: &InstanceUrl, credential: &Credential) -> Result<(), ProviderError> {
        let fits = |text: &str| (16..=4096).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        let is_api_token = || token::has_form(&credential.token, |text| text.starts_with(API_TOKEN_PREFIX));
        let is_address = |login: &str| login.contains('@') && !login.contains(|c: char| c == ':' || c.is_control());
        let is_gateway = self.kind().is_public(instance);
        match credential.method {
            _ if !token::has_form(&credential.token, fits) => Err(ProviderError::TokenMalformed),
            AuthMethod::Basic if is_gateway => Err(ProviderError::Unsuitable {
                why: "An API token belongs to an account of one Jira site, and no site was named.",
                instead: "Give the address of your site as the instance URL, such as https://team.atlassian.net.",
            }),
            AuthMethod::Basic if !credential.login.as_deref().is_some_and(is_address) => {
                Err(ProviderError::Unsuitable {
                    why: "Jira takes an API token only together with the e-mail address of the Atlassian account.",
                    instead: "Give the e-mail address with which you sign in at https://id.atlassian.com.",
                })
            }
            AuthMethod::Pat if is_gateway || is_cloud_site(instance) || is_api_token() => {
                Err(ProviderError::Unsuitable {
                    why: "Jira Cloud takes no token by itself; personal access tokens are Jira Data Center's.",
                    instead: "Connect an API token, with the e-mail address of the Atlassian account.",
                })
            }
            _ => Ok(()),
        }
    }

    async fn check(&self, at: Access<'_>) -> Result<Checked, ProviderError> {
        match at.credential.method {
            AuthMethod::OAuth => check::consent(at).await,
            AuthMethod::Basic => check::api_token(at).await,
            _ => check::personal_token(at).await,
        }
    }

    /// One consent of a person to an app is one family of tokens: another consent to the same app may end the first.
    /// Atlassian does not say it with the tokens.
    fn consent_end(&self, consented_at: Timestamp, refreshed_at: Timestamp) -> Option<Timestamp> {
        let after = |start: Timestamp, days: i64| start.saturating_add(SignedDuration::from_hours(days * 24)).ok();
        after(consented_at, LONGEST_DAYS).min(after(refreshed_at, UNUSED_DAYS))
    }

    fn oauth(&self, instance: &InstanceUrl) -> Option<OAuthProfile> {
        if is_cloud_site(instance) {
            return None;
        }
        let public = self.kind().is_public(instance);
        let server = if public { "https://auth.atlassian.com".to_owned() } else { instance.to_string() };
        let url = |path: &str| Url::parse(&format!("{server}{path}")).ok();
        Some(OAuthProfile {
            client_auth: ClientAuth::Json,
            authorize_extra: &[("audience", "api.atlassian.com"), ("prompt", "consent")],
            pkce: PkceUse::Unsupported,
            rotation: Rotation::RefreshOnly,
            dead_grant_words: &["unauthorized_client"],
            ..OAuthProfile::new(url("/authorize")?, url("/oauth/token")?)
        })
    }
}
