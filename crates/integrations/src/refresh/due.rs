use jiff::{SignedDuration, Timestamp};
use valetkey_model::{AuthMethod, Integration};

/// How long before its end an access token is replaced.
///
/// Five minutes, but at most a tenth of the time for which it can have lived: a token of one minute must not be due from
/// the start. When it was issued is not stored; the integration's last change is never before that, so that the margin
/// comes out too short at worst, never too long.
const AT_USE: Margin = Margin { most: SignedDuration::from_mins(5), part: 10 };

/// The same for who looks ahead of time: early enough that a session seldom finds its token due.
const AHEAD: Margin = Margin { most: SignedDuration::from_mins(10), part: 5 };

/// Who asks whether a refresh is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Somebody who is about to use the token.
    Use,
    /// The scheduler.
    Ahead,
}

struct Margin {
    most: SignedDuration,
    part: i32,
}

/// Whether the access token ends so soon that it is replaced first. One without an end never does.
pub(super) fn is_due(integration: &Integration, moment: Moment, now: Timestamp) -> bool {
    due_at(integration, moment).is_some_and(|due| due <= now)
}

/// From when on that is so.
fn due_at(integration: &Integration, moment: Moment) -> Option<Timestamp> {
    let end = integration.expires_at?;
    let Margin { most, part } = match moment {
        Moment::Use => AT_USE,
        Moment::Ahead => AHEAD,
    };
    let life = end.duration_since(integration.updated_at).max(SignedDuration::ZERO);
    Some(end - most.min(life / part))
}

/// From when on who looks ahead replaces the access token; none for credentials that are not refreshed.
pub(crate) fn ahead_of_end(integration: &Integration) -> Option<Timestamp> {
    match integration.auth_method {
        AuthMethod::OAuth | AuthMethod::App => due_at(integration, Moment::Ahead),
        AuthMethod::Pat | AuthMethod::Basic | AuthMethod::Header => None,
    }
}

/// Whether the access token's own time is over. One without an end is never over by itself.
pub(super) fn is_over(integration: &Integration, now: Timestamp) -> bool {
    integration.expires_at.is_some_and(|end| end <= now)
}
