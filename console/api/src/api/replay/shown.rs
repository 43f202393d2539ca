//! The parts and refusals that all answers about the past share.

use std::sync::Arc;

use api::replay::{
    ComparisonView, CountsView, DeafView, EntryView, ReadView, SkippedView, UnnoticedTimeView, UnnoticedView,
};
use api::time::Time;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use machine::unnoticed::unnoticed;
use machine::what_if::{Compared, Counts};
use model::monitor::Definition;
use model::time::EventTime;
use serving::ClientConnection;

use crate::problem::Problem;
use management::replay::sweep::{ClientLeft, Report, SkippedEntry, SweepError};
use management::slots::NoSlot;

/// The view of what a sweep read.
pub(super) fn read_view(report: &Report) -> ReadView {
    let (gaps, deaf) = report.deaf();
    let entry = |entry: &SkippedEntry| EntryView { partition: entry.partition.0, offset: entry.offset.0 };
    let entries = report.skipped_entries.iter().map(entry).collect();
    ReadView {
        begins: Time(report.begins()),
        heartbeats: report.heartbeats,
        skipped: SkippedView { count: report.skipped, entries },
        deaf: DeafView { gaps, seconds: deaf.as_secs() },
        notes: report.notes(),
    }
}

/// Downs as they were, and as they would have been.
pub(super) fn comparison_view(compared: &Compared) -> ComparisonView {
    let counts = |counts: Counts| {
        let Counts { downs, down, false_alarms } = counts;
        CountsView { downs, down_seconds: down.as_secs(), false_alarms }
    };
    ComparisonView { was: counts(compared.was), would_be: counts(compared.would_be) }
}

/// The price of the settings that are in force, and of those that were tried.
pub(super) fn unnoticed_view(was: &Definition, would_be: &Definition, from: EventTime) -> UnnoticedView {
    let of = |definition: &Definition| {
        let found = unnoticed(definition, from)?;
        Some(UnnoticedTimeView {
            typical_seconds: found.typical.as_secs(),
            worst_seconds: found.worst.as_secs(),
        })
    };
    let before = of(was);
    UnnoticedView { was: before, would_be: if would_be == was { before } else { of(would_be) } }
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

/// The refusal while others run.
pub(super) fn busy(_: NoSlot) -> Problem {
    Problem::unavailable(
        "as many replays as may run at a time are running already: try again when one of them is done",
    )
}

impl From<SweepError> for Problem {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::TooLong => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "the replay took longer than 5 min and was stopped: ask for fewer monitors, or for a shorter time",
            ),
            SweepError::Stopping => Self::unavailable("the console is stopping; try again"),
            // The client that would read this has left.
            SweepError::Left => Self::bad_request("the client has left"),
            SweepError::Replay(_) => Self::behind(&error, "the past cannot be read for now; try again"),
            SweepError::Thread(_) | SweepError::Broken => {
                Self::behind(&error, "the replay could not be done; try again")
            }
        }
    }
}
