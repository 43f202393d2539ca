//! How messages stand; dead letters, by id or as a list. Only the server has their bodies.

use async_nats::jetstream::message::StreamMessage;
use futures_util::{StreamExt, stream};

use super::row::{Row, Status};
use super::state::{QueueCore, unavailable, unconfirmed};
use super::subjects::{SHARDS, shard_of};
use super::table::READS;
use ports::queue::{Claim, LaneId, MessageId, QueueError, Standing};

/// The place at which the row of a dead letter was seen.
struct DeadRow {
    id: MessageId,
    shard: u16,
    tenure: String,
    sequence: u64,
}

impl QueueCore {
    /// The dead letter of an id: subject and sequence of its row, and the row.
    pub(super) async fn dead_letter(&self, id: &MessageId) -> Result<Option<(String, u64, Row)>, QueueError> {
        // The shard follows from the lane, which is unknown here: all shards are asked.
        let shards = stream::iter(0..SHARDS).map(|shard| async move {
            let subject = self.subjects.row(shard, id);
            let row = self.table.read(&subject).await;
            row.map(|row| row.map(|row| (subject, row))).map_err(unavailable)
        });
        let rows: Vec<Result<_, _>> = shards.buffered(READS).collect().await;
        for row in rows {
            if let Some((subject, row)) = row?
                && let Ok(dead @ Row { status: Status::Dead { .. }, .. }) = Row::decode(&row.headers)
            {
                return Ok(Some((subject, row.sequence, dead)));
            }
        }
        Ok(None)
    }

    /// How each of these messages of a lane stands, in their order.
    pub(super) async fn standing(
        &self,
        lane: LaneId,
        ids: &[MessageId],
    ) -> Result<Vec<Option<Standing>>, QueueError> {
        let shard = shard_of(&lane);
        let rows = stream::iter(ids.to_vec()).map(|id| async move {
            let known = self.state.lock().held.get(&shard).is_some_and(|held| held.shard.contains(&id));
            if known {
                return Ok(Some(Standing::Open));
            }
            let row = self.table.read(&self.subjects.row(shard, &id)).await.map_err(unavailable)?;
            // A row that cannot be read may belong to a message that is not settled.
            Ok(row.and_then(|row| match Row::decode(&row.headers).map(|row| row.status) {
                Ok(Status::Done | Status::Dead { .. }) => Some(Standing::Settled),
                Ok(Status::Waiting { .. }) | Err(_) => Some(Standing::Open),
                Ok(Status::Withdrawn) => None,
            }))
        });
        let found: Vec<Result<_, QueueError>> = rows.buffered(READS).collect().await;
        found.into_iter().collect()
    }

    /// Dead letters of this node's shards, by id.
    pub(super) async fn dead_letters_after(
        &self,
        mut after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<Claim>, QueueError> {
        loop {
            let seen = self.seen(after, limit)?;
            let Some(last) = seen.last() else { return Ok(Vec::new()) };
            after = Some(last.id);
            let reads = stream::iter(seen).map(|seen| async move {
                let row = self.table.read_at(seen.sequence).await.map_err(unavailable);
                row.map(|row| (seen, row))
            });
            let rows: Vec<Result<_, _>> = reads.buffered(READS).collect().await;
            let mut letters = Vec::with_capacity(rows.len());
            for row in rows {
                match row? {
                    (seen, Some(row)) => letters.extend(letter(&seen, row)),
                    (seen, None) => self.forget_dead(&seen),
                }
            }
            // An empty answer would say that there are no more.
            if !letters.is_empty() {
                return Ok(letters);
            }
        }
    }

    fn seen(&self, after: Option<MessageId>, limit: usize) -> Result<Vec<DeadRow>, QueueError> {
        let state = self.state.lock();
        if state.held.is_empty() || state.closing {
            return Ok(Vec::new());
        }
        if !self.is_confirmed(&state) {
            return Err(unconfirmed());
        }
        let working = state.held.iter().filter(|(_, held)| held.leaving_since.is_none());
        let dead = working.flat_map(|(number, held)| {
            let seen = |(id, sequence)| {
                let tenure = held.shard.tenure().to_owned();
                DeadRow { id, shard: *number, tenure, sequence }
            };
            held.shard.dead(after, limit).into_iter().map(seen)
        });
        let mut dead: Vec<DeadRow> = dead.collect();
        drop(state);
        dead.sort_unstable_by_key(|seen| seen.id);
        dead.truncate(limit);
        Ok(dead)
    }

    /// Forgets a dead letter whose row is gone: it was revived just now, or has expired.
    fn forget_dead(&self, seen: &DeadRow) {
        if let Some(held) = self.state.lock().tenure(seen.shard, &seen.tenure) {
            held.shard.forget_dead(&seen.id, seen.sequence);
        }
    }
}

fn letter(seen: &DeadRow, row: StreamMessage) -> Option<Claim> {
    match Row::decode(&row.headers).map(|row| row.status) {
        Ok(Status::Dead { lane, .. }) => Some(Claim { id: seen.id, lane, body: row.payload }),
        Ok(Status::Waiting { .. } | Status::Done | Status::Withdrawn) | Err(_) => None,
    }
}
