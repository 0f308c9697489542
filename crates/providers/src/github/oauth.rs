use url::Url;
use valetkey_model::InstanceUrl;

use super::api_base;
use crate::oauth::{OAuthProfile, Revocation, Rotation};

/// Of OAuth apps and GitHub Apps alike: which one it is, the client id decides. A GitHub App ignores scopes.
pub(super) fn profile(instance: &InstanceUrl) -> OAuthProfile {
    let page = |path: &str| at(&format!("{instance}/login/{path}"));
    OAuthProfile {
        device_url: Some(page("device/code")),
        device_without_secret: true,
        revocation: Some(Revocation::GitHubGrant { url: at(&format!("{}/applications", api_base(instance))) }),
        rotation: Rotation::KillsAccess,
        dead_grant_words: &["bad_refresh_token"],
        ..OAuthProfile::new(page("oauth/authorize"), page("oauth/access_token"))
    }
}

fn at(address: &str) -> Url {
    Url::parse(address).expect("a path below an instance's address is one")
}
