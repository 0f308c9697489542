use http::{HeaderValue, Method, StatusCode, header};
use reqwest::Request;
use serde_json::Value;
use url::Url;
use valetkey_seal::Secret;

use super::{
    OAuthClient, OAuthError, Revocation,
    refusal::{self, Step},
    reply::Reply,
    sent::{Fields, Secrets},
};

/// What became of a wish to revoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoked {
    /// The provider says that it is done.
    Done,
    /// The provider does not know the token, perhaps because it has ended already.
    NotKnown,
    /// The provider has no way to do it; only the person can, in the account's settings there.
    NotOffered,
}

impl OAuthClient<'_> {
    /// Ends an authorization at the provider, as far as the provider lets us.
    ///
    /// # Errors
    /// What the provider refuses, or why it could not be asked. Asking again does no harm.
    pub async fn revoke(
        &self,
        access: &Secret<String>,
        refresh: Option<&Secret<String>>,
    ) -> Result<Revoked, OAuthError> {
        match &self.profile.revocation {
            None => Ok(Revoked::NotOffered),
            Some(Revocation::Standard { url }) => {
                // Whether one takes the other with it differs. The refresh token first: it lives longer.
                let refreshing = match refresh {
                    Some(refresh) => self.revoke_standard(url, refresh, "refresh_token").await?,
                    None => Revoked::NotKnown,
                };
                let accessing = self.revoke_standard(url, access, "access_token").await?;
                Ok(if refreshing == Revoked::Done { refreshing } else { accessing })
            }
            Some(Revocation::GitHubGrant { url }) => self.revoke_github(url, access).await,
            Some(Revocation::SlackAuth { url }) => self.revoke_slack(url, access).await,
        }
    }

    async fn revoke_standard(
        &self,
        url: &Url,
        token: &Secret<String>,
        hint: &'static str,
    ) -> Result<Revoked, OAuthError> {
        let fields = Fields::new().secret("token", token).plain("token_type_hint", hint);
        verdict(&self.post(url, self.app, fields).await?)
    }

    async fn revoke_github(&self, url: &Url, access: &Secret<String>) -> Result<Revoked, OAuthError> {
        let Some(secret) = self.app.client_secret else {
            return Err(OAuthError::ClientRejected { said: "it wants the client secret".to_owned() });
        };
        let mut url = url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend([self.app.client_id, "grant"]);
        }
        let mut request = Request::new(Method::DELETE, url);
        let mut secrets = Secrets::default();
        request.headers_mut().insert(header::AUTHORIZATION, secrets.basic(self.app.client_id, secret));
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(secrets.json("access_token", access).into());
        let reply = self.send(request, secrets).await?;
        if reply.status == StatusCode::NOT_FOUND && reply.is_understood() {
            return Ok(Revoked::NotKnown);
        }
        verdict(&reply)
    }

    async fn revoke_slack(&self, url: &Url, access: &Secret<String>) -> Result<Revoked, OAuthError> {
        let mut request = Request::new(Method::POST, url.clone());
        let mut secrets = Secrets::default();
        let Some(header) = secrets.bearer(access) else { return Ok(Revoked::NotKnown) };
        request.headers_mut().insert(header::AUTHORIZATION, header);
        let reply = self.send(request, secrets).await?;
        let revoked = verdict(&reply)?;
        match reply.get("revoked").and_then(Value::as_bool) {
            Some(true) => Ok(revoked),
            // That the method worked is not yet that there was something to revoke.
            Some(false) => Ok(Revoked::NotKnown),
            None if revoked == Revoked::NotKnown => Ok(revoked),
            None => Err(reply.unreadable()),
        }
    }
}

fn verdict(reply: &Reply) -> Result<Revoked, OAuthError> {
    const NOT_KNOWN: [&str; 5] =
        ["invalid_token", "token_expired", "token_revoked", "invalid_auth", "account_inactive"];
    if !reply.status.is_server_error() && reply.error().is_some_and(|word| NOT_KNOWN.contains(&word)) {
        return Ok(Revoked::NotKnown);
    }
    refusal::of_reply(reply, Step::Revoke, &[]).map_or(Ok(Revoked::Done), Err)
}
