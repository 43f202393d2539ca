//! The state that every rule shares.

use std::sync::Arc;

use ports::clock::Clock;
use ports::heartbeat_log::HeartbeatLog;
use ports::history::{DeliveryHistory, History};
use ports::queue::{DeadLetters, Queue};
use ports::registry::Registry;
use ports::state_store::StateReader;
use ports::turns::Turns;
use sending::address_guard::AddressGuard;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::definitions::DefinitionLog;
use crate::directory::Directory;
use crate::import::log::ImportLog;
use crate::limits::Limits;
use crate::mint::Ids;
use crate::replay::source::Replays;

/// What is behind the rules: the installation's records, its log and its queues.
pub struct Ports {
    /// The heartbeat log: definition changes and imports are appended to it, replays read it.
    pub log: Arc<dyn HeartbeatLog>,
    /// Monitors, channels, windows, keys and claims on tokens.
    pub registry: Arc<dyn Registry>,
    /// How monitors stand.
    pub states: Arc<dyn StateReader>,
    /// Heartbeats and flips.
    pub history: Arc<dyn History>,
    /// Deliveries and their attempts.
    pub deliveries: Arc<dyn DeliveryHistory>,
    /// The queue that takes tests of channels.
    pub alert_queue: Arc<dyn Queue>,
    /// The dead letters, which a redrive revives.
    pub delivery_queue: Arc<dyn DeadLetters>,
    /// The node's clocks.
    pub clock: Arc<dyn Clock>,
}

/// The role's ports and limits, and what it knows.
pub struct App {
    /// What is behind the rules.
    pub ports: Ports,
    /// What is admitted at a time.
    pub limits: Limits,
    /// Orders the changes that a rule over several records forbids together.
    pub turns: Turns,
    /// The change that is being made in a turn: it goes on if its client hangs up.
    pub changes: TaskTracker,
    /// Where replays begin and how they read.
    pub replays: Replays,
    /// The registry in memory.
    pub directory: Arc<Directory>,
    /// Appends definition changes to the log.
    pub definitions: DefinitionLog,
    /// New ids, in order.
    pub ids: Ids,
    /// The addresses that user-given URLs may lead to.
    pub guard: AddressGuard,
    /// Whether mail is sent; `None` if this is not known.
    pub sends_mail: Option<bool>,
    /// Appends imports to the log.
    pub imports: ImportLog,
    /// Cancelled when the role drains: requests stop waiting for what is slow.
    pub stopping: CancellationToken,
}
