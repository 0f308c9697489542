//! When a provider is asked next about a credential.

use jiff::{SignedDuration, Timestamp};
use valetkey_model::{CheckOutcome, Entropy, Integration, ProblemCode, Status};

use crate::refresh::ahead_of_end;

/// One that works.
const USUAL: SignedDuration = SignedDuration::from_hours(12);
/// One that ends within days.
const EXPIRING: SignedDuration = SignedDuration::from_hours(6);
/// One that was refused: accounts are unblocked and servers restored. With the spread, about once a day.
const REFUSED: SignedDuration = SignedDuration::from_hours(19);
/// For how long after its refusal.
const HOPE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// One whose provider did not answer: this, then twice the last pause.
const UNREACHABLE: SignedDuration = SignedDuration::from_mins(10);
/// One whose limits are nearly used up, so that people find something left; or that could not be looked at here.
const POSTPONED: SignedDuration = SignedDuration::from_hours(1);

/// Nothing is asked more often by itself.
pub(crate) const SHORTEST: SignedDuration = SignedDuration::from_mins(1);
/// Nothing that is asked at all is asked less often.
pub(crate) const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// What is known of the last check besides what it left in the integration.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LastCheck {
    /// The pause between the check before and this one, if the provider answered neither.
    pub(crate) unreachable_for: Option<SignedDuration>,
    /// How long the provider wants to be left alone.
    pub(crate) told_to_wait: Option<SignedDuration>,
}

