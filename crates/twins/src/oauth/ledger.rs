//! The codes, device codes and tokens that an authorization server has given out.

use std::collections::{HashMap, VecDeque};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::app::OAuthApp;
use super::consent::{Consent, DeviceDecision};
use super::dialect::{Asked, Dialect, Lifetimes, Minted, Rotation};
use super::parameters::scopes;
use super::refusal::Refusal;
use crate::fixtures::Account;

/// Whether a token works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenLife {
    /// It works.
    Live,
    /// Its time is over.
    Expired,
    /// It was replaced, or revoked.
    Revoked,
}

/// What came of a consent: whose access, for which app, to what.
#[derive(Debug, Clone)]
pub(crate) struct Granted {
    pub(crate) client_id: String,
    pub(crate) account: Account,
    pub(crate) scopes: Vec<String>,
    /// The parameters of the authorization request.
    pub(crate) asked: Asked,
}

/// The tokens of a successful answer.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    pub(crate) expires_in: Option<u64>,
    pub(crate) refresh_expires_in: Option<u64>,
    pub(crate) scopes: Vec<String>,
    pub(crate) granted: Granted,
}

/// The answer that starts a device flow.
#[derive(Debug, Clone)]
pub(crate) struct DeviceStart {
    pub(crate) device_code: String,
    pub(crate) user_code: String,
    pub(crate) verification_uri: String,
    pub(crate) expires_in: u64,
    pub(crate) interval: u64,
}

struct Code {
    granted: Granted,
    redirect: String,
    challenge: Option<String>,
}

struct Device {
    device_code: String,
    user_code: String,
    client_id: String,
    asked: Vec<String>,
    interval: u64,
    too_soon: bool,
    outcome: Option<Result<Consent, Refusal>>,
}

/// Tokens that descend from one consent.
struct Family {
    granted: Granted,
    redirect: Option<String>,
    from_device: bool,
}

struct Ticket {
    family: usize,
    scopes: Vec<String>,
    life: TokenLife,
    /// A refresh token's access token.
    sibling: String,
}

#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) apps: Vec<OAuthApp>,
    pub(crate) consents: VecDeque<Consent>,
    pub(crate) standing: Option<Consent>,
    pub(crate) lifetimes: Option<Lifetimes>,
    pub(crate) refreshes: u64,
    codes: HashMap<String, Code>,
    devices: Vec<Device>,
    families: Vec<Family>,
    access: HashMap<String, Ticket>,
    refresh: HashMap<String, Ticket>,
}

/// What a code is bound to.
pub(crate) struct Binding<'a> {
    pub(crate) redirect: &'a str,
    pub(crate) challenge: Option<&'a str>,
}

impl Ledger {
    pub(crate) fn app(&self, client_id: &str) -> Option<&OAuthApp> {
        self.apps.iter().find(|app| app.client_id == client_id)
    }

    pub(crate) fn next_consent(&mut self) -> Option<Consent> {
        self.consents.pop_front().or_else(|| self.standing.clone())
    }

    pub(crate) fn add_code(&mut self, dialect: &Dialect, app: &OAuthApp, granted: Granted, to: &Binding<'_>) -> String {
        let code = (dialect.mint)(Minted::Code, app);
        let bound = Code { granted, redirect: to.redirect.to_owned(), challenge: to.challenge.map(str::to_owned) };
        self.codes.insert(code.clone(), bound);
        code
    }

    pub(crate) fn expire_codes(&mut self) {
        self.codes.clear();
    }

    /// A code works once, even if the rest of the request is wrong.
    pub(crate) fn redeem(
        &mut self,
        dialect: &Dialect,
        app: &OAuthApp,
        code: &str,
        redirect: Option<&str>,
        verifier: Option<&str>,
    ) -> Result<Issued, Refusal> {
        let code = self.codes.remove(code).filter(|code| code.granted.client_id == app.client_id);
        let Code { granted, redirect: bound, challenge } = code.ok_or(Refusal::BadCode)?;
        if redirect.is_some_and(|redirect| redirect != bound) || (redirect.is_none() && dialect.response_type) {
            return Err(Refusal::RedirectMismatch);
        }
        if challenge.is_some_and(|challenge| verifier.map(s256) != Some(challenge)) {
            return Err(Refusal::BadVerifier);
        }
        Ok(self.found_family(dialect, app, Family { granted, redirect: Some(bound), from_device: false }))
    }

