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
    number: usize,
    per_page: usize,
}

impl Paging {
    pub(crate) fn cut<T>(&self, all: Vec<T>, default_per_page: usize) -> Page<T> {
        let per_page = self.per_page.unwrap_or(default_per_page).clamp(1, MAX_PER_PAGE);
        let number = self.page.unwrap_or(1).max(1);
        let total = all.len();
        let items = all.into_iter().skip((number - 1).saturating_mul(per_page)).take(per_page).collect();
        Page { items, total, number, per_page }
    }
}

impl<T> Page<T> {
    fn last(&self) -> usize {
        self.total.div_ceil(self.per_page).max(1)
    }

    fn next(&self) -> Option<usize> {
        (self.number < self.last()).then(|| self.number + 1)
    }

    fn previous(&self) -> Option<usize> {
        (self.number > 1).then(|| self.number - 1)
    }

    /// GitLab: `Link` with the first and last page always, and the numbers as headers.
    pub(crate) fn gitlab_headers(&self, base: &str, uri: &Uri) -> HeaderMap {
        let text = |number: Option<usize>| number.map(|number| number.to_string()).unwrap_or_default();
        let mut headers = self.link(base, uri, [Some(1), self.previous(), self.next(), Some(self.last())]);
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
        let first = self.previous().map(|_| 1);
        let last = self.next().map(|_| self.last());
        self.link(base, uri, [first, self.previous(), self.next(), last])
    }

    fn link(&self, base: &str, uri: &Uri, pages: [Option<usize>; 4]) -> HeaderMap {
        let others = uri.query().unwrap_or_default().split('&');
        let others =
            others.filter(|pair| !pair.is_empty() && !pair.starts_with("page=") && !pair.starts_with("per_page="));
        let others: String = others.map(|pair| format!("{pair}&")).collect();
        let link = |(page, relation): (Option<usize>, &str)| {
            let (path, size) = (uri.path(), self.per_page);
            page.map(|page| format!("<{base}{path}?{others}page={page}&per_page={size}>; rel=\"{relation}\""))
        };
        let links: Vec<_> = pages.into_iter().zip(["first", "prev", "next", "last"]).filter_map(link).collect();
        let value = HeaderValue::from_str(&links.join(", ")).ok().filter(|value| !value.is_empty());
        value.map(|value| (LINK, value)).into_iter().collect()
    }
}
