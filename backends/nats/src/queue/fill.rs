//! Reads a shard: first the existing rows, then new ones.

use model::chain::Chain;
use std::sync::Arc;
use std::time::Duration;

use super::messages::FoundRow;
use super::row::Row;
use super::shard::Shard;
use super::state::QueueCore;
use super::subjects::id_in;
use crate::follow::{Followed, Follower, Start};
use ports::BackendError;

/// Pause before a shard is read on after a failure.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// How often a stream that ends before what was read is asked again: its leader may only lag.
const DOUBTS: u32 = 20;

/// Reads a shard.
pub(super) struct Filler {
    pub(super) shared: Arc<QueueCore>,
    pub(super) number: u16,
    /// The tenure in which the shard is read.
    pub(super) tenure: String,
    /// The stream, by the time when it was made, and the last sequence read from it.
    read: Option<(i128, u64)>,
    doubts: u32,
}

impl Filler {
    pub(super) const fn new(shared: Arc<QueueCore>, number: u16, tenure: String) -> Self {
        Self { shared, number, tenure, read: None, doubts: 0 }
    }

    /// Runs until the task is aborted.
    pub(super) async fn run(mut self) {
        loop {
            if let Err(error) = self.follow().await {
                let queue = self.shared.name.as_str();
                tracing::debug!(error = %Chain(error.as_ref()), queue, shard.id = self.number, "reading a shard of a queue again");
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    async fn follow(&mut self) -> Result<(), BackendError> {
        let table = self.shared.table.clone();
        let info = table.nats.stream_info(&table.stream).await?.ok_or("its stream is gone")?;
        let stream = info.created.unix_timestamp_nanos();
        if let Some((read_of, read)) = self.read {
            let behind = info.state.last_sequence < read;
            if behind && read_of == stream && self.doubts < DOUBTS {
                self.doubts += 1;
                return Err("its stream ends before what was read of it".into());
            }
            if behind || read_of != stream {
                self.begin_again();
            }
        }
        self.doubts = 0;
        let read = self.read.map_or(0, |(_, read)| read);
        self.read = Some((stream, read));
        let start = if read == 0 { Start::Newest } else { Start::At(read + 1) };
        let filter = self.shared.subjects.shard(self.number);
        let mut follower = Follower::begin(&table.nats, &table.stream, vec![filter], start, false).await?;
        if follower.initial() == 0 {
            self.loaded();
        }
        loop {
            match follower.next().await? {
                None => self.loaded(),
                Some(followed) => {
                    self.read = Some((stream, followed.sequence));
                    let was_last = followed.pending == 0;
                    self.apply(followed);
                    if was_last {
                        self.loaded();
                    }
                }
            }
        }
    }

    /// Starts over: another stream has taken the place of the one that was read.
    fn begin_again(&mut self) {
        let mut state = self.shared.state.lock();
        state.tenures += 1;
        let tenure = format!("{}.{}", self.shared.node, state.tenures);
        if let Some(held) = state.tenure(self.number, &self.tenure) {
            let queue = self.shared.name.as_str();
            tracing::warn!(queue, shard.id = self.number, "the stream of a queue was replaced");
            held.shard = Shard::new(tenure.clone());
            held.seen.send_replace(0);
        }
        self.tenure = tenure;
        self.read = None;
    }

    fn loaded(&self) {
        let mut state = self.shared.state.lock();
        let Some(held) = state.tenure(self.number, &self.tenure) else { return };
        if !held.shard.is_loaded() {
            held.shard.loaded();
            drop(state);
            self.shared.changes.announce();
        }
    }

    fn apply(&self, followed: Followed) {
        let Followed { sequence, subject, headers, payload: body, .. } = followed;
        let row = Row::decode(&headers.unwrap_or_default());
        let mut state = self.shared.state.lock();
        let Some(held) = state.tenure(self.number, &self.tenure) else { return };
        let mut changed = false;
        match (id_in(&subject), row) {
            (Some(id), Ok(row)) => {
                changed = held.shard.apply(id, FoundRow { sequence, row, body }, self.shared.clock.now());
            }
            (Some(_), Err(error)) => {
                let queue = self.shared.name.as_str();
                tracing::warn!(error = %Chain(&error), queue, subject, "failed to read a message of a queue; leaving it there");
            }
            (None, _) => {}
        }
        held.seen.send_replace(sequence);
        let tell = changed && held.shard.is_loaded();
        drop(state);
        if tell {
            self.shared.changes.announce();
        }
    }
}