    /// Tokens for a consent that needed no code.
    pub(crate) fn grant(
        &mut self,
        dialect: &Dialect,
        app: &OAuthApp,
        account: &Account,
        scopes: Vec<String>,
    ) -> Issued {
        let granted =
            Granted { client_id: app.client_id.clone(), account: account.clone(), scopes, asked: Asked::new() };
        let family = Family { granted, redirect: app.redirects.first().cloned(), from_device: false };
        self.found_family(dialect, app, family)
    }

    fn found_family(&mut self, dialect: &Dialect, app: &OAuthApp, family: Family) -> Issued {
        let granted = &family.granted;
        let first = !self.has_refresh_token(granted);
        let with_refresh = app.expiring && (dialect.refreshable)(&granted.asked, &granted.scopes, first);
        let scopes = granted.scopes.clone();
        self.families.push(family);
        self.issue(dialect, app, self.families.len() - 1, scopes, with_refresh)
    }

    fn has_refresh_token(&self, granted: &Granted) -> bool {
        self.refresh.values().filter(|ticket| ticket.life == TokenLife::Live).any(|ticket| {
            let earlier = &self.families[ticket.family].granted;
            earlier.client_id == granted.client_id && earlier.account.id == granted.account.id
        })
    }

    fn issue(
        &mut self,
        dialect: &Dialect,
        app: &OAuthApp,
        family: usize,
        scopes: Vec<String>,
        with_refresh: bool,
    ) -> Issued {
        let lifetimes = self.lifetimes.unwrap_or(dialect.lifetimes);
        let access = (dialect.mint)(Minted::Access, app);
        let ticket = |sibling: &str| Ticket {
            family,
            scopes: scopes.clone(),
            life: TokenLife::Live,
            sibling: sibling.to_owned(),
        };
        self.access.insert(access.clone(), ticket(""));
        let refresh = with_refresh.then(|| (dialect.mint)(Minted::Refresh, app));
        if let Some(refresh) = &refresh {
            self.refresh.insert(refresh.clone(), ticket(&access));
        }
        let granted = self.families[family].granted.clone();
        Issued {
            access,
            expires_in: lifetimes.access.filter(|_| app.expiring),
            refresh_expires_in: lifetimes.refresh.filter(|_| refresh.is_some()),
            refresh,
            scopes,
            granted,
        }
    }

    /// Whether this refresh token came of the device flow.
    pub(crate) fn is_from_device(&self, refresh: &str) -> bool {
        self.refresh.get(refresh).is_some_and(|ticket| self.families[ticket.family].from_device)
    }

    pub(crate) fn refresh(
        &mut self,
        dialect: &Dialect,
        app: &OAuthApp,
        token: &str,
        redirect: Option<&str>,
        asked: Option<&str>,
    ) -> Result<Issued, Refusal> {
        let ticket = self.refresh.get(token).ok_or(Refusal::BadRefreshToken)?;
        let (number, life, sibling) = (ticket.family, ticket.life, ticket.sibling.clone());
        let family = &self.families[number];
        if family.granted.client_id != app.client_id {
            return Err(Refusal::BadRefreshToken);
        }
        if dialect.refresh_needs_redirect && !family.from_device && redirect != family.redirect.as_deref() {
            return Err(Refusal::RedirectMismatch);
        }
        if life != TokenLife::Live {
            if life == TokenLife::Revoked && dialect.reuse_ends_family {
                self.end_family(number);
            }
            return Err(Refusal::BadRefreshToken);
        }
        let narrower = scopes(asked);
        if !narrower.iter().all(|scope| family.granted.scopes.contains(scope)) {
            return Err(Refusal::BadScope);
        }
        let scopes = if narrower.is_empty() { family.granted.scopes.clone() } else { narrower };
        if matches!(dialect.rotation, Rotation::RefreshOnly | Rotation::KillsAccess) {
            set(&mut self.refresh, token, TokenLife::Revoked);
        }
        if dialect.rotation == Rotation::KillsAccess {
            set(&mut self.access, &sibling, TokenLife::Revoked);
        }
        self.refreshes += 1;
        Ok(self.issue(dialect, app, number, scopes, dialect.rotation != Rotation::Never))
    }

    pub(crate) fn start_device(
        &mut self,
        dialect: &Dialect,
        app: &OAuthApp,
        asked: Vec<String>,
        verification_uri: String,
    ) -> DeviceStart {
        let (device_code, user_code) = ((dialect.mint)(Minted::DeviceCode, app), (dialect.mint)(Minted::UserCode, app));
        let lifetimes = self.lifetimes.unwrap_or(dialect.lifetimes);
        self.devices.push(Device {
            device_code: device_code.clone(),
            user_code: user_code.clone(),
            client_id: app.client_id.clone(),
            asked,
            interval: 5,
            too_soon: false,
            outcome: None,
        });
        DeviceStart { device_code, user_code, verification_uri, expires_in: lifetimes.device, interval: 5 }
    }

