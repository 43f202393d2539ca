//! Ports that fail, around ports that do not.
//!
//! - [`plan`]: which calls fail, and whether before or after their work was done.
//! - [`FaultyHeartbeatLog`]: each append fares as the test says.
//! - The other wrappers ask a [`FaultPlan`] at each call that changes something, or that an owner of a
//!   partition depends on.

mod heartbeat_log;
mod history;
mod plan;
mod queue;
mod registry;
mod state_store;

pub use heartbeat_log::{AppendFate, FaultyHeartbeatLog};
pub use history::FaultyHistory;
pub use plan::{Fault, FaultPlan, SeededFaults, Switch};
pub use queue::FaultyQueue;
pub use registry::{AbsentRegistry, FaultyRegistry};
pub use state_store::FaultyStateStore;
