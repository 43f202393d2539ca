//! The metrics of the notifier.

use std::ops::Deref;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The outcome of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum AlertResult {
    /// The alert became one delivery or more.
    FannedOut,
    /// Its monitor has no enabled channel.
    NoChannel,
    /// A maintenance window or a dependency keeps it quiet.
    Silenced,
    /// Its monitor was deleted meanwhile.
    MonitorGone,
    /// The alert is damaged, or of an older version.
    Unreadable,
    /// Its handling ended by a defect of Lubdub, as often as it is tried.
    GivenUp,
}

impl AlertResult {
    const ALL: [Self; 6] = [
        Self::FannedOut,
        Self::NoChannel,
        Self::Silenced,
        Self::MonitorGone,
        Self::Unreadable,
        Self::GivenUp,
    ];
}

/// The outcome of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum DeliveryResult {
    /// Accepted.
    Delivered,
    /// Given up.
    Dead,
    /// Told of by another delivery.
    Folded,
    /// Given up, because too many waited for its channel.
    NoRoom,
}

impl DeliveryResult {
    const ALL: [Self; 4] = [Self::Delivered, Self::Dead, Self::Folded, Self::NoRoom];
}

/// The outcome of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum AttemptResult {
    /// Any 2xx.
    Accepted,
    /// Any other answer.
    Rejected,
    /// No answer in time.
    TimedOut,
    /// No connection, or it broke.
    Network,
    /// The address is not allowed.
    Refused,
    /// The channel's URL, secret or headers cannot be used.
    Misconfigured,
}

impl AttemptResult {
    const ALL: [Self; 6] =
        [Self::Accepted, Self::Rejected, Self::TimedOut, Self::Network, Self::Refused, Self::Misconfigured];
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NoLabels {}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AlertLabels {
    result: AlertResult,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabels {
    result: DeliveryResult,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    result: AttemptResult,
}

/// The notifier's metrics. Cloning shares them.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    alerts: Family<AlertLabels, Counter>,
    deliveries: Family<DeliveryLabels, Counter>,
    attempts: Family<AttemptLabels, Counter>,
    /// How long attempts take.
    pub(crate) attempt_seconds: Histogram,
    /// From the fan-out of an alert to its acceptance.
    pub(crate) delivery_seconds: Histogram,
    /// Attempts that are being made.
    pub(crate) attempts_in_flight: Gauge,
    /// Claimed deliveries: waiting for their attempt, in it, or about to be written down.
    pub(crate) deliveries_claimed: Gauge,
    /// Seconds since the oldest delivery that is pending was created, of all notifiers; 0 = nothing is
    /// pending.
    pub(crate) oldest_pending: Gauge,
    /// Alerts that are due and not fanned out yet, in the lanes of this notifier, and the seconds that the
    /// oldest of them has waited; no series while the queue cannot be asked.
    waiting_alerts: Family<NoLabels, Gauge>,
    oldest_waiting_alert: Family<NoLabels, Gauge<f64, AtomicU64>>,
    /// Records of dead letters that were put back into the history.
    pub(crate) restored_dead_letters: Counter,
}

impl Metrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            alerts: Family::default(),
            deliveries: Family::default(),
            attempts: Family::default(),
            attempt_seconds: Histogram::new([0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0]),
            delivery_seconds: Histogram::new([0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 20.0, 60.0, 600.0, 7200.0]),
            attempts_in_flight: Gauge::default(),
            deliveries_claimed: Gauge::default(),
            oldest_pending: Gauge::default(),
            waiting_alerts: Family::default(),
            oldest_waiting_alert: Family::default(),
            restored_dead_letters: Counter::default(),
        };
        let m = &metrics;
        // A counter that is there from the beginning is seen to rise.
        AlertResult::ALL.iter().for_each(|result| drop(m.of_alert(*result)));
        DeliveryResult::ALL.iter().for_each(|result| drop(m.of_delivery(*result)));
        AttemptResult::ALL.iter().for_each(|result| drop(m.of_attempt(*result)));
        registry.register("lubdub_notifier_alerts", "Alerts by what became of them", m.alerts.clone());
        registry.register(
            "lubdub_notifier_deliveries",
            "Finished deliveries by what became of them",
            m.deliveries.clone(),
        );
        registry.register("lubdub_notifier_attempts", "Attempts by what came of them", m.attempts.clone());
        registry.register(
            "lubdub_notifier_attempt_seconds",
            "How long attempts take",
            m.attempt_seconds.clone(),
        );
        registry.register(
            "lubdub_notifier_delivery_seconds",
            "From the fan-out of an alert to its acceptance",
            m.delivery_seconds.clone(),
        );
        registry.register(
            "lubdub_notifier_attempts_in_flight",
            "Attempts that are being made",
            m.attempts_in_flight.clone(),
        );
        registry.register(
            "lubdub_notifier_deliveries_claimed",
            "Deliveries in this notifier's hands",
            m.deliveries_claimed.clone(),
        );
        registry.register(
            "lubdub_notifier_oldest_pending_seconds",
            "Age of the oldest delivery that is pending, in the whole installation",
            m.oldest_pending.clone(),
        );
        registry.register(
            "lubdub_notifier_waiting_alerts",
            "Alerts in this notifier's lanes that are not fanned out yet",
            m.waiting_alerts.clone(),
        );
        registry.register(
            "lubdub_notifier_oldest_waiting_alert_seconds",
            "Age of the oldest alert in this notifier's lanes that is not fanned out yet",
            m.oldest_waiting_alert.clone(),
        );
        registry.register(
            "lubdub_notifier_restored_dead_letters",
            "Dead letters whose records the history had lost, or half redriven, and that were put back",
            m.restored_dead_letters.clone(),
        );
        metrics
    }

    pub(crate) fn alert(&self, result: AlertResult) {
        self.of_alert(result).inc();
    }

    pub(crate) fn delivery(&self, result: DeliveryResult) {
        self.of_delivery(result).inc();
    }

    pub(crate) fn attempt(&self, result: AttemptResult) {
        self.of_attempt(result).inc();
    }

    /// Shows how many alerts wait to be fanned out, and the seconds that the oldest has waited; `None`: that
    /// is not known now.
    pub(crate) fn waiting_alerts(&self, waiting: Option<(usize, f64)>) {
        let Some((count, oldest)) = waiting else {
            self.waiting_alerts.clear();
            self.oldest_waiting_alert.clear();
            return;
        };
        self.waiting_alerts.get_or_create(&NoLabels {}).set(i64::try_from(count).unwrap_or(i64::MAX));
        self.oldest_waiting_alert.get_or_create(&NoLabels {}).set(oldest);
    }

    fn of_alert(&self, result: AlertResult) -> impl Deref<Target = Counter> {
        self.alerts.get_or_create(&AlertLabels { result })
    }

    fn of_delivery(&self, result: DeliveryResult) -> impl Deref<Target = Counter> {
        self.deliveries.get_or_create(&DeliveryLabels { result })
    }

    fn of_attempt(&self, result: AttemptResult) -> impl Deref<Target = Counter> {
        self.attempts.get_or_create(&AttemptLabels { result })
    }
}
