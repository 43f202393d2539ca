//! The adapters on NATS JetStream: heartbeat log, registry, queues, checkpoints.
//!
//! - `connection`: the client; below it `options`, `error`, `timeouts`.
//! - `access`: how a node logs in; `credential`: what a file holds; `login`: what of it is shown; `renewal`:
//!   a changed file is taken while the node works.
//! - `rights`: what each role may do; `refusals`: what the server did not permit.
//! - `names`: the names of streams, buckets and subjects.
//! - `request`: requests to the server, and their errors.
//! - `follow`: a stream's messages in order; restarts of the server are noticed and nothing is skipped. Every
//!   reader is built on it.
//! - `provision`: makes the streams once, and recognises them later.
//! - `log`, `registry`, `queue`, `checkpoints`: the ports.

mod access;
mod checkpoints;
mod connection;
mod credential;
mod error;
mod follow;
mod ground;
mod log;
mod login;
mod names;
mod options;
mod provision;
mod queue;
mod refusals;
mod registry;
mod renewal;
mod request;
mod rights;
mod timeouts;

use std::sync::Arc;
use std::time::Duration;

pub use checkpoints::NatsCheckpoints;
pub use error::{NatsError, Shown, Trusted};
pub use log::NatsHeartbeatLog;
pub use options::NatsOptions;
pub use provision::{Provisioned, Remains};
pub use queue::NatsQueue;
pub use registry::NatsRegistry;
pub use rights::Rights;

use connection::Nats;
use ports::clock::Clock;
use ports::queue::QueueName;
use provision::{Found, provision};

/// Longest wait until the other nodes know a node that joins a queue.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The adapters on one installation.
pub struct NatsBackend {
    log: Arc<NatsHeartbeatLog>,
    registry: Arc<NatsRegistry>,
    checkpoints: Arc<NatsCheckpoints>,
    found: Found,
    nats: Nats,
    clock: Arc<dyn Clock>,
}

impl NatsBackend {
    /// Connects to what [`init`] made.
    ///
    /// # Errors
    /// [`NatsError`]; [`NatsError::Missing`] where there is no installation, or not all of it.
    pub async fn connect(options: NatsOptions, clock: Arc<dyn Clock>) -> Result<Self, NatsError> {
        let nats = Nats::connect(options).await?;
        let found = provision::find(&nats).await?;
        let partitions = found.partitions;
        let log = Arc::new(NatsHeartbeatLog::new(nats.clone(), partitions));
        let registry = Arc::new(NatsRegistry::open(&nats, partitions, Arc::clone(&clock)).await?);
        let checkpoints = Arc::new(NatsCheckpoints::new(nats.clone()));
        Ok(Self { log, registry, checkpoints, found, nats, clock })
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

    /// A queue for enqueueing only: it claims nothing.
    pub fn queue(&self, name: QueueName) -> Arc<NatsQueue> {
        Arc::new(NatsQueue::new(&self.nats, name, false, Arc::clone(&self.clock)))
    }

    /// A queue whose work this node shares with other nodes, until it is closed.
    ///
    /// # Errors
    /// [`NatsError::SetUp`] if the node cannot join the others.
    pub async fn work_on(&self, name: QueueName) -> Result<Arc<NatsQueue>, NatsError> {
        let queue = NatsQueue::new(&self.nats, name, true, Arc::clone(&self.clock));
        let joined = tokio::time::timeout(JOIN_TIMEOUT, queue.joined()).await;
        let what = format!("a share of the queue {}", name.as_str());
        joined.map_err(|error| NatsError::SetUp { what, source: error.into() })?;
        Ok(Arc::new(queue))
    }

    /// How many partitions there are.
    pub const fn partitions(&self) -> u16 {
        self.found.partitions
    }

    /// The identity of the installation.
    pub fn installation(&self) -> &str {
        &self.found.installation
    }

    /// The identity of the installation that the servers hold now; `None`: they hold none any more.
    ///
    /// # Errors
    /// [`NatsError::SetUp`] if they do not answer.
    pub async fn installation_now(&self) -> Result<Option<String>, NatsError> {
        provision::installation(&self.nats.wherever()).await
    }

    /// Whether there is a connection.
    pub fn is_connected(&self) -> bool {
        self.nats.is_connected()
    }
}

/// What there is of an installation; `None`: there is none.
///
/// # Errors
/// [`NatsError`].
pub async fn remains(options: NatsOptions) -> Result<Option<Remains>, NatsError> {
    provision::remains(&Nats::connect(options).await?).await
}

/// Makes missing streams, and gives existing ones the settings of `options`. Repeating it changes nothing.
///
/// # Errors
/// [`NatsError`].
pub async fn init(options: NatsOptions) -> Result<Provisioned, NatsError> {
    let nats = Nats::connect(options).await?;
    provision(&nats).await
}
