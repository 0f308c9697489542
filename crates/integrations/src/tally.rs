//! What this process has done, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Integrations;

/// How a look at an integration ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CheckEnd {
    Passed,
    InsufficientScope,
    Refused,
    Unreachable,
    RateLimited,
    Postponed,
}

/// How a refresh ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RefreshEnd {
    Renewed,
    Failed,
    Ended,
}

const CHECKS: [&str; 6] = ["passed", "insufficient_scope", "refused", "unreachable", "rate_limited", "postponed"];
const REFRESHES: [&str; 3] = ["renewed", "failed", "ended"];

/// Counts, since the process started. Clones of one [`Integrations`] share them.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    checks: [AtomicU64; CHECKS.len()],
    refreshes: [AtomicU64; REFRESHES.len()],
}

/// What a process has done since it started; each number with the outcome that it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Checks of credentials.
    pub checks: Vec<(&'static str, u64)>,
    /// Refreshes of access tokens.
    pub refreshes: Vec<(&'static str, u64)>,
    /// Calls that met a provider's limit.
    pub limited_calls: Vec<(&'static str, u64)>,
}

impl Tally {
    pub(crate) fn check(&self, end: CheckEnd) {
        self.checks[end as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refresh(&self, end: RefreshEnd) {
        self.refreshes[end as usize].fetch_add(1, Ordering::Relaxed);
    }
}

impl Integrations {
    /// What this process has done since it started.
    pub fn counts(&self) -> Counts {
        let read = |names: &[&'static str], numbers: &[AtomicU64]| {
            names.iter().copied().zip(numbers.iter().map(|n| n.load(Ordering::Relaxed))).collect()
        };
        let limits = self.http.limits_met();
        Counts {
            checks: read(&CHECKS, &self.tally.checks),
            refreshes: read(&REFRESHES, &self.tally.refreshes),
            limited_calls: vec![("held_back", limits.held_back), ("refused", limits.refused)],
        }
    }
}
