//! The metrics of the rules.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counters of the rules.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Definition changes that are in the registry and could not be appended to the log at once.
    pub late_definitions: Counter,
    /// Replays that are worked on.
    pub replays: Gauge,
}

impl Metrics {
    /// Metrics that are registered, with the prefix `lubdub_console`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "lubdub_console_late_definitions",
            "Changed monitors whose change could not be appended to the heartbeat log at once",
            metrics.late_definitions.clone(),
        );
        registry.register(
            "lubdub_console_replays",
            "Requests that read the past and are being worked on",
            metrics.replays.clone(),
        );
        metrics
    }
}
