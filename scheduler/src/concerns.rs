//! What an operator should hear of, beside event time that stands still.

use std::time::Duration;

use async_trait::async_trait;
use model::time::EventTime;
use prometheus_client::metrics::gauge::Gauge;

use crate::orphans::Orphans;

/// One thing that may be wrong with Lubdub itself. The watchdog asks every few seconds.
#[async_trait]
pub trait Concern: Send + Sync {
    /// The type of its alert, `lubdub.…`.
    fn kind(&self) -> &'static str;

    /// The subject of its mail.
    fn subject(&self) -> &'static str;

    /// How long it must be wrong without a break before the operator is alerted.
    fn patience(&self) -> Duration;

    /// What is wrong, as a sentence without a full stop; `None` if nothing is, or if it is not known.
    async fn trouble(&self) -> Option<String>;

    /// When this way to the operator accepted the alert in an earlier life of the process, if nobody heard of
    /// its end since.
    fn was_told(&self, _way: &'static str) -> Option<EventTime> {
        None
    }

    /// A way to the operator accepted news: of the trouble at that time, or (`None`) of its end.
    fn told(&self, _way: &'static str, _of: Option<EventTime>) {}
}

/// The registry was lost, and Redis may be the last that knows the monitors.
pub(crate) struct Forgotten(pub(crate) Orphans);

#[async_trait]
impl Concern for Forgotten {
    fn kind(&self) -> &'static str {
        "lubdub.monitors_lost"
    }

    fn subject(&self) -> &'static str {
        "Lubdub lost its monitors"
    }

    fn patience(&self) -> Duration {
        Duration::ZERO
    }

    async fn trouble(&self) -> Option<String> {
        self.0.trouble()
    }
}

/// The alert queue takes no more alerts: they wait where they were decided.
pub(crate) struct FullQueue(pub(crate) Gauge);

#[async_trait]
impl Concern for FullQueue {
    fn kind(&self) -> &'static str {
        "lubdub.queue_full"
    }

    fn subject(&self) -> &'static str {
        "Lubdub's alert queue is full"
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }

    async fn trouble(&self) -> Option<String> {
        (self.0.get() > 0)
            .then(|| "the alert queue is full: further alerts wait until there is room".to_owned())
    }
}
