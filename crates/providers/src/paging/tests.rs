use std::ops::Range;

use http::HeaderValue;
use proptest::{collection::vec, prelude::*};
use serde_json::json;
use tokio::runtime::Runtime;
use url::form_urlencoded;

use super::*;
use crate::testing::{Fixture, Seen, json as answer};

const ROWS: usize = 250;

/// Each way of paging, as a service serves it that gives at most so many rows with each answer.
const WAYS: [(&str, Paging); 5] = [
    ("numbered", Paging::numbered("")),
    ("gitea", Paging::gitea("/data")),
    ("bitbucket", Paging::bitbucket()),
    ("data-center", Paging::bitbucket_data_center()),
    ("azure", Paging::azure_continued()),
];

/// A request for rows: `/api/WAY/ROWS/GIVEN,GIVEN,…?…`. The sizes of the pages given are used in turn.
struct Asked {
    way: String,
    rows: usize,
    given: Vec<usize>,
    parameters: Vec<(String, String)>,
}

impl Asked {
    fn of(seen: &Seen) -> Self {
        let (path, query) = seen.line.split_once('?').unwrap();
        let path: Vec<&str> = path.strip_prefix("GET /api/").unwrap().split('/').collect();
        Self {
            way: path[0].to_owned(),
            rows: path[1].parse().unwrap(),
            given: path[2].split(',').map(|size| size.parse().unwrap()).collect(),
            parameters: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        }
    }

    /// A parameter as a number; asked for more than once, none of them counts.
    fn number(&self, name: &str) -> Option<usize> {
        let mut values = self.parameters.iter().filter(|(known, _)| known == name);
        let value = values.next().filter(|_| values.next().is_none());
        value.map(|(_, value)| value.parse().unwrap())
    }

    /// The rows from `start` on, as many as are asked for and given.
    fn from(&self, start: Option<usize>, size: &str) -> Range<usize> {
        let start = start.unwrap_or(0).min(self.rows);
        let given = self.given[start % self.given.len()];
        start..(start + given.min(self.number(size).unwrap())).min(self.rows)
    }

    fn goes_on(&self, page: &Range<usize>) -> bool {
        page.end < self.rows
    }

    /// The rows of a page by its number; such pages all have one size.
    fn page(&self, size: &str) -> Range<usize> {
        let size = self.given[0].min(self.number(size).unwrap());
        let start = (self.number("page").unwrap() - 1) * size;
        start.min(self.rows)..(start + size).min(self.rows)
    }
}

fn serve(seen: &Seen) -> Vec<u8> {
    let asked = Asked::of(seen);
    let (headers, body) = match &*asked.way {
        "numbered" | "gitea" => by_number(&asked),
        "bitbucket" => (String::new(), by_address(seen, &asked)),
        "data-center" => (String::new(), by_word(&asked)),
        "azure" => {
            let page = asked.from(asked.number("continuationToken"), "$top");
            let next = format!("x-ms-continuationtoken: {}", page.end);
            (if asked.goes_on(&page) { next } else { String::new() }, json!({ "value": rows(page) }))
        }
        other => unreachable!("{other}"),
    };
    answer(200, &headers, &body.to_string())
}

fn by_number(asked: &Asked) -> (String, Value) {
    if asked.way == "numbered" {
        let page = asked.page("per_page");
        let next = "lInK: <https://x.test/?rel=prev>; REL=\"Next\"";
        return (if asked.goes_on(&page) { next.to_owned() } else { String::new() }, rows(page));
    }
    let page = asked.page("limit");
    let last = "link: <https://x.test/>; rel=\"prev\"";
    let next = "Link: <https://x.test/?a,b;c>; title=x; rel=\"last next\", <https://x.test/>; rel=first";
    (if asked.goes_on(&page) { next } else { last }.to_owned(), json!({ "data": rows(page) }))
}

fn by_address(seen: &Seen, asked: &Asked) -> Value {
    let page = asked.from(asked.number("at"), "pagelen");
    let (path, _) = seen.line.trim_start_matches("GET ").split_once('?').unwrap();
    let next = seen.fill_in(&format!("ORIGIN{path}?pagelen=100&at={}", page.end));
    if asked.goes_on(&page) { json!({ "next": next, "values": rows(page) }) } else { json!({ "values": rows(page) }) }
}

