//! A long transfer may take as long as it likes, as long as something moves in either direction.
//!
//! The HTTP library's own read timeout does not know that an upload is still running while no answer has come, and would
//! cut a long push off.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// Nothing moved for too long.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("nothing was transferred for {} seconds", .0.as_secs())]
pub(crate) struct Stalled(Duration);

/// Watches one exchange: request and response bodies both count as progress.
#[derive(Clone)]
pub(crate) struct Watch {
    moved: Arc<AtomicU64>,
    limit: Duration,
}

impl Watch {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { moved: Arc::default(), limit }
    }

    /// Waits for `future` for as long as something moves.
    pub(crate) async fn patiently<F: Future>(&self, future: F) -> Result<F::Output, Stalled> {
        let mut future = std::pin::pin!(future);
        let mut seen = self.moved();
        loop {
            if let Ok(output) = tokio::time::timeout(self.limit, future.as_mut()).await {
                return Ok(output);
            }
            if self.moved() == seen {
                return Err(Stalled(self.limit));
            }
            seen = self.moved();
        }
    }

    /// A request body whose progress is counted.
    pub(crate) fn upload(&self, body: reqwest::Body) -> reqwest::Body {
        reqwest::Body::wrap(Upload { inner: body, watch: self.clone() })
    }

    /// A response body whose progress is counted, and which ends with an error when nothing moves.
    pub(crate) fn download(&self, body: reqwest::Body) -> reqwest::Body {
        let (seen, watch) = (self.moved(), self.clone());
        reqwest::Body::wrap(Download { inner: body, watch, seen, waiting: None })
    }

    fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    fn progress(&self) {
        self.moved.fetch_add(1, Ordering::Relaxed);
    }
}

struct Upload {
    inner: reqwest::Body,
    watch: Watch,
}

impl Body for Upload {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        self.watch.progress();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

struct Download {
    inner: reqwest::Body,
    watch: Watch,
    seen: u64,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Body for Download {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            this.watch.progress();
            this.waiting = None;
            return Poll::Ready(frame.map(|result| result.map_err(Into::into)));
        }
        loop {
            let limit = this.watch.limit;
            let seen = this.watch.moved();
            let waiting = this.waiting.get_or_insert_with(|| {
                this.seen = seen;
                Box::pin(tokio::time::sleep(limit))
            });
            ready!(waiting.as_mut().poll(cx));
            if this.seen == seen {
                return Poll::Ready(Some(Err(Stalled(limit).into())));
            }
            this.waiting = None;
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{StreamExt, stream};

    const LIMIT: Duration = Duration::from_secs(300);

    async fn next(body: &mut reqwest::Body) -> Option<Result<Bytes, reqwest::Error>> {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
        frame.map(|frame| frame.map(|frame| frame.into_data().unwrap()))
    }

    /// A piece each time `every` has passed.
    fn pieces(every: Duration, count: usize) -> reqwest::Body {
        let piece = move |_| async move {
            tokio::time::sleep(every).await;
            Ok::<_, std::io::Error>(Bytes::from_static(b"x"))
        };
        reqwest::Body::wrap_stream(stream::iter(0..count).then(piece))
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_the_wait() {
        let watch = Watch::new(LIMIT);
        assert!(watch.patiently(std::future::pending::<()>()).await.is_err());
        assert!(watch.patiently(tokio::time::sleep(LIMIT / 2)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_of_hours_is_no_silence() {
        let watch = Watch::new(LIMIT);
        let mut upload = watch.upload(pieces(LIMIT * 9 / 10, 50));
        let answer_comes_after_the_upload = async { while next(&mut upload).await.is_some() {} };
        assert!(watch.patiently(answer_comes_after_the_upload).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_may_wait_for_the_rest_of_the_upload() {
        let watch = Watch::new(LIMIT);
        let mut upload = watch.upload(pieces(LIMIT / 2, 20));
        let mut answer = watch.download(pieces(LIMIT * 9, 1));
        let sent = async { while next(&mut upload).await.is_some() {} };
        let (_, got) = tokio::join!(sent, next(&mut answer));
        assert_eq!(got.unwrap().unwrap(), "x");
    }

    #[tokio::test(start_paused = true)]
    async fn a_download_ends_with_an_error_when_nothing_moves() {
        let watch = Watch::new(LIMIT);
        let mut slow = watch.download(pieces(LIMIT * 9 / 10, 3));
        for _ in 0..3 {
            assert_eq!(next(&mut slow).await.unwrap().unwrap(), "x");
        }
        assert!(next(&mut slow).await.is_none());
        let mut stalled = watch.download(pieces(LIMIT * 3, 1));
        assert!(next(&mut stalled).await.unwrap().is_err());
    }
}
