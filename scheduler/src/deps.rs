//! What the scheduler stands on.

use std::sync::Arc;
use std::time::Duration;

use ports::checkpoints::CheckpointStore;
use ports::clock::Clock;
use ports::heartbeat_log::HeartbeatLog;
use ports::history::History;
use ports::queue::Queue;
use ports::registry::Registry;
use ports::roster::Roster;
use ports::state_store::StateStore;

/// A restart after the loss of the state store reads no more of the log than this.
pub const CHECKPOINTS_IN_CLUSTER: Duration = Duration::from_secs(5 * 60);
/// Only replays begin there, and an idle process is to write hardly anything.
pub const CHECKPOINTS_EMBEDDED: Duration = Duration::from_secs(3_600);

/// What the scheduler stands on.
#[derive(Clone)]
pub struct Deps {
    /// This scheduler's name: where there are several, another one for each start.
    pub owner: String,
    /// Read, and given definitions that it lacks.
    pub log: Arc<dyn HeartbeatLog>,
    /// Compared with the definitions in the log.
    pub registry: Arc<dyn Registry>,
    /// Committed to.
    pub states: Arc<dyn StateStore>,
    /// Who schedules.
    pub roster: Arc<dyn Roster>,
    /// Whole partitions for the day when the state store has lost them, and for replays.
    pub checkpoints: Arc<dyn CheckpointStore>,
    /// Between two checkpoints of a partition: [`CHECKPOINTS_IN_CLUSTER`] where states can be lost while the log stays,
    /// [`CHECKPOINTS_EMBEDDED`] where they share a disk.
    pub checkpoint_every: Duration,
    /// Written before each commit.
    pub history: Arc<dyn History>,
    /// Given the alerts after each commit.
    pub alerts: Arc<dyn Queue>,
    /// Used for waiting and for the watchdog, never for a decision about a monitor.
    pub clock: Arc<dyn Clock>,
}
