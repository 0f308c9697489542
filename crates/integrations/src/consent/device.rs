use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use url::Url;
use valetkey_model::{Actor, Integration, OAuthAttemptId, Problem};
use valetkey_providers::{
    oauth::{DevicePoll, OAuthClient},
    provider,
};
use valetkey_seal::{Sealed, Secret, TokenHash};
use valetkey_store::{AttemptWay, OAuthAttempt};

use super::{
    ConsentRequest, Outcome,
    begin::{Prepared, asked_body},
    finish::read_asked,
    identity, invalid_state, oauth_problem,
};
use crate::Integrations;

/// What a person is shown, to consent on another device.
#[derive(Debug)]
pub struct DeviceCode {
    /// The attempt, to ask for its outcome.
    pub attempt: OAuthAttemptId,
    /// What to type in.
    pub user_code: String,
    /// Where.
    pub verification_uri: Url,
    /// The same with the code already in it, where the provider has such a page.
    pub verification_uri_complete: Option<Url>,
    /// When the code ends.
    pub expires_at: Timestamp,
    /// How long to wait before asking how it stands.
    pub interval: Duration,
}

/// How consent on another device stands.
#[derive(Debug)]
pub enum DeviceProgress {
    /// Not given yet.
    Pending {
        /// How long to wait before asking again.
        interval: Duration,
    },
    /// Given; the account is connected.
    Connected(Box<Integration>),
}

impl Integrations {
    /// Gets a code for a person to type in on another device.
    ///
    /// # Errors
    /// `oauth_not_configured`, or the provider's refusal.
    pub async fn begin_device(&self, request: ConsentRequest) -> Result<DeviceCode, Problem> {
        let (kind, now) = (request.provider, self.clock.now());
        let Prepared { instance, profile, app, asked } = self.prepare(&request).await?;
        let client = OAuthClient { http: &self.http, profile: &profile, app: app.oauth(&request.redirect_uri), now };
        let scopes: Vec<&str> = asked.iter().map(String::as_str).collect();
        let started = client.device_start(&scopes).await.map_err(|e| oauth_problem(e, kind, &instance))?;
        let attempt = OAuthAttemptId::new(now, &*self.entropy);
        let interval = signed(started.interval);
        let record = OAuthAttempt {
            id: attempt.clone(),
            way: AttemptWay::Device { poll_after: now + interval, interval },
            browser_hash: TokenHash::of_secret(&started.device_code).as_str().to_owned(),
            owner: request.by.user.clone(),
            provider: kind,
            instance_url: instance,
            body: asked_body(request, asked),
            sealed: self.sealer.seal(&identity(&attempt), &started.device_code).as_bytes().to_vec(),
            created_at: now,
            expires_at: started.expires_at,
            outcome: None,
        };
        self.store.insert_oauth_attempt(&record).await?;
        Ok(DeviceCode {
            attempt,
            user_code: started.user_code,
            verification_uri: started.verification_uri,
            verification_uri_complete: started.verification_uri_complete,
            expires_at: started.expires_at,
            interval: started.interval,
        })
    }

    /// Asks how a person's consent on another device stands. The provider is asked no more often than it wants, however
    /// often and from wherever this is called.
    ///
    /// # Errors
    /// The provider's refusal, once and for all; `oauth_state_invalid` for somebody else's attempt.
    pub async fn poll_device(&self, by: &Actor, attempt: &OAuthAttemptId) -> Result<DeviceProgress, Problem> {
        match self.consent_outcome(by, attempt).await? {
            Outcome::Connected { integration } => {
                return Ok(DeviceProgress::Connected(Box::new(self.by_id(&integration).await?)));
            }
            Outcome::Failed { problem } => return Err(problem),
            Outcome::Pending => {}
        }
        let record = self.own_attempt(by, attempt).await?;
        let AttemptWay::Device { interval, .. } = &record.way else {
            return Err(invalid_state("This attempt was started in a browser."));
        };
        let interval = Duration::try_from(*interval).unwrap_or_default();
        if !self.store.claim_device_poll(attempt, self.clock.now()).await? {
            return Ok(DeviceProgress::Pending { interval });
        }
        self.ask_device(&record, interval).await
    }

    async fn ask_device(&self, record: &OAuthAttempt, interval: Duration) -> Result<DeviceProgress, Problem> {
        let (kind, instance, now) = (record.provider, &record.instance_url, self.clock.now());
        let asked = read_asked(record)?;
        let profile = provider(kind).oauth(instance).ok_or_else(|| invalid_state("This attempt is damaged."))?;
        let app = self.app(kind, instance).await?;
        let client = OAuthClient { http: &self.http, profile: &profile, app: app.oauth(&asked.redirect_uri), now };
        let tokens = match client.device_poll(&self.device_code(record)?, interval).await {
            Ok(DevicePoll::Pending) => return Ok(DeviceProgress::Pending { interval }),
            Ok(DevicePoll::SlowDown { interval: slower }) => {
                let by = signed(slower.saturating_sub(interval));
                self.store.slow_device_polls(&record.id, by, now).await?;
                return Ok(DeviceProgress::Pending { interval: slower });
            }
            Ok(DevicePoll::Done(tokens)) => Ok(tokens),
            Err(error) if error.may_pass() => return Ok(DeviceProgress::Pending { interval }),
            Err(error) => Err(oauth_problem(error, kind, instance)),
        };
        let result = match tokens {
            Ok(tokens) => self.connect_consented(record, asked, tokens).await,
            Err(problem) => Err(problem),
        };
        self.note_outcome(&record.id, &result).await?;
        Ok(DeviceProgress::Connected(Box::new(result?)))
    }

    fn device_code(&self, record: &OAuthAttempt) -> Result<Secret<String>, Problem> {
        let opened = self.sealer.open(&identity(&record.id), &Sealed::from_bytes(record.sealed.clone()));
        opened.map_err(|_| invalid_state("This attempt has ended."))
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
