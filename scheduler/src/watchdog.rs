//! Alerts the operator when Lubdub itself stands still or cannot do its work, over paths that need no other
//! part of Lubdub; and tells another monitor while all is well.

mod beat;
mod board;
mod incident;
mod operator;
mod turn;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use model::ids::PartitionId;
use model::monitor_state::PartitionHead;
use model::time::EventTime;
use parking_lot::Mutex;
use ports::clock::Clock;
use ports::roster::Roster;
use serving::Readiness;
use tokio_util::sync::CancellationToken;

use crate::concerns::Concern;
use crate::config::Config;
use crate::error::Error;
use crate::shares::Shares;
use beat::Beat;
use board::Board;
use incident::{Incident, Moment, State};
use operator::{News, Operator, STALLED};

/// The time without progress after which the operator is alerted.
pub const STALLED_AFTER: Duration = Duration::from_secs(60);
/// The interval between two looks at the progress.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// When each partition was last seen to move on while ingest was listening.
#[derive(Debug, Default)]
pub struct Progress {
    partitions: Mutex<BTreeMap<PartitionId, ReachedWatermark>>,
}

#[derive(Debug, Clone, Copy)]
struct ReachedWatermark {
    watermark: Option<EventTime>,
    /// When it was seen, by the clock's elapsed time.
    seen_at: Duration,
}

impl Progress {
    /// From now on this partition is expected to move.
    pub fn expect(&self, partition: PartitionId, now: Duration) {
        self.partitions.lock().entry(partition).or_insert(ReachedWatermark { watermark: None, seen_at: now });
    }

    /// Another scheduler owns the partition now.
    pub(crate) fn forget(&self, partition: PartitionId) {
        self.partitions.lock().remove(&partition);
    }

    /// Notes a partition's watermark. It counts as progress unless the time that it just passed is deaf.
    pub(crate) fn reached(
        &self,
        partition: PartitionId,
        watermark: EventTime,
        head: &PartitionHead,
        now: Duration,
    ) {
        let deaf = head.gaps.as_slice().last().is_some_and(|gap| gap.end >= watermark);
        if !deaf {
            // A partition that was handed over is not expected to move here.
            if let Some(reached) = self.partitions.lock().get_mut(&partition) {
                *reached = ReachedWatermark { watermark: Some(watermark), seen_at: now };
            }
        }
    }

    /// Why nothing is decided at present, if event time stands still for too long.
    pub(crate) fn stalled_since(&self, now: Duration) -> Option<String> {
        let (partition, reached) = self.stalled(now)?;
        Some(match reached.watermark {
            Some(watermark) => format!(
                "event time of partition {partition} stands still at {watermark}: no ingest node vouches for time"
            ),
            None => {
                format!("event time of partition {partition} has not begun: no ingest node vouches for time")
            }
        })
    }

    /// Whether every partition that is expected to move has done so.
    fn has_moved(&self) -> bool {
        let partitions = self.partitions.lock();
        !partitions.is_empty() && partitions.values().all(|reached| reached.watermark.is_some())
    }

    /// Whether every partition that is expected to move has done so, if there are any.
    fn is_seen(&self) -> bool {
        self.partitions.lock().values().all(|reached| reached.watermark.is_some())
    }

    /// The partition that has not moved for the longest, if that is too long.
    fn stalled(&self, now: Duration) -> Option<(PartitionId, ReachedWatermark)> {
        let partitions = self.partitions.lock();
        let slowest = partitions.iter().min_by_key(|(_, reached)| reached.seen_at)?;
        (now.saturating_sub(slowest.1.seen_at) > STALLED_AFTER).then_some((*slowest.0, *slowest.1))
    }
}

/// What a watchdog looks at.
pub(crate) struct Watched {
    pub(crate) progress: Arc<Progress>,
    /// Says why event time stands still.
    pub(crate) readiness: Readiness,
    pub(crate) concerns: Vec<Arc<dyn Concern>>,
}

/// Measures by the node's clock, for event time is what may stand still.
pub(crate) struct Watchdog {
    clock: Arc<dyn Clock>,
    progress: Arc<Progress>,
    /// Says why event time stands still.
    readiness: Readiness,
    board: Board,
    ways: Vec<Operator>,
    stall: Incident,
    stalled_since: Option<Duration>,
    troubles: Vec<Trouble>,
    beat: Option<Beat>,
}

/// Concerns of one kind: the operator hears of them as of one.
struct Trouble {
    /// Each with when it began to be wrong, if it is.
    concerns: Vec<(Arc<dyn Concern>, Option<Duration>)>,
    incident: Incident,
}

impl Trouble {
    fn new(concerns: Vec<Arc<dyn Concern>>, first: &dyn Concern, ways: &[Operator]) -> Self {
        let was_told = |way| concerns.iter().find_map(|concern| concern.was_told(way));
        let incident = Incident::new((first.kind(), first.subject()), ways, was_told);
        Self { concerns: concerns.into_iter().map(|concern| (concern, None)).collect(), incident }
    }

