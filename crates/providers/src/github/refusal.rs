use http::StatusCode;
use url::Url;
use valetkey_model::RepoUrl;

use crate::{
    ProviderError,
    api::{Answer, Api},
    http::is_at,
};

/// What an answer that is no success means.
pub(super) fn refusal(api: &Api<'_>, answer: &Answer) -> ProviderError {
    if let Some(common) = answer.common_refusal() {
        return common;
    }
    let said = answer.said();
    match answer.status {
        StatusCode::UNAUTHORIZED => ProviderError::TokenInvalid,
        StatusCode::FORBIDDEN if answer.header("x-github-sso").is_some_and(is_required) => {
            ProviderError::SsoRequired { url: sso_page(api, answer) }
        }
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
            limit(api, answer, &said).or_else(|| denial(answer, &said)).unwrap_or(ProviderError::Forbidden { said })
        }
        StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => ProviderError::Forbidden { said },
        _ => answer.other_refusal(),
    }
}

/// As [`refusal`], for a question about a repository.
pub(super) fn repository_refusal(api: &Api<'_>, answer: &Answer, repo: &RepoUrl) -> ProviderError {
    api.about(repo, answer, refusal(api, answer))
}

/// GitHub limits with 403 or 429: the primary limit until its window ends, a secondary one for as long as it says, and
/// where it says nothing for a minute.
fn limit(api: &Api<'_>, answer: &Answer, said: &str) -> Option<ProviderError> {
    let now = api.at.now;
    let words = said.to_ascii_lowercase();
    if let Some(seconds) = answer.retry_after(now) {
        return Some(ProviderError::RateLimited { retry_after_seconds: Some(seconds) });
    }
    if answer.number("x-ratelimit-remaining") == Some(0) {
        let retry_after_seconds = answer.reset("x-ratelimit-reset", now);
        return Some(ProviderError::RateLimited { retry_after_seconds });
    }
    let limited = words.contains("rate limit") || words.contains("abuse detection");
    (limited || answer.status == StatusCode::TOO_MANY_REQUESTS)
        .then_some(ProviderError::RateLimited { retry_after_seconds: Some(60) })
}

fn denial(answer: &Answer, said: &str) -> Option<ProviderError> {
    if said.contains("Bad credentials") || said.contains("Maximum number of login attempts exceeded") {
        return Some(ProviderError::LockedOut);
    }
    said.starts_with("Resource not accessible by")
        .then(|| ProviderError::InsufficientScope { missing: accepted_permissions(answer) })
}

/// `X-Accepted-GitHub-Permissions: contents=write,pull_requests=write; …`: the first of the sets that would do.
fn accepted_permissions(answer: &Answer) -> Vec<String> {
    let plain = |b: u8| b.is_ascii_lowercase() || matches!(b, b'_' | b'=');
    let sets = answer.header("x-accepted-github-permissions").unwrap_or_default();
    let first = sets.split(';').next().unwrap_or_default();
    let names = first.split(',').map(str::trim);
    names.filter(|name| (1..=60).contains(&name.len()) && name.bytes().all(plain)).map(str::to_owned).collect()
}

/// Where the person authorises the token: the page that GitHub names, if it is one of GitHub's.
fn sso_page(api: &Api<'_>, answer: &Answer) -> String {
    let instance = api.at.instance;
    let named = answer.header("x-github-sso").and_then(|value| value.split_once("url=")).map(|(_, url)| url.trim());
    let page = named.and_then(|url| Url::parse(url).ok()).filter(|url| is_at(url, instance));
    page.map_or_else(|| format!("{instance}/settings/tokens"), String::from)
}

/// `required; url=…`, not `partial-results; organizations=…`.
fn is_required(header: &str) -> bool {
    !header.trim_start().starts_with("partial-results")
}

/// The organisations, by their numbers, whose part is missing from an answer for want of single sign-on.
pub(super) fn sso_hidden(answer: &Answer) -> Option<Vec<String>> {
    const MOST: usize = 20;
    let rest = answer.header("x-github-sso")?.trim().strip_prefix("partial-results")?;
    let (_, numbers) = rest.split_once("organizations=")?;
    let numbers = numbers.split(',').map(str::trim).filter(|number| (1..=20).contains(&number.len()));
    let numbers = numbers.filter(|number| number.bytes().all(|b| b.is_ascii_digit())).take(MOST);
    Some(numbers.map(str::to_owned).collect::<Vec<_>>()).filter(|numbers| !numbers.is_empty())
}
