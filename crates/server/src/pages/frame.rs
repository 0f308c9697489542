//! What all pages have around their content.

use serde::{Deserialize, Serialize};

use super::assets;
use crate::{App, auth::Caller};

/// The frame of a page.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Frame {
    title: String,
    section: Option<Section>,
    /// Who is signed in; the navigation is shown to them only.
    user: Option<String>,
    /// Whether they look after a project, or the instance, and so at what happens in it.
    audits: bool,
    version: Option<String>,
    notice: Option<&'static str>,
    styles: &'static str,
    script: &'static str,
    icon: &'static str,
}

/// An entry of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Section {
    Home,
    Projects,
    Integrations,
    Assistants,
    Sessions,
    Secrets,
    Audit,
    Settings,
}

impl Frame {
    /// For somebody who is signed in.
    pub(crate) fn new(app: &App, caller: &Caller, section: Section, title: impl Into<String>) -> Self {
        Self {
            user: Some(caller.actor.user.to_string()),
            audits: caller.actor.administers(),
            version: Some(app.config.version.clone()),
            section: Some(section),
            ..Self::bare(title)
        }
    }

    /// For anybody.
    pub(crate) fn bare(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            section: None,
            user: None,
            audits: false,
            version: None,
            notice: None,
            styles: &assets::STYLES,
            script: &assets::SCRIPT,
            icon: &assets::ICON,
        }
    }

    /// With word of what was just done. Only our own sentences are shown, whatever the address says.
    pub(crate) fn after(mut self, did: Option<&str>) -> Self {
        self.notice = did.and_then(sentence);
        self
    }

    /// With the navigation, for somebody whose name is not known here.
    pub(crate) fn with_navigation(mut self) -> Self {
        self.user = Some(String::new());
        self
    }
}

/// Where an address says what was just done.
#[derive(Debug, Deserialize)]
pub(crate) struct Did {
    pub(crate) did: Option<String>,
}

/// What `?did=` stands for.
fn sentence(did: &str) -> Option<&'static str> {
    Some(match did {
        "connected" => "Connected. The provider accepted the credential, and it is stored sealed.",
        "replaced" => "The token was replaced. Sessions that start from now on use the new one.",
        "renamed" => "Renamed.",
        "default" => "Changed which integration is the default.",
        "tested" => "Asked the provider. What it said is shown below.",
        "rotated" => "The provider made a new token. The old one works no more; sessions that run use the new one.",
        "revoked" => "Disconnected. The provider has revoked the credential, and it is erased here.",
        "not-known" => "Disconnected. The provider did not know the credential any more; it is erased here.",
        "leaving" => "Disconnected. The credential is erased as soon as the sessions that use it have ended.",
        "app-registered" => "Registered. People can now connect by consent in the browser.",
        "installed" => "The app is installed. What it reaches is shown below.",
        "install-requested" => {
            "An owner of the organisation was asked to approve the app. It works as soon as they have."
        }
        "app-removed" => "Removed. Nobody can connect by it any more.",
        "assistant-made" => "Created. Everybody in the project can start sessions from it.",
        "assistant-saved" => "Saved. Sessions that start from now on are as it says.",
        "assistant-deleted" => "Deleted. Sessions that were started from it go on.",
        "project-created" => "Your project is made. Add repositories and members to it.",
        "project-changed" => "Saved. It holds for sessions that start from now on.",
        "project-deleted" => "The project is deleted.",
        "repository-added" => "Added. Its provider has shown it to the account.",
        "repository-removed" => "Removed from the project. At its provider nothing has changed.",
        "member-set" => "Saved. It holds from their next request on.",
        "member-removed" => "They are out of the project, and what they had running in it is stopped.",
        "secret-set" => "Kept. Sessions that start from now on get it.",
        "secret-deleted" => "Deleted. Sessions that start from now on go without it.",
        "session-deleted" => "Deleted: its record, its log and what was kept of its workspace.",
        "stopping" => "Asked the session to stop. The agent has ten seconds to finish.",
        "webhook-changed" => "Saved.",
        "webhook-enabled" => "Enabled. It is told of what happens from now on.",
        "webhook-disabled" => "Disabled. Nothing is sent to it.",
        "webhook-tested" => "The test was sent, and the receiver took it.",
        "webhook-refused" => "The test was sent, but the receiver did not take it. The first entry below says why.",
        "webhook-deleted" => "Deleted, with its signing secret and its log.",
        "redelivering" => "It is sent again now, with the same id. What comes of it is shown below.",
        "token-ended" => "Ended. Whatever used the token is refused from now on.",
        "signed-out" => "You are signed out.",
        "signed-out-everywhere" => "You are signed out in every browser.",
        "person-disabled" => "Disabled. Their browser sessions have ended, and their tokens count for nothing.",
        "person-enabled" => "Enabled. They can sign in again, and their tokens count.",
        "appointed" => "Made an administrator.",
        "dismissed" => "No administrator any more.",
        _ => return None,
    })
}

#[cfg(test)]
impl Frame {
    pub(crate) fn sample() -> Self {
        let (user, version) = (Some("admin".to_owned()), Some("0.1.0".to_owned()));
        Self { user, audits: true, version, section: Some(Section::Sessions), ..Self::bare("Sample") }
            .after(Some("tested"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_can_not_put_words_into_our_mouth() {
        assert_eq!(Frame::bare("x").after(Some("Your account was suspended")).notice, None);
        assert_eq!(Frame::bare("x").after(Some("renamed")).notice, Some("Renamed."));
    }
}
