//! Parts of pages that follow by themselves: a stream of server-sent events that says when what a part shows has changed.
//!
//! Such a part carries the [address](address) of its stream, with the [`Mark`] of what it shows. The stream looks again
//! when this process has changed something, and now and then for what other processes change in the same database. Where
//! the mark is another then, it is sent as the id of an event, and nothing else: the page is fetched anew, by the rights
//! that somebody has at that moment. So what they may not see makes no difference to what they are told, nor to when.
//!
//! What it costs grows with the pages that are open: a look is what showing the part takes, and each stream looks at most
//! twice a second.

use std::{
    convert::Infallible,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use axum::{
    extract::FromRequestParts,
    response::{Response, sse::Event},
};
use futures_util::{StreamExt as _, stream};
use http::request::Parts;
use serde::Serialize;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use url::form_urlencoded;
use valetkey_model::{Actor, Problem, ProblemCode};

use crate::{App, auth::Caller, events, problem::Answer};

/// How long what other processes change, and what comes with time, may go unseen.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// For how long changes are gathered, to be told as one.
const GATHER: Duration = Duration::from_millis(500);

/// What a part of a page shows, in short: the same for the same content, whenever and by whichever process it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark(String);

impl Mark {
    /// The mark of what is shown, which should say nothing of how long ago something was.
    pub(super) fn of(shown: &impl Serialize) -> Self {
        let mut hasher = DefaultHasher::new();
        serde_json::to_string(shown).expect("plain data is JSON").hash(&mut hasher);
        Self(format!("{:016x}", hasher.finish()))
    }
}

/// The address of a stream, for a part that shows what `mark` stands for. The script adds what the page itself was asked.
pub(super) fn address(path: &str, mark: &Mark) -> String {
    format!("{path}?seen={}", mark.0)
}

/// Something that a page shows, and that may change while somebody looks.
pub(super) trait Shown: Send + Sync + 'static {
    /// What somebody is shown now.
    ///
    /// # Errors
    /// `forbidden` or `not_found` where they may not see it.
    fn mark(&self, app: &App, by: &Actor) -> impl Future<Output = Result<Mark, Problem>> + Send;
}

/// What somebody has been shown: what they were last told when a connection is made again, else what is in the address.
#[derive(Debug)]
pub(super) struct Seen(Option<Mark>);

impl<S: Sync> FromRequestParts<S> for Seen {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let told = parts.headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let query = parts.uri.query().unwrap_or_default();
        let in_address = || form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "seen");
        Ok(Self(told.or_else(|| Some(in_address()?.1.into_owned())).map(Mark)))
    }
}

/// Answers with an event for each change, until whoever looks may not any more.
pub(super) async fn follow(app: App, caller: Caller, Seen(seen): Seen, what: impl Shown) -> Answer<Response> {
    let seat = app.followers.seat(&caller.actor.user)?;
    let (changes, ended) = (app.store.listen(), app.ended_credentials.subscribe());
    let now = what.mark(&app, &caller.actor).await?;
    let first = Some(now.clone()).filter(|now| seen.as_ref() != Some(now));
    let follower = Follower { app: app.clone(), caller, what, seen: now, changes, ended };
    let later = stream::unfold(follower, async |mut follower| Some((follower.next().await?, follower)));
    let told = stream::iter(first).chain(later).map(|mark| Ok(Event::default().id(mark.0).data("changed")));
    Ok(events::answer(&app, seat, told))
}

/// Somebody who looks at a part of a page.
struct Follower<S> {
    app: App,
    caller: Caller,
    what: S,
    seen: Mark,
    changes: watch::Receiver<()>,
    ended: watch::Receiver<()>,
}

impl<S: Shown> Follower<S> {
    /// Waits until something else is shown; none when they may not look any more.
    async fn next(&mut self) -> Option<Mark> {
        loop {
            self.something().await;
            // A database that does not answer says nothing about what is in it, nor about whoever asks.
            let Ok(by) = self.caller.anew(&self.app).await else { continue };
            match self.what.mark(&self.app, &by?).await {
                Ok(mark) if mark != self.seen => {
                    self.seen = mark.clone();
                    return Some(mark);
                }
                Err(problem) if matches!(problem.code, ProblemCode::Forbidden | ProblemCode::NotFound) => return None,
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Waits for something that may have to do with them. What ends their right to look is not gathered.
    async fn something(&mut self) {
        let Self { changes, ended, .. } = self;
        tokio::select! {
            _ = ended.changed() => {}
            () = async {
                let _ = timeout(LOOK_AGAIN, changes.changed()).await;
                sleep(GATHER).await;
            } => {}
        }
        self.changes.mark_unchanged();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_that_of_the_content() {
        assert_eq!(Mark::of(&("a", 1)), Mark::of(&("a", 1)));
        assert_ne!(Mark::of(&("a", 1)), Mark::of(&("a", 2)));
    }

    async fn seen(last_event_id: Option<&str>, address: &str) -> Option<String> {
        let mut request = http::Request::get(address);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let Ok(Seen(seen)) = Seen::from_request_parts(&mut parts, &()).await;
        seen.map(|mark| mark.0)
    }

    #[tokio::test]
    async fn what_was_told_last_counts_more_than_the_address() {
        let here = format!("{}&q=x", address("/live", &Mark("1".to_owned())));
        assert_eq!(seen(Some("2"), &here).await.as_deref(), Some("2"));
        assert_eq!(seen(None, &here).await.as_deref(), Some("1"));
        assert_eq!(seen(None, "/live?q=x").await, None);
    }
}
