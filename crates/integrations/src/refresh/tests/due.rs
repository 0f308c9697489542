use jiff::SignedDuration;

use super::{START, integration};
use crate::refresh::due::{Moment, is_due, is_over};

#[test]
fn a_token_is_due_five_minutes_before_its_end_or_in_the_last_tenth_of_its_life() {
    let issued = jiff::Timestamp::from_second(START).unwrap();
    for (life, at_use, ahead) in [(7200, 300, 600), (3000, 300, 600), (600, 60, 120), (60, 6, 12), (0, 0, 0)] {
        let mut it = integration("a", issued);
        let end = issued + SignedDuration::from_secs(life);
        it.expires_at = Some(end);
        for (moment, margin) in [(Moment::Use, at_use), (Moment::Ahead, ahead)] {
            let at = |seconds| end - SignedDuration::from_secs(seconds);
            assert!(is_due(&it, moment, at(margin)), "{life} s, {moment:?}");
            assert!(!is_due(&it, moment, at(margin + 1)), "{life} s, {moment:?}");
        }
        assert!(is_over(&it, end));
        assert!(!is_over(&it, end - SignedDuration::from_secs(1)));
    }
}

#[test]
fn a_token_without_an_end_is_never_due() {
    let it = integration("a", jiff::Timestamp::from_second(START).unwrap());
    assert!(!is_due(&it, Moment::Ahead, jiff::Timestamp::MAX));
    assert!(!is_over(&it, jiff::Timestamp::MAX));
}
