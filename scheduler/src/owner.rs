//! Runs one partition: reads, applies, settles, commits, publishes.

mod checkpoint;
mod commit;
mod load;
mod publish;
mod rebuild;
mod rebuilds;
mod state;
mod telling;

use std::time::{Duration, Instant};

use model::chain::Chain;
use ports::heartbeat_log::LogEntry;
use ports::repeats::Repeats;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::error::Error;
use crate::metrics::PartitionFigures;
use crate::text_bytes::text_bytes;
use machine::partition::Effects;
use state::{KnownNumber, RETRY};

pub(crate) use state::{Ended, Owner, OwnerContext};

/// The most entries that are read at once.
const READ_ENTRIES: usize = 256;
/// The number of heartbeats gathered for the history that forces a commit.
const COMMIT_HEARTBEATS: usize = 10_000;
/// The bytes of messages and outputs gathered for the history that force a commit.
const COMMIT_BYTES: usize = 16 << 20;
/// How long changes gather before a commit. The log is durable already: after a crash it is read again.
const GATHER: Duration = Duration::from_secs(1);
/// How long flips gather that alert no one: people look for them, and a hundred thousand first heartbeats may
/// come at once.
const GATHER_SILENT: Duration = Duration::from_millis(100);
/// The interval between commits of the position while nothing changes.
const COMMIT_IDLE: Duration = Duration::from_secs(60);
/// The pause between two steps of a pass over the registry, when there is nothing else to do.
const RECONCILE_PAUSE: Duration = Duration::from_millis(5);
/// The interval at which the gauges are set.
const REPORT_EVERY: Duration = Duration::from_secs(1);

