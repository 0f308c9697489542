//! What Cloud and Data Center have in common of the REST API: how things are shown, and what is asked for.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::Uri;
use serde_json::{Value, json};

use super::board::{Board, Comment, Issue, NewIssue, Project, Status};
use super::document;
use super::refusal::Refusal;
use crate::fixtures::Account;

pub(super) type Answer = Result<Json<Value>, Refusal>;

const NO_ISSUE: &str = "Issue does not exist or you do not have permission to see it.";

/// Where a board is shown: the base of its links, and the version of the API.
pub(super) struct View<'a> {
    pub(super) base: &'a str,
    pub(super) version: &'a str,
}

pub(super) fn no_issue() -> Refusal {
    Refusal::not_found(NO_ISSUE)
}

impl View<'_> {
    fn link(&self, what: &str) -> String {
        format!("{}/rest/api/{}/{what}", self.base, self.version)
    }

    /// An issue with these fields; without any, its id alone.
    pub(super) fn issue(&self, issue: &Issue, fields: &Fields) -> Value {
        let mut shown = json!({"id": issue.id.to_string()});
        if fields.0.is_empty() {
            return shown;
        }
        shown["key"] = json!(issue.key());
        shown["self"] = json!(self.link(&format!("issue/{}", issue.id)));
        shown["fields"] = self.all_fields(issue).into_iter().filter(|(name, _)| fields.want(name)).collect();
        shown
    }

    fn all_fields(&self, issue: &Issue) -> Vec<(String, Value)> {
        let comments: Vec<_> = issue.comments.iter().enumerate().map(|(at, it)| self.comment(issue, at, it)).collect();
        let comment =
            json!({"comments": comments, "maxResults": comments.len(), "total": comments.len(), "startAt": 0});
        let fields = [
            ("summary", json!(issue.summary)),
            ("description", document::shown(issue.description.as_deref(), self.version)),
            ("status", json!({"name": issue.status.name()})),
            ("issuetype", json!({"name": issue.kind, "subtask": false})),
            ("project", json!({"key": issue.project})),
            ("comment", comment),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    pub(super) fn created(&self, issue: &Issue) -> Value {
        let link = self.link(&format!("issue/{}", issue.id));
        json!({"id": issue.id.to_string(), "key": issue.key(), "self": link})
    }

    pub(super) fn comment(&self, issue: &Issue, position: usize, comment: &Comment) -> Value {
        let id = (issue.id * 100 + position as u64).to_string();
        json!({
            "id": id,
            "self": self.link(&format!("issue/{}/comment/{id}", issue.id)),
            "author": {"displayName": comment.author.name},
            "body": document::shown(Some(&comment.text), self.version),
        })
    }

    /// Adds the issue that a request asks for.
    pub(super) fn create(&self, board: &Board, body: &Value) -> Result<Issue, Refusal> {
        let fields = &body["fields"];
        let project = fields["project"]["key"].as_str().or(fields["project"]["id"].as_str());
        let project = project.and_then(|name| board.project(name));
        let project = project.ok_or(Refusal::Field("project", "valid project is required"))?.key;
        let summary = fields["summary"].as_str().filter(|summary| !summary.trim().is_empty());
        let summary = summary.ok_or(Refusal::Field("summary", "You must specify a summary of the issue."))?;
        let kind = fields["issuetype"]["name"].as_str();
        let kind = kind.ok_or(Refusal::Field("issuetype", "Specify an issue type"))?;
        let description = document::read(&fields["description"], self.version);
        let description = description.map_err(|wrong| Refusal::Field("description", wrong))?;
        let new = NewIssue { project, summary: summary.to_owned(), description, kind: kind.to_owned() };
        Ok(board.add_issue(new))
    }

    /// Adds the comment that a request asks for.
    pub(super) fn add_comment(
        &self,
        board: &Board,
        issue: &str,
        author: Account,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let text = document::read(&body["body"], self.version).map_err(|wrong| Refusal::Field("comment", wrong))?;
        let text = text.ok_or(Refusal::Field("comment", "Comment body can not be empty!"))?;
        let comment = Comment { author, text };
        let added = board.change(issue, |issue| {
            issue.comments.push(comment.clone());
            self.comment(issue, issue.comments.len() - 1, &comment)
        });
        added.ok_or_else(no_issue)
    }
}

pub(super) fn project(project: &Project) -> Value {
    json!({"id": project.id.to_string(), "key": project.key, "name": project.name, "projectTypeKey": "software"})
}

/// The fields that clients translate names by.
pub(super) fn known_fields() -> Value {
    json!([{"id": "summary", "name": "Summary", "custom": false}])
}

pub(super) fn transitions() -> Value {
    let shown = Status::ALL
        .map(|status| json!({"id": status.transition(), "name": status.name(), "to": {"name": status.name()}}));
    json!({"transitions": shown})
}

/// Moves an issue as a request asks for.
pub(super) fn make_transition(board: &Board, issue: &str, body: &Value) -> Result<(), Refusal> {
    let id = &body["transition"]["id"];
    let id = id.as_u64().map(|number| number.to_string()).or_else(|| id.as_str().map(str::to_owned));
    let status = Status::ALL.into_iter().find(|status| id.as_deref() == Some(status.transition()));
    let status = status.ok_or_else(|| Refusal::bad_request("Transition id is not valid for this issue."))?;
    board.change(issue, |issue| issue.status = status).ok_or_else(no_issue)
}

/// The fields that a request asks for.
pub(super) struct Fields(Vec<String>);

impl Fields {
    pub(super) fn all() -> Self {
        Self(vec!["*all".to_owned()])
    }

    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    fn want(&self, name: &str) -> bool {
        self.0.iter().any(|field| matches!(field.as_str(), "*all" | "*navigable") || field == name)
    }
}

/// The parameters of a search, from a query or from a JSON body.
pub(super) struct Search {
    values: BTreeMap<String, String>,
    fields: Vec<String>,
}

impl Search {
    pub(super) fn from_query(uri: &Uri) -> Self {
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap_or_default();
        let (fields, values): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(name, _)| name == "fields");
        let fields = fields.iter().flat_map(|(_, value)| value.split(',')).filter(|field| !field.is_empty());
        Self { fields: fields.map(str::to_owned).collect(), values: values.into_iter().collect() }
    }

    pub(super) fn from_json(body: &Value) -> Self {
        let fields = body["fields"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let values = body.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        Self { fields: fields.collect(), values: values.map(|(name, value)| (name.clone(), text(value))).collect() }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(super) fn number(&self, name: &str, usual: usize) -> usize {
        self.get(name).and_then(|value| value.parse().ok()).unwrap_or(usual)
    }

    pub(super) fn fields(self, usual: Fields) -> Fields {
        if self.fields.is_empty() { usual } else { Fields(self.fields) }
    }
}
