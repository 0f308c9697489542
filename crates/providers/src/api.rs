//! What the providers' APIs have in common: JSON over HTTP, refusals, limits, pages.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use jiff::{Timestamp, fmt::rfc2822};
use reqwest::Request;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;
use valetkey_model::{ProviderKind, RepoUrl};

use crate::{
    Access, CallError, ProviderError,
    http::{Caller, is_at},
    paging::Paging,
    token,
};

/// An API as one account sees it. Its address comes from the instance, never from a repository or an answer.
pub(crate) struct Api<'a> {
    pub(crate) at: Access<'a>,
    caller: Caller,
    base: Url,
    headers: HeaderMap,
}

/// An answer, complete, with the account's token struck out.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// No real page's address is longer.
const LONGEST_PAGE: usize = 2048;

impl<'a> Api<'a> {
    pub(crate) fn new(
        at: Access<'a>,
        base: &str,
        auth: (HeaderName, HeaderValue),
        fixed: &[(HeaderName, &'static str)],
    ) -> Result<Self, ProviderError> {
        let mut api = Self::anonymous(at, base, fixed)?;
        api.headers.insert(auth.0, auth.1);
        Ok(api)
    }

    /// As somebody unknown: the credential is not sent by itself, but kept out of what is said about the answer.
    pub(crate) fn anonymous(
        at: Access<'a>,
        base: &str,
        fixed: &[(HeaderName, &'static str)],
    ) -> Result<Self, ProviderError> {
        let base = Url::parse(base).map_err(|_| CallError::OtherTarget { instance: at.instance.to_string() })?;
        let headers = fixed.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        Ok(Self { at, caller: Caller::new(&at.credential.token, at.now), base, headers })
    }

    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, ProviderError> {
        self.call(Method::GET, self.url(path, query), None, false).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Answer, ProviderError> {
        self.call(Method::POST, self.url(path, &[]), Some(body), false).await
    }

    /// Asks for something to be done, where that is all there is to say.
    pub(crate) async fn post_nothing(&self, path: &str) -> Result<Answer, ProviderError> {
        self.call(Method::POST, self.url(path, &[]), None, false).await
    }

    /// Changes what is there: `PUT`, `PATCH`, or a `POST` with a query.
    pub(crate) async fn change(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: &Value,
    ) -> Result<Answer, ProviderError> {
        self.call(method, self.url(path, query), Some(body), false).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Answer, ProviderError> {
        self.call(Method::DELETE, self.url(path, &[]), None, false).await
    }

    /// As [`get`](Self::get), at an address of this API.
    pub(crate) async fn get_at(&self, url: Url) -> Result<Answer, ProviderError> {
        self.call(Method::GET, url, None, false).await
    }

    /// Asks for a page of a listing, at an address of this API. It comes only if it is news.
    pub(crate) async fn get_page(&self, url: Url) -> Result<Answer, ProviderError> {
        self.call(Method::GET, url, None, true).await
    }

    /// Holds calls like this one back if its refusal means that a limit is used up, which only the body may say.
    pub(crate) fn hold(&self, method: &Method, url: &Url, refusal: &ProviderError) {
        if let ProviderError::RateLimited { retry_after_seconds: Some(seconds) } = refusal {
            self.at.http.hold(&self.caller, method, url, *seconds);
        }
    }

    pub(crate) fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// As [`url`](Self::url), with more parts behind the path: whatever they hold, each stays one part.
    pub(crate) fn url_below<'p>(
        &self,
        path: &str,
        parts: impl IntoIterator<Item = &'p str>,
        query: &[(&str, &str)],
    ) -> Url {
        let mut url = self.url(path, query);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(parts);
        }
        url
    }

    /// Whether an address is one of this API.
    pub(crate) fn is_own(&self, url: &Url) -> bool {
        let below = url.path().strip_prefix(self.base.path().trim_end_matches('/'));
        url.origin() == self.base.origin()
            && below.is_some_and(|rest| rest.starts_with('/'))
            && url.username().is_empty()
            && url.password().is_none()
    }

    /// Every entry of a listing with numbered pages.
    pub(crate) async fn pages<T: DeserializeOwned>(
        &self,
        path: &str,
        refusal: impl Fn(&Answer) -> ProviderError,
    ) -> Result<Vec<T>, ProviderError> {
        self.list(path, &[], Paging::numbered(""), refusal).await
    }

    /// A page for people: as the provider states it where that is a page of this instance, else as we know it to be. The
    /// address is stored, shown and clicked on; a provider must not be able to send people elsewhere with it.
    pub(crate) fn page(&self, stated: &str, known: String) -> String {
        let plain = stated.len() <= LONGEST_PAGE && !stated.chars().any(char::is_control);
        let own = Url::parse(stated).ok().filter(|url| plain && is_at(url, self.at.instance));
        own.map_or(known, String::from)
    }

    async fn call(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
        remember: bool,
    ) -> Result<Answer, ProviderError> {
        let mut request = Request::new(method, url);
        request.headers_mut().extend(self.headers.clone());
        if let Some(body) = body {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some(body.to_string().into());
        } else if *request.method() == Method::POST {
            // Servers may refuse a POST that does not say how long it is.
            request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let response = self.at.http.ask(&self.caller, request, remember).await?;
        Ok(token::strike_out(&self.at.credential.token, response))
    }

    /// How the API names a repository, which must be at the instance that the credential is for.
    pub(crate) fn repository_id(&self, kind: ProviderKind, repo: &RepoUrl) -> Result<String, ProviderError> {
        if repo.instance() != self.at.instance {
            return Err(ProviderError::OtherInstance { repository: repo.instance().clone() });
        }
        Ok(repo.api_id(kind)?)
    }

    /// The meaning of a refusal to a question about a repository, given what it would mean elsewhere.
    pub(crate) fn about(&self, repo: &RepoUrl, answer: &Answer, refusal: ProviderError) -> ProviderError {
        let path = || repo.path().to_owned();
        match refusal {
            ProviderError::NotTheProvider { .. } if self.is_move(answer) => {
                ProviderError::RepositoryMoved { path: path() }
            }
            ProviderError::NotTheProvider { .. } if answer.is_missing() => {
                ProviderError::RepositoryNotFound { path: path() }
            }
            other => other,
        }
    }

    /// Whether an answer redirects to the API itself: the thing asked for was renamed.
    fn is_move(&self, answer: &Answer) -> bool {
        let target = answer.header("location").and_then(|location| self.base.join(location).ok());
        answer.status.is_redirection() && target.is_some_and(|target| self.is_own(&target))
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The header as a number.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.header(name)?.trim().parse().ok()
    }

    /// The body as what the provider is documented to answer; whoever answers something else is not the provider.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ProviderError> {
        serde_json::from_str(&self.body).map_err(|_| self.not_the_provider())
    }

    pub(crate) fn not_the_provider(&self) -> ProviderError {
        let kind = self.header("content-type").unwrap_or_default();
        let saw = match self.header("location").filter(|_| self.status.is_redirection()) {
            Some(location) => match Url::parse(location).ok().and_then(|url| url.host_str().map(str::to_owned)) {
                Some(host) => format!("a redirect to {}", one_line(&host)),
                None => "a redirect".to_owned(),
            },
            None if kind.starts_with("text/html") => format!("a web page ({})", self.status.as_u16()),
            None => format!("something that is not its API ({})", self.status.as_u16()),
        };
        ProviderError::NotTheProvider { saw }
    }

    /// Of an answer that is no success: what it means at every provider, if it means the same.
    pub(crate) fn common_refusal(&self) -> Option<ProviderError> {
        if self.status.is_server_error() {
            return Some(ProviderError::Failed { status: self.status.as_u16(), said: self.said() });
        }
        // No provider refuses in anything but JSON, save for limits.
        let foreign = self.status.is_redirection() || self.as_object().is_none();
        (foreign && self.status != StatusCode::TOO_MANY_REQUESTS).then(|| self.not_the_provider())
    }

    /// What is left when nothing else explains the status.
    pub(crate) fn other_refusal(&self) -> ProviderError {
        match self.status {
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::METHOD_NOT_ALLOWED => self.not_the_provider(),
            status => ProviderError::Failed { status: status.as_u16(), said: self.said() },
        }
    }

    /// The answer itself if it is a success.
    pub(crate) fn or_refusal(&self, refusal: impl FnOnce(&Self) -> ProviderError) -> Result<&Self, ProviderError> {
        if self.status.is_success() { Ok(self) } else { Err(refusal(self)) }
    }

    /// Whether the API itself says that there is no such thing.
    pub(crate) fn is_missing(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.as_object().is_some()
    }

    /// The provider's own words, on one line.
    pub(crate) fn said(&self) -> String {
        let Some(Value::Object(body)) = self.as_object() else { return String::new() };
        let words = ["error_description", "message", "error"].into_iter().find_map(|member| body.get(member));
        let detail = body.get("errors").and_then(|errors| errors.get(0)).and_then(|error| error.get("message"));
        one_line(&[words, detail].into_iter().flatten().map(plain).collect::<Vec<_>>().join(": "))
    }

    fn as_object(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok().filter(Value::is_object)
    }

    /// `Retry-After`, in seconds or as a date.
    pub(crate) fn retry_after(&self, now: Timestamp) -> Option<u64> {
        let text = self.header("retry-after")?.trim();
        let date = || rfc2822::parse(text).ok().map(|at| seconds_until(at.timestamp(), now));
        text.parse().ok().or_else(date)
    }

    /// A header that gives the end of a limit's window in seconds since 1970, as seconds from now.
    pub(crate) fn reset(&self, name: &str, now: Timestamp) -> Option<u64> {
        let at = Timestamp::from_second(self.number(name)?).ok()?;
        Some(seconds_until(at, now))
    }
}

fn seconds_until(at: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(at.duration_since(now).as_secs()).unwrap_or(0)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Foreign text made harmless: letters, digits and plain punctuation on one short line.
pub(crate) fn one_line(text: &str) -> String {
    const MOST: usize = 200;
    let visible = |c: char| c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && c.is_alphanumeric());
    let line: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| visible(*c)).collect();
    let line = line.trim();
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod listings {
    use super::*;
    use crate::{
        forge as forge_of,
        testing::{Fixture, json},
    };

    async fn list(page: String, headers: &'static str) -> (Result<usize, ProviderError>, usize) {
        let forge = Fixture::new("glpat-abcdefghijklmnopqrst", move |_| json(200, headers, &page)).await;
        let listed =
            forge_of(ProviderKind::GitLab).unwrap().branches(forge.at(), &forge.server.repo("team/repo")).await;
        (listed.map(|all| all.len()), forge.server.requests().len())
    }

    fn page_of(entries: usize) -> String {
        format!("[{}]", vec![r#"{"name":"b","commit":{"id":"a"}}"#; entries].join(","))
    }

    const ANOTHER_PAGE: &str = "x-next-page: 9";

    #[tokio::test]
    async fn on_pages_without_end_are_given_up() {
        let most = "1,000 pages";
        assert_eq!(list("[]".to_owned(), ANOTHER_PAGE).await, (Err(ProviderError::ListingTooLong { most }), 1000));
    }

    #[tokio::test]
    async fn in_their_ten_thousands_are_given_up() {
        let most = "20,000 entries";
        assert_eq!(list(page_of(20_000), "").await, (Ok(20_000), 1));
        assert_eq!(list(page_of(20_001), "").await, (Err(ProviderError::ListingTooLong { most }), 1));
        assert_eq!(list(page_of(9_000), ANOTHER_PAGE).await, (Err(ProviderError::ListingTooLong { most }), 3));
    }

    #[tokio::test]
    async fn on_huge_pages_are_given_up() {
        let most = "32 MiB";
        let page = format!("[{}]", " ".repeat((4 << 20) - 2));
        assert_eq!(list(page, ANOTHER_PAGE).await, (Err(ProviderError::ListingTooLong { most }), 9));
    }
}
