//! What the operator of one process hears of, beside event time that stands still.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ports::clock::Clock;
use ports::history::DeliveryHistory;
use ports::queue::Queue;
use scheduler::Concern;
use serving::Entrance;

/// Clients are not known to be able to get in.
pub(crate) struct Shut(pub(crate) Entrance);

#[async_trait]
impl Concern for Shut {
    fn kind(&self) -> &'static str {
        "lubdub.shut"
    }

    fn subject(&self) -> &'static str {
        "Lubdub takes no connections"
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }

    async fn trouble(&self) -> Option<String> {
        self.0
            .trouble()
            .map(|why| format!("Lubdub takes no pushes, and no monitor is watched meanwhile: {why}"))
    }
}

/// An alert that waits for longer is late.
const LATE_AFTER: Duration = Duration::from_secs(5 * 60);

/// Alerts do not go out: the notifier is stuck, or their receivers do not take them.
pub(crate) struct LateAlerts {
    pub(crate) deliveries: Arc<dyn Queue>,
    pub(crate) history: Arc<dyn DeliveryHistory>,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Concern for LateAlerts {
    fn kind(&self) -> &'static str {
        "lubdub.alerts_late"
    }

    fn subject(&self) -> &'static str {
        "Lubdub's alerts do not go out"
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn trouble(&self) -> Option<String> {
        let now = self.clock.now();
        let due = now - LATE_AFTER;
        // A store that cannot be asked is the trouble of those who use it.
        let stuck = self.deliveries.lanes(due).await.is_ok_and(|lanes| !lanes.is_empty());
        let oldest = self.history.oldest_pending().await.ok().flatten();
        if stuck {
            return Some("deliveries that are due have not been tried for more than 5 minutes".to_owned());
        }
        oldest.filter(|oldest| *oldest < due).map(|oldest| {
            let minutes = now.since(oldest).as_secs() / 60;
            format!("the oldest alert that has not arrived is {minutes} minutes old (lubdub deliveries list)")
        })
    }
}

/// The same for alerts of which nothing was made yet.
pub(crate) struct StuckFanOut(pub(crate) Arc<dyn Queue>, pub(crate) Arc<dyn Clock>);

#[async_trait]
impl Concern for StuckFanOut {
    fn kind(&self) -> &'static str {
        "lubdub.alerts_late"
    }

    fn subject(&self) -> &'static str {
        "Lubdub's alerts do not go out"
    }

    fn patience(&self) -> Duration {
        LATE_AFTER
    }

    async fn trouble(&self) -> Option<String> {
        // Alerts are claimed at once, so that some wait at every look for minutes means that nobody claims.
        let waiting = self.0.lanes(self.1.now()).await.is_ok_and(|lanes| !lanes.is_empty());
        waiting.then(|| "alerts have been waiting for the notifier for more than 5 minutes".to_owned())
    }
}
