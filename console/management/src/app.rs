//! The state that every request handler shares.

use std::sync::Arc;

use ports::clock::Clock;
use ports::heartbeat_log::HeartbeatLog;
use ports::history::{DeliveryHistory, History};
use ports::queue::{DeadLetters, Queue};
use ports::registry::Registry;
use ports::state_store::StateReader;
use sending::address_guard::AddressGuard;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::definitions::DefinitionLog;
use crate::directory::Directory;
use crate::import::log::ImportLog;
use crate::mint::Ids;
use crate::replay::source::Replays;
use crate::replay::sweep::Sweeps;

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

/// The role's ports and what it knows.
pub struct App {
    /// What is behind the rules.
    pub ports: Ports,
    /// Where replays begin and how they read.
    pub replays: Replays,
    /// Admits the requests that read the past.
    pub sweeps: Sweeps,
    /// The registry in memory.
    pub directory: Arc<Directory>,
    /// Appends definition changes to the log.
    pub definitions: DefinitionLog,
    /// New ids, in order.
    pub ids: Ids,
    /// The addresses that user-given URLs may lead to.
    pub guard: AddressGuard,
    /// One permit for each export that may run at a time.
    pub exports: Arc<Semaphore>,
    /// Appends imports to the log.
    pub imports: ImportLog,
    /// One permit for each import that may run at a time.
    pub importing: Arc<Semaphore>,
    /// One permit for each tail that may run at a time.
    pub tails: Arc<Semaphore>,
    /// Held while a key is deleted: of two deletions at once, the second must see the first.
    pub key_deletion: tokio::sync::Mutex<()>,
    /// Cancelled when the role drains: requests stop waiting for what is slow.
    pub stopping: CancellationToken,
}
