//! Any HTTP API or MCP server, by a secret for exactly its origin. It may be anything, so little can be asked of it.

mod catalogue;
mod header_name;
mod mcp;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use http::{HeaderName, HeaderValue, StatusCode, header};
use valetkey_model::{Account, AuthMethod, Details, InstanceUrl, ProviderKind};

use crate::{
    Access, CatalogueEntry, Checked, Credential, Provider, ProviderError, Words,
    account::Described,
    api::{Answer, Api},
    token,
};
use mcp::Spoken;

/// A service of one's own.
pub(crate) struct HttpService;

const WHOSE: &str =
    "The service does not tell whose this secret is, what it may do or when it ends; only that it answers is known.";

#[async_trait]
impl Provider for HttpService {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Http
    }

    fn catalogue(&self) -> CatalogueEntry {
        catalogue::entry()
    }

    fn words(&self) -> Words {
        Words {
            limits: "How much it allows is for whoever runs it to say.",
            widen: "more rights",
            seek_access: "",
            token_form: "a secret has 1 to 8192 plain characters, and no space at either end.",
            why_invalid: "",
            push_scope: "",
            request: "pull",
        }
    }

    fn check_form(&self, _: &InstanceUrl, credential: &Credential) -> Result<(), ProviderError> {
        let plain = |text: &str| text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
        let fits = |text: &str| (1..=8192).contains(&text.len()) && plain(text) && text.trim() == text;
        let one_word = |text: &str| fits(text) && !text.contains(' ');
        let login = credential.login.as_deref();
        match credential.method {
            AuthMethod::Basic => {
                let is_name = |name: &str| !name.is_empty() && !name.contains(|c: char| c == ':' || c.is_control());
                if !login.is_some_and(is_name) {
                    return Err(ProviderError::Unsuitable {
                        why: "HTTP Basic authentication wants a user name, and one without a colon.",
                        instead: "Give the user name that goes with the secret.",
                    });
                }
            }
            AuthMethod::Header => drop(header_name::parse(login.unwrap_or_default())?),
            _ if !token::has_form(&credential.token, one_word) => return Err(ProviderError::TokenMalformed),
            _ => {}
        }
        if token::has_form(&credential.token, fits) { Ok(()) } else { Err(ProviderError::TokenMalformed) }
    }

    /// Asks for its first page, and whether it is an MCP server; both are questions that change nothing.
    async fn check(&self, at: Access<'_>) -> Result<Checked, ProviderError> {
        let page = Api::new(at, &at.instance.to_string(), auth(at.credential)?, &[])?;
        let (page, mcp) = tokio::join!(page.get("/", &[]), mcp::discover(at));
        let page = page?;
        let spoken = mcp.unwrap_or(Spoken::Nothing);
        if let Some(refusal) = refusal(&page, &spoken, at) {
            return Err(refusal);
        }
        let version = match spoken {
            Spoken::Mcp(version) => Some(version),
            Spoken::Nothing | Spoken::Refused => None,
        };
        let details = Details { notes: vec![WHOSE.to_owned()], version, ..Details::default() };
        Ok(Checked {
            account: account(at),
            granted_scopes: Vec::new(),
            expires_at: None,
            missing_scopes: Vec::new(),
            details,
        })
    }
}

/// Why the secret or the service can't be used, if that is so. Whoever is let in to speak MCP is let in.
fn refusal(page: &Answer, spoken: &Spoken, at: Access<'_>) -> Option<ProviderError> {
    match (page.status, spoken) {
        (_, Spoken::Mcp(_)) => None,
        (StatusCode::UNAUTHORIZED, _) | (_, Spoken::Refused) => Some(ProviderError::TokenInvalid),
        (StatusCode::FORBIDDEN, _) => Some(ProviderError::Forbidden { said: page.said() }),
        (StatusCode::TOO_MANY_REQUESTS, _) => {
            Some(ProviderError::RateLimited { retry_after_seconds: page.retry_after(at.now) })
        }
        // A gateway says so of a service that it can't reach.
        (StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT, _) => {
            Some(ProviderError::Failed { status: page.status.as_u16(), said: page.said() })
        }
        _ => None,
    }
}

/// There is no account to name, but the user name that was given: it tells two secrets for one service apart.
fn account(at: Access<'_>) -> Account {
    let login = at.credential.login.as_deref().filter(|_| at.credential.method == AuthMethod::Basic);
    let id = login.map_or_else(|| at.instance.to_string(), |name| format!("{name}@{}", at.instance));
    let host = at.instance.authority();
    Account::from(Described { id, username: login.unwrap_or(&host), name: None, emails: &[] })
}

fn auth(credential: &Credential) -> Result<(HeaderName, HeaderValue), ProviderError> {
    let login = credential.login.as_deref().unwrap_or_default();
    Ok(match credential.method {
        AuthMethod::Basic => (header::AUTHORIZATION, credential.basic(login)?),
        AuthMethod::Header => (header_name::parse(login)?, credential.after("")?),
        _ => (header::AUTHORIZATION, credential.after("Bearer ")?),
    })
}
