//! The aims of `docs/benchmarks.md`, and whether what was measured is anywhere near them.

use parking_lot::Mutex;

use crate::report::Report;

/// The factor by which a figure may miss its aim: the machine may be slow, and other work may run on it.
const MARGIN: f64 = 2.0;

/// The document that says the aims.
const DOCUMENT: &str = include_str!("../../docs/benchmarks.md");

/// A figure that has an aim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Pushes a second of `lubdub up` at 256 connections, as a share of the bare handler's.
    EmbeddedPushes,
    /// Heartbeats a second that the state machine applies.
    AppliedOnOneCore,
    /// Seconds from the last of 10,000 deadlines to the last commit of a flip.
    LastFlip,
    /// Seconds from the last of 10,000 deadlines to the last accepted webhook.
    LastWebhook,
    /// Bytes of memory of a monitor.
    MonitorMemory,
    /// Webhooks a second of nine channels while a tenth hangs, as a share of those while it answers.
    WhileOneHangs,
    /// Pushes a second of one ingest at 512 connections, as a share of the bare handler's.
    ClusterPushes,
    /// Processor time of a push on four ingest nodes, as a multiple of that on one.
    PushOnFourNodes,
    /// Heartbeats a second from the log to Redis, without history.
    AppliedToRedis,
    /// Bytes of Redis memory of a monitor.
    RedisMemory,
    /// Seconds from the kill of a scheduler to the first commit by another.
    FailOver,
}

enum Aim {
    AtLeast(f64),
    AtMost(f64),
}

impl Figure {
    const ALL: [Self; 11] = [
        Self::EmbeddedPushes,
        Self::AppliedOnOneCore,
        Self::LastFlip,
        Self::LastWebhook,
        Self::MonitorMemory,
        Self::WhileOneHangs,
        Self::ClusterPushes,
        Self::PushOnFourNodes,
        Self::AppliedToRedis,
        Self::RedisMemory,
        Self::FailOver,
    ];

    /// The first two cells of the figure's row in the document, and the aim as a number.
    const fn aim(self) -> (&'static str, &'static str, Aim) {
        match self {
            Self::EmbeddedPushes => {
                ("pushes/s at 256 connections, beside a bare axum handler", "0.5", Aim::AtLeast(0.5))
            }
            Self::AppliedOnOneCore => {
                ("heartbeats/s applied on one core", "1,000,000", Aim::AtLeast(1_000_000.0))
            }
            Self::LastFlip => {
                ("10,000 deadlines in one second: last flip committed", "2 s", Aim::AtMost(2.0))
            }
            Self::LastWebhook => {
                ("10,000 deadlines in one second: last webhook accepted", "10 s", Aim::AtMost(10.0))
            }
            Self::MonitorMemory => ("memory of a monitor, of a million", "1 kB", Aim::AtMost(1_000.0)),
            Self::WhileOneHangs => (
                "webhooks/s of nine channels while a tenth hangs, beside while it answers",
                "0.9",
                Aim::AtLeast(0.9),
            ),
            Self::ClusterPushes => (
                "pushes/s of one ingest at 512 connections, beside a bare axum handler",
                "0.7",
                Aim::AtLeast(0.7),
            ),
            Self::PushOnFourNodes => (
                "processor time of a push with 1, 2 and 4 ingest nodes at the same load",
                "flat within 15 %",
                Aim::AtMost(1.15),
            ),
            Self::AppliedToRedis => {
                ("heartbeats/s from the log to Redis, 1,000,000 monitors", "200,000", Aim::AtLeast(200_000.0))
            }
            Self::RedisMemory => {
                ("Redis memory of a monitor without its history", "200 B", Aim::AtMost(200.0))
            }
            Self::FailOver => {
                ("kill -9 of a scheduler to the first commit by another", "5 s + 1 s", Aim::AtMost(6.0))
            }
        }
    }
}

static MEASURED: Mutex<Vec<(Figure, f64)>> = Mutex::new(Vec::new());

/// Notes what a section measured. A figure may be measured several times: its median counts.
pub(crate) fn measured(figure: Figure, value: f64) {
    MEASURED.lock().push((figure, value));
}

fn median(figure: Figure) -> Option<f64> {
    let all = MEASURED.lock();
    let mut values: Vec<f64> = all.iter().filter(|(of, _)| *of == figure).map(|(_, value)| *value).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Compares every figure that was measured with its aim.
///
/// # Errors
/// If one misses its aim by more than the margin, or if the document does not say an aim that stands here.
pub(crate) fn check() -> anyhow::Result<()> {
    let mut report = Report::new("Beside the aims", &["figure", "aim", "measured", ""]);
    let mut missed = Vec::new();
    for figure in Figure::ALL {
        let (what, said, aim) = figure.aim();
        let row = format!("| {what} | {said} |");
        anyhow::ensure!(DOCUMENT.contains(&row), "docs/benchmarks.md has no row that begins with {row}");
        let Some(value) = median(figure) else { continue };
        let (met, near) = match aim {
            Aim::AtLeast(aim) => (value >= aim, value >= aim / MARGIN),
            Aim::AtMost(aim) => (value <= aim, value <= aim * MARGIN),
        };
        let verdict = match (met, near) {
            (true, _) => "met",
            (false, true) => "near",
            (false, false) => "missed",
        };
        report.row([what.to_owned(), said.to_owned(), format!("{value:.2}"), verdict.to_owned()]);
        if !near {
            missed.push(what);
        }
    }
    report.print();
    anyhow::ensure!(missed.is_empty(), "by more than {MARGIN} times its aim: {}", missed.join("; "));
    Ok(())
}
