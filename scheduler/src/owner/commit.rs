//! One commit for history, states, deadlines, offset and outbox, in an order that loses nothing (I6, I15).

use std::time::Instant;

use model::chain::Chain;
use model::ids::Offset;
use ports::repeats::Repeats;
use ports::state_store::Commit;

use super::state::{Owner, RETRY};
use crate::error::Error;

impl Owner {
    /// Commits everything since the last commit.
    ///
    /// First the log is made durable up to the applied offset, so that no state can be ahead of its log; then
    /// the history is written, so that a crash writes it again instead of losing it; then the commit itself,
    /// which alone decides. Each step is safe to repeat and is repeated until it goes through.
    ///
    /// # Errors
    /// When repeating cannot help: the lease was lost.
    pub(super) async fn commit(&mut self) -> Result<(), Error> {
        self.commits.last_at = self.deps.clock.elapsed();
        let applied = self.partition.head().applied;
        let nothing =
            applied == self.commits.committed && !self.partition.has_changes() && self.outbox.is_empty();
        if nothing {
            return Ok(());
        }
        self.sync_log(applied).await?;
        self.write_history().await?;
        let commit = Commit {
            follows: self.commits.committed,
            number: self.commits.number + 1,
            states: self.partition.take_changes(),
            head: self.partition.head().clone(),
            outbox: std::mem::take(&mut self.outbox),
        };
        let began = self.deps.clock.elapsed();
        self.write_state(&commit).await?;
        self.metrics.commit_seconds.observe(self.deps.clock.elapsed().saturating_sub(began).as_secs_f64());
        self.commits.committed = applied;
        self.commits.number = commit.number;
        self.metrics.commits.inc();
        self.metrics.committed_monitors.inc_by(commit.states.len() as u64);
        if !commit.outbox.is_empty() {
            self.publisher.more(commit.outbox.len());
        }
        Ok(())
    }

    async fn sync_log(&self, applied: Offset) -> Result<(), Error> {
        let mut repeats = Repeats::default();
        loop {
            match self.deps.log.sync(self.id, applied).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_transient() => {
                    self.pause("failed to sync the log", &error, &mut repeats).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn write_history(&mut self) -> Result<(), Error> {
        let batch = std::mem::take(&mut self.history);
        self.history_bytes = 0;
        if batch.heartbeats.is_empty() && batch.flips.is_empty() && batch.removed.is_empty() {
            return Ok(());
        }
        let mut repeats = Repeats::default();
        loop {
            match self.deps.history.append(batch.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) => self.pause("failed to write history", &error, &mut repeats).await,
            }
        }
    }

    async fn write_state(&self, commit: &Commit) -> Result<(), Error> {
        let mut repeats = Repeats::default();
        loop {
            match self.deps.states.commit(&self.lease, commit).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_transient() => {
                    self.pause("failed to commit", &error, &mut repeats).await;
                }
                Err(error) => {
                    return Err(error.into());
                }
            }
        }
    }

    /// Waits before another try. What fails for long is said once a minute.
    async fn pause(
        &self,
        what: &str,
        error: &(dyn std::error::Error + Sync + 'static),
        repeats: &mut Repeats,
    ) {
        if let Some(failures) = repeats.news(Instant::now()) {
            tracing::warn!(partition.id = %self.id, failures, error = %Chain(error), "{what}; trying again");
        }
        tokio::time::sleep(RETRY).await;
    }
}
