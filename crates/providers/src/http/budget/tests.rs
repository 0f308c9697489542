use http::{HeaderName, HeaderValue};

use super::*;
use crate::testing::{NOW, now};

/// The provider's clock in the answers below: ten minutes before ours.
const THEIR_NOW: i64 = NOW - 600;
const THEIR_DATE: &str = "Date: Fri, 20 Nov 2026 11:50:00 GMT";

fn call(method: &Method, url: &str) -> Call {
    Call::new(method, &url.parse().unwrap())
}

fn get(url: &str) -> Call {
    call(&Method::GET, url)
}

fn headers(lines: &str) -> HeaderMap {
    let line = |line: &str| {
        let (name, value) = line.trim().split_once(": ").unwrap();
        (HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap())
    };
    lines.lines().map(line).collect()
}

/// One credential's limits after one answer.
struct Told {
    budgets: Budgets,
    credential: TokenHash,
}

impl Told {
    fn nothing() -> Self {
        Self { budgets: Budgets::new(), credential: TokenHash::of("mine") }
    }

    fn by(call: &Call, status: u16, lines: &str) -> Self {
        let told = Self::nothing();
        told.and(call, status, lines);
        told
    }

    fn and(&self, call: &Call, status: u16, lines: &str) {
        let status = StatusCode::from_u16(status).unwrap();
        self.budgets.note(&self.credential, call, status, &headers(lines), now());
    }

    fn wait(&self, call: &Call) -> Option<u64> {
        self.budgets.wait(&self.credential, call, now())
    }
}

const REPO: &str = "https://api.github.com/repos/octo/app";
const SEARCH: &str = "https://api.github.com/search/issues?q=x";

fn github(resource: &str, remaining: u64) -> String {
    let reset = NOW + 90;
    format!(
        "x-ratelimit-limit: 5000\nx-ratelimit-remaining: {remaining}\nx-ratelimit-reset: {reset}\nx-ratelimit-resource: {resource}"
    )
}

#[test]
fn nothing_is_held_back_before_anything_is_said() {
    assert_eq!(Told::nothing().wait(&get(REPO)), None);
    assert_eq!(Told::by(&get(REPO), 200, "x-other: 1").wait(&get(REPO)), None);
    assert_eq!(Told::by(&get(REPO), 200, &github("core", 1)).wait(&get(REPO)), None);
}

#[test]
fn a_window_that_is_used_up_holds_calls_back_until_it_ends() {
    let told = Told::by(&get(REPO), 200, &github("core", 0));
    assert_eq!(told.wait(&get("https://api.github.com/user")), Some(90));
    let at = |seconds: i64| told.budgets.wait(&told.credential, &get(REPO), now() + seconds.seconds());
    assert_eq!([at(0), at(89), at(90), at(1000)], [Some(90), Some(1), None, None]);
    let half = now() + 500.milliseconds();
    assert_eq!(told.budgets.wait(&told.credential, &get(REPO), half), Some(90), "rounded up");
}

#[test]
fn other_credentials_and_other_hosts_are_not_held_back() {
    let told = Told::by(&get(REPO), 200, &github("core", 0));
    assert_eq!(told.budgets.wait(&TokenHash::of("another"), &get(REPO), now()), None);
    assert_eq!(told.wait(&get("https://ghe.test/repos/octo/app")), None);
}

#[test]
fn githubs_kinds_of_calls_are_counted_apart() {
    let graphql = call(&Method::POST, "https://api.github.com/graphql");
    let code = get("https://api.github.com/search/code?q=x");
    let told = Told::by(&get(SEARCH), 200, &github("search", 0));
    assert_eq!(
        [get(SEARCH), get(REPO), code, graphql.clone()].map(|call| told.wait(&call).is_some()),
        [true, false, false, false]
    );
    let told = Told::by(&get(REPO), 200, &github("core", 0));
    assert_eq!([get(SEARCH), get(REPO), graphql].map(|call| told.wait(&call).is_some()), [false, true, false]);
    let server = |path: &str| get(&format!("https://ghe.test/api/v3{path}"));
    let told = Told::by(&server("/search/issues"), 200, &github("search", 0));
    assert_eq!([server("/search/users"), server("/user")].map(|call| told.wait(&call).is_some()), [true, false]);
    let told = Told::by(&get(REPO), 200, &github("dependency_snapshots", 0));
    assert_eq!([get(REPO), get("https://api.github.com/user")].map(|call| told.wait(&call).is_some()), [true, false]);
}

#[test]
fn githubs_secondary_limit_holds_everything_back() {
    for status in [403, 429] {
        let told = Told::by(&get(REPO), status, &format!("{}\nretry-after: 30", github("core", 4000)));
        assert_eq!([get(SEARCH), get(REPO)].map(|call| told.wait(&call)), [Some(30), Some(30)]);
    }
}

