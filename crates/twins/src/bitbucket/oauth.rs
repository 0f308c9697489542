//! Bitbucket Cloud's authorization server, which is not Atlassian's.

use serde_json::json;

use crate::oauth::{Dialect, Lifetimes, Minted, Paths, Place, Rotation, bearer, plain};
use crate::seed::Seed;

/// <https://developer.atlassian.com/cloud/bitbucket/oauth-2/>
pub(super) fn dialect() -> Dialect {
    Dialect {
        credentials: &[Place::Basic],
        rotation: Rotation::Never,
        client_credentials: true,
        lifetimes: Lifetimes { access: Some(7_200), refresh: None, device: 300 },
        success: |issued| {
            let mut body = bearer(issued);
            if let Some(body) = body.as_object_mut() {
                body.remove("scope");
                body.insert("scopes".to_owned(), json!(issued.scopes.join(" ")));
                body.insert("token_type".to_owned(), json!("bearer"));
            }
            body
        },
        mint: Box::new(|what, _| match what {
            Minted::ClientId | Minted::Refresh => Seed::random().alphanumeric(18),
            Minted::ClientSecret => Seed::random().alphanumeric(32),
            Minted::Access => format!("{}==", Seed::random().alphanumeric(84)),
            _ => plain(what),
        }),
        ..Dialect::standard(Paths {
            authorize: "/site/oauth2/authorize",
            token: "/site/oauth2/access_token",
            device: None,
            verification: "/site/oauth2/device",
            revoke: None,
        })
    }
}
