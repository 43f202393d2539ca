//! Ports that fail, around ports that do not.
//!
//! - [`plan`]: which calls fail, before or after their work was done, and at which the process dies.
//! - [`FaultyHeartbeatLog`]: each append fares as the test says.
//! - The other wrappers ask a [`FaultPlan`] at each call that a role depends on.

mod delivery_history;
mod heartbeat_log;
mod history;
mod ledger;
mod plan;
mod queue;
mod registry;
mod roster;
mod state_store;

pub use delivery_history::FaultyDeliveryHistory;
pub use heartbeat_log::{AppendFate, FaultyHeartbeatLog};
pub use history::FaultyHistory;
pub use ledger::FaultyLedger;
pub use plan::{Fault, FaultAt, FaultPlan, SeededFaults, Switch};
pub use queue::FaultyQueue;
pub use registry::{AbsentRegistry, FaultyRegistry};
pub use roster::FaultyRoster;
pub use state_store::FaultyStateStore;
