use std::{fmt, sync::Arc};

use jiff::Timestamp;
use url::Url;
use valetkey_model::Claims;
use valetkey_seal::{Secret, is_same};

use super::{
    IssuerUrl, OidcError, TokenFault, claims,
    provider::{Known, OpenIdProvider},
    token::{Members, Signed},
};
use crate::{
    Http,
    oauth::{Callback, OAuthApp, OAuthClient, OAuthProfile, Pkce, State},
};

/// What an administrator set.
#[derive(Debug)]
pub struct RelyingPartyConfig {
    /// Whom to believe.
    pub issuer: IssuerUrl,
    /// Our name there.
    pub client_id: String,
    /// Our secret there, unless we are a public client.
    pub client_secret: Option<Secret<String>>,
    /// What to ask for; `openid` among it.
    pub scopes: Vec<String>,
    /// The claim with the groups.
    pub groups_claim: String,
}

/// What ties the answer to a sign-in to the browser that began it. Each is random, and good for one sign-in.
#[derive(Debug)]
pub struct AttemptSecrets {
    /// Comes back with the answer.
    pub state: Secret<String>,
    /// Comes back within the ID token.
    pub nonce: Secret<String>,
    /// Proves that who exchanges the code is who asked for it; 43 to 128 letters of URL-safe base64.
    pub verifier: Secret<String>,
}

/// Us, as a client of an OpenID provider. Cheap to clone; clones share what they found out.
#[derive(Clone)]
pub struct RelyingParty {
    config: Arc<RelyingPartyConfig>,
    provider: Arc<OpenIdProvider>,
}

impl RelyingParty {
    /// Nothing is asked before somebody signs in. `http` must be allowed to reach the issuer.
    pub fn new(http: Http, config: RelyingPartyConfig) -> Self {
        let provider = OpenIdProvider::new(http, config.issuer.clone());
        Self { config: Arc::new(config), provider: Arc::new(provider) }
    }

    /// Whom we believe.
    pub fn issuer(&self) -> &IssuerUrl {
        &self.config.issuer
    }

    /// Whether the issuer answers, and is one.
    ///
    /// # Errors
    /// Why nobody could sign in.
    pub async fn check(&self, now: Timestamp) -> Result<(), OidcError> {
        self.provider.known(now).await.map(drop)
    }

    /// Where the browser is sent to sign in.
    ///
    /// # Errors
    /// When the issuer can't be asked, or is none.
    pub async fn authorize_url(
        &self,
        redirect_uri: &str,
        secrets: &AttemptSecrets,
        now: Timestamp,
    ) -> Result<Url, OidcError> {
        let profile = self.provider.known(now).await?.metadata.profile();
        let scopes: Vec<&str> = self.config.scopes.iter().map(String::as_str).collect();
        let (state, pkce) = (State::of(secrets.state.clone()), Pkce::of(secrets.verifier.clone()));
        let mut url = profile.authorization_url(self.app(redirect_uri), &scopes, &state, pkce.challenge());
        put_nonce(&mut url, &secrets.nonce);
        Ok(url)
    }

    /// Takes the answer that came to `redirect_uri` with this query: who signed in.
    ///
    /// # Errors
    /// [`OidcError::OtherAttempt`] for an answer to another question; what the issuer refuses; a token that does not count.
    pub async fn finish(
        &self,
        redirect_uri: &str,
        query: &str,
        secrets: &AttemptSecrets,
        now: Timestamp,
    ) -> Result<Claims, OidcError> {
        let (code, iss) = answered(query, &secrets.state)?;
        let known = self.provider.known(now).await?;
        let profile = known.metadata.profile();
        profile.check_issuer(iss.as_deref())?;
        let client = self.client(&profile, redirect_uri, now);
        let (tokens, id_token) = client.exchange_for_id_token(&code, &secrets.verifier).await?;
        let id_token = id_token.ok_or(OidcError::NoIdToken)?;
        let (signed, known) = self.signed(&known, &id_token, now).await?;
        signed.check_id_token(&self.config.issuer, &self.config.client_id, &secrets.nonce, now)?;
        let members = self.completed(&known, signed.members, &tokens.access).await?;
        Ok(claims::read(&self.config.issuer, &members, &self.config.groups_claim)?)
    }

