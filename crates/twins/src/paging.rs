//! Pages of a list, and the headers that lead from one to the next.

use axum::http::header::LINK;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use serde::Deserialize;

const MAX_PER_PAGE: usize = 100;

/// The query parameters that both forges share.
#[derive(Debug, Deserialize)]
pub(crate) struct Paging {
    page: Option<usize>,
    per_page: Option<usize>,
}

/// One page of a list.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) total: usize,
    pub(crate) number: usize,
    pub(crate) per_page: usize,
}

impl Paging {
    pub(crate) fn cut<T>(&self, all: Vec<T>, default_per_page: usize) -> Page<T> {
        let per_page = self.per_page.unwrap_or(default_per_page).clamp(1, MAX_PER_PAGE);
        Page::cut(all, self.page, per_page)
    }
}

/// The part of a list that starts at an offset, and where the next part starts.
pub(crate) fn window<T>(all: Vec<T>, start: usize, limit: usize) -> (Vec<T>, Option<usize>) {
    let end = start.saturating_add(limit);
    let next = (end < all.len()).then_some(end);
    (all.into_iter().skip(start).take(limit).collect(), next)
}

impl<T> Page<T> {
    /// The page of this number, which is at least 1.
    pub(crate) fn cut(all: Vec<T>, number: Option<usize>, per_page: usize) -> Self {
        let number = number.unwrap_or(1).max(1);
        let total = all.len();
        let items = all.into_iter().skip((number - 1).saturating_mul(per_page)).take(per_page).collect();
        Self { items, total, number, per_page }
    }

    fn last(&self) -> usize {
        self.total.div_ceil(self.per_page).max(1)
    }

    pub(crate) fn next(&self) -> Option<usize> {
        (self.number < self.last()).then(|| self.number + 1)
    }

    pub(crate) fn previous(&self) -> Option<usize> {
        (self.number > 1).then(|| self.number - 1)
    }

    /// GitLab: `Link` with the first and last page always, and the numbers as headers.
    pub(crate) fn gitlab_headers(&self, base: &str, uri: &Uri) -> HeaderMap {
        let text = |number: Option<usize>| number.map(|number| number.to_string()).unwrap_or_default();
        let mut headers = self.link(base, uri, "per_page", [Some(1), self.previous(), self.next(), Some(self.last())]);
        for (name, value) in [
            ("x-page", self.number.to_string()),
            ("x-per-page", self.per_page.to_string()),
            ("x-next-page", text(self.next())),
            ("x-prev-page", text(self.previous())),
            ("x-total", self.total.to_string()),
            ("x-total-pages", self.last().to_string()),
        ] {
            headers.extend(HeaderValue::from_str(&value).ok().map(|value| (HeaderName::from_static(name), value)));
        }
        headers
    }

    /// GitHub: `Link` only where there is somewhere to go.
    pub(crate) fn github_headers(&self, base: &str, uri: &Uri) -> HeaderMap {
        self.link_where_there_is_more(base, uri, "per_page")
    }

    /// Gitea: `Link` as GitHub's, and the length of the whole list.
    pub(crate) fn gitea_headers(&self, base: &str, uri: &Uri) -> HeaderMap {
        let mut headers = self.link_where_there_is_more(base, uri, "limit");
        headers.insert(HeaderName::from_static("x-total-count"), self.total.into());
        headers
    }

    fn link_where_there_is_more(&self, base: &str, uri: &Uri, size: &str) -> HeaderMap {
        let first = self.previous().map(|_| 1);
        let last = self.next().map(|_| self.last());
        self.link(base, uri, size, [first, self.previous(), self.next(), last])
    }

    /// The address of another page of the same list.
    pub(crate) fn address(&self, base: &str, uri: &Uri, size: &str, page: usize) -> String {
        let others = uri.query().unwrap_or_default().split('&');
        let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
        let others = others.filter(|pair| !["", "page", size].contains(&name(pair).as_str()));
        let others: String = others.map(|pair| format!("{pair}&")).collect();
        format!("{base}{}?{others}page={page}&{size}={}", uri.path(), self.per_page)
    }

    fn link(&self, base: &str, uri: &Uri, size: &str, pages: [Option<usize>; 4]) -> HeaderMap {
        let link = |(page, relation): (Option<usize>, &str)| {
            page.map(|page| format!("<{}>; rel=\"{relation}\"", self.address(base, uri, size, page)))
        };
        let links: Vec<_> = pages.into_iter().zip(["first", "prev", "next", "last"]).filter_map(link).collect();
        let value = HeaderValue::from_str(&links.join(", ")).ok().filter(|value| !value.is_empty());
        value.map(|value| (LINK, value)).into_iter().collect()
    }
}
