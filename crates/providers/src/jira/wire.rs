//! The parts of Jira's and Atlassian's answers that are used.

use jiff::Timestamp;
use serde::Deserialize;
use url::Url;
use valetkey_model::{Account, Site};

use crate::{account::Described, api::one_line};

/// The account: Cloud names it by `accountId`, Data Center by `key` and `name`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Myself {
    account_id: Option<String>,
    key: Option<String>,
    name: Option<String>,
    email_address: Option<String>,
    display_name: Option<String>,
}

impl Myself {
    /// None where nothing tells it from others.
    pub(super) fn account(&self) -> Option<Account> {
        let known = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        let id = [&self.account_id, &self.key, &self.name].into_iter().find(|text| known(text))?.as_deref()?;
        let username = [&self.name, &self.email_address, &self.display_name].into_iter().find(|text| known(text));
        Some(Account::from(Described {
            id,
            username: username.and_then(Option::as_deref).unwrap_or_default(),
            name: self.display_name.as_deref(),
            emails: &[self.email_address.as_deref()],
        }))
    }
}

/// A site that a consent covers, with what was granted there.
#[derive(Deserialize)]
pub(super) struct Resource {
    id: String,
    url: String,
    name: String,
    #[serde(default)]
    scopes: Vec<String>,
}

impl Resource {
    /// None if it is none of Jira's, or can't be asked.
    pub(super) fn site(self) -> Option<Site> {
        let is_jira = self.scopes.is_empty() || self.scopes.iter().any(|scope| scope.contains("jira"));
        let url = Url::parse(&self.url).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
        Some(Site {
            id: cloud_id(&self.id).filter(|_| is_jira)?.to_owned(),
            url: url.map(|url| url.as_str().trim_end_matches('/').to_owned()).unwrap_or_default(),
            name: one_line(&self.name),
            scopes: self.scopes.iter().map(|scope| one_line(scope)).collect(),
        })
    }
}

/// What a site tells everybody.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tenant {
    cloud_id: String,
}

impl Tenant {
    pub(super) fn cloud_id(&self) -> Option<&str> {
        cloud_id(&self.cloud_id)
    }
}

/// As it can be put into a path.
fn cloud_id(text: &str) -> Option<&str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    Some(text).filter(|text| (1..=64).contains(&text.len()) && text.bytes().all(plain))
}

/// One of the account's tokens at Data Center. Which of them is the one that asks is not said.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PersonalToken {
    expiring_at: Option<String>,
}

impl PersonalToken {
    pub(super) fn ends_at(&self) -> Option<Timestamp> {
        self.expiring_at.as_deref()?.parse().ok()
    }
}

#[derive(Deserialize)]
pub(super) struct ServerInfo {
    version: String,
}

impl ServerInfo {
    pub(super) fn described(&self) -> String {
        format!("Jira {}", one_line(&self.version))
    }
}
