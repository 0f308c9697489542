use http::{StatusCode, header};
use jiff::Timestamp;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::{OAuthError, sent::Secrets};
use crate::{
    api::{Answer, one_line},
    http::ApiResponse,
};

/// An answer of an OAuth endpoint: a list of members, whether they came as JSON or as a form.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) retry_after_seconds: Option<u64>,
    members: Option<Map<String, Value>>,
    pub(super) is_web_page: bool,
    secrets: Secrets,
}

impl Reply {
    pub(super) fn new(response: ApiResponse, secrets: Secrets, now: Timestamp) -> Self {
        let ApiResponse { status, headers, body } = response;
        let body = String::from_utf8_lossy(&body).into_owned();
        let html = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        let answer = Answer { status, headers, body };
        let retry_after_seconds = answer.retry_after(now);
        let mut reply = Self::read(answer.status, &answer.body, secrets);
        reply.is_web_page |= html && reply.members.is_none();
        Self { retry_after_seconds, ..reply }
    }

    pub(super) fn read(status: StatusCode, body: &str, mut secrets: Secrets) -> Self {
        let members = members(body);
        for token in ["access_token", "refresh_token", "id_token", "device_code"] {
            secrets.add(members.as_ref().and_then(|members| members.get(token)?.as_str()).unwrap_or_default());
        }
        Self { status, retry_after_seconds: None, members, is_web_page: body.trim_start().starts_with('<'), secrets }
    }

    pub(super) fn is_understood(&self) -> bool {
        self.members.is_some()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.members.as_ref()?.get(name)
    }

    /// A text that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        text(self.get(name)?)
    }

    /// Seconds from now, if there are any.
    pub(super) fn seconds(&self, name: &str) -> Option<u64> {
        seconds(self.get(name)?)
    }

    /// The standard's or the provider's word for what is wrong.
    pub(super) fn error(&self) -> Option<&str> {
        let error = self.get("error")?;
        text(error).or_else(|| text(error.get("status")?)).or_else(|| error.is_object().then_some("error"))
    }

    /// The provider's own words, on one line.
    pub(super) fn said(&self) -> String {
        let nested = || text(self.get("error")?.get("message")?);
        let words = self.text("error_description").or_else(nested).or_else(|| self.text("message"));
        let words = words.or_else(|| self.error()).unwrap_or_default();
        // Once more after the cleaning, which may have joined what was apart.
        self.secrets.strike_out(&one_line(&self.secrets.strike_out(words)))
    }

    /// What is said of an answer that has no members.
    pub(super) fn unreadable(&self) -> OAuthError {
        self.not_oauth(if self.is_web_page { "a web page" } else { "neither JSON nor a form" })
    }

    pub(super) fn not_oauth(&self, saw: &'static str) -> OAuthError {
        OAuthError::NotOAuth { status: self.status.as_u16(), saw }
    }
}

pub(super) fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

/// As a number, a fraction, or the text of one. No time at all is how some say that there is no end.
pub(super) fn seconds(value: &Value) -> Option<u64> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    Some(number as u64).filter(|seconds| *seconds > 0)
}

fn members(body: &str) -> Option<Map<String, Value>> {
    let body = body.trim();
    if body.starts_with('{') {
        return serde_json::from_str(body).ok();
    }
    let plain = !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'<');
    let pairs = form_urlencoded::parse(body.as_bytes()).map(|(name, value)| (name.into_owned(), value.into()));
    let members: Map<String, Value> = plain.then(|| pairs.collect())?;
    ["access_token", "error", "device_code"].into_iter().any(|name| members.contains_key(name)).then_some(members)
}
