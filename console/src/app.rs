//! What every request handler holds.

use std::sync::Arc;

use ports::clock::Clock;
use ports::heartbeat_log::HeartbeatLog;
use ports::history::{DeliveryHistory, History};
use ports::queue::Queue;
use ports::registry::Registry;
use ports::state_store::StateReader;
use sending::address_guard::AddressGuard;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::definitions::DefinitionLog;
use crate::directory::Directory;
use crate::import::ImportLog;
use crate::mint::Ids;
use crate::replay::Replays;
use crate::replay::sweep::Sweeps;

/// The role's ports and what it knows.
pub(crate) struct App {
    pub(crate) log: Arc<dyn HeartbeatLog>,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) states: Arc<dyn StateReader>,
    pub(crate) history: Arc<dyn History>,
    pub(crate) deliveries: Arc<dyn DeliveryHistory>,
    pub(crate) replays: Replays,
    pub(crate) sweeps: Sweeps,
    pub(crate) alert_queue: Arc<dyn Queue>,
    pub(crate) delivery_queue: Arc<dyn Queue>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) definitions: DefinitionLog,
    pub(crate) ids: Ids,
    pub(crate) guard: AddressGuard,
    /// One for each export that may run at a time.
    pub(crate) exports: Arc<Semaphore>,
    pub(crate) imports: ImportLog,
    /// One for each import that may run at a time.
    pub(crate) importing: Arc<Semaphore>,
    /// One for each tail that may run at a time.
    pub(crate) tails: Arc<Semaphore>,
    /// Held while a key is deleted: of two deletions at once, the second must see the first.
    pub(crate) key_deletion: tokio::sync::Mutex<()>,
    /// Cancelled when the role drains: nobody waits for something slow any longer.
    pub(crate) stopping: CancellationToken,
}
