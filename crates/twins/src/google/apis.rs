//! Drive v3, Calendar v3, Gmail v1 and the user's own data.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::things::{File, Named};
use super::{Caller, Google};
use crate::cursor;

const DRIVE: &[&str] = &["drive", "drive.readonly", "drive.file", "drive.metadata", "drive.metadata.readonly"];
const DRIVE_WRITE: &[&str] = &["drive", "drive.file"];
const CALENDAR: &[&str] = &["calendar", "calendar.readonly", "calendar.calendarlist", "calendar.calendarlist.readonly"];
const GMAIL: &[&str] = &["gmail.readonly", "gmail.modify", "gmail.metadata", "https://mail.google.com/"];
const GMAIL_PROFILE: &[&str] =
    &["gmail.readonly", "gmail.modify", "gmail.metadata", "gmail.compose", "https://mail.google.com/"];

pub(super) fn routes() -> Router<Arc<Google>> {
    Router::new()
        .route("/drive/v3/about", get(about))
        .route("/drive/v3/files", get(files).post(new_file))
        .route("/drive/v3/files/{id}", get(file))
        .route("/calendar/v3/users/me/calendarList", get(calendars))
        .route("/gmail/v1/users/{user}/profile", get(profile))
        .route("/gmail/v1/users/{user}/messages", get(messages))
        .route("/gmail/v1/users/{user}/messages/{id}", get(message))
        .route("/v1/userinfo", get(user_info))
}

type Twin = State<Arc<Google>>;
type Answer = Result<Json<Value>, Refusal>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    #[serde(alias = "maxResults")]
    page_size: Option<usize>,
    page_token: Option<String>,
    fields: Option<String>,
    q: Option<String>,
}

impl Listing {
    fn page<'a, T>(&self, items: &'a [T], usual: usize, most: usize) -> Result<cursor::Page<'a, T>, Refusal> {
        let size = self.page_size.unwrap_or(usual).min(most);
        if size == 0 {
            return Err(Refusal::invalid("Invalid value '0'. Values must be within the range: [1, 1000]"));
        }
        cursor::page(items, size, self.page_token.as_deref()).ok_or_else(|| Refusal::invalid("Invalid Value"))
    }

    /// Partial responses leave the way to the next page out unless it is asked for.
    fn wants(&self, field: &str) -> bool {
        self.fields.as_deref().is_none_or(|fields| fields == "*" || fields.split(',').any(|asked| asked == field))
    }
}

async fn about(State(google): Twin, Query(asked): Query<Listing>, headers: HeaderMap) -> Answer {
    let caller = google.admit(&headers, DRIVE)?;
    let missing = || Refusal::required("The 'fields' parameter is required for this method.");
    let fields = asked.fields.ok_or_else(missing)?;
    let mut about = json!({"user": {
        "kind": "drive#user",
        "displayName": caller.account.name,
        "me": true,
        "permissionId": caller.account.id.to_string(),
        "emailAddress": caller.account.email,
    }});
    if fields == "*" {
        about["kind"] = json!("drive#about");
    }
    Ok(Json(about))
}

async fn files(State(google): Twin, Query(asked): Query<Listing>, headers: HeaderMap) -> Answer {
    let caller = google.admit(&headers, DRIVE)?;
    let mut files = visible_files(&google, &caller);
    if let Some(query) = &asked.q {
        let wanted = named_in(query).ok_or_else(|| Refusal::invalid("Invalid Value"))?;
        files.retain(|file| wanted.iter().all(|text| file.name.contains(text)));
    }
    let page = asked.page(&files, 100, 1000)?;
    let mut body = json!({"files": page.items.iter().map(shown_file).collect::<Vec<_>>()});
    if asked.fields.is_none() {
        body["kind"] = json!("drive#fileList");
        body["incompleteSearch"] = json!(false);
    }
    if let Some(next) = page.next.filter(|_| asked.wants("nextPageToken")) {
        body["nextPageToken"] = json!(next);
    }
    Ok(Json(body))
}

/// The texts that names must contain; `None` for a query that this twin does not understand.
fn named_in(query: &str) -> Option<Vec<&str>> {
    let clauses = query.split(" and ").map(str::trim).filter(|clause| clause.replace(' ', "") != "trashed=false");
    clauses.map(|clause| clause.strip_prefix("name contains '")?.strip_suffix('\'')).collect()
}

fn visible_files(google: &Google, caller: &Caller) -> Vec<File> {
    let mut files = google.things.files(&caller.account);
    if !DRIVE.iter().any(|scope| *scope != "drive.file" && caller.has(scope)) {
        files.retain(|file| file.made_by_app);
    }
    files
}

