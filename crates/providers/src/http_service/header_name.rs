use http::HeaderName;

use crate::ProviderError;

/// Headers that say how a request is carried, where it goes or what it holds. Whoever could set them could make one request
/// look like two, or like another one.
const NOT_FOR_SECRETS: [&str; 21] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "origin",
    "range",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];

const NOT_FOR_SECRETS_PREFIXES: [&str; 5] = ["proxy-", "sec-", "mcp-", "x-forwarded-", "access-control-"];

/// The name of a header that may carry a secret.
pub(super) fn parse(text: &str) -> Result<HeaderName, ProviderError> {
    let name = HeaderName::try_from(text).ok().filter(|name| name.as_str().len() <= 100);
    let Some(name) = name else {
        return Err(ProviderError::Unsuitable {
            why: "The secret goes into a header, and what was given is no name of one.",
            instead: "Give the header's name alone, such as X-API-Key.",
        });
    };
    let is_ours = NOT_FOR_SECRETS.contains(&name.as_str())
        || NOT_FOR_SECRETS_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
    if is_ours {
        return Err(ProviderError::Unsuitable {
            why: "This header says how a request is carried or what it holds, or is a browser's own; it can't carry a secret.",
            instead: "Give the header that the service takes its secret in, such as X-API-Key or Authorization.",
        });
    }
    Ok(name)
}
