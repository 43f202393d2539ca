//! The heartbeat log on JetStream: one stream per partition, a frame is a message, its sequence is the
//! offset.
//!
//! The server acknowledges a message when a quorum has written it, and synced it if configured so
//! (`sync_interval: always`). If it is not, a power failure of all servers at once may cost the newest
//! entries; readers notice that.

mod reader;
mod room;
pub(super) mod stream;

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::publish::PublishAck;
use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use super::connection::Nats;
use super::request::RequestError;
use super::timeouts::REQUEST_TIMEOUT;
use model::ids::{Offset, PartitionId};
use model::time::EventTime;
use model::wire::encode;
use model::wire::frame::Frame;
use ports::heartbeat_log::{HeartbeatLog, LogError, LogExtent, LogReader, LogRoom};
use reader::NatsLogReader;
use room::Room;
use stream::{log_error, look, stored_at};

/// Pause before a leaderless stream is asked again.
const LEADERLESS_PAUSE: Duration = Duration::from_millis(100);
/// Longest time of an append.
const APPEND_TIMEOUT: Duration = Duration::from_secs(4);

/// A [`HeartbeatLog`] on JetStream.
pub struct NatsHeartbeatLog {
    nats: Nats,
    partitions: u16,
    room: Room,
}

impl NatsHeartbeatLog {
    pub(super) fn new(nats: Nats, partitions: u16) -> Self {
        Self { nats, partitions, room: Room::default() }
    }

    fn check(&self, partition: PartitionId) -> Result<(), LogError> {
        if partition.0 < self.partitions {
            return Ok(());
        }
        Err(LogError::Unavailable(format!("there is no partition {partition}").into()))
    }

    /// Publishes a frame. A stream without a leader does not answer, which passes.
    async fn publish(&self, subject: String, frame: Bytes) -> Result<PublishAck, RequestError> {
        let began = Instant::now();
        loop {
            let answer = self.nats.ask(subject.clone(), frame.clone(), REQUEST_TIMEOUT).await;
            let leaderless = matches!(answer, Err(RequestError::NoResponder));
            if !leaderless || began.elapsed() + LEADERLESS_PAUSE > REQUEST_TIMEOUT {
                return answer;
            }
            tokio::time::sleep(LEADERLESS_PAUSE).await;
        }
    }
}

#[async_trait]
impl HeartbeatLog for NatsHeartbeatLog {
    fn partitions(&self) -> u16 {
        self.partitions
    }

    fn room(&self) -> LogRoom {
        self.room.now()
    }

    async fn append(&self, partition: PartitionId, frame: Arc<Frame>) -> Result<Offset, LogError> {
        self.check(partition)?;
        let subject = self.nats.names.heartbeats_subject(partition);
        let published = tokio::time::timeout(APPEND_TIMEOUT, self.publish(subject, encode(&*frame))).await;
        let acknowledged = published.map_err(|late| LogError::Unavailable(late.into()))?;
        let appended = acknowledged.map(|acknowledged| Offset(acknowledged.sequence)).map_err(log_error);
        match &appended {
            Ok(_) => self.room.taken(Instant::now()),
            Err(LogError::Full(_)) => self.room.full(Instant::now()),
            Err(LogError::Unavailable(_) | LogError::Expired { .. } | LogError::Ahead { .. }) => {}
        }
        appended
    }

    async fn logged_at(&self, partition: PartitionId, offset: Offset) -> Result<Option<EventTime>, LogError> {
        self.check(partition)?;
        if offset == Offset::START {
            return Ok(None);
        }
        stored_at(&self.nats, partition, offset).await.map_err(log_error)
    }

    async fn sync(&self, partition: PartitionId, _through: Offset) -> Result<(), LogError> {
        // Every entry that can be read was acknowledged: there is nothing to wait for.
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
