use http::Method;

use crate::{
    Http, ProviderError,
    http::Caller,
    testing::{Responder, Seen, answer, http, now},
};
use reqwest::Request;

/// Serves everybody their own answer, and "not modified" to whoever names its tag.
fn by_credential(seen: &Seen) -> Vec<u8> {
    let header = |name: &str| seen.head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let whose = header("authorization: ").to_owned();
    let tag = format!("\"{whose}{}\"", seen.line.len());
    if header("if-none-match: ") == tag {
        return answer(304, &format!("ETag: {tag}\nX-Served: again"), "");
    }
    answer(200, &format!("ETag: {tag}\nX-Served: first\nLink: <x>; rel=\"next\""), &format!("{whose} {}", seen.line))
}

struct Got {
    status: u16,
    served: String,
    link: bool,
    body: String,
}

async fn ask(http: &Http, token: &str, url: &str) -> Result<Got, ProviderError> {
    let mut request = Request::new(Method::GET, url.parse().unwrap());
    request.headers_mut().insert("authorization", token.parse().unwrap());
    let response = http.ask(&Caller::new(&token.into(), now()), request, true).await?;
    let served = response.headers.get("x-served").map_or("", |value| value.to_str().unwrap()).to_owned();
    let (status, link) = (response.status.as_u16(), response.headers.contains_key("link"));
    Ok(Got { status, served, link, body: String::from_utf8(response.body).unwrap() })
}

fn conditions(forge: &Responder) -> Vec<bool> {
    forge.requests().iter().map(|seen| seen.head.contains("if-none-match: ")).collect()
}

#[tokio::test]
async fn what_has_not_changed_is_answered_from_memory() {
    let forge = Responder::start(by_credential).await;
    let (http, url) = (http(), format!("{}/list?page=1", forge.instance));
    let first = ask(&http, "a", &url).await.unwrap();
    let again = ask(&http, "a", &url).await.unwrap();
    assert_eq!((first.status, &*first.served, &*first.body), (200, "first", "a GET /list?page=1"));
    assert_eq!((again.status, &*again.served, &*again.body), (200, "again", "a GET /list?page=1"));
    assert!(again.link, "headers that did not come again are those of before");
    assert_eq!(conditions(&forge), [false, true]);
}

#[tokio::test]
async fn each_page_is_remembered_by_itself() {
    let forge = Responder::start(by_credential).await;
    let http = http();
    for page in [1, 20, 300, 1, 20, 300] {
        let got = ask(&http, "a", &format!("{}/list?page={page}", forge.instance)).await.unwrap();
        assert_eq!(got.body, format!("a GET /list?page={page}"));
    }
    assert_eq!(conditions(&forge), [false, false, false, true, true, true]);
}

#[tokio::test]
async fn no_credential_is_answered_from_anothers_memory() {
    // A service that tells credentials apart in its answers, but not in their tags.
    let forge = Responder::start(|seen| {
        let whose = if seen.head.contains("authorization: a") { "a's" } else { "b's" };
        if seen.head.contains("if-none-match") { answer(304, "", "") } else { answer(200, "ETag: \"same\"", whose) }
    })
    .await;
    let (http, url) = (http(), format!("{}/list", forge.instance));
    for (token, whose) in [("a", "a's"), ("b", "b's"), ("a", "a's"), ("b", "b's")] {
        assert_eq!(ask(&http, token, &url).await.unwrap().body, whose);
    }
    assert_eq!(conditions(&forge), [false, false, true, true]);
}

#[tokio::test]
async fn what_is_forgotten_is_asked_for_in_full() {
    let forge = Responder::start(by_credential).await;
    let (http, url) = (http(), format!("{}/list", forge.instance));
    for token in ["a", "b"] {
        ask(&http, token, &url).await.unwrap();
    }
    http.forget(&"a".into());
    for token in ["a", "b"] {
        ask(&http, token, &url).await.unwrap();
    }
    assert_eq!(conditions(&forge), [false, false, false, true]);
}

#[tokio::test]
async fn not_modified_out_of_the_blue_is_an_answer_as_any_other() {
    let forge = Responder::start(|_| answer(304, "ETag: \"x\"", "")).await;
    let (http, url) = (http(), format!("{}/list", forge.instance));
    for _ in 0..2 {
        let got = ask(&http, "a", &url).await.unwrap();
        assert_eq!((got.status, &*got.body), (304, ""));
    }
    assert_eq!(conditions(&forge), [false, false]);
}

#[tokio::test]
async fn only_good_answers_that_may_be_kept_are() {
    let large = "x".repeat(super::MOST_BYTES_EACH);
    let long_tag = format!("ETag: \"{}\"", "x".repeat(super::LONGEST_ETAG));
    for (status, headers, body) in [
        (200, "", "no tag"),
        (200, "ETag: \"t\"\nCache-Control: private, No-Store", "must not be kept"),
        (200, &*long_tag, "a tag that is too long"),
        (200, "ETag: \"t\"", &*large),
        (404, "ETag: \"t\"", "{}"),
        (500, "ETag: \"t\"", "{}"),
    ] {
        let bytes = answer(status, headers, body);
        let forge = Responder::start(move |_| bytes.clone()).await;
        let (http, url) = (http(), format!("{}/list", forge.instance));
        for _ in 0..2 {
            assert_eq!(ask(&http, "a", &url).await.unwrap().status, status);
        }
        assert_eq!(conditions(&forge), [false, false], "{status} {headers}");
    }
}

#[tokio::test]
async fn an_answer_without_a_tag_takes_the_place_of_one_with() {
    let forge = Responder::start(|seen| {
        let tagged = !seen.head.contains("if-none-match");
        if tagged { answer(200, "ETag: \"t\"", "old") } else { answer(200, "", "new") }
    })
    .await;
    let (http, url) = (http(), format!("{}/list", forge.instance));
    for body in ["old", "new", "old"] {
        assert_eq!(ask(&http, "a", &url).await.unwrap().body, body);
    }
    assert_eq!(conditions(&forge), [false, true, false]);
}

#[tokio::test]
async fn memory_is_bounded_and_the_oldest_gives_way() {
    let body = "x".repeat(200 << 10);
    let forge = Responder::start(move |seen| {
        if seen.head.contains("if-none-match") { answer(304, "", "") } else { answer(200, "ETag: \"t\"", &body) }
    })
    .await;
    let http = http();
    let url = |page: usize| format!("{}/list?page={page}", forge.instance);
    let fit = super::MOST_BYTES / (201 << 10);
    for page in 0..=fit {
        ask(&http, "a", &url(page)).await.unwrap();
    }
    for page in [fit, 1, 0] {
        ask(&http, "a", &url(page)).await.unwrap();
    }
    assert_eq!(conditions(&forge)[fit + 1..], [true, true, false]);
}

#[tokio::test]
async fn a_used_up_limit_is_known_without_asking() {
    let forge = Responder::start(|_| answer(429, "Retry-After: 17", "")).await;
    let (http, url) = (http(), format!("{}/list", forge.instance));
    assert_eq!(ask(&http, "a", &url).await.unwrap().status, 429);
    let limited = ask(&http, "a", &url).await.map(|got| got.status);
    assert_eq!(limited, Err(ProviderError::RateLimited { retry_after_seconds: Some(17) }));
    assert_eq!(forge.requests().len(), 1);
    assert!(http.is_low(&"a".into(), 1, now()) && !http.is_low(&"b".into(), 1, now()));
    assert_eq!(ask(&http, "b", &url).await.unwrap().status, 429);
    http.forget(&"a".into());
    assert_eq!(ask(&http, "a", &url).await.unwrap().status, 429);
}
