//! Ports for tests and simulation.
//!
//! The adapters in memory are the reference for the others. They are shared by cloning their `Arc`; what they
//! hold is gone with the last one. The `Faulty…` wrappers let calls fail. [`eventually()`] waits for a fact
//! instead of sleeping. [`samples`] are values that tests begin with.

mod checkpoints;
mod eventually;
mod faulty;
mod heartbeat_log;
mod history;
mod ledger;
mod queue;
mod registry;
mod roster;
pub mod samples;
mod state_store;

pub use checkpoints::InMemoryCheckpoints;
pub use eventually::eventually;
pub use faulty::{
    AbsentRegistry, AppendFate, Fault, FaultAt, FaultPlan, FaultyDeliveryHistory, FaultyHeartbeatLog,
    FaultyHistory, FaultyLedger, FaultyQueue, FaultyRegistry, FaultyRoster, FaultyStateStore, SeededFaults,
    Switch,
};
pub use heartbeat_log::InMemoryHeartbeatLog;
pub use history::InMemoryHistory;
pub use ledger::InMemoryLedger;
pub use queue::InMemoryQueue;
pub use registry::InMemoryRegistry;
pub use roster::InMemoryRoster;
pub use state_store::InMemoryStateStore;
