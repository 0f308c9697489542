//! Lists in pages: `?limit=&cursor=` in, `{items, nextCursor?}` out.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::{Answer, Failure};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

/// Which part of a list is wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paging {
    /// At most this many items; 1 to 200, 50 if not given.
    #[schemars(range(min = 1, max = 200))]
    pub(crate) limit: Option<u32>,
    /// The `nextCursor` of the page before.
    pub(crate) cursor: Option<String>,
}

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "{T}Page")]
pub(crate) struct Page<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// Asks for the page that follows; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_cursor: Option<String>,
}

impl Paging {
    /// How many items to look up: one more than is shown tells whether a page follows.
    pub(crate) fn to_fetch(&self) -> Answer<u32> {
        match self.limit.unwrap_or(DEFAULT_LIMIT) {
            limit @ 1..=MAX_LIMIT => Ok(limit + 1),
            _ => Err(Failure::invalid("limit: expected 1 to 200")),
        }
    }

    /// The key of the last item that the caller has. It is an id: it says where to go on, not what may be seen.
    pub(crate) fn after<K: FromStr>(&self) -> Answer<Option<K>> {
        let parsed = self.cursor.as_deref().map(str::parse).transpose();
        parsed.map_err(|_| Failure::invalid("cursor: expected the nextCursor of an earlier page"))
    }
}

impl<T> Page<T> {
    /// A whole list as its only page.
    pub(crate) fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }

    /// A page of what was fetched as [`Paging::to_fetch`] says; `key` is what a cursor is made of.
    pub(crate) fn cut<K: ToString>(mut fetched: Vec<T>, to_fetch: u32, key: impl Fn(&T) -> K) -> Self {
        let shown = to_fetch as usize - 1;
        let more = fetched.len() > shown;
        fetched.truncate(shown);
        let next_cursor = fetched.last().filter(|_| more).map(|last| key(last).to_string());
        Self { items: fetched, next_cursor }
    }

    /// The same page with other items.
    pub(crate) fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(each).collect(), next_cursor: self.next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_given_exactly_when_a_page_follows() {
        let paging = Paging { limit: Some(2), cursor: None };
        let fetch = paging.to_fetch().unwrap();
        let page = Page::cut(vec![1, 2, 3], fetch, |n| *n);
        assert_eq!((page.items, page.next_cursor), (vec![1, 2], Some("2".to_owned())));
        let page = Page::cut(vec![3, 4], fetch, |n| *n);
        assert_eq!((page.items, page.next_cursor), (vec![3, 4], None));
    }

    #[test]
    fn limits_are_bounded() {
        for bad in [0, 201, u32::MAX] {
            assert!(Paging { limit: Some(bad), cursor: None }.to_fetch().is_err());
        }
        assert_eq!(Paging::default().to_fetch().unwrap(), 51);
    }
}
