//! What the operator hears of, beside event time that stands still.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::time::EventTime;
use parking_lot::Mutex;
use ports::clock::Clock;
use ports::history::DeliveryHistory;
use ports::queue::Queue;
use scheduler::Concern;
use serving::{Entrance, Readiness};

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

/// A scheduler waits for what it stands on: NATS or Redis are away, or are not those of one installation.
pub(crate) struct Waits {
    starting: Readiness,
    /// When each way to the operator accepted the alert, until it accepts its end: the watchdog of the
    /// waiting scheduler tells of the beginning, that of the working one of the end.
    told: Mutex<HashMap<&'static str, EventTime>>,
}

impl Waits {
    /// `starting` says what is waited for, until nothing is.
    pub(crate) fn new(starting: Readiness) -> Self {
        Self { starting, told: Mutex::default() }
    }
}

#[async_trait]
impl Concern for Waits {
    fn kind(&self) -> &'static str {
        "lubdub.waiting"
    }

    fn subject(&self) -> &'static str {
        "A scheduler of Lubdub cannot begin"
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }

    async fn trouble(&self) -> Option<String> {
        self.starting.check().err()
    }

    fn was_told(&self, way: &'static str) -> Option<EventTime> {
        self.told.lock().get(way).copied()
    }

    fn told(&self, way: &'static str, of: Option<EventTime>) {
        match of {
            Some(at) => self.told.lock().insert(way, at),
            None => self.told.lock().remove(way),
        };
    }
}

/// An alert that waits for longer is late.
const LATE_AFTER: Duration = Duration::from_secs(5 * 60);

/// Alerts do not go out: the notifier is stuck, or their receivers do not take them.
pub(crate) struct LateAlerts {
    /// `None` in a cluster, where a notifier alone knows its lanes.
    pub(crate) deliveries: Option<Arc<dyn Queue>>,
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
        let stuck = match &self.deliveries {
            Some(deliveries) => deliveries.lanes(due).await.is_ok_and(|lanes| !lanes.is_empty()),
            None => false,
        };
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

#[cfg(test)]
mod tests {
    use doubles::{FaultyDeliveryHistory, InMemoryHistory, Switch};
    use model::delivery::{Delivery, DeliveryState, DeliveryTask};
    use model::flip::Alert;
    use model::ids::{AlertId, ChannelId, DeliveryId};
    use ports::clock::ManualClock;
    use uuid::Uuid;

    use super::*;

    fn pending(at: EventTime) -> Delivery {
        let (id, channel) =
            (AlertId::from_uuid(Uuid::from_u128(1)), ChannelId::from_uuid(Uuid::from_u128(2)));
        let alert = Alert::Test { id, channel, at };
        let task = DeliveryTask {
            id: DeliveryId::derive(id, channel),
            notice: alert.into(),
            channel,
            created_at: at,
            monitor: None,
            redriven: false,
            attempts: 0,
            sent_to: Vec::new(),
            at_desk: false,
            folded_into: None,
        };
        task.pending(at)
    }

    #[tokio::test]
    async fn what_a_waiting_scheduler_told_of_is_ended_by_the_working_one() {
        let starting = Readiness::new("scheduler");
        let waits = Waits::new(starting.clone());
        starting.set_not_ready("it waits for Redis: it is gone");
        assert_eq!(
            waits.trouble().await.as_deref(),
            Some("scheduler is not ready: it waits for Redis: it is gone")
        );
        waits.told("mail", Some(EventTime::from_secs(7)));
        starting.set_ready();
        assert_eq!(waits.trouble().await, None);
        assert_eq!(
            (waits.was_told("mail"), waits.was_told("webhook")),
            (Some(EventTime::from_secs(7)), None)
        );
        waits.told("mail", None);
        assert_eq!(waits.was_told("mail"), None);
    }

    #[tokio::test]
    async fn an_alert_that_has_not_arrived_is_late_after_five_minutes_also_where_no_lanes_are_known() {
        let clock = Arc::new(ManualClock::new(EventTime::from_secs(1_795_341_600)));
        let (history, away) = (Arc::new(InMemoryHistory::default()), Switch::default());
        let asked = Arc::new(FaultyDeliveryHistory::new(Arc::clone(&history) as _, away.clone()));
        let late = LateAlerts { deliveries: None, history: asked, clock: Arc::clone(&clock) as _ };
        assert_eq!(late.trouble().await, None);
        let sent = pending(clock.now());
        history.put(vec![sent.clone()]).await.expect("put");
        clock.advance(LATE_AFTER);
        assert_eq!(late.trouble().await, None, "it is not late yet");
        clock.advance(Duration::from_secs(60));
        let told = late.trouble().await.expect("it is late");
        assert!(told.contains("6 minutes old"), "{told}");
        away.set(true);
        assert_eq!(late.trouble().await, None, "a store that is away says nothing");
        away.set(false);
        let arrived = Delivery { state: DeliveryState::Delivered, next_attempt_at: None, ..sent };
        history.put(vec![arrived]).await.expect("put");
        assert_eq!(late.trouble().await, None);
    }
}
