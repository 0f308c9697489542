//! What a test holds of an authorization server.

use std::sync::Mutex;

use super::app::OAuthApp;
use super::consent::{Consent, DeviceDecision};
use super::dialect::{Dialect, Lifetimes, Minted};
use super::ledger::{Granted, Ledger, TokenLife};
use crate::fixtures::Account;
use crate::world::locked;

/// The tokens that an app got for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// The access token.
    pub access: String,
    /// The refresh token, where there is one.
    pub refresh: Option<String>,
}

/// A provider's authorization server. Nothing ends by itself: codes and tokens end when they are told to.
pub struct Authority {
    pub(crate) url: String,
    pub(crate) dialect: Dialect,
    pub(crate) ledger: Mutex<Ledger>,
}

impl Authority {
    pub(crate) fn new(url: &str, dialect: Dialect) -> Self {
        Self { url: url.to_owned(), dialect, ledger: Mutex::default() }
    }

    /// Registers an app and returns it with its id and secret.
    pub fn register(&self, mut app: OAuthApp) -> OAuthApp {
        if app.client_id.is_empty() {
            app.client_id = (self.dialect.mint)(Minted::ClientId, &app);
        }
        if app.confidential && app.client_secret.is_none() {
            app.client_secret = Some((self.dialect.mint)(Minted::ClientSecret, &app));
        }
        locked(&self.ledger).apps.push(app.clone());
        app
    }

    /// Chooses the answer to the next authorization request; several wait in line.
    pub fn consent(&self, consent: Consent) {
        locked(&self.ledger).consents.push_back(consent);
    }

    /// Chooses the answer to every authorization request that no [`consent`](Self::consent) waits for.
    pub fn consent_always(&self, consent: Consent) {
        locked(&self.ledger).standing = Some(consent);
    }

    /// Decides about a device code, by the user code that goes with it.
    ///
    /// # Panics
    /// There is no such user code.
    pub fn device(&self, user_code: &str, decision: DeviceDecision) {
        assert!(locked(&self.ledger).decide_device(user_code, decision), "there is no user code {user_code:?}");
    }

    /// Makes every authorization code that waits to be redeemed expire.
    pub fn expire_codes(&self) {
        locked(&self.ledger).expire_codes();
    }

    /// Makes an access or refresh token expire.
    ///
    /// # Panics
    /// There is no such token.
    pub fn expire(&self, token: &str) {
        assert!(locked(&self.ledger).expire(token), "the authority gave out no such token");
    }

    /// Revokes every token that descends from the same consent, as a person does in the provider's settings.
    ///
    /// # Panics
    /// There is no such token.
    pub fn revoke(&self, token: &str) {
        assert!(self.end(token), "the authority gave out no such token");
    }

    /// How many refreshes succeeded.
    pub fn refreshes(&self) -> u64 {
        locked(&self.ledger).refreshes
    }

    /// The lifetimes that answers tell, in seconds, instead of the provider's documented ones.
    pub fn lifetimes(&self, access: Option<u64>, refresh: Option<u64>) {
        let mut ledger = locked(&self.ledger);
        ledger.lifetimes = Some(Lifetimes { access, refresh, ..self.dialect.lifetimes });
    }

    /// Gives an app tokens for an account without any flow.
    ///
    /// # Panics
    /// The app is not registered.
    pub fn grant<'a>(&self, app: &OAuthApp, account: &Account, scopes: impl IntoIterator<Item = &'a str>) -> Tokens {
        let mut ledger = locked(&self.ledger);
        let app = ledger.app(&app.client_id).expect("the app is registered").clone();
        let scopes = scopes.into_iter().map(str::to_owned).collect();
        let issued = ledger.grant(&self.dialect, &app, account, scopes);
        Tokens { access: issued.access, refresh: issued.refresh }
    }

    /// Whether an access or refresh token works; `None` for one that was never given out.
    pub fn life(&self, token: &str) -> Option<TokenLife> {
        let ledger = locked(&self.ledger);
        ledger.lookup(token).map(|(_, life)| life).or_else(|| ledger.refresh_life(token))
    }

    /// What an access token gives, and whether it works.
    pub(crate) fn lookup(&self, access: &str) -> Option<(Granted, TokenLife)> {
        locked(&self.ledger).lookup(access)
    }

    /// A registered app.
    pub(crate) fn app(&self, client_id: &str) -> Option<OAuthApp> {
        locked(&self.ledger).app(client_id).cloned()
    }

    /// Revokes a token with its family, as a revocation endpoint does. `false` for an unknown token.
    pub(crate) fn end(&self, token: &str) -> bool {
        locked(&self.ledger).revoke_family(token)
    }

    /// Revokes one access token, which leaves its refresh token good.
    pub(crate) fn end_access(&self, token: &str) -> bool {
        locked(&self.ledger).revoke_access(token)
    }

    /// Revokes everything that an account gave to an app.
    pub(crate) fn end_grant(&self, client_id: &str, account: u64) {
        locked(&self.ledger).revoke_grant(client_id, account);
    }
}
