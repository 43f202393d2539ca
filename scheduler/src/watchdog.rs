//! Alerts the operator when Lubdub itself stands still, over paths that need no other part of Lubdub.

mod operator;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use model::ids::PartitionId;
use model::monitor_state::PartitionHead;
use model::time::EventTime;
use parking_lot::Mutex;
use ports::clock::Clock;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::Error;
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
    ways: Vec<OperatorWay>,
}

/// A way to the operator, and the news that went over it.
struct OperatorWay {
    operator: Operator,
    /// News of a stall that was accepted, until news of its end is.
    accepted: Option<News>,
}

impl OperatorWay {
    /// Sends the beginning of a stall, until it is accepted.
    async fn begin(&mut self, news: &News) {
        if self.accepted.is_none() && self.operator.tell(news).await {
            self.accepted = Some(news.clone());
        }
    }

    /// Sends the end of a stall, until it is accepted; nothing over a way that did not accept the beginning.
    async fn end(&mut self, now: EventTime) {
        if let Some(begun) = &self.accepted
            && self.operator.tell(&begun.ended(now)).await
        {
            self.accepted = None;
        }
    }
}

impl Watchdog {
    /// # Errors
    /// `MetaClient` if the HTTP client cannot be made, `MetaMail` if nothing says how to send mail.
    pub(crate) fn new(clock: Arc<dyn Clock>, progress: Arc<Progress>, config: Config) -> Result<Self, Error> {
        let ways =
            Operator::all(config)?.into_iter().map(|operator| OperatorWay { operator, accepted: None });
        Ok(Self { clock, progress, ways: ways.collect() })
    }

    /// Looks every few seconds until `shutdown`. Each way by itself sends one alert when Lubdub stalls and
    /// one when it moves again, repeated until accepted.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut stalled: Option<News> = None;
        while shutdown.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
            let now = self.clock.now();
            match self.progress.stalled(self.clock.elapsed()) {
                Some((partition, reached)) => {
                    if stalled.is_none() {
                        tracing::error!(partition.id = %partition, watermark = ?reached.watermark, "Lubdub stands still");
                    }
                    let news =
                        stalled.get_or_insert_with(|| News::stalled(now, partition, reached.watermark));
                    join_all(self.ways.iter_mut().map(|way| way.begin(news))).await;
                }
                None => {
                    if stalled.take().is_some() {
                        tracing::info!("Lubdub moves again");
                    }
                    join_all(self.ways.iter_mut().map(|way| way.end(now))).await;
                }
            }
        }
    }
}
