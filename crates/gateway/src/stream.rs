use std::{future::Future, task::Poll, time::Duration};

use bytes::Bytes;
use futures_util::{
    FutureExt as _, Stream, StreamExt as _,
    future::{BoxFuture, Shared},
    stream,
};
use valetkey_integrations::Integrations;
use valetkey_model::RepoUrl;

/// The boxed error of a body stream.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Passes `inner` on until `revoked` is ready, and breaks it off then. Broken off, not ended: a shortened pack must
/// never look complete.
pub(crate) fn until<S, E>(
    inner: S,
    revoked: impl Future<Output = ()> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<BodyError>,
{
    let (mut inner, mut revoked) = (Box::pin(inner), Box::pin(revoked));
    stream::poll_fn(move |cx| {
        if revoked.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err("the credential was taken away".into())));
        }
        inner.poll_next_unpin(cx).map(|item| item.map(|chunk| chunk.map_err(Into::into)))
    })
}

/// Ready when a session has lost what a request of its was allowed with. All parts of the request watch the same one.
pub(crate) type Loss = Shared<BoxFuture<'static, ()>>;

/// Ready within `bound` of the lease losing the repository.
pub(crate) fn loss_of(integrations: Integrations, lease: String, repository: RepoUrl, bound: Duration) -> Loss {
    let lost = async move {
        loop {
            tokio::time::sleep(bound).await;
            if !integrations.still_authorized(&lease, &repository).await {
                return;
            }
        }
    };
    lost.boxed().shared()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future;

    fn chunks() -> impl Stream<Item = Result<Bytes, std::io::Error>> {
        stream::iter(["a", "b"].map(|text| Ok(Bytes::from(text)))).chain(stream::pending())
    }

    #[tokio::test]
    async fn a_transfer_is_broken_off_not_ended() {
        let (take_away, taken) = tokio::sync::oneshot::channel::<()>();
        let mut stream = Box::pin(until(chunks(), async { drop(taken.await) }));
        assert_eq!(stream.next().await.unwrap().unwrap(), "a");
        assert_eq!(stream.next().await.unwrap().unwrap(), "b");
        drop(take_away);
        assert!(stream.next().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_whole_transfer_is_left_alone() {
        let whole = stream::iter([Ok::<_, std::io::Error>(Bytes::from("a"))]);
        let got: Vec<_> = until(whole, future::pending()).collect().await;
        assert_eq!(got.len(), 1);
        assert!(got[0].is_ok());
    }
}
