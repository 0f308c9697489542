use std::collections::BTreeMap;

use url::{Url, form_urlencoded};
use valetkey_seal::Secret;

use super::{Challenge, OAuthApp, OAuthError, OAuthProfile, PkceUse, State, refusal};
use crate::api::one_line;

/// No real callback is longer; Entra's codes have over a thousand letters.
const LONGEST_QUERY: usize = 16 << 10;

impl OAuthProfile {
    /// Where the browser is sent to ask the person for access.
    pub fn authorization_url(&self, app: OAuthApp<'_>, scopes: &[&str], state: &State, challenge: &Challenge) -> Url {
        let mut url = self.authorize_url.clone();
        url.set_fragment(None);
        let scope = scopes.join(&self.scope_separator.to_string());
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("response_type", "code");
            query.append_pair("client_id", app.client_id);
            query.append_pair("redirect_uri", app.redirect_uri);
            if !scope.is_empty() {
                query.append_pair("scope", &scope);
            }
            query.append_pair("state", state.parameter());
            if self.pkce == PkceUse::S256 {
                query.append_pair("code_challenge", challenge.as_str());
                query.append_pair("code_challenge_method", "S256");
            }
            query.extend_pairs(self.authorize_extra);
        }
        // Read alike by those who know the form encoding and those who know percent signs only.
        let query = url.query().map(|query| query.replace('+', "%20"));
        url.set_query(query.as_deref());
        url
    }

    /// Checks the `iss` of a callback, so that no other server's answer is taken for this one's (RFC 9207).
    ///
    /// # Errors
    /// [`OAuthError::WrongIssuer`].
    pub fn check_issuer(&self, stated: Option<&str>) -> Result<(), OAuthError> {
        let right = match (&self.issuer, stated) {
            (None, _) => true,
            (Some(issuer), Some(stated)) => issuer.name == stated,
            (Some(issuer), None) => !issuer.always_stated,
        };
        if right { Ok(()) } else { Err(OAuthError::WrongIssuer) }
    }
}

/// What came back to our callback's address. Anybody can send a browser there with anything: nothing in it counts before the
/// state is recognised.
#[derive(Debug, Clone)]
pub enum Callback {
    /// The person agreed.
    Code {
        /// To be exchanged for tokens.
        code: Secret<String>,
        /// The [`State`] that was sent.
        state: String,
        /// Who answers, where the server says so.
        iss: Option<String>,
    },
    /// No code.
    Refused {
        /// The standard's or the provider's word for why.
        error: String,
        /// The provider's own words, cleaned; may be empty.
        description: String,
        /// The [`State`] that was sent.
        state: Option<String>,
    },
    /// Not what an authorization server sends.
    Malformed,
}

impl Callback {
    /// Reads a callback's query.
    pub fn parse(query: &str) -> Self {
        Self::read(query).unwrap_or(Self::Malformed)
    }

    fn read(query: &str) -> Option<Self> {
        if query.len() > LONGEST_QUERY {
            return None;
        }
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if parameters.insert(name, value).is_some() {
                return None;
            }
        }
        let mut take = |name: &str| parameters.remove(name).filter(|value| !value.is_empty());
        match (take("code"), take("error")) {
            (Some(code), None) => Some(Self::Code {
                code: Secret::new(visible(&code)?),
                state: visible(&take("state")?)?,
                iss: take("iss").map(|iss| visible(&iss).ok_or(())).transpose().ok()?,
            }),
            (None, Some(error)) => Some(Self::Refused {
                error: one_line(&error),
                description: take("error_description").map(|text| one_line(&text)).unwrap_or_default(),
                state: take("state").map(|state| visible(&state).ok_or(())).transpose().ok()?,
            }),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }

    /// What a refusal means.
    pub fn refusal(error: &str, description: &str) -> OAuthError {
        refusal::of_callback(error, description)
    }
}

fn visible(text: &str) -> Option<String> {
    text.bytes().all(|byte| byte.is_ascii_graphic()).then(|| text.to_owned())
}
