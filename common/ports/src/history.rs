//! The history: what people look at. No decision depends on it.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::error::BackendError;
use model::delivery::{Delivery, DeliveryState};
use model::flip::Flip;
use model::heartbeat::Heartbeat;
use model::ids::{ChannelId, DeliveryId, MonitorId};
use model::time::EventTime;

/// The history cannot be reached now; the same call may succeed later, and writing the same entry again is
/// harmless.
#[derive(Debug, thiserror::Error)]
#[error("reach the history")]
pub struct HistoryError(#[source] pub BackendError);

/// The history that a partition's owner writes. It is written before the commit of the resulting state, so
/// that a crash in between repeats it instead of losing it.
#[derive(Debug, Default, Clone)]
pub struct HistoryBatch {
    /// Heartbeats of any monitors, in log order.
    pub heartbeats: Vec<Heartbeat>,
    /// Flips of any monitors, silent ones too.
    pub flips: Vec<Flip>,
    /// Deleted monitors: all of their entries are removed.
    pub removed: Vec<MonitorId>,
}

/// A stored heartbeat, without its output.
#[derive(Debug, Clone, PartialEq)]
pub struct HeartbeatEntry {
    /// The heartbeat; its `output` is `None`.
    pub heartbeat: Heartbeat,
    /// Whether there is an output.
    pub has_output: bool,
}

/// Heartbeats and flips by monitor.
///
/// Bounded: at least the newest N (1,000 by default) of each monitor are kept, and not many more. A store
/// that is bounded in bytes keeps fewer when it is full. An entry that is written twice is one entry: a
/// heartbeat is identified by monitor and `received_at`, a flip by monitor and `at`.
#[async_trait]
pub trait History: Send + Sync {
    /// Writes entries, then removals. After an error some may have been written: the same call again writes
    /// the others.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn append(&self, batch: HistoryBatch) -> Result<(), HistoryError>;

    /// Heartbeats of a monitor received before `before` (`None` = the newest), newest first, at most `limit`.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn heartbeats(
        &self,
        monitor: MonitorId,
        before: Option<EventTime>,
        limit: usize,
    ) -> Result<Vec<HeartbeatEntry>, HistoryError>;

    /// The newest heartbeat of each of these monitors, in the order of the request.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn newest(&self, monitors: &[MonitorId]) -> Result<Vec<Option<HeartbeatEntry>>, HistoryError>;

    /// The output of the heartbeat received at `at`.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn output(&self, monitor: MonitorId, at: EventTime) -> Result<Option<Bytes>, HistoryError>;

    /// Flips of a monitor before `before` (`None` = the newest), newest first, at most `limit`.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn flips(
        &self,
        monitor: MonitorId,
        before: Option<EventTime>,
        limit: usize,
    ) -> Result<Vec<Flip>, HistoryError>;
}

/// Deliveries of each finished state that are kept at least, with room enough.
pub const FINISHED_DELIVERIES: usize = 10_000;

/// How long unfinished and dead deliveries are kept.
pub const OPEN_DELIVERIES_FOR: Duration = Duration::from_secs(30 * 24 * 3_600);

/// The filter of a list of deliveries; every `Some` must hold.
#[derive(Debug, Default, Clone, Copy)]
pub struct DeliveryFilter {
    /// Only deliveries about this monitor.
    pub monitor: Option<MonitorId>,
    /// Only deliveries to this channel.
    pub channel: Option<ChannelId>,
    /// Only deliveries in this state.
    pub state: Option<DeliveryState>,
}

/// Deliveries with their attempts.
///
/// Bounded: at least the newest 10,000 delivered, 10,000 folded and 10,000 suppressed deliveries are kept and
/// not many more, and every pending or dead one of the last 30 days. So the folded deliveries of a storm do
/// not drive out delivered ones. A store that is bounded in bytes keeps fewer finished ones when it is full.
#[async_trait]
pub trait DeliveryHistory: Send + Sync {
    /// Writes deliveries, each replacing its former record.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn put(&self, deliveries: Vec<Delivery>) -> Result<(), HistoryError>;

    /// A delivery, or `None`.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn get(&self, id: DeliveryId) -> Result<Option<Delivery>, HistoryError>;

    /// When the oldest pending delivery was created; `None` = nothing is pending.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn oldest_pending(&self) -> Result<Option<EventTime>, HistoryError>;

    /// Deliveries, newest first by (`created_at`, id), after the position `before`; at most `limit`.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn list(
        &self,
        filter: DeliveryFilter,
        before: Option<(EventTime, DeliveryId)>,
        limit: usize,
    ) -> Result<Vec<Delivery>, HistoryError>;
}
