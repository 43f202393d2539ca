//! One suite per port: a public function per sentence of its contract, and a macro that runs them all on a subject.

pub(crate) mod checkpoints;
pub(crate) mod deliveries;
pub(crate) mod heartbeat_log;
pub(crate) mod history;
pub(crate) mod leases;
pub(crate) mod ledger;
pub(crate) mod queue;
pub(crate) mod queue_order;
pub(crate) mod registry;
pub(crate) mod registry_watch;
pub(crate) mod roster;
pub(crate) mod state_store;
