//! The adapters behind the ports: one per port and technology.

pub mod memory;
mod queue_index;
pub mod sqlite;
