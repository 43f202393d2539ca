//! A stream as a table: the last message on a subject is its row, and every write names the row that it
//! replaces.

use std::error::Error;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::{RawMessageError, RawMessageErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use bytes::Bytes;
use tokio::time::Instant;

use crate::connection::Nats;
use crate::request::RequestError;
use crate::timeouts::REQUEST_TIMEOUT;

/// Most reads under way at the same time.
pub(super) const READS: usize = 64;
/// Pause before a failed write is repeated, within the time of a request.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// "Wrong last sequence", for a write that lost against another one on its way.
const WRONG_LAST_SEQUENCE_UNSAID: ErrorCode = ErrorCode(10_164);

/// A stream that is written by compare-and-set.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) nats: Nats,
    pub(super) stream: String,
}

/// A row to write.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) subject: String,
    /// The sequence of the row that it replaces; 0 = there is none.
    pub(super) replaces: u64,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The server deletes the row after this time.
    pub(super) kept: Option<Duration>,
}

/// The result of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// The row was written, under this sequence.
    As(u64),
    /// Another row is there, or on its way there.
    Conflict,
}

/// A write that was sent.
pub(super) struct Sent(Result<PublishAckFuture, PublishError>);

impl Table {
    /// Sends a write. Writes arrive in the order of their sending, if they arrive.
    pub(super) async fn send(&self, write: &Write) -> Sent {
        let mut publish = PublishMessage::build()
            .payload(write.body.clone())
            .headers(write.headers.clone())
            .expected_stream(&self.stream)
            .expected_last_subject_sequence(write.replaces);
        if let Some(kept) = write.kept {
            publish = publish.ttl(kept);
        }
        Sent(self.nats.jetstream.send_publish(write.subject.clone(), publish).await)
    }

    /// Waits for the answer to a write, and sends the write again while there is no responder, as long as a
    /// request may take. Only one of the copies can land, so a copy that was thought lost does no harm.
    pub(super) async fn finish(&self, write: &Write, mut sent: Sent) -> Result<Written, RequestError> {
        let began = Instant::now();
        loop {
            let failure = match sent.answer().await {
                Ok(sequence) => return Ok(Written::As(sequence)),
                Err(error) if is_conflict(&error) => return Ok(Written::Conflict),
                Err(error) => error,
            };
            if !failure.is_transient() || began.elapsed() >= REQUEST_TIMEOUT {
                return Err(failure);
            }
            tokio::time::sleep(AGAIN_AFTER).await;
            self.nats.connected().await.map_err(RequestError::Silent)?;
            sent = self.send(write).await;
        }
    }

    /// Writes one row.
    pub(super) async fn write(&self, write: &Write) -> Result<Written, RequestError> {
        self.nats.connected().await.map_err(RequestError::Silent)?;
        let sent = self.send(write).await;
        self.finish(write, sent).await
    }

    /// The row on a subject, from the stream's leader.
    pub(super) async fn read(&self, subject: &str) -> Result<Option<StreamMessage>, RequestError> {
        let stream = self.handle().await?;
        let request = stream.raw_message_builder().last_by_subject(subject);
        found(request.send().await)
    }

    /// The message of a sequence, if it is still a row.
    pub(super) async fn read_at(&self, sequence: u64) -> Result<Option<StreamMessage>, RequestError> {
        let stream = self.handle().await?;
        let request = stream.raw_message_builder().sequence(sequence);
        found(request.send().await)
    }

    async fn handle(&self) -> Result<jetstream::stream::Stream<()>, RequestError> {
        self.nats.connected().await.map_err(RequestError::Silent)?;
        let stream = self.nats.jetstream.get_stream_no_info(&self.stream).await;
        stream.map_err(|error| RequestError::Unusable(error.into()))
    }
}

impl Sent {
    async fn answer(self) -> Result<u64, RequestError> {
        let acknowledged = match self.0 {
            Ok(sent) => sent.await,
            Err(error) => Err(error),
        };
        acknowledged.map(|ack| ack.sequence).map_err(|error| {
            let said = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
            if let Some(refused) = said {
                return RequestError::Refused(refused.clone());
            }
            match error.kind() {
                PublishErrorKind::StreamNotFound => RequestError::NoResponder,
                PublishErrorKind::TimedOut
                | PublishErrorKind::BrokenPipe
                | PublishErrorKind::MaxAckPending => RequestError::Silent(error.into()),
                PublishErrorKind::WrongLastMessageId
                | PublishErrorKind::WrongLastSequence
                | PublishErrorKind::MaxPayloadExceeded
                | PublishErrorKind::Other => RequestError::Unusable(error.into()),
            }
        })
    }
}

fn is_conflict(error: &RequestError) -> bool {
    error.refusal().is_some_and(|code| {
        code == ErrorCode::STREAM_WRONG_LAST_SEQUENCE || code == WRONG_LAST_SEQUENCE_UNSAID
    })
}

fn found(answer: Result<StreamMessage, RawMessageError>) -> Result<Option<StreamMessage>, RequestError> {
    match answer {
        Ok(message) => Ok(Some(message)),
        Err(error) => match error.kind() {
            RawMessageErrorKind::NoMessageFound => Ok(None),
            RawMessageErrorKind::JetStream(refused) => Err(RequestError::Refused(refused)),
            RawMessageErrorKind::InvalidSubject => Err(RequestError::Unusable(error.into())),
            RawMessageErrorKind::Other => Err(RequestError::Silent(error.into())),
        },
    }
}
