//! When a notification that was not taken is sent again.

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use valetkey_model::Entropy;

/// The pauses after the first attempt, the second … three days in all, as the specification advises.
const PAUSES: [SignedDuration; 9] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(5),
    SignedDuration::from_hours(10),
    SignedDuration::from_hours(14),
    SignedDuration::from_hours(20),
    SignedDuration::from_hours(24),
];

/// A receiver that wants to be left alone for longer is asked again after this all the same.
const LONGEST_TOLD: SignedDuration = SignedDuration::from_hours(24);

/// When to try again after so many attempts; none when that was the last. A pause is lengthened by up to a fifth, so that
/// what failed together does not come back together, and to what the receiver has told.
pub(crate) fn next_attempt(
    attempts: i64,
    told: Option<SignedDuration>,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Option<Timestamp> {
    let made = usize::try_from(attempts).unwrap_or(0).max(1);
    let pause = *PAUSES.get(made - 1)?;
    Some(now + lengthened(pause, entropy).max(told.unwrap_or_default().min(LONGEST_TOLD)))
}

fn lengthened(pause: SignedDuration, entropy: &dyn Entropy) -> SignedDuration {
    let mut bytes = [0; 2];
    entropy.fill(&mut bytes);
    pause + pause / 5 / i32::from(u16::MAX) * i32::from(u16::from_be_bytes(bytes))
}

/// What a `Retry-After` says: seconds, or a date.
pub(crate) fn told_to_wait(retry_after: &str, now: Timestamp) -> Option<SignedDuration> {
    let date = || rfc2822::parse(retry_after).ok().map(|at| at.timestamp().duration_since(now));
    let seconds = retry_after.parse::<u32>().ok().map(|seconds| SignedDuration::from_secs(seconds.into()));
    seconds.or_else(date).filter(SignedDuration::is_positive)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_900_000_000).unwrap()
    }

    fn pause(attempts: i64, told: Option<i64>, random: u8) -> Option<i64> {
        let told = told.map(SignedDuration::from_secs);
        let next = next_attempt(attempts, told, now(), &Fixed(random));
        next.map(|next| next.duration_since(now()).as_secs())
    }

    #[test]
    fn ten_attempts_within_four_days_and_never_early() {
        let (mut shortest, mut longest) = (0, 0);
        for attempts in 1..10 {
            let (least, most) = (pause(attempts, None, 0).unwrap(), pause(attempts, None, 255).unwrap());
            assert!(least <= most && most * 5 <= least * 6, "{attempts}: {least} to {most}");
            (shortest, longest) = (shortest + least, longest + most);
        }
        assert_eq!(pause(10, None, 0), None);
        assert!(shortest > 3 * 86_400 && longest < 4 * 86_400, "{shortest} to {longest}");
    }

    #[test]
    fn a_receiver_is_left_alone_for_as_long_as_it_says_but_not_for_ever() {
        assert_eq!(pause(1, Some(120), 0), Some(120));
        assert_eq!(pause(2, Some(120), 0), Some(300), "the usual pause is longer");
        assert_eq!(pause(1, Some(i64::from(u32::MAX)), 0), Some(86_400));
    }

    #[test]
    fn a_retry_after_is_seconds_or_a_date() {
        let seconds = |text| told_to_wait(text, now()).map(|told| told.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("Sun, 17 Mar 2030 17:48:40 GMT"), Some(120));
        for nothing in ["", "soon", "-5", "0", "99999999999999999999", "Sun, 17 Mar 2030 17:46:00 GMT"] {
            assert_eq!(seconds(nothing), None, "{nothing}");
        }
    }
}
