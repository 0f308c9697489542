use url::Url;
use valetkey_seal::Secret;

/// What is particular to one provider's OAuth at one instance. Only the addresses in here are ever called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthProfile {
    /// Where the browser is sent.
    pub authorize_url: Url,
    /// Where codes and refresh tokens are exchanged.
    pub token_url: Url,
    /// Where the device flow begins, if there is one.
    pub device_url: Option<Url>,
    /// Hosts, besides the authorization page's own, whose page may be the one where a device's code is typed in.
    pub device_page_hosts: &'static [&'static str],
    /// Whether the device flow's calls leave the client secret out.
    pub device_without_secret: bool,
    /// How tokens are revoked, if they can be.
    pub revocation: Option<Revocation>,
    /// How the app proves who it is.
    pub client_auth: ClientAuth,
    /// What stands between scopes.
    pub scope_separator: char,
    /// Further parameters of the authorization page.
    pub authorize_extra: &'static [(&'static str, &'static str)],
    /// Whether PKCE is used.
    pub pkce: PkceUse,
    /// What a refresh does to the tokens there were before it.
    pub rotation: Rotation,
    /// Whether a refresh must repeat the redirect address.
    pub refresh_wants_redirect_uri: bool,
    /// Error words that, as the answer to a refresh, mean that the grant is gone, besides the common ones.
    pub dead_grant_words: &'static [&'static str],
    /// The form of an answer with tokens.
    pub token_answer: TokenAnswer,
    /// The issuer that the authorization answer must name (RFC 9207).
    pub issuer: Option<Issuer>,
}

impl OAuthProfile {
    /// A server that follows the standards: RFC 6749 with the secret as a form field, PKCE, rotating refresh tokens.
    pub fn new(authorize_url: Url, token_url: Url) -> Self {
        Self {
            authorize_url,
            token_url,
            device_url: None,
            device_page_hosts: &[],
            device_without_secret: false,
            revocation: None,
            client_auth: ClientAuth::Form,
            scope_separator: ' ',
            authorize_extra: &[],
            pkce: PkceUse::S256,
            rotation: Rotation::RefreshOnly,
            refresh_wants_redirect_uri: false,
            dead_grant_words: &[],
            token_answer: TokenAnswer::Standard,
            issuer: None,
        }
    }
}

/// How the app proves who it is. An app without a secret only names itself, in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// Id and secret in the `Authorization` header.
    Basic,
    /// Id and secret as fields of the form.
    Form,
    /// Id and secret as members of a JSON body.
    Json,
}

/// Whether PKCE is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PkceUse {
    /// With SHA-256.
    S256,
    /// The provider has none.
    Unsupported,
}

/// What a refresh does to the tokens there were before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Nothing: the refresh token stays.
    None,
    /// The refresh token is used up.
    RefreshOnly,
    /// The refresh token is used up, and the access token dies with it.
    KillsAccess,
}

/// The form of an answer with tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenAnswer {
    /// RFC 6749.
    Standard,
    /// Slack's: `ok` instead of a status, the workspace beside the token.
    Slack,
}

/// How tokens are revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// RFC 7009.
    Standard {
        /// The endpoint.
        url: Url,
    },
    /// GitHub's: the whole grant, by the access token.
    GitHubGrant {
        /// `…/applications` of the API, under which each app has its grants.
        url: Url,
    },
    /// Slack's `auth.revoke`: the access token, by itself.
    SlackAuth {
        /// The method's address.
        url: Url,
    },
}

/// An authorization server's name for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// The name, compared letter by letter.
    pub name: String,
    /// Whether the server always states it, so that an answer without it is not from there.
    pub always_stated: bool,
}

/// The app as the administrator registered it with the provider.
#[derive(Debug, Clone, Copy)]
pub struct OAuthApp<'a> {
    /// Its public name.
    pub client_id: &'a str,
    /// Its secret, unless it is a public client.
    pub client_secret: Option<&'a Secret<String>>,
    /// Our callback's address, exactly as registered.
    pub redirect_uri: &'a str,
}
