//! What a role needs from a backend. Each trait's text is its contract; `tests/conformance` tests it.

pub mod checkpoint_codec;
pub mod checkpoints;
pub mod heartbeat_log;
pub mod history;
pub mod ledger;
pub mod queue;
pub mod registry;
pub mod roster;
pub mod state_store;

/// The error of whatever is behind an adapter.
pub type BackendError = Box<dyn std::error::Error + Send + Sync>;
