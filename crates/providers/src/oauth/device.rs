use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use url::Url;
use valetkey_seal::Secret;

use super::{
    OAuthApp, OAuthClient, OAuthError, Tokens,
    refusal::{self, Step},
    reply::Reply,
    sent::Fields,
};

/// The device flow's beginning: what the person is shown, and what is kept.
#[derive(Debug, Clone)]
pub struct DeviceAuthorization {
    /// Kept, to ask for the outcome.
    pub device_code: Secret<String>,
    /// Shown, to be typed in.
    pub user_code: String,
    /// Shown: where to type it in.
    pub verification_uri: Url,
    /// The same with the code already in it.
    pub verification_uri_complete: Option<Url>,
    /// When the code ends.
    pub expires_at: Timestamp,
    /// How long to wait before each [`OAuthClient::device_poll`].
    pub interval: Duration,
}

/// How a device's authorization stands.
#[derive(Debug, Clone)]
pub enum DevicePoll {
    /// Nobody has typed the code in yet.
    Pending,
    /// Asked too often.
    SlowDown {
        /// How long to wait from now on.
        interval: Duration,
    },
    /// The person agreed.
    Done(Tokens),
}

/// The standard's time between two questions where the provider states none, and what to add when asked to slow down.
const STEP: Duration = Duration::from_secs(5);
const LONGEST_INTERVAL: u64 = 300;
const LONGEST_LIFE: u64 = 24 * 3600;
const USUAL_LIFE: u64 = 900;

impl OAuthClient<'_> {
    /// Begins the device flow (RFC 8628).
    ///
    /// # Errors
    /// What the provider refuses, or why it could not be asked; [`OAuthError::DeviceFlowOff`] where there is none.
    pub async fn device_start(&self, scopes: &[&str]) -> Result<DeviceAuthorization, OAuthError> {
        let url = self.profile.device_url.as_ref().ok_or(OAuthError::DeviceFlowOff)?;
        let scope = scopes.join(&self.profile.scope_separator.to_string());
        let fields = if scope.is_empty() { Fields::new() } else { Fields::new().plain("scope", &scope) };
        let reply = self.post(url, self.device_app(), fields).await?;
        if let Some(refused) = refusal::of_reply(&reply, Step::Device, &[]) {
            return Err(refused);
        }
        self.started(&reply)
    }

    /// Asks for the outcome once.
    ///
    /// # Errors
    /// [`OAuthError::Denied`], [`OAuthError::DeviceExpired`], whatever else the provider refuses, or why it could not be asked.
    pub async fn device_poll(
        &self,
        device_code: &Secret<String>,
        interval: Duration,
    ) -> Result<DevicePoll, OAuthError> {
        let fields = Fields::new()
            .plain("grant_type", "urn:ietf:params:oauth:grant-type:device_code")
            .secret("device_code", device_code);
        let reply = self.post(&self.profile.token_url, self.device_app(), fields).await?;
        match reply.error().filter(|_| !reply.status.is_server_error()) {
            Some("authorization_pending") => Ok(DevicePoll::Pending),
            Some("slow_down") => {
                Ok(DevicePoll::SlowDown { interval: stated_interval(&reply).unwrap_or_default().max(interval + STEP) })
            }
            _ => self.tokens(&reply, Step::Device).map(DevicePoll::Done),
        }
    }

    fn device_app(&self) -> OAuthApp<'_> {
        OAuthApp { client_secret: self.app.client_secret.filter(|_| !self.profile.device_without_secret), ..self.app }
    }

    fn started(&self, reply: &Reply) -> Result<DeviceAuthorization, OAuthError> {
        let none = || reply.not_oauth("no device code");
        let user_code = reply.text("user_code").filter(|code| is_typeable(code)).ok_or_else(none)?;
        // Google writes it with an l.
        let page = reply.text("verification_uri").or_else(|| reply.text("verification_url")).ok_or_else(none)?;
        let complete = reply.text("verification_uri_complete").or_else(|| reply.text("verification_url_complete"));
        let life = reply.seconds("expires_in").unwrap_or(USUAL_LIFE).min(LONGEST_LIFE);
        Ok(DeviceAuthorization {
            device_code: reply.text("device_code").ok_or_else(none)?.into(),
            user_code: user_code.to_owned(),
            verification_uri: self.page(page).ok_or_else(|| reply.not_oauth("a page elsewhere for the code"))?,
            verification_uri_complete: complete.and_then(|page| self.page(page)),
            expires_at: self.now + SignedDuration::from_secs(life.cast_signed()),
            interval: stated_interval(reply).unwrap_or(STEP),
        })
    }

    /// A page that a person will be sent to: of the provider's own, and nowhere else.
    fn page(&self, stated: &str) -> Option<Url> {
        let url = Url::parse(stated).ok().filter(|url| url.username().is_empty() && url.password().is_none())?;
        let own = url.origin() == self.profile.authorize_url.origin();
        let listed = || url.host_str().is_some_and(|host| self.profile.device_page_hosts.contains(&host));
        (own || url.scheme() == "https" && url.port().is_none() && listed()).then_some(url)
    }
}

fn is_typeable(code: &str) -> bool {
    code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_graphic())
}

fn stated_interval(reply: &Reply) -> Option<Duration> {
    Some(Duration::from_secs(reply.seconds("interval")?.min(LONGEST_INTERVAL)))
}
