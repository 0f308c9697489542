//! What the providers' APIs have in common: JSON over HTTP, refusals, limits, pages.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use jiff::{Timestamp, fmt::rfc2822};
use reqwest::Request;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;
use valetkey_model::{ProviderKind, RepoUrl};

use crate::{Access, CallError, ProviderError, http::is_at, token};

/// An API as one account sees it. Its address comes from the instance, never from a repository or an answer.
pub(crate) struct Api<'a> {
    pub(crate) at: Access<'a>,
    base: Url,
    headers: HeaderMap,
}

/// An answer, complete, with the account's token struck out.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// Where a listing is given up: it is held in memory as a whole, and whoever serves it may go on for ever.
const MOST_PAGES: usize = 1000;
const MOST_ENTRIES: usize = 20_000;
const MOST_BYTES: usize = 32 << 20;

/// No real page's address is longer.
const LONGEST_PAGE: usize = 2048;

impl<'a> Api<'a> {
    pub(crate) fn new(
        at: Access<'a>,
        base: &str,
        auth: (HeaderName, HeaderValue),
        fixed: &[(HeaderName, &'static str)],
    ) -> Result<Self, ProviderError> {
        let base = Url::parse(base).map_err(|_| CallError::OtherTarget { instance: at.instance.to_string() })?;
        let mut headers: HeaderMap =
            fixed.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        headers.insert(auth.0, auth.1);
        Ok(Self { at, base, headers })
    }

    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, ProviderError> {
        self.call(Method::GET, path, query, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Answer, ProviderError> {
        self.call(Method::POST, path, &[], Some(body)).await
    }

    /// Asks for every page of a listing, by number: no address that an answer names is followed.
    pub(crate) async fn pages<T: DeserializeOwned>(
        &self,
        path: &str,
        refusal: impl Fn(&Answer) -> ProviderError,
    ) -> Result<Vec<T>, ProviderError> {
        let too_long = |most: &'static str| Err(ProviderError::ListingTooLong { most });
        let (mut all, mut bytes) = (Vec::new(), 0);
        for page in 1..=MOST_PAGES {
            let answer = self.get(path, &[("per_page", "100"), ("page", &page.to_string())]).await?;
            bytes += answer.body.len();
            if bytes > MOST_BYTES {
                return too_long("32 MiB");
            }
            all.append(&mut answer.or_refusal(&refusal)?.json::<Vec<T>>()?);
            if all.len() > MOST_ENTRIES {
                return too_long("20,000 entries");
            }
            if !answer.has_next_page() {
                return Ok(all);
            }
        }
        too_long("1,000 pages")
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
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, ProviderError> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = Request::new(method, url);
        request.headers_mut().extend(self.headers.clone());
        if let Some(body) = body {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some(body.to_string().into());
        }
        let response = self.at.http.send(request).await?;
        Ok(token::strike_out(self.at.token, response))
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
        answer.status.is_redirection()
            && target.is_some_and(|target| {
                target.origin() == self.base.origin() && target.path().starts_with(self.base.path())
            })
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

    fn not_the_provider(&self) -> ProviderError {
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
        // Neither provider refuses in anything but JSON, save for limits.
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
    fn is_missing(&self) -> bool {
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

    fn has_next_page(&self) -> bool {
        let links = self.headers.get_all(header::LINK);
        links.iter().filter_map(|value| value.to_str().ok()).any(|value| value.contains("rel=\"next\""))
            || self.header("x-next-page").is_some_and(|page| !page.trim().is_empty())
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
        provider,
        testing::{Fixture, json},
    };

    async fn list(page: String, headers: &'static str) -> (Result<usize, ProviderError>, usize) {
        let forge = Fixture::new("glpat-abcdefghijklmnopqrst", move |_| json(200, headers, &page)).await;
        let listed = provider(ProviderKind::GitLab).branches(forge.at(), &forge.server.repo("team/repo")).await;
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
