use serde::Deserialize;
use url::Url;

use super::{IssuerUrl, OidcError, issuer::is_safe};
use crate::{
    http::ApiResponse,
    oauth::{ClientAuth, Issuer, OAuthProfile},
};

/// What an OpenID provider says of itself (OpenID Connect Discovery 1.0), as far as it is used.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    pub(super) userinfo_endpoint: Option<Url>,
    pub(super) jwks_uri: Url,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Reads what came from the issuer's own address.
    pub(super) fn read(issuer: &IssuerUrl, answer: &ApiResponse) -> Result<Self, OidcError> {
        let wrong = |saw| OidcError::NotAProvider { issuer: issuer.to_string(), saw };
        if !answer.status.is_success() {
            return Err(wrong("an error in place of its configuration"));
        }
        let read: Self =
            serde_json::from_slice(&answer.body).map_err(|_| wrong("something else than its configuration"))?;
        if read.issuer != issuer.as_str() {
            return Err(OidcError::OtherIssuer { issuer: issuer.to_string() });
        }
        let all = [&read.authorization_endpoint, &read.token_endpoint, &read.jwks_uri];
        if !all.into_iter().chain(&read.userinfo_endpoint).all(is_safe) {
            return Err(wrong("an endpoint without TLS"));
        }
        Ok(read)
    }

    /// The same as the OAuth client wants it.
    pub(super) fn profile(&self) -> OAuthProfile {
        let methods = self.token_endpoint_auth_methods_supported.as_deref();
        let only_by_form = methods.is_some_and(|methods| {
            let has = |name: &str| methods.iter().any(|method| method == name);
            has("client_secret_post") && !has("client_secret_basic")
        });
        let always_stated = self.authorization_response_iss_parameter_supported;
        OAuthProfile {
            client_auth: if only_by_form { ClientAuth::Form } else { ClientAuth::Basic },
            issuer: Some(Issuer { name: self.issuer.clone(), always_stated }),
            ..OAuthProfile::new(self.authorization_endpoint.clone(), self.token_endpoint.clone())
        }
    }
}
