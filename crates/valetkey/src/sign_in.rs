//! The tables of the settings file that say by what people sign in, and what is made of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use http::HeaderName;
use serde::Deserialize;
use valetkey_model::{Admission, Problem, ProblemCode};
use valetkey_providers::{
    Http,
    oidc::{IssuerUrl, RelyingParty, RelyingPartyConfig},
};
use valetkey_seal::Secret;
use valetkey_server::{IdentityProvider, SignIn, TrustedProxy};
use zeroize::Zeroizing;

use crate::{settings::Settings, wiring};

/// `[oidc]`: an OpenID provider. Its client's secret is in a file or a variable of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OidcTable {
    issuer: String,
    client_id: String,
    client_secret_file: Option<PathBuf>,
    client_secret_env: Option<String>,
    /// What the button says; the issuer's host if none.
    name: Option<String>,
    #[serde(default = "usual_scopes")]
    scopes: Vec<String>,
    #[serde(default = "usual_groups_claim")]
    groups_claim: String,
    #[serde(default)]
    admin_groups: Vec<String>,
    #[serde(default)]
    admin_emails: Vec<String>,
    #[serde(default)]
    allowed_domains: Vec<String>,
    #[serde(default)]
    allowed_groups: Vec<String>,
}

/// `[trusted_proxy]`: a reverse proxy that says who sends a request. A header that is not named is not looked at.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProxyTable {
    secret_file: Option<PathBuf>,
    secret_env: Option<String>,
    user_header: String,
    email_header: Option<String>,
    name_header: Option<String>,
    groups_header: Option<String>,
    #[serde(default)]
    admin_groups: Vec<String>,
    #[serde(default)]
    admin_emails: Vec<String>,
}

fn usual_scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

fn usual_groups_claim() -> String {
    "groups".to_owned()
}

/// Headers that mean something else.
const TAKEN: [&str; 4] = ["authorization", "cookie", "host", "x-valetkey-proxy-secret"];

impl OidcTable {
    /// The same with paths relative to the settings file's folder.
    pub(crate) fn settled(self, folder: &Path) -> Self {
        Self { client_secret_file: self.client_secret_file.map(|path| folder.join(path)), ..self }
    }

    /// Says what is wrong, of what can be seen without the secret.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.issuer.parse::<IssuerUrl>().map_err(|error| format!("`issuer`: {error}"))?;
        if self.client_id.trim().is_empty() {
            return Err("`client_id` is empty".to_owned());
        }
        if self.client_secret_file.is_some() && self.client_secret_env.is_some() {
            return Err(
                "give one of `client_secret_file` and `client_secret_env`, or neither for a public client".to_owned()
            );
        }
        if !self.scopes.iter().any(|scope| scope == "openid") || self.scopes.iter().any(|scope| scope.contains(' ')) {
            return Err("`scopes` must be a list with \"openid\" in it, one scope an entry".to_owned());
        }
        if self.allowed_domains.iter().any(|domain| domain.contains('@') || !domain.contains('.')) {
            return Err("`allowed_domains` must be domains, such as \"example.com\"".to_owned());
        }
        check_addresses(&self.admin_emails)
    }

    fn admission(&self) -> Admission {
        Admission::everybody()
            .only_domains(self.allowed_domains.iter().cloned())
            .only_groups(self.allowed_groups.iter().cloned())
            .administrators(self.admin_emails.iter().cloned(), self.admin_groups.iter().cloned())
    }

    /// Makes us a client of the issuer. Its host was named by an administrator: it may be reached although it is private.
    pub(crate) fn identity_provider(&self, settings: &Settings) -> Result<IdentityProvider, Problem> {
        let wrong = |why: String| Problem::new(ProblemCode::InvalidInput, format!("[oidc]: {why}."));
        let issuer: IssuerUrl = self.issuer.parse().map_err(|error| wrong(format!("`issuer`: {error}")))?;
        let http: Http = wiring::outbound_to(settings, issuer.host())?;
        let client_secret = read_secret(self.client_secret_file.as_deref(), self.client_secret_env.as_deref());
        let client_secret = client_secret.map_err(|why| wrong(format!("the client secret {why}")))?;
        Ok(IdentityProvider {
            name: self.name.clone().unwrap_or_else(|| usual_name(&issuer)),
            admission: self.admission(),
            party: RelyingParty::new(
                http,
                RelyingPartyConfig {
                    issuer,
                    client_id: self.client_id.clone(),
                    client_secret,
                    scopes: self.scopes.clone(),
                    groups_claim: self.groups_claim.clone(),
                },
            ),
        })
    }
}

