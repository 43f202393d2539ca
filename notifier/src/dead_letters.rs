//! Keeps dead letters in sight (P4).
//!
//! A dead letter stays in the delivery queue, but people see it, and send it again, by its record in the
//! delivery history. The record may be lost (Redis was wiped), or have another state (a console died between
//! the two steps of a redrive). So a task reads the dead letters of the queue now and then, and puts their
//! records back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::chain::Chain;
use model::delivery::{Delivery, DeliveryMessage, DeliveryState};
use model::ids::DeliveryId;
use model::time::EventTime;
use ports::clock::Clock;
use ports::history::{DeliveryHistory, HistoryError, OPEN_DELIVERIES_FOR};
use ports::queue::{Claim, DeadLetters, QueueError};
use tokio_util::sync::CancellationToken;

use crate::delivery::bury;
use crate::delivery::reading::look;
use crate::metrics::Metrics;

/// The number of dead letters that are read at once.
const PAGE: usize = 256;

/// The number of pages that are read in the time between two passes, so that many letters are read slowly.
const PAGES: u32 = 60;

/// Most records that are remembered as perhaps half redriven; the next passes see the others.
const SUSPECTS: usize = 10_000;

/// The note in place of the attempts.
const LOST: &str = "its record was lost, and what was attempted is not known; it can be sent again";

/// Errors that end a pass.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReviewError {
    #[error("list the dead letters")]
    Queue(#[from] QueueError),
    #[error("look at the records of dead letters")]
    History(#[from] HistoryError),
}

/// How many records a pass put back.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RestoredCounts {
    /// Records that were missing.
    pub(crate) lost: u64,
    /// Records that were pending without a redrive under way.
    pub(crate) half_redriven: u64,
}

/// Looks through the dead letters.
pub(crate) struct DeadLetterReview {
    deliveries: Arc<dyn DeadLetters>,
    history: Arc<dyn DeliveryHistory>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    /// Records that the last pass saw pending, and what their next attempt was to be: it tells one redrive
    /// from another.
    suspects: HashMap<DeliveryId, Option<EventTime>>,
}

impl DeadLetterReview {
    pub(crate) fn new(
        deliveries: Arc<dyn DeadLetters>,
        history: Arc<dyn DeliveryHistory>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Self {
        Self { deliveries, history, clock, metrics, suspects: HashMap::new() }
    }

    /// Makes a pass every so often until `shutdown`.
    pub(crate) async fn run(mut self, every: Duration, shutdown: CancellationToken) {
        while shutdown.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
            let mut tally = RestoredCounts::default();
            let pass = shutdown.run_until_cancelled(self.pass(every / PAGES, &mut tally)).await;
            if let Some(Err(error)) = pass {
                // Other tasks need the queue and the history too and report them; the next pass begins anew.
                tracing::debug!(error = %Chain(&error), "failed to look through the dead letters");
            }
            let RestoredCounts { lost, half_redriven } = tally;
            if lost + half_redriven > 0 {
                tracing::info!(lost, half_redriven, "put records of dead letters back into the history");
            }
        }
    }

    /// Looks through all of them, `pause` between two pages.
    pub(crate) async fn pass(
        &mut self,
        pause: Duration,
        tally: &mut RestoredCounts,
    ) -> Result<(), ReviewError> {
        let suspects = std::mem::take(&mut self.suspects);
        let mut after = None;
        loop {
            let letters = self.deliveries.dead_letters(after, PAGE).await?;
            let Some(last) = letters.last() else { return Ok(()) };
            after = Some(last.id);
            let mut found = RestoredCounts::default();
            let mut records = Vec::new();
            for letter in &letters {
                records.extend(self.mended(letter, &suspects, &mut found).await?);
            }
            if !records.is_empty() {
                self.history.put(records).await?;
            }
            self.metrics.restored_dead_letters.inc_by(found.lost + found.half_redriven);
            tally.lost += found.lost;
            tally.half_redriven += found.half_redriven;
            tokio::time::sleep(pause).await;
        }
    }

    /// The record of a dead letter as it must be, if it is not.
    async fn mended(
        &mut self,
        letter: &Claim,
        suspects: &HashMap<DeliveryId, Option<EventTime>>,
        found: &mut RestoredCounts,
    ) -> Result<Option<Delivery>, HistoryError> {
        let id = DeliveryId::from_uuid(letter.id.as_uuid());
        let Some(known) = self.history.get(id).await? else {
            let restored = restored(letter, self.clock.now());
            found.lost += u64::from(restored.is_some());
            return Ok(restored);
        };
        match known.state {
            DeliveryState::Dead
            | DeliveryState::Delivered
            | DeliveryState::Folded
            | DeliveryState::Suppressed => Ok(None),
            // A redrive writes this first and revives the letter at once; if it has not by the next pass, it
            // never will.
            DeliveryState::Pending if suspects.get(&id) != Some(&known.next_attempt_at) => {
                if self.suspects.len() < SUSPECTS {
                    self.suspects.insert(id, known.next_attempt_at);
                }
                Ok(None)
            }
            DeliveryState::Pending => {
                found.half_redriven += 1;
                Ok(Some(Delivery { state: DeliveryState::Dead, next_attempt_at: None, ..known }))
            }
        }
    }
}

/// The record of a dead letter, as far as the letter itself tells it.
fn restored(letter: &Claim, now: EventTime) -> Option<Delivery> {
    // A letter that cannot be read had no record, or none that can be made again.
    let DeliveryMessage::Task(task) = look(&letter.body)? else { return None };
    // The history keeps dead deliveries by their creation; the queue keeps dead letters a little longer.
    if task.created_at + OPEN_DELIVERIES_FOR <= now {
        return None;
    }
    let mut record = task.pending(now);
    bury(&mut record, LOST.to_owned(), now);
    Some(record)
}