    /// Asks the concerns. What the first one says that has been wrong for longer than its patience.
    async fn state(&mut self, moment: Moment) -> (State, Option<String>) {
        let (mut wrong, mut lasting) = (false, None);
        for (concern, since) in &mut self.concerns {
            let Some(reason) = concern.trouble().await else {
                *since = None;
                continue;
            };
            wrong = true;
            let since = *since.get_or_insert(moment.elapsed);
            let lasts = moment.elapsed.saturating_sub(since).checked_sub(concern.patience());
            lasting = lasting.or_else(|| Some((lasts?, reason)));
        }
        match lasting {
            Some((lasts, reason)) => {
                let (kind, subject) = (self.incident.kind(), self.incident.subject());
                let news = News::trouble(moment.now, kind, subject, reason.clone());
                (State::Lasts(lasts, news), Some(reason))
            }
            None if wrong => (State::Unclear, None),
            None => (State::Over, None),
        }
    }
}

/// Looks at concerns alone, without event time, for a scheduler that cannot begin yet; it does not end. It
/// tells for itself, whatever other schedulers tell.
///
/// # Errors
/// [`Error::MetaClient`], [`Error::MetaMail`].
pub async fn watch(
    clock: Arc<dyn Clock>,
    concerns: Vec<Arc<dyn Concern>>,
    config: Config,
) -> Result<Infallible, Error> {
    // No partition is expected to move.
    let watched = Watched { progress: Arc::default(), readiness: Readiness::new("scheduler"), concerns };
    let watchdog = Watchdog::new(clock, watched, None, config)?;
    watchdog.run(CancellationToken::new()).await;
    std::future::pending().await
}

impl Watchdog {
    /// `others`: the schedulers with which it agrees on who tells the operator; `None`: it tells for itself.
    ///
    /// # Errors
    /// `MetaClient` if the HTTP client cannot be made, `MetaMail` if nothing says how to send mail.
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        watched: Watched,
        others: Option<(Arc<dyn Roster>, Arc<Shares>)>,
        config: Config,
    ) -> Result<Self, Error> {
        let Watched { progress, readiness, concerns } = watched;
        let beat = config.beat_url.clone().map(Beat::new).transpose()?;
        let ways = Operator::all(config)?;
        let mut by_kind: BTreeMap<&'static str, Vec<Arc<dyn Concern>>> = BTreeMap::new();
        for concern in concerns {
            by_kind.entry(concern.kind()).or_default().push(concern);
        }
        let of_a_kind = |concerns: Vec<Arc<dyn Concern>>| {
            let first = Arc::clone(concerns.first()?);
            Some(Trouble::new(concerns, &*first, &ways))
        };
        let troubles = by_kind.into_values().filter_map(of_a_kind).collect();
        let stall = Incident::new(STALLED, &ways, |_| None);
        let board = others.map_or_else(Board::alone, |(roster, shares)| Board::shared(roster, shares));
        Ok(Self { clock, progress, readiness, board, ways, stall, stalled_since: None, troubles, beat })
    }

    /// Looks every few seconds until `shutdown`. Each way by itself gets one alert when something goes wrong
    /// and one when it is over, repeated until accepted, from one of the schedulers.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let look = async {
            loop {
                let well = self.look().await;
                if let Some(beat) = self.beat.as_mut().filter(|_| well) {
                    beat.beat(self.clock.elapsed()).await;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        shutdown.run_until_cancelled(look).await;
    }

    /// Looks at everything; whether all is well.
    async fn look(&mut self) -> bool {
        let moment = Moment { now: self.clock.now(), elapsed: self.clock.elapsed() };
        let sight = self.board.look(moment.elapsed).await;
        let board = (&self.board, &sight);
        let (state, mut well) = match self.progress.stalled(moment.elapsed) {
            Some((partition, reached)) => {
                let since = *self.stalled_since.get_or_insert(moment.elapsed);
                let reason = self.reason(moment.elapsed);
                if !self.stall.is_noticed() {
                    tracing::error!(partition.id = %partition, watermark = reached.watermark.map(display), reason, "Lubdub stands still");
                }
                let news = News::stalled(moment.now, partition, reached.watermark, &reason);
                (State::Lasts(moment.elapsed.saturating_sub(since), news), false)
            }
            // A partition that was just taken says nothing of what was before.
            None if !self.progress.is_seen() => (State::Unclear, false),
            None => {
                self.stalled_since = None;
                if self.stall.is_noticed() {
                    tracing::info!("Lubdub moves again");
                }
                (State::Over, self.progress.has_moved())
            }
        };
        self.stall.look(&self.ways, state, board, moment).await;
        for trouble in &mut self.troubles {
            let (state, reason) = trouble.state(moment).await;
            match (&state, trouble.incident.is_noticed()) {
                (State::Lasts(..), false) => {
                    tracing::error!(reason, "{}", trouble.incident.subject());
                }
                (State::Over, true) => tracing::info!(kind = trouble.incident.kind(), "the trouble is over"),
                (State::Lasts(..), true) | (State::Over, false) | (State::Unclear, _) => {}
            }
            well &= !matches!(state, State::Lasts(..));
            for (way, of) in trouble.incident.look(&self.ways, state, board, moment).await {
                trouble.concerns.iter().for_each(|(concern, _)| concern.told(way, of));
            }
        }
        well
    }

    /// Why event time stands still, as `/readyz` says it.
    fn reason(&self, elapsed: Duration) -> String {
        let reasons: Vec<String> = self.readiness.reasons().into_iter().map(|(_, reason)| reason).collect();
        if reasons.is_empty() {
            return self.progress.stalled_since(elapsed).unwrap_or_default();
        }
        reasons.join("; ")
    }
}

#[cfg(test)]
mod tests;
