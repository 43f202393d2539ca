//! What operators see of the role.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Counters of the role.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    requests: Family<RequestLabels, Counter>,
    duration: Histogram,
    /// Definition changes that are in the registry and could not be appended to the log at once.
    pub(crate) late_definitions: Counter,
    /// Replays that are worked on.
    pub(crate) replays: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: &'static str,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let buckets = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
        let metrics = Self {
            requests: Family::default(),
            duration: Histogram::new(buckets),
            late_definitions: Counter::default(),
            replays: Gauge::default(),
        };
        registry.register(
            "lubdub_console_requests",
            "Requests of the management API by route and status class",
            metrics.requests.clone(),
        );
        registry.register(
            "lubdub_console_request_duration_seconds",
            "Time to answer a request of the management API",
            metrics.duration.clone(),
        );
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

    /// A request was answered. `route` is a pattern, never a path that somebody chose.
    pub(crate) fn answered(&self, method: &axum::http::Method, route: &str, status: u16, took: Duration) {
        let method = match method.as_str() {
            "GET" => "GET",
            "HEAD" => "HEAD",
            "POST" => "POST",
            "PATCH" => "PATCH",
            "DELETE" => "DELETE",
            _ => "other",
        };
        let status = match status {
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            _ => "5xx",
        };
        let labels = RequestLabels { method, route: route.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
        self.duration.observe(took.as_secs_f64());
    }
}
