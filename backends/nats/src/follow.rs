//! Follows a stream: its messages in order, from a given one on.
//!
//! A pull consumer of our own instead of the client's: it sees the server's heartbeats, notices a lost
//! message by its number, and a restart of the server costs a second and not fifteen.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::{HeaderMap, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use serde::Serialize;
use tokio::time::Instant;

use super::connection::{Nats, event_time};
use model::time::EventTime;
use ports::BackendError;

/// Messages in one request; up to twice as many are on their way.
const BATCH: u64 = 256;
/// Bytes in one request. No message is larger.
const BATCH_BYTES: u64 = 4 << 20;
/// How long an unanswered request lasts before it is renewed.
const EXPIRES: Duration = Duration::from_secs(30);
/// How often an idle server sends a heartbeat.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// Silence of the server after which the consumer counts as lost.
const LOST_AFTER: Duration = Duration::from_millis(1_600);
/// How long the server keeps a consumer without requests.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);

/// The first message of a follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// The first message whose number is not below this.
    At(u64),
    /// The newest message of each subject, then later ones.
    Newest,
}

/// A message of a stream.
#[derive(Debug, Clone)]
pub(super) struct Followed {
    pub(super) sequence: u64,
    /// When the message was stored, by the server's clock.
    pub(super) stored_at: EventTime,
    pub(super) subject: String,
    pub(super) headers: Option<HeaderMap>,
    pub(super) payload: Bytes,
    /// How many more messages there were when this one was sent.
    pub(super) pending: u64,
}

/// Follows a stream. After an error the follower is useless: check whether the stream is still the same, and
/// begin a new one.
pub(super) struct Follower {
    nats: Nats,
    subscriber: Subscriber,
    inbox: String,
    request_subject: String,
    /// Messages that were requested and have not come yet.
    outstanding: u64,
    /// The consumer's number of the last message.
    delivered: u64,
    /// How many messages there were at the beginning.
    initial: u64,
    /// When the server last sent something.
    heard_at: Instant,
}

enum Received {
    Message(Box<Followed>),
    /// No message for now.
    Nothing,
    RequestEnded,
}

#[derive(Serialize)]
struct PullRequest {
    batch: u64,
    max_bytes: u64,
    expires: u64,
    idle_heartbeat: u64,
}

fn lost(why: impl Into<String>) -> BackendError {
    let why: String = why.into();
    format!("lost the consumer: {why}").into()
}

impl Follower {
    /// Begins to follow the messages of `stream` whose subjects match any of `filters`.
    pub(super) async fn begin(
        nats: &Nats,
        stream: &str,
        filters: Vec<String>,
        start: Start,
        headers_only: bool,
    ) -> Result<Self, BackendError> {
        nats.connected().await?;
        let deliver_policy = match start {
            Start::At(start_sequence) => {
                DeliverPolicy::ByStartSequence { start_sequence: start_sequence.max(1) }
            }
            Start::Newest => DeliverPolicy::LastPerSubject,
        };
        let config = pull::Config {
            deliver_policy,
            ack_policy: AckPolicy::None,
            filter_subjects: filters,
            headers_only,
            inactive_threshold: FORGOTTEN_AFTER,
            num_replicas: 1,
            memory_storage: true,
            ..pull::Config::default()
        };
        let consumer = nats.jetstream.create_consumer_on_stream(config, stream).await?;
        let info = consumer.cached_info();
        let (initial, name) = (info.num_pending, info.name.clone());
        let inbox = nats.client.new_inbox();
        let subscriber = nats.client.subscribe(inbox.clone()).await?;
        Ok(Self {
            request_subject: format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}"),
            nats: nats.clone(),
            subscriber,
            inbox,
            outstanding: 0,
            delivered: 0,
            initial,
            heard_at: Instant::now(),
        })
    }

    /// How many messages there were at the beginning.
    pub(super) const fn initial(&self) -> u64 {
        self.initial
    }

    /// The next message, or `None` if the server says that there is none now. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Followed>, BackendError> {
        loop {
            if self.outstanding <= BATCH / 2 {
                self.ask().await?;
            }
            // Counted from the last sign of life, for this call may repeat a cancelled one.
            let next = tokio::time::timeout_at(self.heard_at + LOST_AFTER, self.subscriber.next()).await;
            let Some(message) = next.map_err(|_| lost("it is silent"))? else {
                return Err(lost("the connection is closed"));
            };
            match self.received(message)? {
                Received::Message(message) => return Ok(Some(*message)),
                Received::Nothing => return Ok(None),
                Received::RequestEnded => {}
            }
        }
    }

    /// The next message that has already arrived.
    pub(super) fn try_next(&mut self) -> Result<Option<Followed>, BackendError> {
        while let Some(Some(message)) = self.subscriber.next().now_or_never() {
            match self.received(message)? {
                Received::Message(message) => return Ok(Some(*message)),
                Received::Nothing | Received::RequestEnded => {}
            }
        }
        Ok(None)
    }

    fn received(&mut self, message: async_nats::Message) -> Result<Received, BackendError> {
        self.heard_at = Instant::now();
        match message.status {
            None => return Ok(Received::Message(Box::new(self.message(message)?))),
            Some(StatusCode::IDLE_HEARTBEAT) => return Ok(Received::Nothing),
            Some(StatusCode::TIMEOUT) => {}
            Some(status) => {
                let said = message.description.as_deref().unwrap_or_default();
                if !said.contains("Batch Completed") && !said.contains("MaxBytes") {
                    return Err(lost(format!("{status} {said}")));
                }
            }
        }
        self.request_ended(&message);
        Ok(Received::RequestEnded)
    }

    async fn ask(&mut self) -> Result<(), BackendError> {
        let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let request = PullRequest {
            batch: BATCH,
            max_bytes: BATCH_BYTES,
            expires: nanos(EXPIRES),
            idle_heartbeat: nanos(HEARTBEAT),
        };
        let body = serde_json::to_vec(&request)?;
        let (subject, inbox) = (self.request_subject.clone(), self.inbox.clone());
        self.nats.client.publish_with_reply(subject, inbox, body.into()).await?;
        self.outstanding += BATCH;
        Ok(())
    }

    /// The end of a request says how many messages it still lacked.
    fn request_ended(&mut self, message: &async_nats::Message) {
        let pending = message.headers.as_ref().and_then(|headers| headers.get("Nats-Pending-Messages"));
        let pending = pending.and_then(|pending| pending.as_str().parse().ok()).unwrap_or(BATCH);
        self.outstanding = self.outstanding.saturating_sub(pending);
    }

    fn message(&mut self, message: async_nats::Message) -> Result<Followed, BackendError> {
        self.outstanding = self.outstanding.saturating_sub(1);
        let message = async_nats::jetstream::Message { message, context: self.nats.jetstream.clone() };
        let info = message.info()?;
        if info.consumer_sequence != self.delivered + 1 {
            return Err(lost(format!("message {} came after {}", info.consumer_sequence, self.delivered)));
        }
        let (sequence, pending, stored_at) = (info.stream_sequence, info.pending, event_time(info.published));
        self.delivered += 1;
        let (message, _) = message.split();
        Ok(Followed {
            sequence,
            stored_at,
            subject: message.subject.to_string(),
            headers: message.headers,
            payload: message.payload,
            pending,
        })
    }
}
