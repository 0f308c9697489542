use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{InstanceUrl, InstanceUrlError};

/// Where the notifications of a project are posted to. Always in normal form.
///
/// The path and the query may hold a token of the receiver's, so nothing prints the whole of it by itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebhookUrl {
    text: String,
    receiver: InstanceUrl,
}

/// Why a text is no webhook URL. Never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookUrlError {
    /// It is no URL.
    #[error("a webhook URL looks like https://ci.example.com/path")]
    NotAUrl,
    /// Its scheme, host or port will not do.
    #[error(transparent)]
    Place(#[from] InstanceUrlError),
    /// Something follows a `#`.
    #[error("a webhook URL has no part behind a '#': it would not be sent")]
    Fragment,
    /// It is longer than any real one.
    #[error("a webhook URL has at most 2048 characters")]
    TooLong,
}

impl WebhookUrl {
    const LONGEST: usize = 2048;

    /// All of it: for the request, and for those who may manage it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme, host and port of the receiver: what may be logged.
    pub fn receiver(&self) -> &InstanceUrl {
        &self.receiver
    }
}

impl FromStr for WebhookUrl {
    type Err = WebhookUrlError;
    fn from_str(text: &str) -> Result<Self, WebhookUrlError> {
        if text.len() > Self::LONGEST {
            return Err(WebhookUrlError::TooLong);
        }
        if text.contains('\\') {
            return Err(WebhookUrlError::NotAUrl);
        }
        let (scheme, rest) = text.split_once("://").ok_or(InstanceUrlError::Scheme)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let receiver: InstanceUrl = format!("{scheme}://{authority}").parse()?;
        let url = Url::parse(text).map_err(|_| WebhookUrlError::NotAUrl)?;
        if url.fragment().is_some() {
            return Err(WebhookUrlError::Fragment);
        }
        let text = String::from(url);
        // It grows where characters have to be written as bytes.
        if text.len() > Self::LONGEST { Err(WebhookUrlError::TooLong) } else { Ok(Self { text, receiver }) }
    }
}

impl TryFrom<String> for WebhookUrl {
    type Error = WebhookUrlError;
    fn try_from(text: String) -> Result<Self, WebhookUrlError> {
        text.parse()
    }
}

impl From<WebhookUrl> for String {
    fn from(url: WebhookUrl) -> Self {
        url.text
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({}/…)", self.receiver)
    }
}

impl JsonSchema for WebhookUrl {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WebhookUrl".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "format": "uri", "maxLength": Self::LONGEST, "examples": ["https://ci.example.com/valetkey"]
        })
    }
}

/// What a webhook can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum WebhookEvent {
    /// A session ended well.
    #[serde(rename = "session.completed")]
    SessionCompleted,
    /// A session ended with a problem.
    #[serde(rename = "session.failed")]
    SessionFailed,
    /// A session was ended by a person or by its time limit.
    #[serde(rename = "session.stopped")]
    SessionStopped,
    /// The provider no longer accepts one of the project's integrations, or somebody disconnected it.
    #[serde(rename = "integration.disconnected")]
    IntegrationDisconnected,
    /// One of the project's integrations ends soon.
    #[serde(rename = "integration.expiring")]
    IntegrationExpiring,
}

impl WebhookEvent {
    /// All, in the order in which people are offered them.
    pub const ALL: [Self; 5] = [
        Self::SessionCompleted,
        Self::SessionFailed,
        Self::SessionStopped,
        Self::IntegrationDisconnected,
        Self::IntegrationExpiring,
    ];

    /// The word in JSON and in the payload's `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SessionCompleted => "session.completed",
            Self::SessionFailed => "session.failed",
            Self::SessionStopped => "session.stopped",
            Self::IntegrationDisconnected => "integration.disconnected",
            Self::IntegrationExpiring => "integration.expiring",
        }
    }
}

impl fmt::Display for WebhookEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a notification is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It waits for its first or next attempt, or is being sent.
    Pending,
    /// The receiver took it.
    Delivered,
    /// It was given up.
    Failed,
}

impl DeliveryState {
    /// The word in JSON and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_kept_in_normal_form() {
        for (given, kept, receiver) in [
            (
                "https://ci.example.com/hook?token=a%20b",
                "https://ci.example.com/hook?token=a%20b",
                "https://ci.example.com",
            ),
            ("HTTPS://CI.example.com:443", "https://ci.example.com/", "https://ci.example.com"),
            ("https://ci.example.com/a/../é", "https://ci.example.com/%C3%A9", "https://ci.example.com"),
            ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x", "http://127.0.0.1:8080"),
            ("https://10.0.0.1/x", "https://10.0.0.1/x", "https://10.0.0.1"),
        ] {
            let url: WebhookUrl = given.parse().unwrap();
            assert_eq!((url.as_str(), url.receiver().to_string().as_str()), (kept, receiver));
            assert_eq!(url.as_str().parse(), Ok(url), "{kept}");
        }
    }

    #[test]
    fn what_is_unsafe_or_never_sent_is_refused() {
        for (given, wanted) in [
            ("http://ci.example.com/x", InstanceUrlError::PlainHttp.into()),
            ("http://127.0.0.1.evil.test/", InstanceUrlError::PlainHttp.into()),
            ("ftp://ci.example.com/x", InstanceUrlError::Scheme.into()),
            ("ci.example.com/x", InstanceUrlError::Scheme.into()),
            ("https://john:secret@ci.example.com/x", InstanceUrlError::UserInfo.into()),
            ("https://john@ci.example.com", InstanceUrlError::UserInfo.into()),
            ("https:///x", InstanceUrlError::Host.into()),
            ("https://ci.example.com\\@evil.test/", WebhookUrlError::NotAUrl),
            ("https://ci\n.example.com/", InstanceUrlError::Host.into()),
            ("https://ci.example.com/#x", WebhookUrlError::Fragment),
        ] {
            assert_eq!(given.parse::<WebhookUrl>(), Err(wanted), "{given:?}");
        }
        let long = format!("https://ci.example.com/{}", "é".repeat(600));
        assert_eq!(long.parse::<WebhookUrl>(), Err(WebhookUrlError::TooLong));
    }

    #[test]
    fn nothing_prints_a_token_by_itself() {
        let url: WebhookUrl = "https://ci.example.com/canary?token=canary".parse().unwrap();
        assert_eq!(format!("{url:?}"), "WebhookUrl(https://ci.example.com/…)");
    }

    #[test]
    fn the_word_is_the_same_everywhere() {
        for event in WebhookEvent::ALL {
            assert_eq!(serde_json::to_value(event).unwrap(), event.as_str());
        }
        for state in [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Failed] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }

    proptest::proptest! {
        #[test]
        fn the_receiver_is_where_the_request_goes(text in "https?://[a-z0-9.:@/?#\\\\\\[\\]%-]{0,40}") {
            if let Ok(url) = text.parse::<WebhookUrl>() {
                let sent = Url::parse(url.as_str()).unwrap();
                proptest::prop_assert_eq!(sent.host_str(), Some(url.receiver().host()));
                proptest::prop_assert_eq!(sent.port_or_known_default(), Some(url.receiver().port()));
                proptest::prop_assert!(sent.username().is_empty() && sent.password().is_none());
            }
        }
    }
}
