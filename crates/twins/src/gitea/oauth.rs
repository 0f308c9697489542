//! Gitea's authorization server.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::fixtures::Token;
use crate::oauth::{Dialect, Granted, Lifetimes, Minted, Paths, Rotation, plain};
use crate::seed::{Seed, crc32, uuid};

/// Gitea's `modules/setting/oauth2.go`: a refresh token stays good unless an administrator wants otherwise, and yet
/// each refresh brings another.
pub(super) fn dialect() -> Dialect {
    Dialect {
        rotation: Rotation::Adds,
        reuse_ends_family: false,
        lifetimes: Lifetimes { access: Some(3_600), refresh: Some(730 * 3_600), device: 300 },
        mint: Box::new(|what, _| match what {
            Minted::ClientId => uuid(6, u64::from(crc32(&Seed::random().hex(8)))),
            Minted::ClientSecret => format!("gto_{}", Seed::random().alphanumeric(52).to_lowercase()),
            Minted::Access | Minted::Refresh => web_token(),
            _ => plain(what),
        }),
        ..Dialect::standard(Paths {
            authorize: "/login/oauth/authorize",
            token: "/login/oauth/access_token",
            device: None,
            verification: "/login/device",
            revoke: None,
        })
    }
}

/// The look of a JSON web token. The twin asks its ledger and not the token what it is good for.
fn web_token() -> String {
    let mut seed = Seed::random();
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"twin","typ":"JWT"}"#);
    let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"gnt":{},"tt":0}}"#, seed.digits(12)));
    format!("{header}.{claims}.{}", seed.alphanumeric(342))
}

/// Who asks for none of Gitea's scopes gets all of them: the OpenID ones say nothing of the API.
pub(super) fn token(granted: &Granted) -> Token {
    let named = |scope: &&str| scope.contains(':') || *scope == "all";
    let scopes: Vec<_> = granted.scopes.iter().map(String::as_str).filter(named).collect();
    let scopes = if scopes.is_empty() { vec!["all"] } else { scopes };
    Token::generated().scopes(scopes).oauth()
}
