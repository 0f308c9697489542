//! How providers hand out long listings: piece by piece, each in its own way.

use http::{Method, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::{
    ProviderError,
    api::{Answer, Api},
};

/// The way one listing is asked for page by page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paging {
    /// Where a page holds its entries: a JSON pointer, empty if the page is the array itself.
    entries: &'static str,
    /// The parameter that asks for a page's size, and the most that may be asked for.
    size: Option<(&'static str, usize)>,
    next: Next,
}

/// How the page after a page is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// By its number in `page`, as long as the `Link` or `X-Next-Page` header says that there is one. The address in the
    /// header is not followed.
    Number,
    /// At the address that the body holds there, if that is an address of the same API.
    Address(&'static str),
    /// By a word, held by the body or a header, that is sent back in a parameter.
    Word { held: Held, parameter: &'static str },
}

/// Where an answer holds the word for the next page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Body { word: &'static str, last: &'static str },
    Header(&'static str),
}

impl Paging {
    /// GitHub and GitLab; the entries of GitHub's searches are under `/items`.
    pub(crate) const fn numbered(entries: &'static str) -> Self {
        Self { entries, size: Some(("per_page", 100)), next: Next::Number }
    }

    /// Gitea and Forgejo; the entries of their searches are under `/data`.
    pub(crate) const fn gitea(entries: &'static str) -> Self {
        Self { entries, size: Some(("limit", 50)), next: Next::Number }
    }

    /// Bitbucket Cloud.
    pub(crate) const fn bitbucket() -> Self {
        Self { entries: "/values", size: Some(("pagelen", 100)), next: Next::Address("/next") }
    }

    /// Bitbucket Data Center.
    pub(crate) const fn bitbucket_data_center() -> Self {
        let held = Held::Body { word: "/nextPageStart", last: "/isLastPage" };
        Self { entries: "/values", size: Some(("limit", 100)), next: Next::Word { held, parameter: "start" } }
    }

    /// Azure DevOps where it hands out continuation tokens, such as in lists of refs and projects.
    pub(crate) const fn azure_continued() -> Self {
        let held = Held::Header("x-ms-continuationtoken");
        Self { entries: "/value", size: Some(("$top", 100)), next: Next::Word { held, parameter: "continuationToken" } }
    }

    /// With pages of at most so many entries, where an endpoint takes fewer than the others.
    pub(crate) const fn of_at_most(self, most: usize) -> Self {
        match self.size {
            Some((parameter, size)) if most < size => Self { size: Some((parameter, most)), ..self },
            _ => self,
        }
    }
}

/// Where a listing is given up: it is held in memory as a whole, and whoever serves it may go on for ever.
const MOST_PAGES: usize = 1000;
/// Where a search is given up: somebody waits for it.
const MOST_PAGES_SEARCHED: usize = 20;
const MOST_ENTRIES: usize = 20_000;
const MOST_BYTES: usize = 32 << 20;

impl Api<'_> {
    /// Every entry of a listing. `refusal` says what an answer means that is no success.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        paging: Paging,
        refusal: impl Fn(&Answer) -> ProviderError,
    ) -> Result<Vec<T>, ProviderError> {
        let too_long = |most: &'static str| Err(ProviderError::ListingTooLong { most });
        let mut walk = Walk::new(self, path, query, paging);
        let (mut all, mut bytes) = (Vec::new(), 0);
        for _ in 0..MOST_PAGES {
            let answer = self.get_page(walk.here()).await?;
            bytes += answer.body.len();
            if bytes > MOST_BYTES {
                return too_long("32 MiB");
            }
            let ended = walk.take(&answer, &refusal, &mut all)?;
            if all.len() > MOST_ENTRIES {
                return too_long("20,000 entries");
            }
            if ended {
                return Ok(all);
            }
        }
        too_long("1,000 pages")
    }

    /// The first entries of a listing, at most `limit`, with no more pages asked for than that takes.
    pub(crate) async fn first<T: DeserializeOwned>(
        &self,
        limit: usize,
        path: &str,
        query: &[(&str, &str)],
        paging: Paging,
        refusal: impl Fn(&Answer) -> ProviderError,
    ) -> Result<Vec<T>, ProviderError> {
        self.pick(limit, path, query, paging.of_at_most(limit.max(1)), refusal, Some).await
    }

    /// As [`first`](Self::first), of those entries that `pick` takes, as far as they are on the first pages.
    pub(crate) async fn pick<T: DeserializeOwned, U>(
        &self,
        limit: usize,
        path: &str,
        query: &[(&str, &str)],
        paging: Paging,
        refusal: impl Fn(&Answer) -> ProviderError,
        pick: impl Fn(T) -> Option<U>,
    ) -> Result<Vec<U>, ProviderError> {
        let mut walk = Walk::new(self, path, query, paging);
        let mut found = Vec::new();
        for _ in 0..MOST_PAGES_SEARCHED {
            let (answer, mut entries) = (self.get_page(walk.here()).await?, Vec::new());
            let ended = walk.take(&answer, &refusal, &mut entries)?;
            found.extend(entries.into_iter().filter_map(&pick));
            if ended || found.len() >= limit {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }
}

/// A way through a listing, standing at one of its pages.
struct Walk<'a> {
    api: &'a Api<'a>,
    start: Url,
    paging: Paging,
    at: At,
}

/// What tells a page from the others; the first one may need nothing.
#[derive(PartialEq, Eq)]
enum At {
    Start,
    Number(usize),
    Word(String),
    Address(Url),
}

impl<'a> Walk<'a> {
    fn new(api: &'a Api<'a>, path: &str, query: &[(&str, &str)], paging: Paging) -> Self {
        let mut start = api.url(path, query);
        if let Some((parameter, size)) = paging.size {
            start.query_pairs_mut().append_pair(parameter, &size.to_string());
        }
        let at = if paging.next == Next::Number { At::Number(1) } else { At::Start };
        Self { api, start, paging, at }
    }

    fn here(&self) -> Url {
        let mut url = self.start.clone();
        let (parameter, value) = match (&self.at, self.paging.next) {
            (At::Address(address), _) => return address.clone(),
            (At::Number(number), _) => ("page", number.to_string()),
            (At::Word(word), Next::Word { parameter, .. }) => (parameter, word.clone()),
            _ => return url,
        };
        url.query_pairs_mut().append_pair(parameter, &value);
        url
    }

    /// Takes the entries of the page that was asked for and goes on to the next one; whether there was none.
    fn take<T: DeserializeOwned>(
        &mut self,
        answer: &Answer,
        refusal: impl FnOnce(&Answer) -> ProviderError,
        all: &mut Vec<T>,
    ) -> Result<bool, ProviderError> {
        if !answer.status.is_success() {
            let refusal = refusal(answer);
            self.api.hold(&Method::GET, &self.start, &refusal);
            return Err(refusal);
        }
        let mut body: Value = answer.json()?;
        let entries = body.pointer_mut(self.paging.entries).map(Value::take);
        let entries: Vec<T> = entries
            .and_then(|entries| serde_json::from_value(entries).ok())
            .ok_or_else(|| answer.not_the_provider())?;
        all.extend(entries);
        match self.after(answer, &body)? {
            Some(next) if next == self.at => Err(astray("a listing that goes round in circles")),
            Some(next) => {
                self.at = next;
                Ok(false)
            }
            None => Ok(true),
        }
    }

    fn after(&self, answer: &Answer, body: &Value) -> Result<Option<At>, ProviderError> {
        let is_last = |last: &str| body.pointer(last) == Some(&Value::Bool(true));
        Ok(match (self.paging.next, &self.at) {
            (Next::Number, At::Number(number)) => answer.has_next_page().then_some(At::Number(number + 1)),
            (Next::Number, _) => None,
            (Next::Address(at), _) => {
                body.pointer(at).and_then(Value::as_str).map(|next| self.address(next)).transpose()?
            }
            (Next::Word { held: Held::Header(name), .. }, _) => answer.header(name).and_then(word),
            (Next::Word { held: Held::Body { last, .. }, .. }, _) if is_last(last) => None,
            (Next::Word { held: Held::Body { word: at, .. }, .. }, _) => body.pointer(at).and_then(|held| match held {
                Value::String(text) => word(text),
                Value::Number(number) => word(&number.to_string()),
                _ => None,
            }),
        })
    }

    /// The credential goes where its API is, whatever an answer says.
    fn address(&self, stated: &str) -> Result<At, ProviderError> {
        let own = Url::parse(stated).ok().filter(|url| self.api.is_own(url));
        own.map(At::Address).ok_or_else(|| astray("a listing that goes on at another address"))
    }
}

fn word(text: &str) -> Option<At> {
    (!text.is_empty()).then(|| At::Word(text.to_owned()))
}

fn astray(saw: &str) -> ProviderError {
    ProviderError::NotTheProvider { saw: saw.to_owned() }
}

impl Answer {
    fn has_next_page(&self) -> bool {
        let links = self.headers.get_all(header::LINK);
        links.iter().filter_map(|value| value.to_str().ok()).any(links_to_next)
            || self.header("x-next-page").is_some_and(|page| !page.trim().is_empty())
    }
}

/// Whether a `Link` header (RFC 8288) has a link of the relation `next`; names and relations have no case.
fn links_to_next(header: &str) -> bool {
    // What is between angle brackets is an address and may hold anything else.
    let parameters = header.split('<').filter_map(|link| link.split_once('>')).map(|(_, parameters)| parameters);
    parameters.flat_map(|parameters| parameters.split([';', ','])).any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or_default();
        name.trim().eq_ignore_ascii_case("rel")
            && value.trim().trim_matches('"').split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests;