fn by_word(asked: &Asked) -> Value {
    let page = asked.from(asked.number("start"), "limit");
    let next = asked.goes_on(&page).then_some(page.end);
    json!({ "isLastPage": next.is_none(), "nextPageStart": next, "values": rows(page) })
}

fn rows(page: Range<usize>) -> Value {
    page.collect()
}

fn api(service: &Fixture) -> Api<'_> {
    let auth = (header::AUTHORIZATION, HeaderValue::from_static("Bearer x"));
    Api::new(service.at(), &format!("{}/api", service.server.instance), auth, &[]).unwrap()
}

fn no_refusal(answer: &Answer) -> ProviderError {
    panic!("{} {}", answer.status, answer.body)
}

async fn list(service: &Fixture, way: usize, rows: usize, given: &[usize]) -> Vec<usize> {
    let (name, paging) = WAYS[way];
    let given: Vec<String> = given.iter().map(usize::to_string).collect();
    let path = format!("/{name}/{rows}/{}", given.join(","));
    api(service).list(&path, &[], paging, no_refusal).await.unwrap()
}

#[tokio::test]
async fn every_way_copes_with_the_sizes_at_the_edges() {
    let service = Fixture::new("a-token-of-some-length", serve).await;
    let sizes = [1, 2, 49, 50, 51, 99, 100, 101, ROWS - 1, ROWS, ROWS + 1];
    for (way, size) in (0..WAYS.len()).flat_map(|way| sizes.map(|size| (way, size))) {
        let listed = list(&service, way, ROWS, &[size]).await;
        assert!(listed.iter().copied().eq(0..ROWS), "{} by {size}: {listed:?}", WAYS[way].0);
    }
}

#[test]
fn nothing_is_lost_or_repeated_whatever_pages_come() {
    let runtime = Runtime::new().unwrap();
    let service = runtime.block_on(Fixture::new("a-token-of-some-length", serve));
    let cases = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(cases, |(way in 0..WAYS.len(), rows in 0..=ROWS, given in vec(5..=120_usize, 1..6))| {
        let listed = runtime.block_on(list(&service, way, rows, &given));
        prop_assert!(listed.iter().copied().eq(0..rows), "{}: {listed:?}", WAYS[way].0);
    });
}

#[tokio::test]
async fn the_first_entries_take_no_more_pages_than_needed() {
    let service = Fixture::new("a-token-of-some-length", serve).await;
    for (name, paging) in WAYS {
        for (limit, given, pages) in [(0, 10, 1), (1, 10, 1), (10, 10, 1), (11, 5, 3), (25, 10, 3), (ROWS + 5, ROWS, 6)]
        {
            let before = service.server.requests().len();
            let path = format!("/{name}/{ROWS}/{given}");
            let found = api(&service).first::<usize>(limit, &path, &[], paging, no_refusal).await.unwrap();
            assert!(found.iter().copied().eq(0..limit.min(ROWS)), "{name} {limit}: {found:?}");
            let asked = service.server.requests().len() - before;
            assert!(asked <= pages, "{name}: {asked} pages for the first {limit}");
        }
    }
}

#[tokio::test]
async fn the_query_stays_on_every_page() {
    let service = Fixture::new("a-token-of-some-length", serve).await;
    let query = [("q", "a&b=c"), ("state", "open")];
    let listed: Vec<usize> =
        api(&service).list("/azure/3/2", &query, Paging::azure_continued(), no_refusal).await.unwrap();
    assert_eq!(listed, [0, 1, 2]);
    let wanted =
        ["", "&continuationToken=2"].map(|rest| format!("GET /api/azure/3/2?q=a%26b%3Dc&state=open&%24top=100{rest}"));
    assert_eq!(service.server.lines(), wanted);
}

