//! The ports and means of the scheduler.

use std::sync::Arc;
use std::time::Duration;

use crate::concerns::Concern;
use ports::checkpoints::CheckpointStore;
use ports::clock::Clock;
use ports::heartbeat_log::HeartbeatLog;
use ports::history::History;
use ports::queue::Queue;
use ports::registry::Registry;
use ports::roster::Roster;
use ports::state_store::StateStore;

/// The interval between checkpoints in a cluster: how much of the log is read again after the state store is
/// lost.
pub const CHECKPOINTS_IN_CLUSTER: Duration = Duration::from_secs(5 * 60);
/// The interval between checkpoints in one process, where only replays use them and an idle process hardly
/// writes.
pub const CHECKPOINTS_EMBEDDED: Duration = Duration::from_secs(3_600);

/// The ports and means of the scheduler.
#[derive(Clone)]
pub struct Deps {
    /// This scheduler's name. In a cluster each start has another one.
    pub owner: String,
    /// Read. Definitions that it lacks are appended.
    pub log: Arc<dyn HeartbeatLog>,
    /// Compared with the definitions in the log.
    pub registry: Arc<dyn Registry>,
    /// Committed to.
    pub states: Arc<dyn StateStore>,
    /// Says which schedulers there are.
    pub roster: Arc<dyn Roster>,
    /// Whole partitions, for replays and for when the state store has lost them.
    pub checkpoints: Arc<dyn CheckpointStore>,
    /// Between two checkpoints of a partition: [`CHECKPOINTS_IN_CLUSTER`] where states can be lost while the
    /// log stays, [`CHECKPOINTS_EMBEDDED`] where they share a disk.
    pub checkpoint_every: Duration,
    /// Written before each commit.
    pub history: Arc<dyn History>,
    /// Takes the alerts after each commit.
    pub alerts: Arc<dyn Queue>,
    /// What else the watchdog tells the operator of.
    pub concerns: Vec<Arc<dyn Concern>>,
    /// Used for waiting and for the watchdog, never for a decision about a monitor.
    pub clock: Arc<dyn Clock>,
}
