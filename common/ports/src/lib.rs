//! The ports: what a role needs from a backend. Each trait's text is its contract; the conformance suites
//! test every adapter by it.
//!
//! The crate also has what depends on the ports alone and serves every adapter or role:
//!
//! - [`clock`]: the clocks that a role may read.
//! - [`shares`]: how the nodes of a role share partitions and shards. Pure.
//! - [`queue_index`]: which messages of a queue can be claimed. Pure.
//! - [`queue_room`]: how the room of a queue is shared. Pure.
//! - [`queue_changes`]: tells that a queue changed.
//! - [`turns`]: consoles change one thing at a time where a rule binds several records together.
//! - [`checkpoint_codec`]: a checkpoint's stored form.

pub mod checkpoint_codec;
pub mod checkpoints;
pub mod clock;
mod error;
pub mod heartbeat_log;
pub mod history;
pub mod ledger;
pub mod queue;
pub mod queue_changes;
pub mod queue_index;
pub mod queue_room;
pub mod registry;
pub mod repeats;
pub mod roster;
pub mod shares;
pub mod state_store;
pub mod turns;

pub use error::BackendError;