/// When an integration that was just checked, connected or refreshed is to be looked at next; none for never.
///
/// A credential that was revoked is lost, and one that stays refused for a month is given up: only a person brings them
/// back. An access token is looked at before it ends, so that it is refreshed ahead of its use, and every other credential
/// no later than at its end. Every pause is spread by a quarter to both sides.
pub(crate) fn next_check(
    of: &Integration,
    last: LastCheck,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Option<Timestamp> {
    let pause = spread(usual_pause(of, last, now)?, entropy);
    let at = now + pause.max(last.told_to_wait.unwrap_or_default()).clamp(SHORTEST, LONGEST);
    let reachable = of.unreachable.is_none() && last.told_to_wait.is_none();
    let deadlines = [of.ends_at(), ahead_of_end(of)].into_iter().flatten();
    let first = deadlines.filter(|deadline| reachable && *deadline > now).min();
    Some(first.map_or(at, |deadline| at.min(deadline.max(now + SHORTEST))))
}

/// When a look that was put off is due again.
pub(crate) fn postponed(now: Timestamp, entropy: &dyn Entropy) -> Timestamp {
    now + spread(POSTPONED, entropy)
}

/// Whether a look that was only due for the sake of the access token can do without asking about the credential.
pub(crate) fn checked_lately(of: &Integration, now: Timestamp) -> bool {
    of.unreachable.is_none() && now.duration_since(of.last_checked_at) < USUAL * 3 / 4
}

fn usual_pause(of: &Integration, last: LastCheck, now: Timestamp) -> Option<SignedDuration> {
    let revoked = matches!(&of.outcome, CheckOutcome::Disconnected { code: ProblemCode::TokenRevoked, .. });
    match of.status(now).0 {
        Status::Connected | Status::InsufficientScope => Some(USUAL),
        Status::Expiring => Some(EXPIRING),
        Status::Unreachable => {
            let before = last.unreachable_for.unwrap_or_default();
            Some(before.saturating_add(before).clamp(UNREACHABLE, USUAL))
        }
        // A consent that has ended is over. The end of a token can be moved at some providers.
        Status::Disconnected if revoked || is_over(of, now) => None,
        Status::Disconnected => (now.duration_since(of.updated_at) < HOPE).then_some(REFUSED),
    }
}

fn is_over(of: &Integration, now: Timestamp) -> bool {
    let by_consent = of.auth_method.is_by_consent();
    by_consent && of.ends_at().is_some_and(|end| end <= now)
}

/// Three to five quarters of a pause, so that what was connected together is not checked together.
fn spread(pause: SignedDuration, entropy: &dyn Entropy) -> SignedDuration {
    let mut bytes = [0; 2];
    entropy.fill(&mut bytes);
    let half = pause / 2;
    half + half / 2 + half / i32::from(u16::MAX) * i32::from(u16::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};
    use valetkey_model::{Account, Details, IntegrationId, OwnerScope, ProviderKind, UserId};

    use super::*;
    use valetkey_model::AuthMethod;

    const NOW: i64 = 1_000_000_000;

    /// Gives the same two bytes again and again.
    struct Fixed(u16);

    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            for (at, byte) in bytes.iter_mut().enumerate() {
                *byte = self.0.to_be_bytes()[at % 2];
            }
        }
    }

    const LOW: Fixed = Fixed(0);
    const MIDDLE: Fixed = Fixed(0x7fff);
    const HIGH: Fixed = Fixed(u16::MAX);

    fn now() -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }

    fn hours(hours: i64) -> SignedDuration {
        SignedDuration::from_hours(hours)
    }

    fn minutes(minutes: i64) -> SignedDuration {
        SignedDuration::from_mins(minutes)
    }

    fn healthy() -> Integration {
        Integration {
            id: IntegrationId::new(now(), &LOW),
            provider: ProviderKind::GitLab,
            scope: OwnerScope::UserGlobal,
            owner: UserId::admin(),
            alias: "work".parse().unwrap(),
            instance_url: "https://gitlab.example".parse().unwrap(),
            account: Account { id: "7".into(), username: "john".into(), name: None, email: None },
            auth_method: AuthMethod::Pat,
            granted_scopes: Vec::new(),
            expires_at: None,
            refresh_expires_at: None,
            details: Details::default(),
            outcome: CheckOutcome::Connected,
            unreachable: None,
            is_default: false,
            generation: 1,
            removing: false,
            created_at: now(),
            updated_at: now(),
            last_checked_at: now(),
            last_used_at: None,
        }
    }

    fn refused(code: ProblemCode) -> Integration {
        Integration { outcome: CheckOutcome::Disconnected { code, reason: "refused".into() }, ..healthy() }
    }

    fn silent() -> Integration {
        Integration { unreachable: Some("no answer".into()), ..healthy() }
    }

    /// The pause until the next check, to the minute.
    fn pause(of: &Integration, last: LastCheck, entropy: &Fixed) -> Option<SignedDuration> {
        let next = next_check(of, last, now(), entropy)?;
        Some(next.duration_since(now()).round(jiff::Unit::Minute).unwrap())
    }

    fn usually(of: &Integration) -> Option<SignedDuration> {
        pause(of, LastCheck::default(), &MIDDLE)
    }

    #[test]
    fn what_works_is_checked_every_twelve_hours_give_or_take_a_quarter() {
        let spread = [LOW, MIDDLE, HIGH].map(|entropy| pause(&healthy(), LastCheck::default(), &entropy).unwrap());
        assert_eq!(spread, [hours(9), hours(12), hours(15)]);
        let narrow = Integration { outcome: CheckOutcome::InsufficientScope { reason: "x".into() }, ..healthy() };
        assert_eq!(usually(&narrow), Some(hours(12)));
    }

    #[test]
    fn what_ends_within_days_is_checked_more_often_and_at_its_end() {
        let ending = |left| Integration { expires_at: Some(now() + left), ..healthy() };
        assert_eq!(usually(&ending(hours(8 * 24))), Some(hours(12)));
        assert_eq!(usually(&ending(hours(6 * 24))), Some(hours(6)));
        assert_eq!(usually(&ending(hours(2))), Some(hours(2)));
    }

    #[test]
    fn an_access_token_is_looked_at_ten_minutes_before_its_end() {
        let token = |left| Integration { auth_method: AuthMethod::OAuth, expires_at: Some(now() + left), ..healthy() };
        assert_eq!(usually(&token(hours(2))), Some(minutes(110)));
        assert_eq!(usually(&token(minutes(10))), Some(minutes(8)), "a fifth of a short life");
        assert_eq!(usually(&token(hours(400))), Some(hours(12)));
        let due = Integration { updated_at: now() - hours(2), ..token(minutes(5)) };
        assert_eq!(usually(&due), Some(hours(12)), "it could not be renewed a moment ago; who uses it tries again");
    }

    #[test]
    fn who_does_not_answer_is_asked_after_ten_minutes_then_after_twice_the_last_pause() {
        let after = |pause_before| {
            pause(&silent(), LastCheck { unreachable_for: pause_before, ..LastCheck::default() }, &MIDDLE)
        };
        assert_eq!(after(None), Some(minutes(10)));
        assert_eq!(after(Some(minutes(2))), Some(minutes(10)), "a person asked in between");
        assert_eq!(after(Some(minutes(12))), Some(minutes(24)));
        assert_eq!(after(Some(hours(11))), Some(hours(12)));
        assert_eq!(after(Some(SignedDuration::MAX)), Some(hours(12)));
    }

    #[test]
    fn a_provider_is_left_alone_for_as_long_as_it_says_but_no_longer_than_a_day() {
        let told = |wait| pause(&silent(), LastCheck { told_to_wait: Some(wait), ..LastCheck::default() }, &MIDDLE);
        assert_eq!(told(minutes(1)), Some(minutes(10)));
        assert_eq!(told(minutes(45)), Some(minutes(45)));
        assert_eq!(told(SignedDuration::MAX), Some(hours(24)));
        let ending = Integration { expires_at: Some(now() + minutes(5)), ..silent() };
        let last = LastCheck { told_to_wait: Some(minutes(45)), ..LastCheck::default() };
        assert_eq!(pause(&ending, last, &MIDDLE), Some(minutes(45)), "its end is no reason either");
    }

    #[test]
    fn what_was_refused_is_asked_for_once_a_day_for_a_month_and_what_is_lost_never() {
        let blocked = refused(ProblemCode::IntegrationUnusable);
        assert_eq!(usually(&blocked), Some(hours(19)));
        assert_eq!(usually(&Integration { updated_at: now() - hours(29 * 24), ..blocked.clone() }), Some(hours(19)));
        assert_eq!(usually(&Integration { updated_at: now() - hours(30 * 24), ..blocked }), None);
        assert_eq!(usually(&refused(ProblemCode::TokenRevoked)), None);
        let past = Some(now() - hours(1));
        assert_eq!(usually(&Integration { expires_at: past, ..healthy() }), Some(hours(19)), "its end may be moved");
        let consent = Integration { auth_method: AuthMethod::OAuth, refresh_expires_at: past, ..healthy() };
        assert_eq!(usually(&consent), None);
    }

    fn moments() -> impl Strategy<Value = Option<Timestamp>> {
        let seconds = prop_oneof![NOW - 5_000_000..NOW + 5_000_000, NOW - 100..NOW + 1_000];
        proptest::option::of(seconds.prop_map(|second| Timestamp::from_second(second).unwrap()))
    }

    proptest! {
        #[test]
        fn the_next_check_is_never_sooner_than_a_minute_and_never_later_than_a_day(
            (method, code) in (
                select(vec![AuthMethod::Pat, AuthMethod::OAuth, AuthMethod::App]),
                select(vec![None, Some(ProblemCode::TokenExpired), Some(ProblemCode::TokenRevoked)]),
            ),
            (expires_at, refresh_expires_at, changed) in (moments(), moments(), moments()),
            (unreachable, paused, told) in (any::<bool>(), any::<Option<u32>>(), any::<Option<u64>>()),
            random in any::<u16>(),
        ) {
            let of = code.map_or_else(healthy, refused);
            let of = Integration {
                auth_method: method,
                expires_at,
                refresh_expires_at,
                unreachable: unreachable.then(String::new),
                updated_at: changed.unwrap_or(now()),
                ..of
            };
            let last = LastCheck {
                unreachable_for: paused.map(|seconds| SignedDuration::from_secs(seconds.into())),
                told_to_wait: told.map(|seconds| SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))),
            };
            if let Some(next) = next_check(&of, last, now(), &Fixed(random)) {
                prop_assert!(next >= now() + SHORTEST && next <= now() + LONGEST, "{next}");
                let wait = last.told_to_wait.unwrap_or_default().min(LONGEST);
                prop_assert!(next >= now() + wait, "{next}");
            } else {
                prop_assert_eq!(of.status(now()).0, Status::Disconnected);
            }
        }
    }
}
