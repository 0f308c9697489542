//! The methods of the Web API that Valetkey and its agents call.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Uri};
use serde_json::{Value, json};

use super::workspace::{Channel, SlackMessage, TEAM, TEAM_ID};
use super::{Caller, Slack};
use crate::cursor;
use crate::fixtures::{Account, TokenState};
use crate::service::Origin;

/// The arguments of a call, from the query and from a form or JSON body.
pub(super) struct Arguments(BTreeMap<String, String>);

impl Arguments {
    pub(super) fn read(uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let query: Vec<(String, String)> =
            serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap_or_default();
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let body: Vec<(String, String)> = if kind.starts_with("application/json") {
            let object: BTreeMap<String, Value> = serde_json::from_slice(body).unwrap_or_default();
            let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            object.into_iter().map(|(name, value)| (name, text(value))).collect()
        } else {
            serde_urlencoded::from_bytes(body).unwrap_or_default()
        };
        Self(query.into_iter().chain(body).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// Why a call fails.
#[derive(Debug)]
pub(super) enum Refusal {
    Plain(&'static str),
    MissingScope { needed: &'static str, provided: String },
}

impl Refusal {
    pub(super) fn body(&self) -> Json<Value> {
        Json(match self {
            Self::Plain(error) => json!({"ok": false, "error": error}),
            Self::MissingScope { needed, provided } => {
                json!({"ok": false, "error": "missing_scope", "needed": needed, "provided": provided})
            }
        })
    }
}

/// The scopes that a method wants.
pub(super) fn needed(method: &str) -> &'static [&'static str] {
    match method {
        "chat.postMessage" => &["chat:write"],
        "conversations.list" => &["channels:read"],
        "conversations.replies" => &["channels:history"],
        "users.info" => &["users:read"],
        _ => &[],
    }
}

type Answer = Result<Value, Refusal>;

impl Slack {
    pub(super) fn answer(&self, caller: &Caller, method: &str, given: &Arguments, origin: &Origin) -> Answer {
        if let Some(needed) = needed(method).iter().find(|scope| !caller.scopes.iter().any(|has| has == *scope)) {
            return Err(Refusal::MissingScope { needed, provided: caller.scopes.join(",") });
        }
        match method {
            "auth.test" => Ok(self.who_am_i(caller, origin)),
            "auth.revoke" => self.revoke(caller, given),
            "chat.postMessage" => self.post_message(caller, given),
            "conversations.list" => self.list_channels(given),
            "conversations.replies" => self.list_replies(given),
            "users.info" => self.user_info(given),
            _ => Err(Refusal::Plain("unknown_method")),
        }
    }

    fn who_am_i(&self, caller: &Caller, origin: &Origin) -> Value {
        let mut me = json!({
            "url": format!("{}/", origin.0),
            "team": TEAM,
            "user": caller.account.username,
            "team_id": TEAM_ID,
            "user_id": user_id(&caller.account),
            "is_enterprise_install": false,
        });
        if caller.is_bot {
            me["bot_id"] = json!(BOT_ID);
        }
        me
    }

    fn revoke(&self, caller: &Caller, given: &Arguments) -> Answer {
        let test_only = given.get("test").is_some_and(|test| test == "1" || test == "true");
        if !test_only && !self.people.set_state(&caller.token, TokenState::Revoked) {
            self.authority.end(&caller.token);
        }
        Ok(json!({"revoked": !test_only}))
    }

    fn post_message(&self, caller: &Caller, given: &Arguments) -> Answer {
        let text = given.get("text").or_else(|| given.get("blocks")).ok_or(Refusal::Plain("no_text"))?;
        let channel = given.get("channel").ok_or(Refusal::Plain("channel_not_found"))?;
        let said = self.workspace.say(channel, user_id(&caller.account), text, given.get("thread_ts"));
        let (channel, message) = said.ok_or(Refusal::Plain("channel_not_found"))?;
        Ok(json!({"channel": channel, "ts": message.ts, "message": shown(&message)}))
    }

    fn list_channels(&self, given: &Arguments) -> Answer {
        let limit = given.get("limit").map_or(Some(100), |limit| limit.parse().ok());
        let limit: usize = limit.filter(|limit| (1..=1000).contains(limit)).ok_or(Refusal::Plain("invalid_limit"))?;
        let wanted = given.get("types").unwrap_or("public_channel").split(',').any(|kind| kind == "public_channel");
        let channels = if wanted { self.workspace.channels() } else { Vec::new() };
        let page = cursor::page(&channels, limit, given.get("cursor")).ok_or(Refusal::Plain("invalid_cursor"))?;
        let shown: Vec<_> = page.items.iter().map(listed).collect();
        Ok(json!({"channels": shown, "response_metadata": {"next_cursor": page.next.unwrap_or_default()}}))
    }

    fn list_replies(&self, given: &Arguments) -> Answer {
        let (channel, ts) = (given.get("channel").unwrap_or_default(), given.get("ts").unwrap_or_default());
        if !self.workspace.channels().iter().any(|other| other.id == channel) {
            return Err(Refusal::Plain("channel_not_found"));
        }
        let mut messages = self.workspace.messages(channel);
        messages.retain(|message| message.ts == ts || message.thread_ts.as_deref() == Some(ts));
        if messages.is_empty() {
            return Err(Refusal::Plain("thread_not_found"));
        }
        Ok(json!({"messages": messages.iter().map(shown).collect::<Vec<_>>(), "has_more": false}))
    }

    fn user_info(&self, given: &Arguments) -> Answer {
        let number = given.get("user").and_then(|id| id.strip_prefix('U')?.parse().ok());
        let account = number.and_then(|id| self.people.find(id)).ok_or(Refusal::Plain("user_not_found"))?;
        Ok(json!({"user": {
            "id": user_id(&account),
            "team_id": TEAM_ID,
            "name": account.username,
            "real_name": account.name,
            "deleted": self.people.has_left(&account),
            "is_bot": account == self.bot,
            "profile": {"real_name": account.name, "email": account.email},
        }}))
    }
}

const BOT_ID: &str = "B00000001";

pub(super) fn user_id(account: &Account) -> String {
    format!("U{:08}", account.id)
}

fn listed(channel: &Channel) -> Value {
    json!({
        "id": channel.id, "name": channel.name, "is_channel": true, "is_private": false,
        "is_archived": false, "is_member": true,
    })
}

fn shown(message: &SlackMessage) -> Value {
    let mut shown =
        json!({"type": "message", "user": message.user, "text": message.text, "ts": message.ts, "team": TEAM_ID});
    if let Some(thread) = &message.thread_ts {
        shown["thread_ts"] = json!(thread);
    }
    shown
}