#[tokio::test]
async fn an_address_elsewhere_is_not_followed() {
    for next in [
        "https://evil.test/api/rows?page=2",
        "ORIGIN.evil.test/api/rows?page=2",
        "ORIGIN@evil.test/api/rows?page=2",
        "http://evil@AUTHORITY/api/rows?page=2",
        "ORIGIN/admin?page=2",
        "ORIGIN/apis?page=2",
        "ORIGIN/api",
        "ORIGIN/api/../admin",
        "ORIGIN/api/%2e%2e/admin",
        "ftp://AUTHORITY/api/rows",
        "/api/rows?page=2",
        "not an address",
        "",
    ] {
        let serve =
            move |seen: &Seen| answer(200, "", &json!({ "values": [1], "next": seen.fill_in(next) }).to_string());
        let service = Fixture::new("a-token-of-some-length", serve).await;
        let listed = api(&service).list::<usize>("/rows", &[], Paging::bitbucket(), no_refusal).await;
        let saw = "a listing that goes on at another address".to_owned();
        assert_eq!(listed, Err(ProviderError::NotTheProvider { saw }), "{next}");
        assert_eq!(service.server.requests().len(), 1, "{next}");
    }
}

#[tokio::test]
async fn a_listing_in_circles_is_given_up() {
    let in_circles = r#"{"values": [1], "nextPageStart": 7}"#;
    let service = Fixture::new("a-token-of-some-length", move |_| answer(200, "", in_circles)).await;
    let listed = api(&service).list::<usize>("/rows", &[], Paging::bitbucket_data_center(), no_refusal).await;
    assert!(matches!(listed, Err(ProviderError::NotTheProvider { .. })), "{listed:?}");
    assert_eq!(service.server.requests().len(), 2);
}

#[tokio::test]
async fn a_refusal_is_told_from_a_stranger() {
    let refusal = |answer: &Answer| ProviderError::Failed { status: answer.status.as_u16(), said: answer.said() };
    let failed = |status, said: &str| ProviderError::Failed { status, said: said.to_owned() };
    let stranger = ProviderError::NotTheProvider { saw: "something that is not its API (200)".to_owned() };
    for (status, body, wanted) in [
        (403, r#"{"error": "no"}"#, failed(403, "no")),
        (200, r#"{"size": 1}"#, stranger.clone()),
        (200, r#"{"values": {}}"#, stranger.clone()),
        (200, r#"{"values": ["text"]}"#, stranger.clone()),
        (200, "[]", stranger.clone()),
        (200, "<html>", stranger),
    ] {
        let service = Fixture::new("a-token-of-some-length", move |_| answer(status, "", body)).await;
        let paging = Paging::bitbucket();
        assert_eq!(api(&service).list::<usize>("/x", &[], paging, refusal).await, Err(wanted.clone()), "{body}");
        assert_eq!(api(&service).first::<usize>(3, "/x", &[], paging, refusal).await, Err(wanted), "{body}");
    }
}

#[tokio::test]
async fn a_listing_refused_for_a_limit_is_not_asked_for_again() {
    let body = r#"{"error": {"errors": [{"reason": "userRateLimitExceeded"}]}}"#;
    let service = Fixture::new("a-token-of-some-length", move |_| answer(403, "", body)).await;
    let limited = |seconds| ProviderError::RateLimited { retry_after_seconds: Some(seconds) };
    for _ in 0..2 {
        let listed = api(&service).list::<usize>("/x", &[], Paging::numbered(""), |_| limited(30)).await;
        assert_eq!(listed, Err(limited(30)));
    }
    assert_eq!(service.server.requests().len(), 1);
}

#[test]
fn relations_of_links_are_read_as_the_standard_says() {
    for next in [
        "<https://x.test/?page=2>; rel=\"next\"",
        "<https://x.test/?page=2>; rel=next",
        "<https://x.test/?page=2>;REL = NEXT",
        "<https://x.test/>; rel=\"first\", <https://x.test/>; title=\"a\"; rel=\"prev next\"",
    ] {
        assert!(links_to_next(next), "{next}");
    }
    for none in [
        "",
        "<https://x.test/?page=1>; rel=\"prev\"",
        "<https://x.test/?a=;rel=next>; rel=\"last\"",
        "<https://x.test/?rel=\"next\">; rel=\"last\"",
        "<https://x.test/>; rel=\"nextish\"",
        "<https://x.test/>; title=\"next\"",
    ] {
        assert!(!links_to_next(none), "{none}");
    }
}