#[test]
fn gitlab_says_it_without_the_x_and_names_what_it_counts() {
    let project = "https://gitlab.com/api/v4/projects/7";
    let said = |name: &str, left: u64| {
        format!(
            "RateLimit-Limit: 2000\nRateLimit-Name: {name}\nRateLimit-Remaining: {left}\nRateLimit-Reset: {}",
            NOW + 20
        )
    };
    let (user, other) = (get("https://gitlab.com/api/v4/user"), get("https://gitlab.com/api/v4/projects/8"));
    let told = Told::by(&get(project), 200, &said("throttle_authenticated_api", 0));
    assert_eq!(told.wait(&user), Some(20));
    let told = Told::by(&get(project), 200, &said("throttle_authenticated_packages_api", 0));
    assert_eq!([told.wait(&user), told.wait(&other)], [None, Some(20)]);
    let told = Told::by(&get(project), 429, &format!("{}\nRetry-After: 7", said("throttle_authenticated_api", 900)));
    assert_eq!([told.wait(&user), told.wait(&other)], [None, Some(7)], "a limit of one feature shows in no figure");
    let told = Told::by(&get(project), 429, "Retry-After: 8");
    assert_eq!(told.wait(&user), Some(8));
}

#[test]
fn jira_slows_only_what_it_names() {
    let issue = |key: &str| get(&format!("https://x.atlassian.net/rest/api/3/issue/{key}"));
    let write = call(&Method::PUT, "https://x.atlassian.net/rest/api/3/issue/AB-1");
    let me = get("https://x.atlassian.net/rest/api/3/myself");
    let waits = |reason: &str| {
        let told = Told::by(&issue("AB-1"), 429, &format!("Retry-After: 5\nRateLimit-Reason: {reason}"));
        [&issue("AB-1"), &issue("CD-22"), &write, &me].map(|call| told.wait(call).is_some())
    };
    assert_eq!(waits("jira-burst-based"), [true, true, false, false]);
    assert_eq!(waits("jira-per-issue-on-write"), [true, true, false, false]);
    assert_eq!(waits("jira-quota-global-based"), [true; 4]);
    assert_eq!(waits("jira-quota-tenant-based"), [true; 4]);
    let unavailable = Told::by(&me, 503, "Retry-After: 5\nRateLimit-Reason: jira-quota-tenant-based");
    assert_eq!(unavailable.wait(&write), Some(5));
}

#[test]
fn the_end_of_a_window_may_be_a_date() {
    let me = get("https://x.atlassian.net/rest/api/3/myself");
    for (reset, seconds) in
        [("2026-11-20T12:01:00Z", 60), ("2026-11-20T12:02Z", 120), ("2026-11-20T13:01:00+01:00", 60)]
    {
        let told =
            Told::by(&me, 200, &format!("X-RateLimit-Limit: 9\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: {reset}"));
        assert_eq!(told.wait(&me), Some(seconds), "{reset}");
    }
}

#[test]
fn slack_counts_each_method_by_itself() {
    let method = |name: &str| get(&format!("https://slack.com/api/{name}"));
    let told = Told::by(&method("conversations.list"), 429, "Retry-After: 12");
    assert_eq!(told.wait(&method("conversations.list?cursor=x")), Some(12));
    assert_eq!(told.wait(&method("chat.postMessage")), None);
}

#[test]
fn azure_asks_for_patience_in_answers_too() {
    let url = "https://dev.azure.com/org/_apis/projects";
    let told = Told::by(&get(url), 200, "X-RateLimit-Resource: Core/X\nX-RateLimit-Remaining: 100\nRetry-After: 11");
    assert_eq!(told.wait(&get(url)), Some(11));
    let told = Told::by(&call(&Method::POST, url), 202, "Retry-After: 11");
    assert_eq!(told.wait(&get(url)), None, "the time after which to ask for a result is no limit");
    assert_eq!(Told::by(&get(url), 503, "Retry-After: 11").wait(&get(url)), None, "nor is that of a pause for repairs");
}

#[test]
fn times_are_told_by_the_providers_clock() {
    let window = format!("x-ratelimit-remaining: 0\nx-ratelimit-reset: {}\n{THEIR_DATE}", THEIR_NOW + 40);
    assert_eq!(Told::by(&get(REPO), 200, &window).wait(&get(REPO)), Some(40));
    let date = format!("Retry-After: Fri, 20 Nov 2026 11:50:30 GMT\n{THEIR_DATE}");
    assert_eq!(Told::by(&get(REPO), 429, &date).wait(&get(REPO)), Some(30));
}