impl Owner {
    /// Runs until `shutdown`, or until a rebuilt partition is to take this one's place; then commits and
    /// gives the partition back.
    ///
    /// # Errors
    /// Errors after which the partition must be loaded anew: a lost lease, another log than before.
    pub(crate) async fn run(mut self, shutdown: &CancellationToken) -> Result<Ended, Error> {
        loop {
            let due = self.until_commit().min(self.rebuilds.pause());
            let wait = if self.reconciler.is_busy(self.deps.clock.elapsed()) {
                due.min(RECONCILE_PAUSE)
            } else {
                due
            };
            let entries = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                entries = self.reader.next(READ_ENTRIES) => entries?,
                () = tokio::time::sleep(wait) => Vec::new(),
            };
            for entry in entries {
                let span =
                    tracing::debug_span!("scheduler.apply", partition.id = %self.id, offset = %entry.offset);
                self.apply(entry).instrument(span).await?;
            }
            if self.until_commit().is_zero() {
                self.commit().await?;
            }
            self.publisher.publish(&self.deps, &self.lease, &self.metrics).await?;
            self.checkpoint().await?;
            if let Some(rebuilt) = self.rebuild().await? {
                self.deps.states.release(&self.lease).await?;
                return Ok(Ended::Rebuilt(rebuilt));
            }
            self.reconciler.step(&self.deps, self.id, &self.partition, &self.metrics).await;
            self.report();
        }
        self.commit().await?;
        self.publisher.publish(&self.deps, &self.lease, &self.metrics).await?;
        self.deps.states.release(&self.lease).await?;
        Ok(Ended::Stopped)
    }

    /// Begins a checkpoint if one is due. It is taken when everything is committed and in the alert queue: an
    /// owner that starts from it does not make those alerts again.
    ///
    /// # Errors
    /// As for a commit.
    async fn checkpoint(&mut self) -> Result<(), Error> {
        if !self.checkpoints.is_due(&self.deps, self.id) {
            return Ok(());
        }
        self.commit().await?;
        self.publisher.publish(&self.deps, &self.lease, &self.metrics).await?;
        if self.publisher.is_done() {
            self.checkpoints.begin(&self.deps, &self.metrics, self.id, &self.partition);
        }
        Ok(())
    }

    /// The time until the gathered changes must be committed; zero as soon as a flip pages.
    fn until_commit(&self) -> Duration {
        let gather = if !self.outbox.is_empty() {
            Duration::ZERO
        } else if !self.history.flips.is_empty() {
            GATHER_SILENT
        } else if self.partition.has_changes() {
            GATHER
        } else {
            COMMIT_IDLE
        };
        self.commits.until(gather, self.deps.clock.elapsed())
    }

    async fn apply(&mut self, entry: LogEntry) -> Result<(), Error> {
        let frame = match entry.frame {
            Ok(frame) => frame,
            Err(error) => {
                tracing::error!(partition.id = %self.id, offset = %entry.offset, error = %Chain(&error), "skipped a log entry");
                self.metrics.damaged_frames.inc();
                self.partition.skip(entry.offset);
                self.keep_numbers_apart();
                return Ok(());
            }
        };
        let crowded = self.partition.changed() >= self.batch_monitors
            || self.history.heartbeats.len() >= COMMIT_HEARTBEATS
            || self.history_bytes >= COMMIT_BYTES;
        if crowded {
            self.commit().await?;
        }
        let mut effects = Effects::default();
        self.partition.apply(entry.offset, entry.logged_at, &frame, &mut effects);
        self.history_bytes += effects.imported.iter().map(text_bytes).sum::<usize>();
        self.tell_flips(&effects.flips, &frame.imported).await;
        self.gather(effects);
        self.tell_deaf_time();
        self.history_bytes += frame.heartbeats.iter().map(text_bytes).sum::<usize>();
        self.history.heartbeats.extend(frame.heartbeats.iter().cloned());
        self.metrics.frames.inc();
        self.metrics.heartbeats.inc_by(frame.heartbeats.len() as u64);
        self.settle().await?;
        self.keep_numbers_apart();
        Ok(())
    }

    /// Lets the numbers of new alerts begin behind those that the queue knows. Numbers follow from the log,
    /// so this matters only when the log has lost entries: it gives fewer alerts then, and the queue would
    /// take new alerts for known ones.
    fn keep_numbers_apart(&mut self) {
        let KnownNumber { known, end } = self.known_number;
        let found = self.partition.head().last_number;
        if self.partition.head().applied >= end && found < known {
            tracing::error!(
                partition.id = %self.id, known, found,
                "the heartbeat log gives fewer alerts than were published: it has lost entries; numbering new alerts behind the published ones"
            );
            self.partition.number_from(known);
        }
    }

    /// Polls the sorted set up to the watermark, in bounded batches, until nothing in it is due.
    async fn settle(&mut self) -> Result<(), Error> {
        let Some(watermark) = self.partition.settle_up_to() else { return Ok(()) };
        self.progress.reached(self.id, watermark, self.partition.head(), self.deps.clock.elapsed());
        loop {
            // The set must know every due wake-up before it is asked.
            if self.partition.has_uncommitted_wake(watermark)
                || self.partition.changed() >= self.batch_monitors
            {
                self.commit().await?;
            }
            let due = self.ask_due(watermark).await?;
            let complete = due.len() < self.batch_monitors;
            let mut effects = Effects::default();
            self.partition.due(&due, complete, &mut effects);
            self.tell_flips(&effects.flips, &[]).await;
            self.gather(effects);
            if complete {
                break;
            }
            self.commit().await?;
        }
        self.partition.mark_settled();
        Ok(())
    }

    async fn ask_due(&self, watermark: model::time::EventTime) -> Result<Vec<model::ids::MonitorId>, Error> {
        let mut repeats = Repeats::default();
        loop {
            match self.deps.states.due(&self.lease, watermark, self.batch_monitors).await {
                Ok(due) => return Ok(due),
                Err(error) if error.is_transient() => {
                    if let Some(failures) = repeats.news(Instant::now()) {
                        tracing::warn!(partition.id = %self.id, failures, error = %Chain(&error), "failed to ask for due monitors; trying again");
                    }
                    tokio::time::sleep(RETRY).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn gather(&mut self, effects: Effects) {
        effects.flips.iter().for_each(|flip| self.metrics.flip(flip));
        self.history.flips.extend(effects.flips);
        self.history.removed.extend(effects.removed);
        self.history.heartbeats.extend(effects.imported);
        self.metrics.refused_imports.inc_by(effects.refused_imports);
        self.outbox.extend(effects.alerts);
    }

    fn report(&mut self) {
        let now = self.deps.clock.elapsed();
        if self.reported_at.is_some_and(|at| now.saturating_sub(at) < REPORT_EVERY) {
            return;
        }
        self.reported_at = Some(now);
        let head = self.partition.head();
        let lag = head.watermark.map(|watermark| self.deps.clock.now().since(watermark).as_secs_f64());
        let gaps = head.gaps.as_slice();
        let deaf: Duration = gaps.iter().map(|gap| gap.length()).sum();
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.series.set(PartitionFigures {
            lag,
            gaps: count(gaps.len()),
            deaf_seconds: i64::try_from(deaf.as_secs()).unwrap_or(i64::MAX),
            monitors: count(self.partition.len()),
            outbox: self.publisher.waiting(),
            checkpoint_age: self.checkpoints.age(self.deps.clock.now()).map(|age| age.as_secs_f64()),
        });
    }
}
