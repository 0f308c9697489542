//! What is in the workspace: channels, and what was said in them.

use std::sync::Mutex;

use crate::world::locked;

/// The ids of the only workspace.
pub(super) const TEAM_ID: &str = "T00000001";
pub(super) const TEAM: &str = "acme";

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackMessage {
    /// The time stamp, which is the message's id in its channel.
    pub ts: String,
    /// The user id of who said it.
    pub user: String,
    /// As sent.
    pub text: String,
    /// The message that this one answers.
    pub thread_ts: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Channel {
    pub(super) id: String,
    pub(super) name: String,
    messages: Vec<SlackMessage>,
}

#[derive(Debug, Default)]
pub(super) struct Workspace {
    channels: Mutex<Vec<Channel>>,
}

impl Workspace {
    pub(super) fn add_channel(&self, name: &str) -> String {
        let mut channels = locked(&self.channels);
        let id = format!("C{:08}", channels.len() + 1);
        channels.push(Channel { id: id.clone(), name: name.to_owned(), messages: Vec::new() });
        id
    }

    pub(super) fn channels(&self) -> Vec<Channel> {
        locked(&self.channels).clone()
    }

    pub(super) fn messages(&self, channel: &str) -> Vec<SlackMessage> {
        let channels = locked(&self.channels);
        channels.iter().find(|other| other.id == channel).map(|found| found.messages.clone()).unwrap_or_default()
    }

    /// The channel's id and the message; `None` if there is no such channel, by id or by name.
    pub(super) fn say(
        &self,
        channel: &str,
        user: String,
        text: &str,
        thread_ts: Option<&str>,
    ) -> Option<(String, SlackMessage)> {
        let mut channels = locked(&self.channels);
        let said_before: usize = channels.iter().map(|channel| channel.messages.len()).sum();
        let name = channel.trim_start_matches('#');
        let channel = channels.iter_mut().find(|other| other.id == channel || other.name == name)?;
        let message = SlackMessage {
            ts: format!("1700000000.{:06}", said_before + 1),
            user,
            text: text.to_owned(),
            thread_ts: thread_ts.map(str::to_owned),
        };
        channel.messages.push(message.clone());
        Some((channel.id.clone(), message))
    }
}
