//! What people are told of a refresh that brought nothing.

use valetkey_model::{CheckOutcome, Integration, Problem, ProblemCode};
use valetkey_providers::oauth::OAuthError;

use crate::consent::oauth_problem;

/// What to do about a grant that is over.
pub(super) const CONNECT_AGAIN: &str = "Connect the account again.";

/// Why a grant is over.
pub(super) enum End {
    /// The provider says so, in these words.
    Refused(OAuthError),
    /// The provider carried a refresh out, and its answer was lost.
    AnswerLost,
    /// A refresh was sent and nobody can tell what came of it.
    Untold,
}

/// The end of a grant as it is recorded.
pub(super) fn end_of(it: &Integration, end: &End, now: jiff::Timestamp) -> CheckOutcome {
    let kind = it.provider;
    let (code, reason) = match end {
        End::Refused(error) => {
            let over = it.refresh_expires_at.is_some_and(|end| end <= now);
            let code = if over { ProblemCode::TokenExpired } else { ProblemCode::TokenRevoked };
            (code, format!("{kind} does not renew the access any more: {error}."))
        }
        End::AnswerLost => (
            ProblemCode::TokenRevoked,
            format!("{kind} renewed the access, but its answer was lost, and with it the new token. {CONNECT_AGAIN}"),
        ),
        End::Untold => (
            ProblemCode::TokenRevoked,
            format!(
                "{kind} was asked to renew the access and its answer was lost. Its refresh tokens work only once and \
                 this one may be used up, so it is not sent again. {CONNECT_AGAIN}"
            ),
        ),
    };
    CheckOutcome::Disconnected { code, reason }
}

/// A recorded end, as callers are told it.
pub(super) fn ended(it: &Integration, outcome: &CheckOutcome) -> Problem {
    let (code, reason) = match outcome {
        CheckOutcome::Disconnected { code, reason } => (*code, reason.clone()),
        CheckOutcome::InsufficientScope { reason } => (ProblemCode::InsufficientScope, reason.clone()),
        CheckOutcome::Connected => (ProblemCode::TokenRevoked, "The access has ended.".to_owned()),
    };
    Problem::new(code, reason).remedy(CONNECT_AGAIN).by(it.provider)
}

/// A refusal that may pass.
pub(super) fn refused(it: &Integration, error: OAuthError) -> Problem {
    let retry_after_seconds = match error {
        OAuthError::RateLimited { retry_after_seconds } | OAuthError::Unavailable { retry_after_seconds } => {
            retry_after_seconds
        }
        _ => None,
    };
    Problem { retry_after_seconds, ..oauth_problem(error, it.provider, &it.instance_url) }
}

/// Somebody else refreshes, and takes long.
pub(super) fn busy(it: &Integration) -> Problem {
    unreachable(format!("The {} access is being renewed by another server.", it.provider)).by(it.provider)
}

/// An answer was lost, and the old token lives: what came of it will show.
pub(super) fn unsettled(it: &Integration, error: OAuthError, seconds: u64) -> Problem {
    Problem { retry_after_seconds: Some(seconds), ..refused(it, error) }
}

/// An answer was lost to somebody before us, and the provider can't be asked what came of it.
pub(super) fn not_yet_told(it: &Integration) -> Problem {
    let detail = format!("{} can't be asked what became of the last renewal of the access.", it.provider);
    unreachable(detail).by(it.provider)
}

fn unreachable(detail: String) -> Problem {
    Problem::new(ProblemCode::ProviderUnreachable, detail).remedy("Try again in a moment.")
}