    /// Whom an access token in the form of a JWT for us is about, and its end. What it says besides is not looked at.
    ///
    /// # Errors
    /// A token that does not count; when the issuer can't be asked for its keys.
    pub async fn subject_of(&self, access: &Secret<String>, now: Timestamp) -> Result<(Claims, Timestamp), OidcError> {
        let known = self.provider.known(now).await?;
        let (signed, _) = self.signed(&known, access, now).await?;
        let end = signed.check_access_token(&self.config.issuer, &self.config.client_id, now)?;
        Ok((claims::read(&self.config.issuer, &signed.members, &self.config.groups_claim)?, end))
    }

    /// A token that the issuer signed. A key that is not known yet may be a new one.
    #[expect(clippy::disallowed_methods, reason = "the token is read")]
    async fn signed(
        &self,
        known: &Arc<Known>,
        token: &Secret<String>,
        now: Timestamp,
    ) -> Result<(Signed, Arc<Known>), OidcError> {
        match Signed::read(token.expose(), &known.keys) {
            Err(TokenFault::UnknownKey) => {
                let newer = self.provider.with_newer_keys(known, now).await?;
                Ok((Signed::read(token.expose(), &newer.keys)?, newer))
            }
            read => Ok((read?, Arc::clone(known))),
        }
    }

    /// What the ID token says and, where it leaves something out, what the userinfo endpoint says besides.
    async fn completed(&self, known: &Known, mut said: Members, access: &Secret<String>) -> Result<Members, OidcError> {
        let Some(url) = &known.metadata.userinfo_endpoint else { return Ok(said) };
        if !claims::are_missing(&said, &self.config.groups_claim) {
            return Ok(said);
        }
        let more = self.provider.userinfo(url, access).await?;
        // Its answer is not signed, so that this alone ties it to the person.
        if more.get("sub") != said.get("sub") {
            return Err(TokenFault::Subject.into());
        }
        // An address and whether it is verified belong together.
        let one_address = said.get("email").is_none_or(|own| more.get("email") == Some(own));
        if !said.contains_key("email") {
            said.remove("email_verified");
        }
        for (name, value) in more {
            if one_address || name != "email_verified" {
                said.entry(name).or_insert(value);
            }
        }
        Ok(said)
    }

    fn app<'a>(&'a self, redirect_uri: &'a str) -> OAuthApp<'a> {
        let RelyingPartyConfig { client_id, client_secret, .. } = &*self.config;
        OAuthApp { client_id, client_secret: client_secret.as_ref(), redirect_uri }
    }

    fn client<'a>(&'a self, profile: &'a OAuthProfile, redirect_uri: &'a str, now: Timestamp) -> OAuthClient<'a> {
        OAuthClient { http: self.provider.http(), profile, app: self.app(redirect_uri), now }
    }
}

impl fmt::Debug for RelyingParty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelyingParty").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The code of an answer to this browser's question. A refusal too counts only with the right state: anybody can send a
/// browser here with any words.
fn answered(query: &str, state: &Secret<String>) -> Result<(Secret<String>, Option<String>), OidcError> {
    match Callback::parse(query) {
        Callback::Code { code, state: stated, iss } if is_same(state, &stated) => Ok((code, iss)),
        Callback::Refused { error, description, state: Some(stated) } if is_same(state, &stated) => {
            Err(Callback::refusal(&error, &description).into())
        }
        _ => Err(OidcError::OtherAttempt),
    }
}

#[expect(clippy::disallowed_methods, reason = "the nonce is a parameter of the authorization page")]
fn put_nonce(url: &mut Url, nonce: &Secret<String>) {
    url.query_pairs_mut().append_pair("nonce", nonce.expose());
}
