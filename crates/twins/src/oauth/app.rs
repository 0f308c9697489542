//! An app that asks for access: what a provider's registration form takes.

use crate::fixtures::Account;

/// The scopes that an app may get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AppScopes {
    /// Whatever it asks for.
    Any,
    /// What it asks for, out of these; these if it asks for nothing.
    Offered(Vec<String>),
    /// These, whatever it asks for.
    Fixed(Vec<String>),
}

/// An OAuth app to register. It takes what it asks for, unless said otherwise.
#[derive(Debug, Clone)]
pub struct OAuthApp {
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<String>,
    pub(crate) confidential: bool,
    pub(crate) redirects: Vec<String>,
    pub(crate) scopes: AppScopes,
    pub(crate) device_flow: bool,
    pub(crate) expiring: bool,
    pub(crate) owner: Option<Account>,
    /// A mark of the provider's, for an app that is of another kind than usual.
    pub(crate) flavour: &'static str,
}

impl OAuthApp {
    /// An app that keeps a secret.
    pub fn confidential(redirect: &str) -> Self {
        Self {
            client_id: String::new(),
            client_secret: None,
            confidential: true,
            redirects: vec![redirect.to_owned()],
            scopes: AppScopes::Any,
            device_flow: false,
            expiring: true,
            owner: None,
            flavour: "",
        }
    }

    /// An app without a secret, which must prove possession by PKCE.
    pub fn public(redirect: &str) -> Self {
        Self { confidential: false, ..Self::confidential(redirect) }
    }

    /// The client id; made up otherwise.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.client_id);
        self
    }

    /// The client secret; made up otherwise.
    #[must_use]
    pub fn secret(mut self, secret: &str) -> Self {
        self.client_secret = Some(secret.to_owned());
        self
    }

    /// One more redirect address.
    #[must_use]
    pub fn redirect(mut self, address: &str) -> Self {
        self.redirects.push(address.to_owned());
        self
    }

    /// The scopes that may be asked for.
    #[must_use]
    pub fn offers<'a>(mut self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        self.scopes = AppScopes::Offered(scopes.into_iter().map(str::to_owned).collect());
        self
    }

    /// The scopes that the app gets, whatever it asks for.
    #[must_use]
    pub fn fixed<'a>(mut self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        self.scopes = AppScopes::Fixed(scopes.into_iter().map(str::to_owned).collect());
        self
    }

    /// Allows the device flow, which is off otherwise.
    #[must_use]
    pub fn device_flow(mut self) -> Self {
        self.device_flow = true;
        self
    }

    /// Its tokens have no end and no refresh token.
    #[must_use]
    pub fn without_expiry(mut self) -> Self {
        self.expiring = false;
        self
    }

    /// Whom the app acts as by client credentials alone.
    #[must_use]
    pub fn owner(mut self, account: &Account) -> Self {
        self.owner = Some(account.clone());
        self
    }

    /// The client id of a registered app.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The client secret of a registered app; empty for a public one.
    pub fn client_secret(&self) -> &str {
        self.client_secret.as_deref().unwrap_or_default()
    }

    /// The scopes that a request for these comes to; `None` if it asks for one that the app may not have.
    pub(crate) fn narrow(&self, asked: Vec<String>) -> Option<Vec<String>> {
        match &self.scopes {
            AppScopes::Any => Some(asked),
            AppScopes::Fixed(fixed) => Some(fixed.clone()),
            AppScopes::Offered(offered) if asked.is_empty() => Some(offered.clone()),
            AppScopes::Offered(offered) => asked.iter().all(|scope| offered.contains(scope)).then_some(asked),
        }
    }
}
