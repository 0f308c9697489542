use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use valetkey_git::receive_pack::{CommandListParser, Progress, Push};

/// A push whose command list has been read; the pack behind it has not.
pub(crate) struct ReadPush {
    pub(crate) push: Push,
    seen: Bytes,
    rest: BodyDataStream,
}

/// Why a command list could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadPushError {
    #[error("the push could not be read: {0}")]
    Malformed(#[from] valetkey_git::receive_pack::CommandListError),
    #[error("the push ended before its list of refs did")]
    Ended,
    #[error("the push broke off")]
    Broken(#[from] axum::Error),
}

/// Reads the command list of a push, and not more than the chunk it ends in.
pub(crate) async fn read(body: Body) -> Result<ReadPush, ReadPushError> {
    let mut rest = body.into_data_stream();
    let mut parser = CommandListParser::new();
    let mut seen = bytes::BytesMut::new();
    while let Some(chunk) = rest.next().await {
        let chunk = chunk?;
        seen.extend_from_slice(&chunk);
        if let Progress::Done(push) = parser.push(&chunk)? {
            return Ok(ReadPush { push, seen: seen.freeze(), rest });
        }
    }
    Err(ReadPushError::Ended)
}

impl ReadPush {
    /// The whole request body again, as it came.
    pub(crate) fn into_body(self) -> impl Stream<Item = Result<Bytes, axum::Error>> + Send + 'static {
        stream::once(async move { Ok(self.seen) }).chain(self.rest)
    }

    /// Reads what is left and forgets it: git listens for the answer only when it has sent everything.
    pub(crate) async fn drain(mut self) -> Push {
        while let Some(Ok(_)) = self.rest.next().await {}
        self.push
    }
}
