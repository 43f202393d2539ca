//! The adapters on NATS JetStream: heartbeat log, registry, queues, checkpoints.
//!
//! - `connection`: the client; `options`, `error`, `timeouts` are below it.
//! - `access`: how a node is let in; `rights`: what each role may do; `refusals`: what the server did not permit.
//! - `names`: how everything on the server is called.
//! - `request`: asking the server, and its errors.
//! - `follow`: a stream's messages in order, over restarts noticed and never skipped. Every reader stands on it.
//! - `provision`: makes what is to be on the server, once, and knows it again.
//! - `log`, `registry`, `queue`, `checkpoints`: the ports.

mod access;
mod checkpoints;
mod connection;
mod error;
mod follow;
mod log;
mod names;
mod options;
mod provision;
mod queue;
mod refusals;
mod registry;
mod request;
mod rights;
mod timeouts;

use std::sync::Arc;
use std::time::Duration;

pub use checkpoints::NatsCheckpoints;
pub use error::{NatsError, Shown, Trusted};
pub use log::NatsHeartbeatLog;
pub use options::NatsOptions;
pub use provision::Provisioned;
pub use queue::NatsQueue;
pub use registry::NatsRegistry;
pub use rights::Rights;

use connection::Nats;
use ports::clock::Clock;
use ports::queue::QueueName;
use provision::{Settings, provision};

/// A node that cannot join those who work on a queue within this says so.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The adapters on one installation.
pub struct NatsBackend {
    log: Arc<NatsHeartbeatLog>,
    registry: Arc<NatsRegistry>,
    checkpoints: Arc<NatsCheckpoints>,
    partitions: u16,
    nats: Nats,
    clock: Arc<dyn Clock>,
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
        let registry = Arc::new(NatsRegistry::open(&nats, partitions, Arc::clone(&clock)).await?);
        let checkpoints = Arc::new(NatsCheckpoints::new(nats.clone()));
        Ok(Self { log, registry, checkpoints, partitions, nats, clock })
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

    /// A queue, to enqueue into: nothing is claimed through it.
    pub fn queue(&self, name: QueueName) -> Arc<NatsQueue> {
        Arc::new(NatsQueue::new(&self.nats, name, false, Arc::clone(&self.clock)))
    }

    /// A queue whose messages this node shares the work on with others, until it is closed.
    ///
    /// # Errors
    /// [`NatsError::SetUp`] if the other nodes cannot be told.
    pub async fn work_on(&self, name: QueueName) -> Result<Arc<NatsQueue>, NatsError> {
        let queue = NatsQueue::new(&self.nats, name, true, Arc::clone(&self.clock));
        let joined = tokio::time::timeout(JOIN_TIMEOUT, queue.joined()).await;
        let what = format!("a share of the queue {}", name.as_str());
        joined.map_err(|error| NatsError::SetUp { what, source: error.into() })?;
        Ok(Arc::new(queue))
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
