//! Puts messages into the queue, in their order, and stores partitions' running numbers.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::row::{Row, Status};
use super::state::{QueueCore, unavailable};
use super::subjects::shard_of;
use super::table::{Sent, Write, Written};
use crate::request::RequestError;
use crate::timeouts::REQUEST_TIMEOUT;
use model::ids::PartitionId;
use ports::queue::{QueueError, QueueMessage};

/// Most writes under way at the same time.
pub(super) const IN_FLIGHT: usize = 256;
/// How long an enqueue waits until this node has read its rows.
const READ_WITHIN: Duration = Duration::from_secs(1);
/// Pause before an uncertain write is checked again.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// How long an enqueue waits for rows: those of messages that are completed while room is short go within a
/// second or two.
const ROWS_WITHIN: Duration = Duration::from_secs(3);
/// Pause before the rows are counted again meanwhile.
const COUNT_AGAIN_AFTER: Duration = Duration::from_millis(200);

impl QueueCore {
    /// Enqueues messages.
    pub(super) async fn enqueue_all(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError> {
        let mut numbers: BTreeMap<PartitionId, u64> = BTreeMap::new();
        for (partition, number) in messages.iter().filter_map(|message| message.origin) {
            let greatest = numbers.entry(partition).or_default();
            *greatest = number.max(*greatest);
        }
        let mut ids = HashSet::new();
        let messages: Vec<QueueMessage> =
            messages.into_iter().filter(|message| ids.insert(message.id)).collect();
        self.table.nats.connected().await.map_err(QueueError::Unavailable)?;
        self.take_room(&messages).await?;
        let mut landed: BTreeMap<u16, u64> = BTreeMap::new();
        for round in rounds(&messages) {
            self.round(round, &mut landed).await?;
        }
        for (partition, number) in numbers {
            self.write_number(partition, number).await.map_err(unavailable)?;
        }
        self.read_up_to(landed).await;
        Ok(())
    }

    /// Takes room for messages: among the unfinished ones, as far as this node knows their shards, and among
    /// the rows.
    async fn take_room(&self, messages: &[QueueMessage]) -> Result<(), QueueError> {
        let new = {
            let state = self.state.lock();
            let is_known = |message: &&QueueMessage| {
                let held = state.held.get(&shard_of(&message.lane));
                held.is_some_and(|held| held.shard.contains(&message.id))
            };
            let new = messages.len() - messages.iter().filter(is_known).count();
            let unfinished: usize = state.held.values().map(|held| held.shard.len()).sum();
            if new > 0 && !state.held.is_empty() && unfinished + new > self.room.messages {
                return Err(QueueError::Full);
            }
            new
        };
        if new == 0 || self.room.take(new) {
            return Ok(());
        }
        let began = Instant::now();
        loop {
            self.count_rows().await?;
            if self.room.take(new) {
                return Ok(());
            }
            if began.elapsed() >= ROWS_WITHIN {
                return Err(QueueError::Full);
            }
            tokio::time::sleep(COUNT_AGAIN_AFTER).await;
        }
    }

    /// Counts the rows of the stream.
    pub(super) async fn count_rows(&self) -> Result<(), QueueError> {
        let info = self.table.nats.stream_info(&self.table.stream).await.map_err(unavailable)?;
        let info = info.ok_or_else(|| QueueError::Unavailable("its stream is gone".into()))?;
        self.room.counted(usize::try_from(info.state.messages).unwrap_or(usize::MAX));
        Ok(())
    }

    /// Writes messages whose order does not matter.
    async fn round(
        &self,
        round: Vec<&QueueMessage>,
        landed: &mut BTreeMap<u16, u64>,
    ) -> Result<(), QueueError> {
        let mut answers = FuturesUnordered::new();
        let mut failure = None;
        let mut messages = round.into_iter();
        loop {
            while answers.len() < IN_FLIGHT && failure.is_none() {
                let Some(message) = messages.next() else { break };
                let shard = shard_of(&message.lane);
                let write = self.first_row(shard, message);
                let sent = self.table.send(&write).await;
                answers.push(async move { (shard, self.enqueued(write, sent).await) });
            }
            match answers.next().await {
                None => break,
                Some((shard, Ok(Some(sequence)))) => {
                    let newest = landed.entry(shard).or_default();
                    *newest = sequence.max(*newest);
                }
                Some((_, Ok(None))) => {}
                Some((_, Err(error))) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(()), |error| Err(unavailable(error)))
    }

    fn first_row(&self, shard: u16, message: &QueueMessage) -> Write {
        let QueueMessage { id, lane, order_key, due_at, body, .. } = message;
        let status = Status::Waiting { lane: *lane, order_key: *order_key, due_at: *due_at, place: None };
        let held = self.state.lock();
        let follows = held.held.get(&shard).and_then(|held| held.shard.followed(*lane));
        drop(held);
        Write {
            subject: self.subjects.row(shard, id),
            replaces: 0,
            headers: Row { status, by: None, follows }.encode(),
            body: body.clone(),
            kept: None,
        }
    }

    /// The sequence of a written message, or `None` if it was known already.
    async fn enqueued(&self, mut write: Write, sent: Sent) -> Result<Option<u64>, RequestError> {
        let began = Instant::now();
        let mut written = self.table.finish(&write, sent).await?;
        loop {
            match written {
                Written::As(sequence) => return Ok(Some(sequence)),
                Written::Conflict => {}
            }
            // The copy that it lost against may still be on its way, and may never arrive.
            write.replaces = match self.table.read(&write.subject).await? {
                None => 0,
                Some(row) if is_withdrawn(&row.headers) => row.sequence,
                Some(_) => return Ok(None),
            };
            if began.elapsed() >= REQUEST_TIMEOUT {
                return Err(RequestError::Silent("another copy of the message is on its way".into()));
            }
            tokio::time::sleep(AGAIN_AFTER).await;
            written = self.table.write(&write).await?;
        }
    }

    /// Waits until this node has read its own rows, so that it can claim them at once.
    pub(super) async fn read_up_to(&self, landed: BTreeMap<u16, u64>) {
        let deadline = Instant::now() + READ_WITHIN;
        for (shard, sequence) in landed {
            let seen = self.state.lock().held.get(&shard).map(|held| held.seen.subscribe());
            if let Some(mut seen) = seen {
                // The messages are enqueued in any case; after a time-out they are read later.
                let _ = tokio::time::timeout_at(deadline, seen.wait_for(|seen| *seen >= sequence)).await;
            }
        }
    }

    /// Raises a partition's running number.
    async fn write_number(&self, partition: PartitionId, number: u64) -> Result<(), RequestError> {
        let began = Instant::now();
        let subject = self.subjects.number(partition);
        let remembered = self.numbers.lock().get(&partition).copied();
        let (mut replaces, mut known) = remembered.unwrap_or_default();
        loop {
            if known >= number && replaces > 0 {
                self.numbers.lock().insert(partition, (replaces, known));
                return Ok(());
            }
            let body = Bytes::from(number.to_string());
            let write = Write { subject: subject.clone(), replaces, headers: Row::plain(), body, kept: None };
            match self.table.write(&write).await? {
                Written::As(sequence) => (replaces, known) = (sequence, number),
                Written::Conflict if began.elapsed() >= REQUEST_TIMEOUT => {
                    return Err(RequestError::Silent("others write the running number, too".into()));
                }
                Written::Conflict => (replaces, known) = self.read_number(partition).await?,
            }
        }
    }

    /// The sequence of the row of a partition's running number, and the number; zeros if there is none.
    pub(super) async fn read_number(&self, partition: PartitionId) -> Result<(u64, u64), RequestError> {
        let Some(row) = self.table.read(&self.subjects.number(partition)).await? else { return Ok((0, 0)) };
        let number = std::str::from_utf8(&row.payload).ok().and_then(|number| number.parse().ok());
        let unreadable = || RequestError::Unusable("the running number of a partition cannot be read".into());
        Ok((row.sequence, number.ok_or_else(unreadable)?))
    }
}

fn is_withdrawn(headers: &HeaderMap) -> bool {
    Row::decode(headers).is_ok_and(|row| row.status == Status::Withdrawn)
}

/// Messages in rounds: the first of each order key, then the second of each, and so on.
fn rounds(messages: &[QueueMessage]) -> Vec<Vec<&QueueMessage>> {
    let mut counts = HashMap::new();
    let mut rounds: Vec<Vec<&QueueMessage>> = Vec::new();
    for message in messages {
        let count = counts.entry((message.lane, message.order_key)).or_insert(0_usize);
        if rounds.len() == *count {
            rounds.push(Vec::new());
        }
        if let Some(round) = rounds.get_mut(*count) {
            round.push(message);
        }
        *count += 1;
    }
    rounds
}
