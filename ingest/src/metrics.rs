//! The metrics of ingest.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::answer::Answer;
use crate::clock_offset::ClockOffset;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NoLabels {}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByAnswer {
    answer: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

/// Why not all of an output is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputCut {
    /// Its token is over its limit.
    OverLimit,
    /// Room in the log runs short.
    NoRoom,
}

/// Ingest's metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// One counter for each answer, in the order of [`Answer::ALL`]; looked up once, not per push.
    pushes: Vec<Counter>,
    pub(crate) frames: Counter,
    pub(crate) heartbeats: Counter,
    pub(crate) failed_appends: Counter,
    append_seconds: Histogram,
    pub(crate) queued: Gauge,
    pub(crate) refused: Counter,
    outputs_over_limit: Counter,
    outputs_without_room: Counter,
    pub(crate) deaf_frames: Counter,
    pub(crate) refused_connections: Counter,
    /// Seconds by which this node's clock is off the log's, more than 0 if it is ahead; no series until the
    /// two were compared.
    clock_offset: Family<NoLabels, Gauge<f64, AtomicU64>>,
    pub(crate) tokens: Gauge,
    pub(crate) undecodable: Counter,
}

impl Metrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let pushes = Family::<ByAnswer, Counter>::default();
        let outputs = Family::<ByReason, Counter>::default();
        let outputs_cut = |reason| outputs.get_or_create(&ByReason { reason }).clone();
        let metrics = Self {
            pushes: Answer::ALL
                .iter()
                .map(|answer| pushes.get_or_create(&ByAnswer { answer: answer.status() }).clone())
                .collect(),
            frames: Counter::default(),
            heartbeats: Counter::default(),
            failed_appends: Counter::default(),
            append_seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 15)),
            queued: Gauge::default(),
            refused: Counter::default(),
            outputs_over_limit: outputs_cut("over_limit"),
            outputs_without_room: outputs_cut("no_room"),
            deaf_frames: Counter::default(),
            refused_connections: Counter::default(),
            clock_offset: Family::default(),
            tokens: Gauge::default(),
            undecodable: Counter::default(),
        };
        registry.register("lubdub_ingest_pushes", "Pushes by the status of their answer", pushes);
        registry.register("lubdub_ingest_frames", "Frames appended, ticks too", metrics.frames.clone());
        registry.register("lubdub_ingest_heartbeats", "Heartbeats appended", metrics.heartbeats.clone());
        registry.register(
            "lubdub_ingest_failed_appends",
            "Appends that the heartbeat log did not acknowledge",
            metrics.failed_appends.clone(),
        );
        registry.register(
            "lubdub_ingest_append_seconds",
            "Time from sealing a frame to its acknowledgement",
            metrics.append_seconds.clone(),
        );
        registry.register(
            "lubdub_ingest_queued_pushes",
            "Pushes that wait for their frame or its acknowledgement",
            metrics.queued.clone(),
        );
        registry.register(
            "lubdub_ingest_refused_pushes",
            "Pushes counted as refused (503) in a frame",
            metrics.refused.clone(),
        );
        registry.register(
            "lubdub_ingest_outputs_cut",
            "Outputs of which only the end was kept, or nothing",
            outputs,
        );
        registry.register(
            "lubdub_ingest_deaf_frames",
            "Frames that vouch for nothing, because the listener was not known to take connections",
            metrics.deaf_frames.clone(),
        );
        registry.register(
            "lubdub_ingest_refused_connections",
            "Connections turned away: their address uses its whole share, or their heads have no room",
            metrics.refused_connections.clone(),
        );
        registry.register(
            "lubdub_ingest_clock_offset_seconds",
            "By how much this node's clock is ahead of the heartbeat log's, at least; less than 0 = behind",
            metrics.clock_offset.clone(),
        );
        registry.register("lubdub_ingest_tokens", "Tokens known", metrics.tokens.clone());
        registry.register(
            "lubdub_ingest_undecodable_monitors",
            "Monitors of the registry that could not be read",
            metrics.undecodable.clone(),
        );
        metrics
    }

    pub(crate) fn clock_offset(&self, offset: ClockOffset) {
        self.clock_offset.get_or_create(&NoLabels {}).set(offset.as_secs_f64());
    }

    pub(crate) fn answered(&self, answer: Answer) {
        if let Some(counter) = self.pushes.get(answer as usize) {
            counter.inc();
        }
    }

    pub(crate) fn output_cut(&self, reason: OutputCut) {
        match reason {
            OutputCut::OverLimit => self.outputs_over_limit.inc(),
            OutputCut::NoRoom => self.outputs_without_room.inc(),
        };
    }

    pub(crate) fn acknowledged(&self, heartbeats: usize, took: Duration) {
        self.frames.inc();
        self.heartbeats.inc_by(u64::try_from(heartbeats).unwrap_or(u64::MAX));
        self.append_seconds.observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_shown_under_their_names() {
        let mut registry = Registry::default();
        let metrics = Metrics::new(&mut registry);
        metrics.answered(Answer::Recorded);
        metrics.answered(Answer::Recorded);
        metrics.answered(Answer::Unavailable);
        metrics.acknowledged(3, Duration::from_millis(2));
        metrics.refused.inc_by(4);
        metrics.output_cut(OutputCut::OverLimit);
        metrics.tokens.set(5);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            r#"lubdub_ingest_pushes_total{answer="200"} 2"#,
            r#"lubdub_ingest_pushes_total{answer="400"} 0"#,
            r#"lubdub_ingest_pushes_total{answer="503"} 1"#,
            "lubdub_ingest_frames_total 1",
            "lubdub_ingest_heartbeats_total 3",
            "lubdub_ingest_append_seconds_count 1",
            "lubdub_ingest_refused_pushes_total 4",
            r#"lubdub_ingest_outputs_cut_total{reason="over_limit"} 1"#,
            r#"lubdub_ingest_outputs_cut_total{reason="no_room"} 0"#,
            "lubdub_ingest_tokens 5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