#[test]
fn nobody_is_held_back_for_longer_than_any_real_window() {
    for lines in [
        "Retry-After: 999999999999".to_owned(),
        format!("Retry-After: {}", i64::MAX),
        "Retry-After: Fri, 20 Nov 2099 12:00:00 GMT".to_owned(),
        format!("x-ratelimit-remaining: 0\nx-ratelimit-reset: {}", NOW + 1_000_000),
    ] {
        assert_eq!(Told::by(&get(REPO), 429, &lines).wait(&get(REPO)), Some(3600), "{lines}");
    }
    for lines in [
        "Retry-After: -5",
        "Retry-After: soon",
        "Retry-After: 99999999999999999999",
        "Retry-After: Fri, 20 Nov 2020 12:00:00 GMT",
        "x-ratelimit-remaining: 0",
        "x-ratelimit-remaining: 0\nx-ratelimit-reset: 1",
        "x-ratelimit-remaining: 0\nx-ratelimit-reset: 9223372036854775807",
        "x-ratelimit-remaining: none\nx-ratelimit-reset: 1795176060",
        "x-ratelimit-remaining: 0\nx-ratelimit-reset: ü",
    ] {
        assert_eq!(Told::by(&get(REPO), 429, lines).wait(&get(REPO)), None, "{lines}");
    }
}

#[test]
fn answers_in_the_wrong_order_give_nothing_back() {
    let told = Told::by(&get(REPO), 200, &github("core", 0));
    told.and(&get(REPO), 200, &github("core", 1));
    assert_eq!(told.wait(&get(REPO)), Some(90));
    let next = github("core", 4999).replace(&(NOW + 90).to_string(), &(NOW + 3600).to_string());
    told.and(&get(REPO), 200, &next);
    assert_eq!(told.wait(&get(REPO)), None, "a new window");
    let told = Told::by(&get(REPO), 429, &format!("{}\nRetry-After: 60", github("core", 0)));
    told.and(&get(REPO), 429, "Retry-After: 5");
    assert_eq!(told.wait(&get(REPO)), Some(90), "the longest counts");
}

#[test]
fn a_limit_told_in_a_body_can_be_put_in() {
    let told = Told::nothing();
    let files = get("https://www.googleapis.com/drive/v3/files");
    told.budgets.hold(&told.credential, &files, 15, now());
    assert_eq!(told.wait(&files), Some(15));
    told.budgets.hold(&told.credential, &files, u64::MAX, now());
    assert_eq!(told.wait(&files), Some(3600));
}

#[test]
fn background_work_learns_when_little_is_left() {
    let low = |remaining| {
        let told = Told::by(&get(REPO), 200, &github("core", remaining));
        told.budgets.is_low(&told.credential, 20, now())
    };
    assert_eq!([0, 1, 999, 1000, 4999].map(low), [true, true, true, false, false]);
    let told = Told::by(&get(REPO), 429, "Retry-After: 5");
    assert!(told.budgets.is_low(&told.credential, 20, now()));
    assert!(!told.budgets.is_low(&told.credential, 20, now() + 5.seconds()));
    assert!(!told.budgets.is_low(&TokenHash::of("another"), 20, now()));
    let told = Told::by(&get(SEARCH), 200, &github("search", 0));
    assert!(!told.budgets.is_low(&told.credential, 20, now()), "of searches nothing is left, of the rest enough");
}

#[test]
fn what_is_forgotten_holds_nothing_back() {
    let told = Told::by(&get(REPO), 200, &github("core", 0));
    told.budgets.forget(&told.credential);
    assert_eq!(told.wait(&get(REPO)), None);
}

#[test]
fn the_oldest_give_way() {
    let told = Told::by(&get(REPO), 200, &github("core", 0));
    let other = |name: usize| TokenHash::of(&name.to_string());
    for name in 0..MOST_CREDENTIALS {
        assert_eq!(told.wait(&get(REPO)), Some(90), "in use, it stays");
        told.budgets.hold(&other(name), &get(REPO), 9, now());
    }
    assert_eq!(told.budgets.wait(&other(0), &get(REPO), now()), None);
    assert_eq!(told.budgets.wait(&other(1), &get(REPO), now()), Some(9));
    let told = Told::nothing();
    for name in 0..=MOST_LIMITS {
        told.budgets.hold(&told.credential, &get(&format!("https://h{name}.test/")), 9, now());
    }
    let wait = |name: usize| told.wait(&get(&format!("https://h{name}.test/")));
    assert_eq!([wait(0), wait(1), wait(MOST_LIMITS)], [None, Some(9), Some(9)]);
}
