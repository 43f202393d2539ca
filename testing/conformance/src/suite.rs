//! One suite per port: a public function per sentence of its contract, and a macro that runs them all on a
//! subject.

pub mod checkpoints;
pub mod deliveries;
pub mod heartbeat_log;
pub mod history;
pub mod leases;
pub mod ledger;
pub mod queue;
pub mod queue_order;
pub mod queue_surplus;
pub mod registry;
pub mod registry_watch;
pub mod roster;
pub mod state_store;
