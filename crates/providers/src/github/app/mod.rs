//! GitHub Apps: registered in one click, installed on accounts, with tokens made for a few repositories and an hour.
//!
//! [`manifest`] and [`convert_manifest`] register an app. [`AppClient`] speaks as the app, by a JWT signed with its key:
//! it looks installations up and [mints](AppClient::mint) their tokens. [`installations_of_user`] asks with a *person's*
//! token, which is the only proof that an installation is that person's to use: the number in the address with which a
//! browser comes back from installing can be anybody's.

mod client;
mod error;
mod installations;
mod jwt;
mod manifest;
mod mint;
mod permissions;
#[cfg(test)]
mod tests;
mod wire;

pub use client::{AppClient, AppKey};
pub use error::AppError;
pub use installations::installations_of_user;
pub(super) use installations::{Listed, list, repositories_of, unless_only_there, with_repositories};
pub use manifest::{Manifest, ManifestForm, RegisteredGitHubApp, convert_manifest, manifest};
pub use mint::{Minted, revoke_installation_token};
pub use permissions::{Level, Permissions};

use url::Url;
use valetkey_model::{InstanceUrl, ProviderKind};

/// Where a person installs the app, or changes what it is installed on. The state comes back in the address that GitHub
/// sends the browser to afterwards; see the module's text for what else in it counts.
pub fn install_url(instance: &InstanceUrl, slug: &str, state: Option<&str>) -> String {
    let mut url = page_of(instance, &[pages(instance), slug, "installations", "new"]);
    if let Some(state) = state {
        url.query_pairs_mut().append_pair("state", state);
    }
    url.into()
}

/// GitHub Enterprise Server keeps its apps under another name.
fn pages(instance: &InstanceUrl) -> &'static str {
    if ProviderKind::GitHub.is_public(instance) { "apps" } else { "github-apps" }
}

fn page_of(instance: &InstanceUrl, segments: &[&str]) -> Url {
    let mut url = Url::parse(&instance.to_string()).expect("an instance's address is one");
    url.path_segments_mut().expect("http has paths").extend(segments);
    url
}
