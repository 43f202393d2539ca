//! Reads the heartbeat log and decides who is up and who is down.
//!
//! - [`partition`]: the state machine. Pure: time, entries and due monitors come in as arguments.
//! - [`owner`]: runs one partition: reads, applies, settles, commits, publishes.
//! - [`shares`]: which partitions are this scheduler's, and whose are free.
//! - [`reconcile`]: puts definitions into the log that are in the registry only.
//! - [`watchdog`]: tells the operator when event time stands still.
//! - [`service`]: owns partitions until it is told to stop.

pub mod config;
pub mod error;
pub mod metrics;
mod owner;
pub mod partition;
mod reconcile;
pub mod service;
mod shares;
pub mod watchdog;

pub use config::Config;
pub use error::Error;
pub use service::{Deps, Service};