    /// Whether there is such a user code.
    pub(crate) fn decide_device(&mut self, user_code: &str, decision: DeviceDecision) -> bool {
        let Some(device) = self.devices.iter_mut().find(|device| device.user_code == user_code) else { return false };
        match decision {
            DeviceDecision::Decide(consent) => device.outcome = Some(Ok(consent)),
            DeviceDecision::SlowDown => device.too_soon = true,
            DeviceDecision::Expire => device.outcome = Some(Err(Refusal::DeviceExpired)),
        }
        true
    }

    pub(crate) fn poll_device(&mut self, dialect: &Dialect, app: &OAuthApp, code: &str) -> Result<Issued, Refusal> {
        let ours = |device: &Device| device.device_code == code && device.client_id == app.client_id;
        let position = self.devices.iter().position(ours).ok_or(Refusal::UnknownDevice)?;
        let device = &mut self.devices[position];
        if std::mem::take(&mut device.too_soon) {
            device.interval += 5;
            return Err(Refusal::SlowDown { interval: device.interval });
        }
        let (account, chosen) = match device.outcome.clone().ok_or(Refusal::Pending)?? {
            Consent::Approve { account, scopes } => (account, scopes),
            Consent::Deny => return Err(Refusal::Denied),
        };
        let device = self.devices.swap_remove(position);
        let scopes = chosen.unwrap_or(device.asked);
        let granted = Granted { client_id: device.client_id, account, scopes, asked: Asked::new() };
        Ok(self.found_family(dialect, app, Family { granted, redirect: None, from_device: true }))
    }

    /// What an access token gives, and whether it works.
    pub(crate) fn lookup(&self, access: &str) -> Option<(Granted, TokenLife)> {
        let ticket = self.access.get(access)?;
        let granted = self.families[ticket.family].granted.clone();
        Some((Granted { scopes: ticket.scopes.clone(), ..granted }, ticket.life))
    }

    /// What a refresh token's life is.
    pub(crate) fn refresh_life(&self, refresh: &str) -> Option<TokenLife> {
        self.refresh.get(refresh).map(|ticket| ticket.life)
    }

    /// Whether an access or refresh token works.
    pub(crate) fn works(&self, token: &str) -> bool {
        let ticket = self.access.get(token).or_else(|| self.refresh.get(token));
        ticket.is_some_and(|ticket| ticket.life == TokenLife::Live)
    }

    /// Ends one token's time, access or refresh.
    pub(crate) fn expire(&mut self, token: &str) -> bool {
        set(&mut self.access, token, TokenLife::Expired) || set(&mut self.refresh, token, TokenLife::Expired)
    }

    /// Revokes one access token and leaves its family.
    pub(crate) fn revoke_access(&mut self, token: &str) -> bool {
        set(&mut self.access, token, TokenLife::Revoked)
    }

    /// The app whose token it is.
    pub(crate) fn client_of(&self, token: &str) -> Option<&str> {
        let ticket = self.access.get(token).or_else(|| self.refresh.get(token))?;
        Some(&self.families[ticket.family].granted.client_id)
    }

    /// Revokes every token that descends from the same consent.
    pub(crate) fn revoke_family(&mut self, token: &str) -> bool {
        let ticket = self.access.get(token).or_else(|| self.refresh.get(token));
        let family = ticket.map(|ticket| ticket.family);
        family.map(|family| self.end_family(family)).is_some()
    }

    /// Revokes everything that an account gave to an app.
    pub(crate) fn revoke_grant(&mut self, client_id: &str, account: u64) {
        let given = |family: &Family| family.granted.client_id == client_id && family.granted.account.id == account;
        let numbers: Vec<_> = (0..self.families.len()).filter(|number| given(&self.families[*number])).collect();
        for number in numbers {
            self.end_family(number);
        }
    }

    fn end_family(&mut self, family: usize) {
        for ticket in self.access.values_mut().chain(self.refresh.values_mut()) {
            if ticket.family == family {
                ticket.life = TokenLife::Revoked;
            }
        }
    }
}

fn set(tickets: &mut HashMap<String, Ticket>, token: &str, life: TokenLife) -> bool {
    tickets.get_mut(token).map(|ticket| ticket.life = life).is_some()
}

/// RFC 7636: the challenge that belongs to a verifier.
pub(crate) fn s256(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}
