//! The adapters on NATS JetStream: heartbeat log, registry, queues, checkpoints.
//!
//! - `connection`: the client, its options and the names of everything that is kept on the server.
//! - `request`: asking the server, and its errors.
//! - `follow`: a stream's messages in order, over restarts noticed and never skipped. Every reader stands on it.
//! - `provision`: makes what is to be on the server, once, and knows it again.
//! - `log`, `registry`, `checkpoints`: the ports.

mod checkpoints;
mod connection;
mod follow;
mod log;
mod provision;
mod registry;
mod request;

use std::sync::Arc;
use std::time::Duration;

pub use checkpoints::NatsCheckpoints;
pub use connection::{NatsError, NatsOptions};
pub use log::NatsHeartbeatLog;
pub use provision::Provisioned;
pub use registry::NatsRegistry;

use crate::clock::Clock;
use connection::Nats;
use provision::{Settings, provision};

/// Requests are given up after this.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// The adapters on one installation.
pub struct NatsBackend {
    log: Arc<NatsHeartbeatLog>,
    registry: Arc<NatsRegistry>,
    checkpoints: Arc<NatsCheckpoints>,
    partitions: u16,
}

impl NatsBackend {
    /// Connects, and makes what is missing on the server. What is there keeps its settings.
    ///
    /// # Errors
    /// [`NatsError`].
    pub async fn connect(options: NatsOptions, clock: Arc<dyn Clock>) -> Result<Self, NatsError> {
        let nats = Nats::connect(options).await?;
        let partitions = provision(&nats, Settings::Keep).await?.partitions;
        let log = Arc::new(NatsHeartbeatLog::new(nats.clone(), partitions));
        let registry = Arc::new(NatsRegistry::open(&nats, partitions, clock).await?);
        let checkpoints = Arc::new(NatsCheckpoints::new(nats, partitions));
        Ok(Self { log, registry, checkpoints, partitions })
    }

    /// The heartbeat log.
    pub fn log(&self) -> Arc<NatsHeartbeatLog> {
        Arc::clone(&self.log)
    }

    /// The registry.
    pub fn registry(&self) -> Arc<NatsRegistry> {
        Arc::clone(&self.registry)
    }

    /// The checkpoints.
    pub fn checkpoints(&self) -> Arc<NatsCheckpoints> {
        Arc::clone(&self.checkpoints)
    }

    /// How many partitions there are.
    pub const fn partitions(&self) -> u16 {
        self.partitions
    }
}

/// Makes what is missing on the server, and gives what is there the settings of `options`. Doing it again does nothing.
///
/// # Errors
/// [`NatsError`].
pub async fn init(options: NatsOptions) -> Result<Provisioned, NatsError> {
    let nats = Nats::connect(options).await?;
    provision(&nats, Settings::Update).await
}
