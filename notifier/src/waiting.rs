//! Shows how many alerts wait to be fanned out, and for how long: alerts that no list of deliveries has yet.
//!
//! The alert queue says it, which is reached when the state store is not.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ports::clock::Clock;
use ports::queue::{MessageId, Queue};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// How often the queue is looked at.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// An alert that was put off and not seen for so long is in the hands of another notifier.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(180);

/// The alerts that are not fanned out yet.
pub(crate) struct WaitingAlerts {
    alerts: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    /// Those that could not be decided and were put off, which changes when they are due.
    put_off: Mutex<HashMap<MessageId, PutOff>>,
}

/// When an alert was put off, by `clock.elapsed()`.
struct PutOff {
    first: Duration,
    last: Duration,
}

impl WaitingAlerts {
    pub(crate) fn new(alerts: Arc<dyn Queue>, clock: Arc<dyn Clock>, metrics: Metrics) -> Self {
        Self { alerts, clock, metrics, put_off: Mutex::default() }
    }

    /// Notes that an alert could not be decided and is tried again.
    pub(crate) fn put_off(&self, id: MessageId) {
        let now = self.clock.elapsed();
        self.put_off.lock().entry(id).or_insert(PutOff { first: now, last: now }).last = now;
    }

    /// Notes that it is decided what becomes of an alert.
    pub(crate) fn decided(&self, id: MessageId) {
        self.put_off.lock().remove(&id);
    }

    /// Measures until `shutdown`.
    pub(crate) async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let measured = async || {
            self.measure().await;
            tokio::time::sleep(MEASURE_EVERY).await;
        };
        while shutdown.run_until_cancelled(measured()).await.is_some() {}
    }

    async fn measure(&self) {
        let now = self.clock.now();
        // The fan-out reports a queue that cannot be reached.
        let Ok(backlog) = self.alerts.backlog(now).await else { return self.metrics.waiting_alerts(None) };
        let due_for = backlog.oldest.map_or(Duration::ZERO, |oldest| now.since(oldest));
        let elapsed = self.clock.elapsed();
        let mut put_off = self.put_off.lock();
        put_off.retain(|_, one| elapsed.saturating_sub(one.last) < FORGOTTEN_AFTER);
        let waited = put_off.values().map(|one| elapsed.saturating_sub(one.first)).max();
        // What is put off is due again now and then, and counts all the time.
        let count = backlog.due.max(put_off.len());
        drop(put_off);
        let oldest = due_for.max(waited.unwrap_or_default());
        self.metrics.waiting_alerts(Some((count, oldest.as_secs_f64())));
    }
}
