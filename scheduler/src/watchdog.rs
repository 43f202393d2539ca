//! Alerts the operator when Lubdub itself stands still or cannot do its work, over paths that need no other
//! part of Lubdub; and tells another monitor while all is well.

mod beat;
mod operator;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use model::ids::PartitionId;
use model::monitor_state::PartitionHead;
use model::time::EventTime;
use parking_lot::Mutex;
use ports::clock::Clock;
use tokio_util::sync::CancellationToken;

use crate::concerns::Concern;
use crate::config::Config;
use crate::error::Error;
use beat::Beat;
use operator::{News, Operator};

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

    /// The partition that has not moved for the longest, if that is too long.
    fn stalled(&self, now: Duration) -> Option<(PartitionId, ReachedWatermark)> {
        let partitions = self.partitions.lock();
        let slowest = partitions.iter().min_by_key(|(_, reached)| reached.seen_at)?;
        (now.saturating_sub(slowest.1.seen_at) > STALLED_AFTER).then_some((*slowest.0, *slowest.1))
    }
}

/// Measures by the node's clock, for event time is what may stand still.
pub(crate) struct Watchdog {
    clock: Arc<dyn Clock>,
    progress: Arc<Progress>,
    ways: Vec<Operator>,
    stall: Incident,
    concerns: Vec<(Arc<dyn Concern>, Incident)>,
    beat: Option<Beat>,
}

/// Looks at concerns alone, without event time, for a scheduler that cannot begin yet; it does not end.
///
/// # Errors
/// [`Error::MetaClient`], [`Error::MetaMail`].
pub async fn watch(
    clock: Arc<dyn Clock>,
    concerns: Vec<Arc<dyn Concern>>,
    config: Config,
) -> Result<Infallible, Error> {
    // No partition is expected to move.
    let watchdog = Watchdog::new(clock, Arc::default(), concerns, config)?;
    watchdog.run(CancellationToken::new()).await;
    std::future::pending().await
}

/// Something that is wrong, and to whom it was told.
#[derive(Default)]
struct Incident {
    since: Option<Duration>,
    news: Option<News>,
    /// For each way, the news that was accepted, until news of its end is.
    accepted: Vec<Option<News>>,
    /// For each way, the news that was not accepted while the trouble lasted: what was wrong may have kept it
    /// from being sent, too.
    owed: Vec<Option<News>>,
}

impl Incident {
    /// Of a concern of which an earlier life of the process told over these ways.
    fn known(concern: &dyn Concern, ways: &[Operator]) -> Self {
        let (kind, subject) = (concern.kind(), concern.subject());
        let news = |at| News::trouble(at, kind, subject, subject.to_owned());
        let accepted = ways.iter().map(|way| concern.was_told(way.name()).map(news)).collect();
        Self { accepted, ..Self::default() }
    }

    /// Sends the beginning over each way, until that accepts it; the ways that did just now.
    async fn begin(&mut self, ways: &[Operator], news: News) -> Vec<(&'static str, Option<EventTime>)> {
        let news = &*self.news.get_or_insert(news);
        self.accepted.resize(ways.len(), None);
        self.owed.resize(ways.len(), None);
        let both = self.accepted.iter_mut().zip(&mut self.owed);
        let told = ways.iter().zip(both).map(async |(way, (accepted, owed))| {
            // The first trouble that nobody heard of stands for those after it.
            let news = owed.as_ref().unwrap_or(news).clone();
            let tells = accepted.is_none() && way.tell(&news).await;
            if tells {
                *accepted = Some(news.clone());
                *owed = None;
            }
            tells.then_some((way.name(), Some(news.at())))
        });
        join_all(told).await.into_iter().flatten().collect()
    }

    /// Sends the end over each way that accepted the beginning, until that accepts it; the ways that did just
    /// now. A way that has not accepted the beginning yet is sent it first.
    async fn end(&mut self, ways: &[Operator], now: EventTime) -> Vec<(&'static str, Option<EventTime>)> {
        self.since = None;
        self.accepted.resize(ways.len(), None);
        self.owed.resize(ways.len(), None);
        let news = self.news.take();
        let both = self.accepted.iter_mut().zip(&mut self.owed);
        let told = ways.iter().zip(both).map(async |(way, (accepted, owed))| {
            if accepted.is_none() {
                let begun = owed.take().or_else(|| news.clone())?;
                if !way.tell(&begun).await {
                    *owed = Some(begun);
                    return None;
                }
                *accepted = Some(begun);
            }
            let begun = accepted.as_ref()?;
            if !way.tell(&begun.ended(now)).await {
                return None;
            }
            *accepted = None;
            Some((way.name(), None))
        });
        join_all(told).await.into_iter().flatten().collect()
    }
}

impl Watchdog {
    /// # Errors
    /// `MetaClient` if the HTTP client cannot be made, `MetaMail` if nothing says how to send mail.
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        progress: Arc<Progress>,
        concerns: Vec<Arc<dyn Concern>>,
        config: Config,
    ) -> Result<Self, Error> {
        let beat = config.beat_url.clone().map(Beat::new).transpose()?;
        let ways = Operator::all(config)?;
        let with_incident = |concern: Arc<dyn Concern>| {
            let incident = Incident::known(&*concern, &ways);
            (concern, incident)
        };
        let concerns = concerns.into_iter().map(with_incident).collect();
        Ok(Self { clock, progress, ways, stall: Incident::default(), concerns, beat })
    }

    /// Looks every few seconds until `shutdown`. Each way by itself gets one alert when something goes wrong
    /// and one when it is over, repeated until accepted.
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
        let (now, elapsed) = (self.clock.now(), self.clock.elapsed());
        let stalled = self.progress.stalled(elapsed);
        match stalled {
            Some((partition, reached)) => {
                if self.stall.news.is_none() {
                    tracing::error!(partition.id = %partition, watermark = reached.watermark.map(display), "Lubdub stands still");
                }
                self.stall.begin(&self.ways, News::stalled(now, partition, reached.watermark)).await;
            }
            None => {
                if self.stall.news.is_some() {
                    tracing::info!("Lubdub moves again");
                }
                self.stall.end(&self.ways, now).await;
            }
        }
        let mut well = stalled.is_none() && self.progress.has_moved();
        for (concern, incident) in &mut self.concerns {
            let Some(trouble) = concern.trouble().await else {
                if incident.news.is_some() {
                    tracing::info!(kind = concern.kind(), "the trouble is over");
                }
                for (way, of) in incident.end(&self.ways, now).await {
                    concern.told(way, of);
                }
                continue;
            };
            let since = *incident.since.get_or_insert(elapsed);
            if elapsed.saturating_sub(since) < concern.patience() {
                continue;
            }
            well = false;
            if incident.news.is_none() {
                tracing::error!(reason = trouble, "{}", concern.subject());
            }
            let news = News::trouble(now, concern.kind(), concern.subject(), trouble);
            for (way, of) in incident.begin(&self.ways, news).await {
                concern.told(way, of);
            }
        }
        well
    }
}
