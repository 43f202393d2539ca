//! Tells the operator when Lubdub itself stands still, over a path that needs no other part of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::clock::Clock;
use common::model::ids::PartitionId;
use common::model::monitor_state::PartitionHead;
use common::model::time::EventTime;
use parking_lot::Mutex;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::config::MetaWebhook;
use crate::error::Error;

/// Standing still for longer than this is an alert.
pub const STALLED_AFTER: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_secs(5);
const SEND_TIMEOUT: Duration = Duration::from_secs(15);

/// When each partition was last seen to move on with somebody listening.
#[derive(Debug, Default)]
pub struct Progress {
    partitions: Mutex<BTreeMap<PartitionId, Reached>>,
}

#[derive(Debug, Clone, Copy)]
struct Reached {
    watermark: Option<EventTime>,
    /// By the clock's elapsed time.
    seen_at: Duration,
}

impl Progress {
    /// From now on this partition is expected to move.
    pub fn expect(&self, partition: PartitionId, now: Duration) {
        self.partitions.lock().entry(partition).or_insert(Reached { watermark: None, seen_at: now });
    }

    /// The partition is somebody else's.
    pub(crate) fn forget(&self, partition: PartitionId) {
        self.partitions.lock().remove(&partition);
    }

    /// The partition's watermark is now this. It counts unless the time that it just passed is deaf.
    pub(crate) fn reached(
        &self,
        partition: PartitionId,
        watermark: EventTime,
        head: &PartitionHead,
        now: Duration,
    ) {
        let deaf = head.gaps.as_slice().last().is_some_and(|gap| gap.end >= watermark);
        if !deaf {
            // One that was handed over is not expected to move here.
            if let Some(reached) = self.partitions.lock().get_mut(&partition) {
                *reached = Reached { watermark: Some(watermark), seen_at: now };
            }
        }
    }

    /// The partition that has not moved for the longest, if that is too long.
    fn stalled(&self, now: Duration) -> Option<(PartitionId, Reached)> {
        let partitions = self.partitions.lock();
        let slowest = partitions.iter().min_by_key(|(_, reached)| reached.seen_at)?;
        (now.saturating_sub(slowest.1.seen_at) > STALLED_AFTER).then_some((*slowest.0, *slowest.1))
    }
}

/// What the operator is sent.
#[derive(Debug, Serialize)]
struct MetaAlert {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: String,
    data: MetaData,
}

#[derive(Debug, Serialize)]
struct MetaData {
    partition: Option<u16>,
    watermark: Option<String>,
    message: String,
}

/// Looks at the wall clock, for event time is what may stand still.
pub(crate) struct Watchdog {
    clock: Arc<dyn Clock>,
    progress: Arc<Progress>,
    operator: Option<Operator>,
}

/// The operator's own address and the way there.
struct Operator {
    webhook: MetaWebhook,
    client: reqwest::Client,
}

impl Operator {
    fn new(webhook: MetaWebhook) -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .timeout(SEND_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(Error::MetaClient)?;
        Ok(Self { webhook, client })
    }
}

impl Watchdog {
    /// # Errors
    /// `MetaClient` if the HTTP client cannot be made.
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        progress: Arc<Progress>,
        webhook: Option<MetaWebhook>,
    ) -> Result<Self, Error> {
        let operator = webhook.map(Operator::new).transpose()?;
        Ok(Self { clock, progress, operator })
    }

    /// Looks every few seconds until `shutdown`; tells once when it stalls, until that is accepted, and once when it moves.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut told = false;
        let mut logged = false;
        while shutdown.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
            match self.progress.stalled(self.clock.elapsed()) {
                Some((partition, reached)) => {
                    if !logged {
                        tracing::error!(%partition, watermark = ?reached.watermark, "Lubdub stands still");
                        logged = true;
                    }
                    if !told {
                        told = self.send("lubdub.stalled", Some((partition, reached))).await;
                    }
                }
                None if logged => {
                    tracing::info!("Lubdub moves again");
                    // Nobody needs to hear of an end whose beginning they did not hear of.
                    logged = told && !self.send("lubdub.recovered", None).await;
                    told = logged;
                }
                None => {}
            }
        }
    }

    async fn send(&self, kind: &'static str, stalled: Option<(PartitionId, Reached)>) -> bool {
        let Some(operator) = &self.operator else { return true };
        let message = match stalled {
            Some(_) => "Lubdub has not moved on for more than 60 s: nobody is watched until it does",
            None => "Lubdub moves again",
        };
        let alert = MetaAlert {
            kind,
            timestamp: self.clock.now().to_rfc3339(),
            data: MetaData {
                partition: stalled.map(|(partition, _)| partition.0),
                watermark: stalled.and_then(|(_, reached)| reached.watermark).map(EventTime::to_rfc3339),
                message: message.to_owned(),
            },
        };
        match operator.client.post(operator.webhook.url().clone()).json(&alert).send().await {
            Ok(answer) if answer.status().is_success() => true,
            Ok(answer) => {
                tracing::warn!(status = answer.status().as_u16(), "the operator's webhook refused the alert");
                false
            }
            Err(error) => {
                tracing::warn!(error = %error.without_url(), "failed to reach the operator's webhook");
                false
            }
        }
    }
}
