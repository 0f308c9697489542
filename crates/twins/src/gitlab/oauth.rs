//! GitLab's authorization server, and what its tokens tell of themselves.

use serde_json::json;

use crate::oauth::{Dialect, Lifetimes, Minted, Paths, bearer, plain};
use crate::seed::Seed;

/// <https://docs.gitlab.com/api/oauth2/>
pub(super) fn dialect() -> Dialect {
    Dialect {
        refresh_needs_redirect: true,
        lifetimes: Lifetimes { access: Some(7_200), refresh: None, device: 300 },
        success: |issued| {
            let mut body = bearer(issued);
            body["created_at"] = json!(CREATED_AT);
            body
        },
        mint: Box::new(|what, _| match what {
            Minted::ClientId => plain(Minted::Access),
            Minted::ClientSecret => format!("gloas-{}", plain(Minted::Access)),
            Minted::UserCode => Seed::random().alphanumeric(8).to_uppercase(),
            _ => plain(what),
        }),
        ..Dialect::standard(Paths {
            authorize: "/oauth/authorize",
            token: "/oauth/token",
            device: Some("/oauth/authorize_device"),
            verification: "/oauth/device",
            revoke: Some("/oauth/revoke"),
        })
    }
}

/// When every token was made.
pub(super) const CREATED_AT: u64 = 1_767_225_600;
