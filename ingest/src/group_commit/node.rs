//! The state that the partitions of a node share.

use std::sync::Arc;

use ports::clock::Clock;
use ports::heartbeat_log::HeartbeatLog;
use serving::Entrance;

use super::lane::PushBudget;
use super::push::Author;
use crate::config::Limits;
use crate::health::Health;
use crate::metrics::Metrics;

/// The state that the partitions of a node share.
pub(super) struct Node {
    pub(super) budget: PushBudget,
    pub(super) limits: Limits,
    pub(super) author: Author,
    pub(super) log: Arc<dyn HeartbeatLog>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) health: Arc<Health>,
    pub(super) entrance: Entrance,
    pub(super) metrics: Arc<Metrics>,
}
