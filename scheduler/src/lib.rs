//! Reads the heartbeat log and decides who is up and who is down.
//!
//! - [`owner`]: runs one partition: reads, applies, settles, commits, publishes.
//! - [`rebuild`]: computes a partition again from its log, to be compared or put in its place.
//! - [`checkpoints`]: reads them, and says which are kept.
//! - [`shares`]: which partitions are this scheduler's, and which can be taken over.
//! - [`reconcile`]: puts definitions into the log that are in the registry only.
//! - [`orphans`]: monitors whose registry was lost.
//! - [`watchdog`]: tells the operator when event time stands still; [`concerns`]: what else it looks at.
//! - [`service`]: owns partitions until shutdown.

mod checkpoints;
mod concerns;
pub mod config;
mod deps;
pub mod error;
pub mod metrics;
mod orphans;
mod owner;
mod rebuild;
mod reconcile;
pub mod service;
mod shares;
mod text_bytes;
pub mod watchdog;

pub use concerns::Concern;
pub use config::Config;
pub use deps::{CHECKPOINTS_EMBEDDED, CHECKPOINTS_IN_CLUSTER, Deps};
pub use error::Error;
pub use service::Service;
pub use watchdog::watch;
