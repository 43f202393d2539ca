//! The heartbeat log on JetStream: one stream per partition, a frame is a message, its sequence is the offset.
//!
//! The server acknowledges a message when a quorum has written it, and synced it if it is told to (`sync_interval: always`).
//! Where it is not, the power failing everywhere at once may cost the newest entries; a reader finds that out.

mod reader;

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RawMessage, RetentionPolicy, StorageType};
use async_trait::async_trait;
use bytes::Bytes;
use serde::Deserialize;
use tokio::time::Instant;

use super::REQUEST_TIMEOUT;
use super::connection::{Nats, event_time};
use super::provision::incarnation;
use super::request::RequestError;
use model::ids::{Offset, PartitionId};
use model::time::EventTime;
use model::wire::encode;
use model::wire::frame::Frame;
use ports::heartbeat_log::{HeartbeatLog, LogError, LogExtent, LogReader};
use reader::NatsLogReader;

/// Frames carry no message id, so that there is nothing to remember; the server wants a window all the same.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(1);
/// Pause before a leaderless stream is asked again.
const LEADERLESS_PAUSE: Duration = Duration::from_millis(100);
/// An append never takes longer, whatever happens.
const APPEND_TIMEOUT: Duration = Duration::from_secs(4);

/// The stream of a partition.
pub(super) fn stream_config(nats: &Nats, partition: PartitionId, max_bytes: i64) -> Config {
    let options = &nats.options;
    Config {
        name: nats.names.heartbeats_stream(partition),
        description: Some(format!("Lubdub: heartbeat log, partition {partition}")),
        subjects: vec![nats.names.heartbeats_subject(partition)],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        storage: StorageType::File,
        max_age: options.retention,
        max_bytes,
        num_replicas: options.replicas.max(1),
        duplicate_window: DUPLICATE_WINDOW.min(options.retention),
        deny_delete: true,
        ..Config::default()
    }
}

/// A [`HeartbeatLog`] on JetStream.
pub struct NatsHeartbeatLog {
    nats: Nats,
    partitions: u16,
}

impl NatsHeartbeatLog {
    pub(super) const fn new(nats: Nats, partitions: u16) -> Self {
        Self { nats, partitions }
    }

    fn check(&self, partition: PartitionId) -> Result<(), LogError> {
        if partition.0 < self.partitions {
            return Ok(());
        }
        Err(LogError::Unavailable(format!("there is no partition {partition}").into()))
    }

    /// A stream without a leader has nobody who answers. That passes.
    async fn publish(&self, subject: String, frame: Bytes) -> Result<PublishAck, RequestError> {
        let began = Instant::now();
        loop {
            let answer = self.nats.ask(subject.clone(), frame.clone(), REQUEST_TIMEOUT).await;
            let leaderless = matches!(answer, Err(RequestError::Nobody));
            if !leaderless || began.elapsed() + LEADERLESS_PAUSE > REQUEST_TIMEOUT {
                return answer;
            }
            tokio::time::sleep(LEADERLESS_PAUSE).await;
        }
    }
}

fn log_error(error: RequestError) -> LogError {
    let full = match error.refusal() {
        Some(
            ErrorCode::INSUFFICIENT_RESOURCES
            | ErrorCode::STORAGE_RESOURCES_EXCEEDED
            | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
        ) => true,
        Some(ErrorCode::STREAM_STORE_FAILED) => {
            let said = error.to_string();
            said.contains("maximum") || said.contains("no space") || said.contains("resource")
        }
        Some(_) | None => false,
    };
    if full { LogError::Full(error.into()) } else { LogError::Unavailable(error.into()) }
}

fn extent(info: &Info) -> LogExtent {
    let last = Offset(info.state.last_sequence);
    let first = if info.state.messages == 0 { last.next() } else { Offset(info.state.first_sequence) };
    LogExtent { incarnation: incarnation(info), first, last }
}

/// The stream as it is now.
async fn look(nats: &Nats, partition: PartitionId) -> Result<LogExtent, RequestError> {
    let stream = nats.names.heartbeats_stream(partition);
    match nats.stream_info(&stream).await? {
        Some(info) => Ok(extent(&info)),
        None => Err(RequestError::Unusable(format!("the stream {stream} is gone").into())),
    }
}

/// When an entry was stored.
async fn stored_at(
    nats: &Nats,
    partition: PartitionId,
    offset: Offset,
) -> Result<Option<EventTime>, RequestError> {
    #[derive(Deserialize)]
    struct Got {
        message: RawMessage,
    }
    let what = format!("STREAM.MSG.GET.{}", nats.names.heartbeats_stream(partition));
    match nats.api::<Got>(&what, &serde_json::json!({ "seq": offset.0 })).await {
        Ok(got) => Ok(Some(event_time(got.message.time))),
        Err(error) if error.refusal() == Some(ErrorCode::NO_MESSAGE_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether somebody who has read up to `position` finds what follows.
fn check_position(extent: &LogExtent, position: Offset) -> Result<(), LogError> {
    if extent.last < position {
        return Err(LogError::Ahead { last: extent.last });
    }
    if extent.first > position.next() {
        return Err(LogError::Expired { first: extent.first });
    }
    Ok(())
}

#[async_trait]
impl HeartbeatLog for NatsHeartbeatLog {
    fn partitions(&self) -> u16 {
        self.partitions
    }

    async fn append(&self, partition: PartitionId, frame: Arc<Frame>) -> Result<Offset, LogError> {
        self.check(partition)?;
        let subject = self.nats.names.heartbeats_subject(partition);
        let published = tokio::time::timeout(APPEND_TIMEOUT, self.publish(subject, encode(&*frame))).await;
        let acknowledged = published.map_err(|late| LogError::Unavailable(late.into()))?;
        acknowledged.map(|acknowledged| Offset(acknowledged.sequence)).map_err(log_error)
    }

    async fn logged_at(&self, partition: PartitionId, offset: Offset) -> Result<Option<EventTime>, LogError> {
        self.check(partition)?;
        if offset == Offset::START {
            return Ok(None);
        }
        stored_at(&self.nats, partition, offset).await.map_err(log_error)
    }

    async fn sync(&self, partition: PartitionId, _through: Offset) -> Result<(), LogError> {
        // Whatever can be read here was acknowledged to whoever appended it: there is nothing to wait for.
        self.check(partition)
    }

    async fn extent(&self, partition: PartitionId) -> Result<LogExtent, LogError> {
        self.check(partition)?;
        look(&self.nats, partition).await.map_err(log_error)
    }

    async fn open(&self, partition: PartitionId, after: Offset) -> Result<Box<dyn LogReader>, LogError> {
        self.check(partition)?;
        Ok(Box::new(NatsLogReader::open(self.nats.clone(), partition, after).await?))
    }
}
