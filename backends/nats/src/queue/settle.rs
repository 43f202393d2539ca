//! Writes the outcomes of claimed messages.

use model::chain::Chain;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::enqueue::IN_FLIGHT;
use super::messages::{FoundRow, Landed, NewRow, Settling};
use super::row::Row;

use super::state::{QueueCore, unconfirmed};
use super::table::{Sent, Write, Written};
use crate::request::RequestError;
use crate::timeouts::REQUEST_TIMEOUT;
use ports::queue::{MessageId, Outcome, QueueError};

/// Pause before uncertain leases or writes are checked again.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// An outcome that is being written.
#[derive(Debug, Clone)]
struct Job {
    shard: u16,
    tenure: String,
    id: MessageId,
    outcome: Outcome,
}

/// The jobs of one call. Dropping it, for any reason, ends the writing of those that are not written.
struct Together {
    shared: Arc<QueueCore>,
    unwritten: Vec<Job>,
}

impl Drop for Together {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        for Job { shard, tenure, id, .. } in &self.unwritten {
            if let Some(held) = state.tenure(*shard, tenure) {
                held.shard.written(id, None);
            }
        }
    }
}

impl QueueCore {
    /// Settles claimed messages, all or none.
    pub(super) async fn settle_all(
        self: &Arc<Self>,
        outcomes: Vec<(MessageId, Outcome)>,
    ) -> Result<(), QueueError> {
        self.confirmed(&outcomes).await?;
        if self.room.settles(outcomes.len()) {
            // Without a new count the last one decides how long rows are kept.
            let _ = self.count_rows().await;
        }
        let mut ids = HashSet::new();
        let mut jobs = Vec::new();
        let mut landed = Vec::new();
        let mut busy = false;
        {
            let mut state = self.state.lock();
            // The first of several outcomes of a message counts.
            for (id, outcome) in outcomes.into_iter().filter(|(id, _)| ids.insert(*id)) {
                let Some((number, shard)) = state.claimed(&id) else { continue };
                let job = Job { shard: number, tenure: shard.tenure().to_owned(), id, outcome };
                match shard.begin(&id, &job.outcome) {
                    Settling::NotClaimed => {}
                    Settling::Busy => busy = true,
                    Settling::Landed => landed.push(job),
                    Settling::Begun(row) => jobs.push((job, row)),
                }
            }
        }
        let unwritten = jobs.iter().map(|(job, _)| job.clone()).collect();
        let together = Together { shared: Arc::clone(self), unwritten };
        let failure = self.write_all(jobs, &mut landed).await;
        drop(together);
        if let Some(error) = failure {
            return Err(QueueError::Unavailable(error.into()));
        }
        if busy {
            return Err(QueueError::Unavailable("another call settles some of these messages".into()));
        }
        let mut state = self.state.lock();
        for Job { shard, tenure, id, .. } in landed {
            if let Some(held) = state.tenure(shard, &tenure) {
                held.shard.settle(&id, self.clock.now());
            }
        }
        drop(state);
        self.changes.announce();
        Ok(())
    }

    /// Waits until no other node can have taken our shards, if any of these messages is claimed.
    async fn confirmed(&self, outcomes: &[(MessageId, Outcome)]) -> Result<(), QueueError> {
        let began = Instant::now();
        loop {
            {
                let mut state = self.state.lock();
                if self.is_confirmed(&state) || outcomes.iter().all(|(id, _)| state.claimed(id).is_none()) {
                    return Ok(());
                }
            }
            if began.elapsed() >= REQUEST_TIMEOUT {
                return Err(unconfirmed());
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    /// Writes outcomes, many at a time; answers the first failure.
    async fn write_all(&self, jobs: Vec<(Job, NewRow)>, landed: &mut Vec<Job>) -> Option<RequestError> {
        let mut failure = None;
        let mut jobs = jobs.into_iter();
        let mut answers = FuturesUnordered::new();
        loop {
            while answers.len() < IN_FLIGHT && failure.is_none() {
                let Some((job, row)) = jobs.next() else { break };
                let NewRow { replaces, headers, body } = row;
                let subject = self.subjects.row(job.shard, &job.id);
                let kept = self.room.kept(&job.outcome);
                let write = Write { subject, replaces, headers, body, kept };
                let sent = self.table.send(&write).await;
                answers.push(async move {
                    let written = self.written(&job, &write, sent).await;
                    (job, written)
                });
            }
            let Some((job, written)) = answers.next().await else { return failure };
            match written {
                Ok(what) => {
                    if let Some(held) = self.state.lock().tenure(job.shard, &job.tenure) {
                        held.shard.written(&job.id, Some(what));
                    }
                    landed.push(job);
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
    }

    /// The result of an outcome that was sent.
    async fn written(&self, job: &Job, write: &Write, sent: Sent) -> Result<Landed, RequestError> {
        let began = Instant::now();
        let mut written = self.table.finish(write, sent).await?;
        loop {
            match written {
                Written::As(sequence) => return Ok(Landed::Ours { sequence, outcome: job.outcome.clone() }),
                Written::Conflict => {}
            }
            let Some(found) = self.table.read(&write.subject).await? else { return Ok(Landed::Gone) };
            if found.sequence != write.replaces {
                let row = match Row::decode(&found.headers) {
                    Ok(row) => row,
                    Err(error) => {
                        let queue = self.name.as_str();
                        tracing::warn!(error = %Chain(&error), queue, message.id = %job.id, "failed to read another node's settlement");
                        return Ok(Landed::Gone);
                    }
                };
                if row.by.as_ref() != Some(&job.tenure) {
                    let queue = self.name.as_str();
                    tracing::info!(queue, message.id = %job.id, "another node settled a message that was claimed here");
                }
                return Ok(Landed::Theirs(FoundRow { sequence: found.sequence, row, body: found.payload }));
            }
            // Another copy of our write is on its way, or was.
            if began.elapsed() >= REQUEST_TIMEOUT {
                return Err(RequestError::Silent("it is not known what became of a message".into()));
            }
            tokio::time::sleep(AGAIN_AFTER).await;
            written = self.table.write(write).await?;
        }
    }
}
