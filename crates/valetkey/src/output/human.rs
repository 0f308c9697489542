use std::time::Duration;

use jiff::Timestamp;

/// How long ago, or until when: `just now`, `5 min ago`, `in 3 days`; beyond a month the day itself.
pub(crate) fn when(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs();
    let length = match seconds.unsigned_abs() {
        0..=9 => return "just now".to_owned(),
        n @ 10..=59 => format!("{n} s"),
        n @ 60..=3599 => format!("{} min", n / 60),
        n @ 3600..=86_399 => format!("{} h", n / 3600),
        n @ 86_400..=172_799 => format!("{} day", n / 86_400),
        n @ 172_800..=2_678_399 => format!("{} days", n / 86_400),
        _ => return day(at),
    };
    if seconds > 0 { format!("{length} ago") } else { format!("in {length}") }
}

/// `2026-11-21`.
pub(crate) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// `12 ms`, `1.5 s`, `2 min 5 s`.
pub(crate) fn took(time: Duration) -> String {
    match time.as_millis() {
        n @ 0..=999 => format!("{n} ms"),
        n @ 1000..=59_999 => format!("{}.{} s", n / 1000, n % 1000 / 100),
        n => format!("{} min {} s", n / 60_000, n % 60_000 / 1000),
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;

    use super::*;

    #[test]
    fn times_are_told_as_people_do() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for (span, told) in [
            (0.seconds(), "just now"),
            ((-45).seconds(), "45 s ago"),
            ((-90).minutes(), "1 h ago"),
            ((-30).hours(), "1 day ago"),
            (5.minutes(), "in 5 min"),
            (72.hours(), "in 3 days"),
        ] {
            assert_eq!(when(now + span, now), told);
        }
        assert_eq!(when("2025-01-02T00:00:00Z".parse().unwrap(), now), "2025-01-02");
        assert_eq!(took(Duration::from_millis(12)), "12 ms");
        assert_eq!(took(Duration::from_millis(1_560)), "1.5 s");
        assert_eq!(took(Duration::from_secs(125)), "2 min 5 s");
    }
}
