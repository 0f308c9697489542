use http::{HeaderValue, Method, header};
use jiff::Timestamp;
use reqwest::Request;
use url::Url;
use valetkey_seal::Secret;

use super::{
    OAuthApp, OAuthError, OAuthProfile, PkceUse, Tokens,
    refusal::Step,
    reply::Reply,
    sent::{Fields, Secrets},
};
use crate::Http;

/// One app at one provider, at one moment.
#[derive(Debug, Clone, Copy)]
pub struct OAuthClient<'a> {
    /// The guarded client.
    pub http: &'a Http,
    /// The provider's ways and addresses.
    pub profile: &'a OAuthProfile,
    /// Who asks.
    pub app: OAuthApp<'a>,
    /// The present moment, from which times to live are counted.
    pub now: Timestamp,
}

impl<'a> OAuthClient<'a> {
    /// Exchanges a callback's code for tokens.
    ///
    /// # Errors
    /// What the provider refuses, or why it could not be asked.
    pub async fn exchange(&self, code: &Secret<String>, verifier: &Secret<String>) -> Result<Tokens, OAuthError> {
        self.tokens(&self.redeem(code, verifier).await?, Step::Code)
    }

    /// The same where the provider also signs a token that says who agreed (OpenID Connect).
    pub(crate) async fn exchange_for_id_token(
        &self,
        code: &Secret<String>,
        verifier: &Secret<String>,
    ) -> Result<(Tokens, Option<Secret<String>>), OAuthError> {
        let reply = self.redeem(code, verifier).await?;
        Ok((self.tokens(&reply, Step::Code)?, reply.text("id_token").map(Secret::from)))
    }

    async fn redeem(&self, code: &Secret<String>, verifier: &Secret<String>) -> Result<Reply, OAuthError> {
        let fields = Fields::new().plain("grant_type", "authorization_code").secret("code", code);
        let mut fields = fields.plain("redirect_uri", self.app.redirect_uri);
        if self.profile.pkce == PkceUse::S256 {
            fields = fields.secret("code_verifier", verifier);
        }
        self.post(&self.profile.token_url, self.app, fields).await
    }

    /// Gets new tokens. Where the provider gives no new refresh token the old one is returned again.
    ///
    /// Never sent twice: where tokens rotate, a second time may end the authorization. [`OAuthError::outcome`] tells whether
    /// it may be tried again.
    ///
    /// # Errors
    /// What the provider refuses, or why it could not be asked.
    pub async fn refresh(&self, refresh_token: &Secret<String>) -> Result<Tokens, OAuthError> {
        let fields = Fields::new().plain("grant_type", "refresh_token").secret("refresh_token", refresh_token);
        let fields = if self.profile.refresh_wants_redirect_uri {
            fields.plain("redirect_uri", self.app.redirect_uri)
        } else {
            fields
        };
        let reply = self.post(&self.profile.token_url, self.app, fields).await?;
        let mut tokens = self.tokens(&reply, Step::Refresh)?;
        tokens.refresh.get_or_insert_with(|| refresh_token.clone());
        Ok(tokens)
    }

    /// Exchanges a token that stays for tokens that rotate, where the provider has a method for that at `url`. The old one
    /// dies. Never sent twice, as with [`refresh`](Self::refresh).
    ///
    /// # Errors
    /// What the provider refuses, or why it could not be asked.
    pub(crate) async fn exchange_token(&self, url: &Url, token: &Secret<String>) -> Result<Tokens, OAuthError> {
        let reply = self.post(url, self.app, Fields::new().secret("token", token)).await?;
        self.tokens(&reply, Step::Refresh)
    }

    pub(super) fn tokens(&self, reply: &Reply, step: Step) -> Result<Tokens, OAuthError> {
        let OAuthProfile { token_answer, dead_grant_words, .. } = self.profile;
        Tokens::of(reply, *token_answer, step, dead_grant_words, self.now)
    }

    pub(super) async fn post<'f>(&self, url: &Url, app: OAuthApp<'f>, fields: Fields<'f>) -> Result<Reply, OAuthError> {
        let mut request = Request::new(Method::POST, url.clone());
        let secrets = fields.put_on(&mut request, self.profile.client_auth, app);
        self.send(request, secrets).await
    }

    pub(super) async fn send(&self, mut request: Request, secrets: Secrets) -> Result<Reply, OAuthError> {
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let response = self.http.send(request).await?;
        Ok(Reply::new(response, secrets, self.now))
    }
}
