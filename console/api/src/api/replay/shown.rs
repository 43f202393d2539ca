//! What all answers about the past say, and how it is refused.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use machine::what_if::{Compared, Counts};
use serde::Serialize;
use serving::ClientConnection;
use utoipa::ToSchema;

use crate::api::shown::Time;
use crate::problem::Problem;
use management::replay::sweep::{ClientLeft, Report, SkippedEntry, SweepError};

/// What was read of the past.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplayRead)]
pub(super) struct ReadView {
    /// From when on everything is known; `from`, unless the history begins later.
    begins: Time,
    /// Heartbeats that were read, of all monitors.
    heartbeats: u64,
    /// Damaged entries of the log that were passed over.
    skipped: SkippedView,
    /// Time for which Lubdub itself was deaf.
    deaf: DeafView,
    /// What else is to be known, in sentences.
    notes: Vec<String>,
}

/// Damaged entries of the log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplaySkipped)]
struct SkippedView {
    /// How many.
    count: u64,
    /// The first 100 of them.
    entries: Vec<EntryView>,
}

/// A damaged entry.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplaySkippedEntry)]
struct EntryView {
    /// The partition of the log.
    partition: u16,
    /// Its place there.
    offset: u64,
}

/// Deaf time; of several partitions that were deaf together, once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplayDeaf)]
struct DeafView {
    /// How many spans of it.
    gaps: usize,
    /// How long in all.
    seconds: u64,
}

/// Downs of a monitor, or of several.
#[derive(Debug, Default, Clone, Copy, Serialize, ToSchema)]
#[schema(as = ReplayCounts)]
pub(super) struct CountsView {
    /// Flips to down.
    pub(super) downs: u64,
    /// Seconds in down.
    pub(super) down_seconds: u64,
    /// Missed deadlines after which it was heard again within one period: the timeout, or for cron the time from the due time that was
    /// missed to the next.
    pub(super) false_alarms: u64,
}

/// Downs as they were, and as they would have been.
#[derive(Debug, Default, Clone, Copy, Serialize, ToSchema)]
#[schema(as = ReplayComparison)]
pub(super) struct ComparisonView {
    /// With the settings as they were.
    pub(super) was: CountsView,
    /// With those that were tried.
    pub(super) would_be: CountsView,
}

impl From<&Report> for ReadView {
    fn from(report: &Report) -> Self {
        let (gaps, deaf) = report.deaf();
        let entry = |entry: &SkippedEntry| EntryView { partition: entry.partition.0, offset: entry.offset.0 };
        let entries = report.skipped_entries.iter().map(entry).collect();
        Self {
            begins: Time(report.begins()),
            heartbeats: report.heartbeats,
            skipped: SkippedView { count: report.skipped, entries },
            deaf: DeafView { gaps, seconds: deaf.as_secs() },
            notes: report.notes(),
        }
    }
}

impl From<Counts> for CountsView {
    fn from(counts: Counts) -> Self {
        let Counts { downs, down, false_alarms } = counts;
        Self { downs, down_seconds: down.as_secs(), false_alarms }
    }
}

impl CountsView {
    fn add(&mut self, other: Self) {
        self.downs += other.downs;
        self.down_seconds += other.down_seconds;
        self.false_alarms += other.false_alarms;
    }
}

impl From<&Compared> for ComparisonView {
    fn from(compared: &Compared) -> Self {
        Self { was: compared.was.into(), would_be: compared.would_be.into() }
    }
}

impl ComparisonView {
    pub(super) fn add(&mut self, other: &Self) {
        self.was.add(other.was);
        self.would_be.add(other.would_be);
    }

    /// How much the two differ, the number of downs before their length.
    pub(super) const fn difference(&self) -> (u64, u64, u64) {
        (
            self.was.downs.abs_diff(self.would_be.downs),
            self.was.down_seconds.abs_diff(self.would_be.down_seconds),
            self.was.false_alarms.abs_diff(self.would_be.false_alarms),
        )
    }
}

/// The client's connection, where the server knows it.
pub(super) struct Client(pub(super) Option<ClientLeft>);

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let connection = parts.extensions.get::<ClientConnection>().cloned();
        Ok(Self(connection.map(|connection| -> ClientLeft {
            Arc::new(move || {
                let connection = connection.clone();
                Box::pin(async move { connection.left().await })
            })
        })))
    }
}

/// Too many others are worked on.
pub(super) fn busy() -> Problem {
    Problem::unavailable("two replays are running already: try again when one of them is done")
}

impl From<SweepError> for Problem {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::TooLong => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "the replay took longer than 5 min and was stopped: ask for fewer monitors, or for a shorter time",
            ),
            SweepError::Stopping => Self::unavailable("the console is stopping; try again"),
            // Nobody reads this.
            SweepError::Left => Self::bad_request("the client has left"),
            SweepError::Replay(_) => Self::behind(&error, "the past cannot be read for now; try again"),
            SweepError::Thread(_) | SweepError::Broken => {
                Self::behind(&error, "the replay could not be done; try again")
            }
        }
    }
}
