//! Adapters that keep everything in memory: for tests and simulation, and as the reference for the others.
//!
//! They are shared by cloning their `Arc`; what they hold is gone with the last one.

mod heartbeat_log;
mod history;
mod queue;
mod registry;
mod state_store;

pub use heartbeat_log::InMemoryHeartbeatLog;
pub use history::InMemoryHistory;
pub use queue::InMemoryQueue;
pub use registry::InMemoryRegistry;
pub use state_store::InMemoryStateStore;