impl ProxyTable {
    /// The same with paths relative to the settings file's folder.
    pub(crate) fn settled(self, folder: &Path) -> Self {
        Self { secret_file: self.secret_file.map(|path| folder.join(path)), ..self }
    }

    /// Says what is wrong, of what can be seen without the secret.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.secret_file.is_some() == self.secret_env.is_some() {
            return Err(
                "give one of `secret_file` and `secret_env`: headers count only beside the proxy's secret".to_owned()
            );
        }
        self.headers()?;
        check_addresses(&self.admin_emails)
    }

    fn headers(&self) -> Result<[Option<HeaderName>; 4], String> {
        let named = |key: &str, name: Option<&String>| {
            let header = name.map(|name| name.parse::<HeaderName>()).transpose().ok();
            let header = header.filter(|header| header.as_ref().is_none_or(|name| !TAKEN.contains(&name.as_str())));
            header.ok_or_else(|| format!("`{key}` must be the name of a header that means nothing else"))
        };
        Ok([
            named("user_header", Some(&self.user_header))?,
            named("email_header", self.email_header.as_ref())?,
            named("name_header", self.name_header.as_ref())?,
            named("groups_header", self.groups_header.as_ref())?,
        ])
    }

    fn trusted_proxy(&self) -> Result<TrustedProxy, Problem> {
        let wrong = |why: String| Problem::new(ProblemCode::InvalidInput, format!("[trusted_proxy]: {why}."));
        let [user, email, name, groups] = self.headers().map_err(wrong)?;
        let secret = read_secret(self.secret_file.as_deref(), self.secret_env.as_deref());
        let secret = secret.map_err(|why| wrong(format!("the secret {why}")))?;
        let weak = || wrong("the secret must have at least 20 characters; `openssl rand -hex 32` makes one".to_owned());
        Ok(TrustedProxy {
            secret: secret.filter(is_strong).ok_or_else(weak)?,
            user: user.ok_or_else(|| wrong("`user_header` is missing".to_owned()))?,
            email,
            name,
            groups,
            admission: Admission::everybody()
                .administrators(self.admin_emails.iter().cloned(), self.admin_groups.iter().cloned()),
        })
    }
}

/// What the settings say of signing in, with the secrets, which are read here.
pub(crate) fn read(settings: &Settings) -> Result<SignIn, Problem> {
    Ok(SignIn {
        identity_provider: settings.oidc.as_ref().map(|table| table.identity_provider(settings)).transpose()?,
        proxy: settings.trusted_proxy.as_ref().map(ProxyTable::trusted_proxy).transpose()?,
    })
}

/// A secret that is in a file or a variable; none if neither is named. The error is the rest of a sentence.
pub(crate) fn read_secret(file: Option<&Path>, variable: Option<&str>) -> Result<Option<Secret<String>>, String> {
    let secret = match (file, variable) {
        (Some(file), _) => {
            Some(fs::read_to_string(file).map_err(|e| format!("can't be read from {}: {e}", file.display()))?)
        }
        (None, Some(variable)) => {
            Some(std::env::var(variable).map_err(|_| format!("is not in the variable {variable}"))?)
        }
        (None, None) => None,
    };
    let secret = secret.map(Zeroizing::new).map(|secret| secret.trim().to_owned());
    if secret.as_ref().is_some_and(String::is_empty) {
        return Err("is empty".to_owned());
    }
    Ok(secret.map(Secret::new))
}

/// A short secret could be guessed over the network.
#[expect(clippy::disallowed_methods, reason = "only its form is looked at")]
fn is_strong(secret: &Secret<String>) -> bool {
    secret.expose().len() >= 20
}

fn check_addresses(emails: &[String]) -> Result<(), String> {
    let wrong = emails.iter().any(|email| !email.contains('@'));
    if wrong { Err("`admin_emails` must be e-mail addresses".to_owned()) } else { Ok(()) }
}

fn usual_name(issuer: &IssuerUrl) -> String {
    match issuer.host() {
        "accounts.google.com" => "Google".to_owned(),
        "login.microsoftonline.com" => "Microsoft".to_owned(),
        _ => issuer.authority().to_owned(),
    }
}