async fn file(State(google): Twin, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let caller = google.admit(&headers, DRIVE)?;
    let found = visible_files(&google, &caller).into_iter().find(|file| file.id == id);
    found.map(|file| Json(shown_file(&file))).ok_or_else(|| Refusal::not_found(&format!("File not found: {id}.")))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewFile {
    name: Option<String>,
    mime_type: Option<String>,
}

async fn new_file(State(google): Twin, headers: HeaderMap, Json(new): Json<NewFile>) -> Answer {
    let caller = google.admit(&headers, DRIVE_WRITE)?;
    let (name, kind) = (new.name.unwrap_or_else(|| "Untitled".to_owned()), new.mime_type.unwrap_or_default());
    let id = google.things.add_file(&caller.account, &name, &kind, true);
    Ok(Json(json!({"kind": "drive#file", "id": id, "name": name, "mimeType": kind})))
}

fn shown_file(file: &File) -> Value {
    json!({"kind": "drive#file", "id": file.id, "name": file.name, "mimeType": file.mime_type})
}

async fn calendars(State(google): Twin, Query(asked): Query<Listing>, headers: HeaderMap) -> Answer {
    let caller = google.admit(&headers, CALENDAR)?;
    let own = caller.account.email.clone().unwrap_or_default();
    let mut calendars = vec![Named { id: own.clone(), name: own.clone() }];
    calendars.extend(google.things.calendars(&caller.account));
    let page = asked.page(&calendars, 100, 250)?;
    let shown = |calendar: &Named| {
        let mut shown = json!({"kind": "calendar#calendarListEntry", "id": calendar.id, "summary": calendar.name});
        shown["accessRole"] = json!("owner");
        if calendar.id == own {
            shown["primary"] = json!(true);
        }
        shown
    };
    let mut body = json!({"kind": "calendar#calendarList", "items": page.items.iter().map(shown).collect::<Vec<_>>()});
    if let Some(next) = page.next {
        body["nextPageToken"] = json!(next);
    }
    Ok(Json(body))
}

/// Somebody else's mailbox is none of the caller's business.
fn own_mailbox(caller: &Caller, user: &str) -> Result<(), Refusal> {
    if user == "me" || caller.account.email.as_deref() == Some(user) {
        return Ok(());
    }
    Err(Refusal::not_found("Requested entity was not found."))
}

async fn profile(State(google): Twin, Path(user): Path<String>, headers: HeaderMap) -> Answer {
    let caller = google.admit(&headers, GMAIL_PROFILE)?;
    own_mailbox(&caller, &user)?;
    let total = google.things.messages(&caller.account).len();
    Ok(Json(json!({
        "emailAddress": caller.account.email,
        "messagesTotal": total,
        "threadsTotal": total,
        "historyId": total.to_string(),
    })))
}

async fn messages(
    State(google): Twin,
    Path(user): Path<String>,
    Query(asked): Query<Listing>,
    headers: HeaderMap,
) -> Answer {
    let caller = google.admit(&headers, GMAIL)?;
    own_mailbox(&caller, &user)?;
    let messages = google.things.messages(&caller.account);
    let page = asked.page(&messages, 100, 500)?;
    let mut body = json!({"resultSizeEstimate": messages.len()});
    if !page.items.is_empty() {
        let shown = page.items.iter().map(|message| json!({"id": message.id, "threadId": message.id}));
        body["messages"] = shown.collect();
    }
    if let Some(next) = page.next {
        body["nextPageToken"] = json!(next);
    }
    Ok(Json(body))
}

async fn message(State(google): Twin, Path((user, id)): Path<(String, String)>, headers: HeaderMap) -> Answer {
    let caller = google.admit(&headers, GMAIL)?;
    own_mailbox(&caller, &user)?;
    let found = google.things.messages(&caller.account).into_iter().find(|message| message.id == id);
    let message = found.ok_or_else(|| Refusal::not_found("Requested entity was not found."))?;
    let subject = json!({"name": "Subject", "value": message.name});
    Ok(Json(json!({"id": id, "threadId": id, "snippet": message.name, "payload": {"headers": [subject]}})))
}

async fn user_info(State(google): Twin, headers: HeaderMap) -> Answer {
    let caller = google.caller(&headers)?;
    if !caller.has("openid") {
        return Err(Refusal::bad_credentials());
    }
    let mut info = json!({"sub": super::subject(&caller.account)});
    if caller.has("email") || caller.has("userinfo.email") {
        info["email"] = json!(caller.account.email);
        info["email_verified"] = json!(true);
    }
    if caller.has("profile") || caller.has("userinfo.profile") {
        info["name"] = json!(caller.account.name);
    }
    Ok(Json(info))
}
