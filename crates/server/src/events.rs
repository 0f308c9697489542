//! A session's events as server-sent events.
//!
//! Every event's `id` is its number, so a client that lost the connection goes on where it was (`Last-Event-ID`, or
//! `?after=`). Its data is the event as JSON. The last one is named `end`, with the session's phase; nothing comes after it,
//! and a browser's `EventSource` should then be closed. A stream that ends without it may be resumed: the server shuts
//! down, or the caller's credential holds no more.

use std::{
    borrow::Cow,
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, StreamExt as _, stream};
use http::HeaderMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use valetkey_model::{Actor, Phase, Problem, ProblemCode, SessionEvent, SessionId, UserId};
use valetkey_sessions::EventStream;

use crate::{
    App,
    auth::Caller,
    problem::{Answer, Failure, ProblemDocument},
};

/// How many streams one person may have open.
const AT_ONCE: usize = 64;
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Where to begin.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct After {
    /// Only events behind this number.
    after: Option<i64>,
}

/// The data of the event `end`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SessionEnd")]
struct End {
    /// How the session ended.
    phase: Phase,
}

/// An event of the stream, as its reader takes it from the lines: for the API's document alone.
#[derive(Debug)]
pub(crate) struct Followed;

impl JsonSchema for Followed {
    fn schema_name() -> Cow<'static, str> {
        "FollowedEvent".into()
    }

    fn json_schema(schemas: &mut SchemaGenerator) -> Schema {
        let data =
            |of: Schema| json!({ "type": "string", "contentMediaType": "application/json", "contentSchema": of });
        let log = data(schemas.subschema_for::<SessionEvent>());
        let end = data(schemas.subschema_for::<End>());
        let problem = data(schemas.subschema_for::<ProblemDocument>());
        let named = |name: &str, what: &str, data: Value| {
            json!({
                "type": "object",
                "description": what,
                "required": ["event", "data"],
                "properties": { "event": { "const": name }, "data": data },
            })
        };
        schemars::json_schema!({
            "description": "An event of a session's stream.",
            "oneOf": [
                {
                    "type": "object",
                    "description": "An entry of the session's event log.",
                    "required": ["id", "data"],
                    "properties": {
                        "id": { "type": "string", "description": "Its number, for Last-Event-ID." },
                        // What has no name of its own is called so by whoever reads it.
                        "event": { "const": "message" },
                        "data": log,
                    },
                },
                named("end", "The session is over. Nothing comes after it.", end),
                named("problem", "The log can't be read any further.", problem),
            ],
        })
    }
}

/// Answers with the events of a session.
pub(crate) async fn stream_of(
    app: App,
    caller: Caller,
    id: SessionId,
    after: After,
    headers: &HeaderMap,
) -> Answer<Response> {
    let from = resume_at(headers)?.or(after.after).unwrap_or(0);
    let seat = app.followers.seat(&caller.actor.user)?;
    let project = app.engine.session(&caller.actor, &id).await?.project;
    let events = app.engine.events(&caller.actor, &id, from).await?;
    let end = stream::once(last(app.clone(), caller.actor.clone(), id));
    let all = as_sse(events).chain(end).take_until(caller.turned_away(app.clone(), project));
    Ok(answer(&app, seat, all))
}

/// Answers with events that come by and by, for as long as the server is up. Whoever listens has a seat.
pub(crate) fn answer(
    app: &App,
    seat: Seat,
    events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
) -> Response {
    let events = events.take_until(app.closing.clone().cancelled_owned());
    let events = Seated { events: Box::pin(events), _seat: seat };
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// What a reconnecting client saw last. It counts more than the address, which a browser repeats unchanged.
fn resume_at(headers: &HeaderMap) -> Answer<Option<i64>> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| Failure::invalid("the header Last-Event-ID must be the number of an event"))
}

fn as_sse(events: EventStream) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    events.map(|event| Ok(event.map_or_else(broken, |event| line(&event))))
}

fn line(event: &SessionEvent) -> Event {
    Event::default().id(event.seq.to_string()).json_data(event).expect("an event is plain data")
}

fn broken(problem: Problem) -> Event {
    let document = ProblemDocument::from(Failure::from(problem));
    Event::default().event("problem").json_data(document).expect("a problem is plain data")
}

async fn last(app: App, by: Actor, id: SessionId) -> Result<Event, Infallible> {
    Ok(match app.engine.session(&by, &id).await {
        Ok(session) => Event::default().event("end").json_data(End { phase: session.phase }).expect("plain data"),
        Err(problem) => broken(problem),
    })
}

/// Who has how many streams open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Followers(Arc<Mutex<HashMap<UserId, usize>>>);

impl Followers {
    /// Takes one of the streams that a person may have.
    pub(crate) fn seat(&self, user: &UserId) -> Result<Seat, Problem> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(user.clone()).or_default();
        if *count >= AT_ONCE {
            return Err(Problem::new(ProblemCode::RateLimited, format!("{AT_ONCE} event streams are open already."))
                .remedy("Close some of them first."));
        }
        *count += 1;
        Ok(Seat { followers: self.clone(), user: user.clone() })
    }
}

/// Held while a stream is open.
#[derive(Debug)]
pub(crate) struct Seat {
    followers: Followers,
    user: UserId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.followers.0.lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(&self.user) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.remove(&self.user)),
        }
    }
}

/// A stream that gives its seat back when it ends or is dropped.
struct Seated<S> {
    events: Pin<Box<S>>,
    _seat: Seat,
}

impl<S: Stream> Stream for Seated<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.events.as_mut().poll_next(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_counted_by_person_and_given_back() {
        let followers = Followers::default();
        let (admin, other) = (UserId::admin(), "other".parse().unwrap());
        let mut seats: Vec<_> = (0..AT_ONCE).map(|_| followers.seat(&admin).unwrap()).collect();
        assert_eq!(followers.seat(&admin).unwrap_err().code, ProblemCode::RateLimited);
        assert!(followers.seat(&other).is_ok());
        seats.pop();
        assert!(followers.seat(&admin).is_ok());
        seats.clear();
        assert!(followers.0.lock().unwrap().is_empty());
    }
}
